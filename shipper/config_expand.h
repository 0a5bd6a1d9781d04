/*
 * ${NAME}, ${NAME:-default}, ${file:/path} and ${file:/path:-default} inside values. This happens after the
 * YAML was parsed, so nothing that a variable holds can become a key or another value. A variable that is not
 * set but has NAME_FILE beside it is read from that file. `$${` stands for `${`.
 */
#ifndef SHIPPER_CONFIG_EXPAND_H
#define SHIPPER_CONFIG_EXPAND_H

#include "config.h"
#include "problem.h"

enum { SECRET_BYTES_MAX = 65536, CONFIG_FILE_BYTES_MAX = 1 << 20 };

/*
 * The expanded text (the caller frees it); what came out of a file is noted in `secrets`, which keeps copies.
 * 0, or a negative error: CFG_005 for what is not there, CFG_004 for what is not understood.
 */
int config_expand(const char *text, struct config_secrets *secrets, char **ret_text,
                  struct problem *ret_problem);

void config_secrets_clear(struct config_secrets *secrets);

/* Whether the value may not be shown. */
bool config_secrets_in(const struct config_secrets *secrets, const char *value);

/*
 * A whole file as NUL-terminated text, which the caller frees. 0; -errno; -EFBIG when larger than
 * `bytes_max`; -EILSEQ when there is a NUL in it.
 */
int config_read_file(const char *path, size_t bytes_max, char **ret_text);

#endif
