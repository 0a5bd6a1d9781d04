/* YAML -> struct config, by the table of settings. */
#ifndef SHIPPER_CONFIG_READ_H
#define SHIPPER_CONFIG_READ_H

#include "config_table.h"

/* Reads the file into `config`, which holds the defaults. What is wrong goes into the report. */
void config_read(const char *file, struct config *config, struct report *report);

/* The SHIPPER_… variables of the environment, for the scalar settings of the top and of its sections. */
void config_read_environment(struct config *config, struct report *report);

/* For the functions of special settings: */

/* The text of a scalar with its variables expanded, which the caller frees; NULL when it is none (then it is
 * reported). */
char *read_scalar(struct reader *reader, const struct place *place, yaml_node_t *node, const char *wanted);

/* Whether the node is a mapping; else it is reported. */
bool read_is_mapping(struct reader *reader, const struct place *place, yaml_node_t *node, const char *wanted);

/*
 * Walks a mapping: `*pair` is NULL at first. Gives key, value and place of the next one whose key is a text
 * that did not come before; others are reported. False at the end.
 */
struct mapping_pair {
    const yaml_node_pair_t *pair;
    const char *key;
    yaml_node_t *value;
    struct place place;
};
bool read_next_pair(struct reader *reader, const struct place *outer, yaml_node_t *mapping,
                    struct mapping_pair *pair);

int node_line(const yaml_node_t *node);

#endif
