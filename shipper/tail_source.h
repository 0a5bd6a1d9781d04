/* What tail itself needs of a source beyond tail.h. */
#ifndef SHIPPER_TAIL_SOURCE_H
#define SHIPPER_TAIL_SOURCE_H

#include "tail.h"
#include "tail_file.h"

/* Whether the bytes of this plain file are still the source's: those before the statistics' position (without
 * a marker nothing speaks against it), or its head while nothing was read. */
bool source_bytes_stand(const struct source *source, int fd);

/* A plain file that was short when it was found, and reaches to `end` now, has more of a head: by it its
 * bytes are told from those that are written there later. */
void source_renew_head(struct source *source, int fd, uint64_t end);

/* When the statistics have reached the end of all that can ever come, that is remembered in the evidence, so
 * that the file is not read again at the next start. */
void source_note_finished(struct source *source);

#endif
