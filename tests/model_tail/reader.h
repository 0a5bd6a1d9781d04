/*
 * A small shipper over the real tail, which keeps what a database would keep: of each source its evidence,
 * and of each lane its position and the very bytes that it took. A kill takes back what was not committed.
 */
#ifndef TESTS_MODEL_TAIL_READER_H
#define TESTS_MODEL_TAIL_READER_H

#include "shipper/tail.h"

#include <stdbool.h>
#include <stddef.h>

enum { READER_LANES = 2, READER_SOURCES_MAX = 4096 };

struct reader_bytes {
    char *data;
    size_t size, committed;
};

/* A source as the database knows it, and what was read of it. */
struct reader_source {
    struct source_record record; /* as committed; id "": not yet */
    char id[UUID_TEXT_SIZE + 1];
    uint64_t position[READER_LANES]; /* as committed */
    struct reader_bytes bytes[READER_LANES];
};

struct reader {
    struct config_input input;
    struct tail *tail; /* NULL while it does not run */
    bool once;
    int64_t now_ns, looked_ns; /* the last one: 0 before the first look of a run */
    struct reader_source sources[READER_SOURCES_MAX];
    int source_count;
    uint64_t lost_bytes; /* as committed */
    int problems;
};

void reader_init(struct reader *reader, int64_t now_ns, char *const *patterns, int pattern_count);
void reader_release(struct reader *reader);

void reader_start(struct reader *reader, bool once);
void reader_stop(struct reader *reader); /* commits */
void reader_kill(struct reader *reader);

void reader_look(struct reader *reader);
/* Reads in the tail's order, pieces of that size; at most `pieces` of each source. Whether anything came. */
bool reader_drain(struct reader *reader, int lane, size_t piece_bytes, int pieces);
void reader_commit(struct reader *reader);

#endif
