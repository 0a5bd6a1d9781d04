/* What the model runs: a producer and a consumer over the library's own ring, each with its own view of the
 * memory that they share. See ring_model.c. */
#ifndef TESTS_MODEL_RING_CODE_H
#define TESTS_MODEL_RING_CODE_H

#include "liblog/ring_file.h"

enum { MODEL_FRAME_BYTES = 16, MODEL_RING_BYTES = 2 * MODEL_FRAME_BYTES, MODEL_RECORDS_MAX = 16 };

/* What is mapped by both, and survives them. */
struct model_memory {
    struct ring_control control;
    struct ring_progress progress;
    char data[MODEL_RING_BYTES];
};

/* The log, as far as the model knows it: the records' numbers. It survives as well. */
struct model_log {
    uint64_t record[2 * MODEL_RECORDS_MAX];
    uint64_t count;
};

/* What can be broken, to see that the model finds it. */
enum model_break {
    BREAK_NOTHING,
    BREAK_PUBLISH,      /* head is stored without release */
    BREAK_TAKE,         /* head is loaded without acquire */
    BREAK_PUBLISH_SOON, /* head is stored before the bytes */
    BREAK_STAGE,        /* tails go where they hold at once */
    BREAK_NOTE,         /* no note before the write */
    BREAK_NOTE_LATE,    /* the note after the write */
    BREAK_COMMIT_SOON,  /* the commit before the write */
    BREAK_COMMIT_NEVER, /* none: the tails do not move */
    BREAK_FREE_SOON,    /* producers may write over frames before the commit */
    BREAKS
};

/* --- ring_code.c: run by the model's threads, every access seen ----------------------------------------- */

void code_make(struct model_memory *memory);
void code_produce(struct model_memory *view, int records, enum model_break broken);
void code_consume(struct model_memory *view, enum model_break broken);

/* After a death: finishes the log. False when the ring shows something that cannot be. */
bool code_recover(struct model_memory *memory, struct model_log *log);

/* --- ring_model.c: what that code asks of the model ----------------------------------------------------- */

void model_returned(void); /* a call of the producer has returned */
void model_append(uint64_t record);
uint64_t model_log_count(void);
void model_fail(const char *what);

/* There is nothing to do now. False when there never will be: the other has ended. */
bool model_wait(void);

#endif
