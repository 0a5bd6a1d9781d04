/*
 * Lines of text (`format: plain`) -> events. What a JSON line says by its keys is looked for in the text: by
 * the patterns of the input's `keys:`, and without them a time in its usual forms (plain_time.h) and a word
 * that is a level, both at the head of its first line.
 */
#ifndef SHIPPER_PLAIN_H
#define SHIPPER_PLAIN_H

#include "event.h"
#include "problem.h"
#include "scan.h"

enum { PLAIN_SEARCHED_BYTES_MAX = 16 * 1024 }; /* patterns look no further into an event */

struct plain;

/* `config->mapping` holds patterns. 0, or a negative error with ret_problem filled. */
int plain_new(const struct scan_config *config, struct problem *ret_problem, struct plain **ret_plain);
void plain_free(struct plain *plain); /* NULL is allowed */

/* Any text is a record: fills the values of `ret_event`, which are views into it. */
void plain_scan(const struct plain *plain, struct slice text, struct event *ret_event);

/* The level that the head of a text names: ERROR, [error], level=error, <err>, "E1019 …" do; an empty slice
 * when none does. */
struct slice plain_level_find(struct slice text);

#endif
