/* What json-c says of a line that the scanner has taken: one more parser, that others wrote. */
#ifndef TESTS_SUPPORT_JSON_C_H
#define TESTS_SUPPORT_JSON_C_H

#include "shipper/event.h"

#include <json.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

enum { JSON_C_DEPTH_MAX = 256, JSON_C_TEXT_SIZE_MAX = 1 << 15 };

/* The caller releases it; NULL also stands for `null`. Fails the test when json-c, which is more lenient than
 * RFC 8259 here and there but never stricter, does not take all of the line. */
static json_object *json_c_parse(struct slice line)
{
    json_tokener *tokener = json_tokener_new_ex(JSON_C_DEPTH_MAX);
    char *text = strndup(line.data, line.size);
    assert_true(tokener && text);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    json_object *root = json_tokener_parse_ex(tokener, text, (int)line.size + 1);
    size_t end = json_tokener_get_parse_end(tokener);
    if (json_tokener_get_error(tokener) != json_tokener_success ||
        strspn(text + end, " \t\r\n") + end != line.size)
        fail_msg("json-c: %s at %zu of %s", json_tokener_error_desc(json_tokener_get_error(tokener)), end,
                 text);
    free(text);
    json_tokener_free(tokener);
    return root;
}

static enum value_kind json_c_kind(json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_string:
        return VALUE_STRING;
    case json_type_int:
    case json_type_double:
        return VALUE_NUMBER;
    case json_type_boolean:
        return json_object_get_boolean(value) ? VALUE_TRUE : VALUE_FALSE;
    case json_type_object:
        return VALUE_OBJECT;
    case json_type_array:
        return VALUE_ARRAY;
    default:
        return VALUE_NULL;
    }
}

/* `name` is a key, or two joined by a dot. False when the line does not have it. */
static bool json_c_find(json_object *root, const char *name, json_object **ret_value)
{
    const char *dot = strchr(name, '.');
    if (!dot)
        return json_object_object_get_ex(root, name, ret_value);
    char outer[64];
    json_object *inner;
    snprintf(outer, sizeof(outer), "%.*s", (int)(dot - name), name);
    return json_object_object_get_ex(root, outer, &inner) && json_object_is_type(inner, json_type_object) &&
           json_object_object_get_ex(inner, dot + 1, ret_value);
}

static void assert_json_c_string(json_object *there, const struct value *value)
{
    static char memory[JSON_C_TEXT_SIZE_MAX];
    struct slice text = value_text(value, memory, sizeof(memory));
    assert_int_equal(text.size, json_object_get_string_len(there));
    if (text.size)
        assert_memory_equal(text.data, json_object_get_string(there), text.size);
}

/* Whole numbers of more than 64 bits become the largest there is in json-c. */
static void assert_json_c_number(json_object *there, const struct value *value)
{
    double number = strtod(value->data, NULL); /* what follows a number in a line is none of it */
    if (fabs(number) < 9e18)
        assert_true(number == json_object_get_double(there));
}

static void assert_json_c_agrees(struct slice line, const struct event *event,
                                 const char *const names[static EVENT_KEY_COUNT])
{
    json_object *root = json_c_parse(line), *there;
    for (int key = 0; key < EVENT_KEY_COUNT; key++) {
        const struct value *value = &event->value[key];
        if (!names[key])
            continue;
        enum value_kind kind = json_c_find(root, names[key], &there) ? json_c_kind(there) : VALUE_ABSENT;
        if (value->kind != kind)
            fail_msg("%s is of kind %d, by json-c %d: %.*s", names[key], value->kind, kind, (int)line.size,
                     line.data);
        if (kind == VALUE_STRING)
            assert_json_c_string(there, value);
        else if (kind == VALUE_NUMBER)
            assert_json_c_number(there, value);
    }
    json_object_put(root);
}

#endif
