/* Events as the scanner would make them, for tests of what comes behind it. */
#ifndef TESTS_EVENT_MAKER_H
#define TESTS_EVENT_MAKER_H

#include "shipper/batch.h"
#include "shipper/scan.h"

#include <string.h>

#define SECOND_NS INT64_C(1000000000)

/* The text as it would lie in a line, with others behind it; it stays until a hundred more were made. */
static inline const char *text_in_line(const char *text)
{
    enum { TEXTS = 100, TEXT_SIZE_MAX = 1024 };
    static char line[TEXTS][TEXT_SIZE_MAX + SCAN_PADDING];
    static int next;
    char *place = line[next++ % TEXTS];
    assert_true(strlen(text) <= TEXT_SIZE_MAX);
    memset(place, '"', sizeof(line[0]));
    memcpy(place, text, strlen(text));
    return place;
}

static inline void event_set(struct event *event, enum event_key key, const char *text)
{
    event->value[key] = (struct value){.data = text_in_line(text),
                                       .size = (uint32_t)strlen(text),
                                       .kind = VALUE_STRING,
                                       .escaped = strchr(text, '\\') != NULL};
}

static inline struct event event_of(enum level level, int64_t time_s, const char *service, const char *type)
{
    struct event event = {.level = level, .time_ns = time_s * SECOND_NS};
    event_set(&event, EVENT_SERVICE, service);
    event_set(&event, EVENT_LOGGER, "root");
    if (*type)
        event_set(&event, EVENT_EXCEPTION_TYPE, type);
    return event;
}

static inline struct event event_of_run(const char *run_id, uint64_t seq, int64_t time_s)
{
    struct event event = event_of(LEVEL_INFO, time_s, "shop", "");
    event_set(&event, EVENT_RUN_ID, run_id);
    event.seq = seq;
    return event;
}

static inline struct event mark_of_run(const char *run_id, uint64_t seq, int64_t time_s, const char *mark)
{
    struct event event = event_of_run(run_id, seq, time_s);
    event_set(&event, EVENT_MARK, mark);
    event.is_mark = true;
    event.is_crash = strcmp(mark, "crash") == 0;
    return event;
}

static inline int add_event(struct batch *batch, const struct event *event, struct slice service)
{
    return batch_add(batch, &event, 1, service);
}

#endif
