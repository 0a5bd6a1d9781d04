/*
 * The settings, as one table (config_table.c): name, type, place in struct config, default, bounds and help.
 * The parser (config_read), the variables of the environment, `shipper check` (config_print), the example
 * file and the manual all go through it, so a setting is added in one line.
 *
 *     text --setting_read_text--> struct config --setting_text--> text
 *
 * Settings that are more than one text (keys, topic, properties) bring two functions of their own.
 */
#ifndef SHIPPER_CONFIG_TABLE_H
#define SHIPPER_CONFIG_TABLE_H

#include "config.h"
#include "config_report.h"

#include <yaml.h>

enum setting_type {
    SETTING_TEXT,       /* char *, owned */
    SETTING_FLAG,       /* bool: false or true */
    SETTING_FLAG_WORDS, /* bool: the first or the second of two words */
    SETTING_CHOICE,     /* an enum: the index of one of the words */
    SETTING_KEY,        /* int: the enum event_key of that name; -1 when not given */
    SETTING_FORMAT,     /* char[16]: one of the words */
    SETTING_NUMBER,     /* uint64_t */
    SETTING_SIZE,       /* uint64_t, bytes */
    SETTING_DURATION,   /* int64_t, ns */
    SETTING_LEVELS,     /* unsigned: bits of enum level; all when not given */
    SETTING_TEXTS,      /* char *[CONFIG_PATHS_MAX], owned, and their count */
    SETTING_SECTION,    /* settings of its own in the same struct */
    SETTING_LIST,       /* an array of structs with settings of their own, and their count */
    SETTING_SPECIAL,    /* by functions of its own */
};

/* What the functions that read YAML share. */
struct reader {
    yaml_document_t *document;
    struct config *config;
    struct report *report;
};

struct setting_functions {
    /* `base` is the struct that holds the setting; what is wrong goes into the report. */
    void (*read)(struct reader *reader, const struct place *place, yaml_node_t *node, void *base);
    /* Writes the value, beginning behind "name:" and ending with a newline; nothing and false when it is not
     * given. */
    bool (*print)(const struct config *config, const void *base, int indent, FILE *out);
    void (*release)(void *base);
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;
    size_t count_offset;      /* SETTING_TEXTS, SETTING_LIST */
    const char *initial;      /* the default as text; NULL: none */
    const char *const *words; /* ends with NULL */
    const char *const *later; /* words that a later version will know; NULL: none */
    uint64_t minimum, maximum;
    const struct section *section;             /* SETTING_SECTION, SETTING_LIST */
    const struct setting_functions *functions; /* SETTING_SPECIAL */
    bool is_required;                          /* where the key belongs, it must be there and not be empty */
    bool is_kafka;                             /* belongs to outputs of type kafka only */
    bool is_text;                              /* belongs to inputs of format plain only */
    const char *help;                          /* sentences */
    /* What the example file shows, as YAML: in the first and in the second element of a list; elsewhere the
     * first. A line that is commented out shows the default, or else the second. */
    const char *example[2];
};

struct section {
    const struct setting *settings;
    int count;
    size_t element_size; /* of a list's struct */
    int element_max;
    /* What holds between settings, once all are read; `node` is the section's mapping. NULL: nothing. */
    void (*check)(struct reader *reader, const struct place *place, yaml_node_t *node, void *element);
};

extern const struct section config_section;

/* The names of levels and of the record's keys, by their enums; both end with NULL. */
extern const char *const config_level_words[];
extern const char *const config_key_words[];

/* Whether the type is written as one text. */
bool setting_is_scalar(const struct setting *setting);

/* Whether the text's type (and the words) allow it: 0, or -1 with nothing changed. */
int setting_read_text(const struct setting *setting, const char *text, void *base);

/* What would do, in words: "a size from 1KiB to 64MiB, such as 1MiB". */
enum { SETTING_WANTED_SIZE = 512 };
void setting_wanted(const struct setting *setting, char out[static SETTING_WANTED_SIZE]);

/* The value in force as text; false when there is none. */
enum { SETTING_TEXT_SIZE = 4096 };
bool setting_text(const struct setting *setting, const void *base, char out[static SETTING_TEXT_SIZE]);

/* The index of a word, whatever its letter case, or -1; and the nearest word to one that is not there, or
 * NULL. */
int words_index(const char *const *words, const char *text);
const char *words_nearest(const char *const *words, const char *text);

/* "a, b or c" */
void words_list(const char *const *words, char *out, size_t size);

/* All defaults of a section into `base`, which is zeros; and everything that the section owns there freed. */
void section_defaults(const struct section *section, void *base);
void section_release(const struct section *section, void *base);

#endif
