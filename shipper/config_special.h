/* The settings that are more than a text: an input's keys, an output's topic and properties; and what must
 * hold between the settings of one input or output. */
#ifndef SHIPPER_CONFIG_SPECIAL_H
#define SHIPPER_CONFIG_SPECIAL_H

#include "config_table.h"

extern const struct setting_functions keys_functions, topic_functions, properties_functions;

void check_input(struct reader *reader, const struct place *place, yaml_node_t *node, void *element);
void check_output(struct reader *reader, const struct place *place, yaml_node_t *node, void *element);

/* What holds for the whole configuration only: names given twice, what production refuses. */
void check_config(const struct config *config, const char *file, struct report *report);

/* Text in a form that YAML reads back as the same: plain where it can be, else in double quotes. */
void print_scalar(const struct config *config, const char *text, FILE *out);

/* The same for a value that may not be shown: `********`. */
void print_masked(FILE *out);

#endif
