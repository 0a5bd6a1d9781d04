#include "run.h"

#include "column_text.h"
#include "hash.h"
#include "liblog/base/cleanup.h"
#include "liblog/base/number.h"
#include "liblog/record.h"

#include <assert.h>

enum { SLOTS_MIN = 64, ROWS_MIN = 16, GAPS_MIN = 4 };

static const char *const end_names[RUN_END_COUNT] = {"running", "closed", "killed", "crashed", "unknown"};

const char *run_end_name(enum run_end end)
{
    return end_names[end];
}

enum run_end run_end_from_name(const char *name)
{
    for (int i = 0; i < RUN_END_COUNT; i++)
        if (strcmp(end_names[i], name) == 0)
            return (enum run_end)i;
    return RUN_UNKNOWN;
}

uint64_t run_sum(uint64_t value, uint64_t more)
{
    return more > INT64_MAX - value ? INT64_MAX : value + more;
}

/* --- numbers seen, as one range with gaps --- */

void run_audit_release(struct run_audit *audit)
{
    free(audit->gaps);
    *audit = (struct run_audit){0};
}

static uint64_t gap_size(const struct run_gap *gap)
{
    return gap->to - gap->from + 1;
}

/* Seeing a range adds one gap at most: beside what was known, or by splitting one. */
static int make_gap_room(struct run_audit *audit)
{
    if (audit->gap_count < audit->gap_capacity)
        return 0;
    uint32_t capacity = audit->gap_capacity ? audit->gap_capacity * 2 : GAPS_MIN;
    struct run_gap *gaps = reallocarray(audit->gaps, capacity, sizeof(*gaps));
    if (!gaps)
        return -ERR_INT_002;
    audit->gaps = gaps;
    audit->gap_capacity = capacity;
    return 0;
}

static void remove_gap(struct run_audit *audit, uint32_t at)
{
    audit->gap_count--;
    memmove(&audit->gaps[at], &audit->gaps[at + 1], (audit->gap_count - at) * sizeof(*audit->gaps));
}

static void insert_gap(struct run_audit *audit, uint32_t at, struct run_gap gap)
{
    assert(audit->gap_count < audit->gap_capacity);
    memmove(&audit->gaps[at + 1], &audit->gaps[at], (audit->gap_count - at) * sizeof(*audit->gaps));
    audit->gaps[at] = gap;
    audit->gap_count++;
}

static void bound_gaps(struct run_audit *audit)
{
    if (audit->gap_count <= RUN_GAPS_MAX)
        return;
    remove_gap(audit, 0);
    audit->inexact = true;
}

/* Takes from … to, which lie within the range, out of the gaps. Returns how many of them had been missing. */
static uint64_t fill_gaps(struct run_audit *audit, uint64_t from, uint64_t to)
{
    uint64_t filled = 0;
    for (uint32_t i = 0; i < audit->gap_count;) {
        struct run_gap gap = audit->gaps[i];
        if (gap.to < from || gap.from > to) {
            i++;
            continue;
        }
        struct run_gap below = {gap.from, from - 1}, above = {to + 1, gap.to};
        filled += gap_size(&gap);
        remove_gap(audit, i);
        if (gap.to > to) {
            insert_gap(audit, i, above);
            filled -= gap_size(&above);
        }
        if (gap.from < from) {
            insert_gap(audit, i++, below);
            filled -= gap_size(&below);
        }
        i += gap.to > to;
    }
    return filled;
}

static void extend_up(struct run_audit *audit, uint64_t from, uint64_t to)
{
    if (from > audit->last_seq + 1) {
        struct run_gap gap = {audit->last_seq + 1, from - 1};
        insert_gap(audit, audit->gap_count, gap);
        audit->missing += gap_size(&gap);
    }
    audit->last_seq = to;
}

static void extend_down(struct run_audit *audit, uint64_t from, uint64_t to)
{
    if (to + 1 < audit->first_seq) {
        struct run_gap gap = {to + 1, audit->first_seq - 1};
        insert_gap(audit, 0, gap);
        audit->missing += gap_size(&gap);
    }
    audit->first_seq = from;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

int run_audit_see(struct run_audit *audit, uint64_t from, uint64_t to)
{
    assert(from >= 1 && from <= to && to <= INT64_MAX);
    if (audit->last_seq == 0) {
        audit->first_seq = from;
        audit->last_seq = to;
        return 0;
    }
    if (make_gap_room(audit) < 0)
        return -ERR_INT_002;
    uint64_t first = audit->first_seq, last = audit->last_seq;
    uint64_t inner_from = max_u64(from, first), inner_to = min_u64(to, last);
    if (inner_from <= inner_to) {
        uint64_t filled = fill_gaps(audit, inner_from, inner_to);
        audit->missing -= filled;
        audit->duplicates = run_sum(audit->duplicates, inner_to - inner_from + 1 - filled);
    }
    if (to > last)
        extend_up(audit, from, to);
    if (from < first)
        extend_down(audit, from, to);
    bound_gaps(audit);
    return 0;
}

/* --- two audits become one --- */

static uint64_t remembered_missing(const struct run_audit *audit)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < audit->gap_count; i++)
        sum += gap_size(&audit->gaps[i]);
    return sum;
}

/* Each stretch between the gaps of `later` in turn. Forgotten gaps are not known any more and pass as seen.
 */
static int see_all(struct run_audit *audit, const struct run_audit *later)
{
    uint64_t from = later->first_seq;
    for (uint32_t i = 0; i < later->gap_count; i++) {
        int r = run_audit_see(audit, from, later->gaps[i].from - 1);
        if (r < 0)
            return r;
        from = later->gaps[i].to + 1;
    }
    return run_audit_see(audit, from, later->last_seq);
}

static void merge_times(struct run_audit *audit, const struct run_audit *later)
{
    if (audit->records == 0 || later->first_seen_ns < audit->first_seen_ns)
        audit->first_seen_ns = later->first_seen_ns;
    if (audit->records == 0 || later->last_seen_ns > audit->last_seen_ns)
        audit->last_seen_ns = later->last_seen_ns;
}

int run_audit_merge(struct run_audit *audit, const struct run_audit *later)
{
    if (later->last_seq != 0) {
        int r = see_all(audit, later);
        if (r < 0)
            return r;
    }
    merge_times(audit, later);
    audit->missing = run_sum(audit->missing, later->missing - remembered_missing(later));
    audit->records = run_sum(audit->records, later->records);
    audit->duplicates = run_sum(audit->duplicates, later->duplicates);
    audit->dropped = run_sum(audit->dropped, later->dropped);
    audit->inexact |= later->inexact;
    audit->closed_seq = max_u64(audit->closed_seq, later->closed_seq);
    if (later->ended > audit->ended)
        audit->ended = later->ended;
    return 0;
}

enum run_end run_audit_end(const struct run_audit *audit)
{
    if (audit->ended != RUN_RUNNING)
        return audit->ended;
    return audit->closed_seq != 0 && audit->closed_seq == audit->last_seq ? RUN_CLOSED : RUN_RUNNING;
}

/* --- the runs of a batch --- */

int run_table_init(struct run_table *table, uint64_t seed)
{
    uint32_t *slots = calloc(SLOTS_MIN, sizeof(*slots));
    if (!slots)
        return -ERR_INT_002;
    *table = (struct run_table){.slots = slots, .slot_mask = SLOTS_MIN - 1, .seed = seed};
    return 0;
}

void run_table_clear(struct run_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        run_audit_release(&table->rows[i].audit);
        free(table->rows[i].texts);
    }
    table->count = 0;
    table->latest = NULL;
    if (table->slots)
        memset(table->slots, 0, ((size_t)table->slot_mask + 1) * sizeof(*table->slots));
}

void run_table_release(struct run_table *table)
{
    run_table_clear(table);
    free(table->rows);
    free(table->slots);
    *table = (struct run_table){0};
}

static uint32_t *find_slot(const struct run_table *table, uint64_t hash, struct slice id)
{
    for (uint32_t at = (uint32_t)hash & table->slot_mask;; at = (at + 1) & table->slot_mask) {
        uint32_t *slot = &table->slots[at];
        if (*slot == 0)
            return slot;
        const struct run *run = &table->rows[*slot - 1];
        if (run->hash == hash && slice_equal(run->id, id))
            return slot;
    }
}

static int grow_slots(struct run_table *table)
{
    uint32_t size = (table->slot_mask + 1) * 2;
    uint32_t *slots = calloc(size, sizeof(*slots));
    if (!slots)
        return -ERR_INT_002;
    free(table->slots);
    table->slots = slots;
    table->slot_mask = size - 1;
    for (uint32_t i = 0; i < table->count; i++)
        *find_slot(table, table->rows[i].hash, table->rows[i].id) = i + 1;
    return 0;
}

static int make_room(struct run_table *table)
{
    if (table->count == table->capacity) {
        uint32_t capacity = table->capacity ? table->capacity * 2 : ROWS_MIN;
        table->latest = NULL; /* rows may move */
        struct run *rows = reallocarray(table->rows, capacity, sizeof(*rows));
        if (!rows)
            return -ERR_INT_002;
        table->rows = rows;
        table->capacity = capacity;
    }
    if ((table->count + 1) * 2 > table->slot_mask)
        return grow_slots(table);
    return 0;
}

static struct slice append(char **out, struct slice text)
{
    struct slice copy = {*out, text.size};
    if (text.size)
        memcpy(*out, text.data, text.size);
    *out += text.size;
    return copy;
}

static int set_texts(struct run *run, struct slice id, struct slice parent_id, struct slice service)
{
    run->texts = malloc(id.size + parent_id.size + service.size + 1);
    if (!run->texts)
        return -ERR_INT_002;
    char *out = run->texts;
    run->id = append(&out, id);
    run->parent_id = append(&out, parent_id);
    run->service = append(&out, service);
    return 0;
}

static int64_t event_pid(const struct event *event)
{
    const struct value *pid = &event->value[EVENT_PID];
    int64_t number = 0;
    if (pid->kind == VALUE_NUMBER)
        number_to_i64(slice_from(pid->data, pid->size), &number);
    return number;
}

static int add_run(struct run_table *table, uint64_t hash, struct slice id, const struct event *event,
                   struct slice service)
{
    char parent_memory[COLUMN_TEXT_BYTES_MAX];
    struct slice parent = column_text(&event->value[EVENT_PARENT_RUN_ID], !event->bad_utf8, parent_memory);
    struct run run = {.hash = hash, .pid = event_pid(event)};
    if (make_room(table) < 0 || set_texts(&run, id, parent, service) < 0)
        return -ERR_INT_002;
    table->rows[table->count++] = run;
    *find_slot(table, hash, id) = table->count;
    return 0;
}

static int find_run(struct run_table *table, const struct event *event, struct slice service,
                    struct run **ret_run)
{
    char memory[COLUMN_TEXT_BYTES_MAX];
    struct slice id = column_text(&event->value[EVENT_RUN_ID], !event->bad_utf8, memory);
    if (table->latest && slice_equal(table->latest->id, id)) {
        *ret_run = table->latest;
        return 0;
    }
    uint64_t hash = hash_text(table->seed, id);
    uint32_t slot = *find_slot(table, hash, id);
    if (slot == 0) {
        int r = add_run(table, hash, id, event, service);
        if (r < 0)
            return r;
        slot = table->count;
    }
    *ret_run = table->latest = &table->rows[slot - 1];
    return 0;
}

static void take_mark(struct run_audit *audit, const struct event *event)
{
    const struct value *value = &event->value[EVENT_MARK];
    struct slice mark = {value->data, value->size};
    if (event->is_crash)
        audit->ended = RUN_CRASHED;
    else if (slice_is(mark, LL_MARK_RECOVERED) && audit->ended < RUN_KILLED)
        audit->ended = RUN_KILLED;
    else if (slice_is(mark, LL_MARK_CLOSE))
        audit->closed_seq = max_u64(audit->closed_seq, event->seq);
    audit->dropped = run_sum(audit->dropped, event->dropped);
}

static void take_time(struct run_audit *audit, int64_t time_ns)
{
    if (audit->records == 0 || time_ns < audit->first_seen_ns)
        audit->first_seen_ns = time_ns;
    if (audit->records == 0 || time_ns > audit->last_seen_ns)
        audit->last_seen_ns = time_ns;
}

int run_table_add(struct run_table *table, const struct event *event, struct slice service)
{
    const struct value *id = &event->value[EVENT_RUN_ID];
    if (event->seq == 0 || event->seq > INT64_MAX || id->kind != VALUE_STRING || id->size == 0)
        return 0;
    struct run *run;
    int r = find_run(table, event, service, &run);
    if (r < 0)
        return r;
    struct run_audit *audit = &run->audit;
    if (event->seq == audit->last_seq + 1 && audit->last_seq != 0)
        audit->last_seq = event->seq;
    else if ((r = run_audit_see(audit, event->seq, event->seq)) < 0)
        return r;
    take_time(audit, event->time_ns);
    if (event->is_mark)
        take_mark(audit, event);
    audit->records++;
    return 0;
}
