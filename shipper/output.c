#include "output_class.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#define PAUSE_NS_MIN      (100 * 1000000LL)
#define PAUSE_NS_MAX      (10 * 1000000000LL)
#define TELL_AGAIN_NS_MIN (60 * 1000000000LL)

enum { MAP_CAPACITY_MIN = 16, FLUSH_STEP_MS_MAX = 50 };

int64_t output_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- streams ---- */

static uint32_t map_slot(const struct output_map *map, const struct source *source)
{
    uint32_t i = (uint32_t)(((uintptr_t)source >> 4) * 0x9E3779B97F4A7C15u >> 32) & (map->capacity - 1);
    while (map->slot[i] && map->slot[i]->source != source)
        i = (i + 1) & (map->capacity - 1);
    return i;
}

static struct output_stream *map_find(const struct output_map *map, const struct source *source)
{
    return map->capacity ? map->slot[map_slot(map, source)] : NULL;
}

static int map_grow(struct output_map *map)
{
    struct output_map grown = {.capacity = map->capacity ? map->capacity * 2 : MAP_CAPACITY_MIN,
                               .count = map->count};
    grown.slot = calloc(grown.capacity, sizeof(struct output_stream *));
    if (!grown.slot)
        return -ERR_INT_002;
    for (uint32_t i = 0; i < map->capacity; i++) {
        if (map->slot[i])
            grown.slot[map_slot(&grown, map->slot[i]->source)] = map->slot[i];
    }
    free(map->slot);
    *map = grown;
    return 0;
}

/* Empties the slot and puts those behind it that it had pushed aside back where they are found. */
static void map_remove(struct output_map *map, uint32_t at)
{
    map->slot[at] = NULL;
    map->count--;
    map->latest = NULL;
    for (uint32_t i = (at + 1) & (map->capacity - 1); map->slot[i]; i = (i + 1) & (map->capacity - 1)) {
        struct output_stream *stream = map->slot[i];
        map->slot[i] = NULL;
        map->slot[map_slot(map, stream->source)] = stream;
    }
}

static void map_release(struct output_map *map)
{
    for (uint32_t i = 0; i < map->capacity; i++) {
        if (map->slot[i])
            ack_release(&map->slot[i]->ack);
        free(map->slot[i]);
    }
    free(map->slot);
}

/* Records come in long runs of one source, so the latest stream nearly always is the one. */
static struct output_stream *stream_of(struct output *output, const struct source *source)
{
    struct output_map *map = &output->streams;
    if (!map->latest || map->latest->source != source)
        map->latest = map_find(map, source);
    assert(map->latest);
    return map->latest;
}

int output_begin(struct output *output, struct source *source, uint64_t offset)
{
    struct output_map *map = &output->streams;
    if (map->count * 2 >= map->capacity && map_grow(map) < 0)
        return -ERR_INT_002;
    uint32_t i = map_slot(map, source);
    assert(!map->slot[i]);
    map->slot[i] = calloc(1, sizeof(struct output_stream));
    if (!map->slot[i])
        return -ERR_INT_002;
    map->slot[i]->source = source;
    ack_init(&map->slot[i]->ack, offset);
    map->count++;
    return 0;
}

bool output_resume(struct output *output, const struct source *source, uint64_t offset)
{
    struct ack_tracker *ack = &stream_of(output, source)->ack;
    if (offset == ack->sent)
        return true;
    if (ack->count)
        return false;
    ack->position = ack->sent = offset;
    return true;
}

void output_forget(struct output *output, const struct source *source)
{
    struct output_map *map = &output->streams;
    struct output_stream *stream = map_find(map, source);
    if (!stream)
        return;
    assert(stream->ack.count == 0);
    map_remove(map, map_slot(map, source));
    ack_release(&stream->ack);
    free(stream);
}

uint64_t output_acknowledged(const struct output *output, const struct source *source)
{
    const struct output_stream *stream = map_find(&output->streams, source);
    return stream ? stream->ack.position : 0;
}

/* ---- trouble ---- */

__attribute__((format(printf, 3, 0))) static void trouble_set(struct output *output, enum error error,
                                                              const char *format, va_list arguments)
{
    char text[PROBLEM_TEXT_SIZE];
    vsnprintf(text, sizeof(text), format, arguments);
    struct output_trouble *trouble = &output->trouble;
    int64_t now_ns = output_now_ns();
    problem_set(&trouble->problem, error, "output \"%s\": %s", output->config->name, text);
    if (error != trouble->told || now_ns - trouble->told_at_ns >= TELL_AGAIN_NS_MIN) {
        trouble->untold = true;
        trouble->told = error;
        trouble->told_at_ns = now_ns;
    }
}

void output_warn(struct output *output, enum error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    trouble_set(output, error, format, arguments);
    va_end(arguments);
}

void output_hold(struct output *output, enum error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    trouble_set(output, error, format, arguments);
    va_end(arguments);
    struct output_trouble *trouble = &output->trouble;
    if (output_holds(output))
        return; /* several failures of one moment lengthen the pause once */
    trouble->pause_ns = trouble->pause_ns ? trouble->pause_ns * 2 : PAUSE_NS_MIN;
    if (trouble->pause_ns > PAUSE_NS_MAX)
        trouble->pause_ns = PAUSE_NS_MAX;
    trouble->retry_at_ns = output_now_ns() + trouble->pause_ns;
}

void output_die(struct output *output, enum error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    trouble_set(output, error, format, arguments);
    va_end(arguments);
    output->trouble.for_good = true;
}

void output_well(struct output *output)
{
    struct output_trouble *trouble = &output->trouble;
    if (trouble->for_good)
        return;
    trouble->pause_ns = 0;
    trouble->retry_at_ns = 0;
    if (!trouble->untold)
        trouble->problem.error = ERR_NONE;
}

bool output_holds(const struct output *output)
{
    const struct output_trouble *trouble = &output->trouble;
    return trouble->for_good || (trouble->retry_at_ns && output_now_ns() < trouble->retry_at_ns);
}

bool output_is_dead(const struct output *output)
{
    return output->trouble.for_good;
}

static void trouble_tell(struct output *output, struct problem *ret_problem)
{
    struct output_trouble *trouble = &output->trouble;
    if (!trouble->untold || !ret_problem)
        return;
    *ret_problem = trouble->problem;
    trouble->untold = false;
    if (!trouble->retry_at_ns && !trouble->for_good)
        trouble->problem.error = ERR_NONE; /* it held nothing up: now it has been told, it is over */
}

/* ---- the calls ---- */

int output_open(const struct config_output *config, int lane, const struct output_environment *environment,
                struct problem *ret_problem, struct output **ret_output)
{
    assert(lane > LANE_STATS && lane < LANE_COUNT_MAX);
    (void)lane;
    switch (config->type) {
    case OUTPUT_STDOUT:
        return output_stdout_open(config, ret_problem, ret_output);
    case OUTPUT_KAFKA:
        return output_kafka_open(config, environment, ret_problem, ret_output);
    }
    return problem_set(ret_problem, ERR_INT_001, "output \"%s\" has a type that is not known", config->name);
}

void output_close(struct output *output)
{
    if (!output)
        return;
    map_release(&output->streams);
    output->class->close(output);
}

const char *output_name(const struct output *output)
{
    return output->config->name;
}

uint32_t output_levels(const struct output *output)
{
    return output->config->levels;
}

bool output_takes_many(const struct output *output)
{
    return output->class->takes_many;
}

bool output_ready(const struct output *output)
{
    return !output_holds(output) && output->class->has_room(output);
}

enum output_result output_send(struct output *output, const struct output_record *record,
                               struct problem *ret_problem)
{
    if (output_holds(output))
        return OUTPUT_FAILED;
    struct output_stream *stream = stream_of(output, record->source);
    if (ack_reserve(&stream->ack) < 0) {
        output_hold(output, ERR_INT_002, "no memory for another record");
        trouble_tell(output, ret_problem);
        return OUTPUT_FAILED;
    }
    enum output_result result = output->class->send(output, stream, record);
    if (result == OUTPUT_TAKEN)
        output->counters.sent += record->count;
    else
        trouble_tell(output, ret_problem);
    return result;
}

void output_skip(struct output *output, struct source *source, uint64_t end)
{
    ack_skip(&stream_of(output, source)->ack, end);
}

static int trouble_result(struct output *output, struct problem *ret_problem)
{
    int result = -(int)output->trouble.problem.error;
    trouble_tell(output, ret_problem);
    return output->trouble.retry_at_ns || output->trouble.for_good ? result : 0;
}

int output_settle(struct output *output, struct problem *ret_problem)
{
    output->class->settle(output);
    return trouble_result(output, ret_problem);
}

int output_pump(struct output *output, int timeout_ms, struct problem *ret_problem)
{
    output->class->pump(output, timeout_ms);
    return trouble_result(output, ret_problem);
}

struct pollfd output_interest(const struct output *output)
{
    return output->class->interest(output);
}

int output_flush(struct output *output, int timeout_ms, struct problem *ret_problem)
{
    int64_t deadline_ns = output_now_ns() + timeout_ms * 1000000LL;
    output_settle(output, ret_problem);
    for (;;) {
        int64_t left_ms = (deadline_ns - output_now_ns()) / 1000000;
        if (!output->class->in_flight(output))
            return 0;
        if (left_ms <= 0 || output_is_dead(output))
            break;
        output_pump(output, left_ms < FLUSH_STEP_MS_MAX ? (int)left_ms : FLUSH_STEP_MS_MAX, ret_problem);
    }
    return output->trouble.problem.error ? -(int)output->trouble.problem.error : -ERR_NET_001;
}

void output_counters(const struct output *output, struct output_counters *ret_counters)
{
    *ret_counters = output->counters;
    ret_counters->in_flight = output->class->in_flight(output);
}
