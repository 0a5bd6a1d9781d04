/*
 * The library's own ring.c and ring_file.c, compiled so that each access to memory is a call
 * (-fsanitize=thread), and the smallest producer, consumer and recoverer over them. The steps of the consumer
 * are those of drain_write, the recoverer's those of recover.c; tests/unit/test_kill_points.c kills the real
 * ones at every point.
 */
#define _GNU_SOURCE
#include "ring_code.h"

#include "liblog/ring.c"
#include "liblog/ring_file.c"

static struct ring ring_in(struct model_memory *memory)
{
    return (struct ring){&memory->control, memory->data, MODEL_RING_BYTES};
}

static struct ring_file file_in(struct model_memory *memory)
{
    return (struct ring_file){.fd = -1, .progress = &memory->progress};
}

void code_make(struct model_memory *memory)
{
    memory->progress.generation = 2;
    memory->progress.next_seq[0] = memory->progress.next_seq[1] = 1;
}

/* --- a caller ------------------------------------------------------------------------------------------- */

static bool push(struct ring_producer *producer, uint64_t record, enum model_break broken)
{
    uint64_t *frame = (uint64_t *)(void *)ring_reserve(producer, MODEL_FRAME_BYTES);
    if (!frame)
        return false;
    if (broken == BREAK_PUBLISH_SOON)
        ring_publish(producer, MODEL_FRAME_BYTES);
    frame[0] = record;
    frame[1] = ~record;
    if (broken != BREAK_PUBLISH_SOON)
        ring_publish(producer, MODEL_FRAME_BYTES);
    return true;
}

void code_produce(struct model_memory *view, int records, enum model_break broken)
{
    struct ring ring = ring_in(view);
    struct ring_producer producer;
    ring_producer_init(&producer, &ring);
    for (int i = 1; i <= records; i++) {
        while (!push(&producer, (uint64_t)i, broken))
            if (!model_wait())
                return;
        model_returned();
    }
}

/* --- the writer ----------------------------------------------------------------------------------------- */

struct block {
    uint64_t record[MODEL_RECORDS_MAX];
    uint64_t count;
    uint64_t tail; /* behind its last frame */
};

static bool fill(const struct ring *ring, uint64_t from, uint64_t to, struct block *block)
{
    *block = (struct block){.tail = from};
    for (; block->tail != to; block->tail += MODEL_FRAME_BYTES) {
        const uint64_t *frame = (const uint64_t *)(const void *)ring_at(ring, block->tail);
        if (frame[1] != ~frame[0] || block->count == MODEL_RECORDS_MAX)
            return false;
        block->record[block->count++] = frame[0];
    }
    return true;
}

static void stage(struct model_memory *view, const struct ring_file *file, const struct block *block,
                  enum model_break broken)
{
    unsigned next = ring_file_parity(file) ^ 1;
    if (broken == BREAK_STAGE)
        next ^= 1;
    view->control.tail[next] = block->tail;
    view->progress.next_seq[next] = view->progress.next_seq[next ^ 1] + block->count;
}

static void note(struct ring_file *file, const struct block *block, uint64_t offset)
{
    struct ring_note note = {.first_seq = file->progress->next_seq[ring_file_parity(file)]};
    note.last_seq = note.first_seq + block->count - 1;
    note.target[0] = (struct ring_target){1, 1, offset, block->count};
    ring_file_note(file, &note);
}

static void write_block(struct model_memory *view, struct ring_file *file, const struct block *block,
                        enum model_break broken)
{
    struct ring ring = ring_in(view);
    uint64_t offset = model_log_count();
    stage(view, file, block, broken);
    if (broken != BREAK_NOTE && broken != BREAK_NOTE_LATE)
        note(file, block, offset);
    if (broken == BREAK_COMMIT_SOON)
        ring_file_commit(file);
    if (broken == BREAK_FREE_SOON)
        ring_free(&ring, block->tail);
    for (uint64_t i = 0; i < block->count; i++)
        model_append(block->record[i]);
    if (broken == BREAK_NOTE_LATE)
        note(file, block, offset);
    if (broken != BREAK_COMMIT_SOON && broken != BREAK_COMMIT_NEVER)
        ring_file_commit(file);
    if (broken != BREAK_FREE_SOON)
        ring_free(&ring, block->tail);
}

void code_consume(struct model_memory *view, enum model_break broken)
{
    struct ring ring = ring_in(view);
    struct ring_file file = file_in(view);
    struct block block = {.tail = 0};
    do {
        uint64_t head = ring_head(&ring);
        if (!fill(&ring, block.tail, head, &block))
            model_fail("the writer sees a frame that is not whole");
        else if (block.count)
            write_block(view, &file, &block, broken);
    } while (block.count || model_wait());
}

/* --- whoever comes after a death ------------------------------------------------------------------------ */

static bool is_whole(const struct model_log *log, const struct ring_note *note)
{
    return log->count >= note->target[0].offset + note->target[0].length;
}

/* The block whose write was under way. */
static bool settle(struct model_memory *memory, struct ring_file *file, struct model_log *log)
{
    const struct ring_note *pending = ring_file_pending(file);
    unsigned parity = ring_file_parity(file);
    struct ring ring = ring_in(memory);
    struct block block;
    if (!pending || log->count <= pending->target[0].offset)
        return true;
    if (!is_whole(log, pending)) {
        if (!fill(&ring, memory->control.tail[parity], memory->control.tail[parity ^ 1], &block) ||
            block.count != pending->target[0].length)
            return false;
        log->count = pending->target[0].offset;
        for (uint64_t i = 0; i < block.count; i++)
            log->record[log->count++] = block.record[i];
    }
    ring_file_commit(file);
    return true;
}

bool code_recover(struct model_memory *memory, struct model_log *log)
{
    struct ring_file file = file_in(memory);
    struct ring ring = ring_in(memory);
    struct block block;
    if (!settle(memory, &file, log))
        return false;
    uint64_t tail = memory->control.tail[ring_file_parity(&file)], head = ring_head(&ring);
    if (head < tail || head - tail > ring.size || !fill(&ring, tail, head, &block))
        return false;
    for (uint64_t i = 0; i < block.count && log->count < 2 * MODEL_RECORDS_MAX; i++)
        log->record[log->count++] = block.record[i];
    return true;
}
