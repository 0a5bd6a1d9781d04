#define _GNU_SOURCE /* memmem */
#include "trace.h"

enum { TYPE_BYTES_MAX = 200 };

static const struct slice python_head = {"Traceback (most recent call last)", 33};

/* The first line without its end; *ret_rest is what follows it. */
static struct slice take_line(struct slice text, struct slice *ret_rest)
{
    for (size_t i = 0; i < text.size; i++) {
        bool is_spelt = text.data[i] == '\\' && i + 1 < text.size && text.data[i + 1] == 'n';
        if (text.data[i] != '\n' && !is_spelt)
            continue;
        size_t next = i + 1 + is_spelt;
        *ret_rest = slice_from(text.data + next, text.size - next);
        return slice_from(text.data, i);
    }
    *ret_rest = (struct slice){0};
    return text;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '$';
}

static bool ends_with(struct slice text, struct slice end)
{
    return text.size >= end.size && memcmp(text.data + text.size - end.size, end.data, end.size) == 0;
}

static bool is_named_like_an_error(struct slice name)
{
    static const struct slice ends[] = {{"Exception", 9}, {"Error", 5},   {"Throwable", 9}, {"Warning", 7},
                                        {"Interrupt", 9}, {"Failure", 7}, {"Exit", 4},      {"Fault", 5}};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (ends_with(name, ends[i]))
            return true;
    return false;
}

/* A name at the beginning of a line with nothing but a colon behind it, or nothing at all. */
static struct slice type_in(struct slice line)
{
    size_t size = 0;
    while (size < line.size && is_name_byte(line.data[size]))
        size++;
    bool ends =
        size == line.size || line.data[size] == ':' || line.data[size] == '\r' || line.data[size] == '\\';
    bool begins = size > 0 && !(line.data[0] >= '0' && line.data[0] <= '9') && line.data[0] != '.';
    return ends && begins && size <= TYPE_BYTES_MAX ? slice_from(line.data, size) : (struct slice){0};
}

/* Of several that are linked, Python tells the one that was raised last at the end. */
static struct slice last_type(struct slice trace)
{
    struct slice found = {0};
    while (trace.size) {
        struct slice type = type_in(take_line(trace, &trace));
        found = type.size ? type : found;
    }
    return found;
}

static bool holds(struct slice text, struct slice part)
{
    return memmem(text.data, text.size, part.data, part.size) != NULL;
}

struct slice trace_type(struct slice trace, bool is_sure)
{
    struct slice rest;
    if (trace.size == 0)
        return trace;
    if (holds(trace, python_head))
        return last_type(trace);
    struct slice type = type_in(take_line(trace, &rest));
    return is_sure || is_named_like_an_error(type) ? type : (struct slice){0};
}
