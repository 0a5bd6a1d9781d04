/* The formats that shipper reads: which key of whose JSON is which key of the record. */
#ifndef SHIPPER_SCAN_FORMAT_H
#define SHIPPER_SCAN_FORMAT_H

#include "scan.h"

struct scan_format_key {
    enum event_key key;
    const char *path;
};

struct scan_format {
    const char *name;
    const struct scan_format_key *keys; /* of two for the same key, the first stands when both are there */
    int key_count;
    bool flat;        /* "a.b" may also be one key of the record */
    bool otel_levels; /* numbers are OpenTelemetry's severities */
};

/* NULL when it is not known; the empty name is liblog. */
const struct scan_format *scan_format_find(const char *name);

#endif
