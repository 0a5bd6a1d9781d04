/*
 * Explores, exhaustively for a small ring, in which orders a caller and the writer can meet, what each may
 * see of the other's stores, and where both may die. It runs the library's own code (ring_code.c), in which
 * every access to memory is a call to this file, so the model cannot drift from what it models.
 *
 *   Memory   Each of the two has a view of its own. A store goes to the storer's view; when the other sees it
 *            is chosen: at an atomic load it may read any newer value of that word, or the old one. What it
 *            reads from a store with release, by a load with acquire, brings all that was stored before;
 * without the one or the other it brings that word alone, as a weakly ordered machine may. All the rest may
 *            or may not have arrived as well.
 *   Death    What was stored by a process that dies is all in memory, in its order. After every single store
 *            and every record written a copy of memory and log is recovered, and must hold 1, 2, 3 … without
 * a gap up to the last call that had returned, or one more.
 *
 * Without an argument: proves the ring, then breaks it in each way that ring_code.h names and must find that.
 */
#define _GNU_SOURCE
#include "ring_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { STORES_MAX = 1024, CHOICES_MAX = 512, STACK_BYTES = 65536, WORD = 8, RECORDS = 4 };
enum { CALLER, WRITER, THREADS };

struct store {
    uint32_t offset; /* of the word in struct model_memory */
    bool released;
    uint64_t value;
};

struct thread {
    struct model_memory view;
    struct store store[STORES_MAX];
    int stores;
    bool seen[STORES_MAX]; /* which of the other's are in the view */
    int seen_all;          /* all before this one are */
    size_t plain_offset,
        plain_size; /* a plain store that was announced: its value is there at the next call */
    bool has_ended;
    uint64_t calls;     /* of this file, so far */
    uint64_t loads;     /* a hash of all values that it was given: with `calls`, where its code stands */
    uint64_t seen_hash; /* of `seen` */
    ucontext_t context;
    char stack[STACK_BYTES];
};

static struct thread threads[THREADS];
static struct thread *running;     /* NULL: nobody, what is called is no step of the model */
static struct model_memory memory; /* as it is after a death: all stores in their order */
static struct model_log written;
static uint64_t returned;
static enum model_break broken;
static bool is_known; /* what can follow was, or will be, explored from another run */
static ucontext_t explorer;
static const char *failure; /* of this run, or NULL */
static uint64_t runs, deaths;

/* --- choices: a run is told by them; all are tried ------------------------------------------------------- */

static struct choice {
    int taken, of;
} choices[CHOICES_MAX];
static int choices_made, choices_given;

static int choose(int of)
{
    if (of == 1)
        return 0;
    if (choices_made == CHOICES_MAX) {
        fprintf(stderr, "a run has more choices than the explorer can hold\n");
        exit(2);
    }
    struct choice *choice = &choices[choices_made++];
    if (choices_made > choices_given)
        *choice = (struct choice){0, of};
    return choice->taken;
}

/* The next run in the order of a tree's leaves. False after the last. */
static bool next_choices(void)
{
    while (choices_made > 0 && choices[choices_made - 1].taken + 1 == choices[choices_made - 1].of)
        choices_made--;
    if (choices_made == 0)
        return false;
    choices[choices_made - 1].taken++;
    choices_given = choices_made;
    return true;
}

/* What happens before the last given choice has happened in an earlier run. */
static bool is_new(void)
{
    return choices_made >= choices_given;
}

/* --- states that were met before ------------------------------------------------------------------------- */

enum { MET_BITS = 22 };
static uint64_t met[1 << MET_BITS]; /* hashes; 0: free */
static uint64_t states;

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t hash_of(const struct thread *thread)
{
    uint64_t hash = mix(mix(thread->calls, thread->loads), thread->seen_hash);
    return mix(mix(hash, (uint64_t)thread->stores), thread->has_ended);
}

/* Each word has one who stores it, so memory is what the two have stored, and that is where they stand. */
static bool was_met(void)
{
    uint64_t hash = mix(mix(hash_of(&threads[CALLER]), hash_of(&threads[WRITER])), running == threads) | 1;
    uint64_t place = hash >> (64 - MET_BITS);
    for (; met[place]; place = (place + 1) % (1 << MET_BITS))
        if (met[place] == hash)
            return true;
    if (++states == (1 << MET_BITS) / 2) {
        fprintf(stderr, "there are more states than the explorer can hold\n");
        exit(2);
    }
    met[place] = hash;
    return false;
}

/* --- death ---------------------------------------------------------------------------------------------- */

void model_fail(const char *what)
{
    if (!failure)
        failure = what;
}

static void check_recovered(const struct model_log *log)
{
    for (uint64_t i = 0; i < log->count; i++)
        if (log->record[i] != i + 1)
            model_fail("after a death a record is missing, or is there twice");
    if (log->count < returned)
        model_fail("after a death a record is lost whose call had returned");
    if (log->count > returned + 1)
        model_fail("after a death there is more than was logged");
}

static void die_here(void)
{
    struct model_memory left = memory;
    struct model_log log = written;
    struct thread *before = running;
    if (!is_new() || failure)
        return;
    deaths++;
    running = NULL;
    if (!code_recover(&left, &log))
        model_fail("after a death the ring cannot be read");
    else
        check_recovered(&log);
    running = before;
}

/* --- stores, and who sees them when --------------------------------------------------------------------- */

static struct thread *other_of(const struct thread *thread)
{
    return &threads[thread == &threads[CALLER] ? WRITER : CALLER];
}

static void put_store(struct thread *thread, size_t offset, bool released)
{
    uint64_t value;
    memcpy(&value, (char *)&thread->view + offset, WORD);
    if (thread->stores == STORES_MAX) {
        fprintf(stderr, "a run has more stores than the explorer can hold\n");
        exit(2);
    }
    thread->store[thread->stores++] = (struct store){(uint32_t)offset, released, value};
    memcpy((char *)&memory + offset, &value, WORD);
    die_here();
}

/* A plain store is told before it is done: now it is. Word by word, for a death may tear it. */
static void settle_plain(struct thread *thread)
{
    size_t end = thread->plain_offset + thread->plain_size;
    thread->plain_size = 0;
    for (size_t offset = thread->plain_offset & ~(size_t)(WORD - 1); offset < end; offset += WORD)
        put_store(thread, offset, false);
}

static bool later_is_seen(const struct thread *thread, const struct thread *other, int i)
{
    for (int k = i + 1; k < other->stores; k++)
        if (thread->seen[k] && other->store[k].offset == other->store[i].offset)
            return true;
    return false;
}

static void see(struct thread *thread, int i)
{
    const struct thread *other = other_of(thread);
    const struct store *store = &other->store[i];
    if (thread->seen[i])
        return;
    thread->seen[i] = true;
    thread->seen_hash ^= mix(1, (uint64_t)i);
    if (!later_is_seen(thread, other, i))
        memcpy((char *)&thread->view + store->offset, &store->value, WORD);
}

static void see_up_to(struct thread *thread, int count)
{
    for (; thread->seen_all < count; thread->seen_all++)
        see(thread, thread->seen_all);
}

/* Which of the other's stores to a word this thread may still read. */
static int readable(const struct thread *thread, size_t offset, int *ret_stores)
{
    const struct thread *other = other_of(thread);
    int count = 0;
    for (int i = thread->seen_all; i < other->stores; i++)
        if (other->store[i].offset == offset && !thread->seen[i] && !later_is_seen(thread, other, i))
            ret_stores[count++] = i;
    return count;
}

static void see_at_load(struct thread *thread, size_t offset, bool acquire)
{
    int stores[STORES_MAX];
    const struct thread *other = other_of(thread);
    int count = readable(thread, offset, stores);
    bool more = thread->seen_all < other->stores;
    int chosen = choose(1 + count + more);
    if (chosen == 0)
        return;
    if (chosen > count)
        see_up_to(thread, other->stores);
    else if (acquire && other->store[stores[chosen - 1]].released)
        see_up_to(thread, stores[chosen - 1] + 1);
    else
        see(thread, stores[chosen - 1]);
}

/* --- who runs ------------------------------------------------------------------------------------------- */

static void switch_to(struct thread *thread)
{
    struct thread *before = running;
    running = thread;
    swapcontext(&before->context, &thread->context);
}

static void step(void)
{
    struct thread *thread = running, *other = other_of(thread);
    settle_plain(thread);
    thread->calls++;
    if (is_new() && was_met()) {
        is_known = true;
        setcontext(&explorer);
    }
    if (!other->has_ended && choose(2))
        switch_to(other);
}

bool model_wait(void)
{
    struct thread *thread = running, *other = other_of(thread);
    settle_plain(thread);
    thread->calls++;
    int seen_before = thread->seen_all;
    if (!other->has_ended)
        switch_to(other);
    see_up_to(thread, other->stores); /* in the end everything is seen */
    return thread->seen_all > seen_before || !other->has_ended;
}

void model_returned(void)
{
    settle_plain(running);
    returned++;
    die_here();
}

void model_append(uint64_t record)
{
    step();
    if (written.count == 2 * MODEL_RECORDS_MAX)
        model_fail("the log grows without end");
    else
        written.record[written.count++] = record;
    die_here();
}

uint64_t model_log_count(void)
{
    return written.count;
}

static void run_thread(int number)
{
    struct thread *thread = &threads[number];
    if (number == CALLER)
        code_produce(&thread->view, RECORDS, broken);
    else
        code_consume(&thread->view, broken);
    settle_plain(thread);
    thread->has_ended = true;
    struct thread *other = other_of(thread);
    running = other->has_ended ? NULL : other;
    setcontext(running ? &running->context : &explorer);
}

/* --- all runs ------------------------------------------------------------------------------------------- */

static void thread_init(int number)
{
    struct thread *thread = &threads[number];
    thread->view = memory;
    thread->stores = thread->seen_all = 0;
    thread->plain_size = 0;
    thread->calls = thread->loads = thread->seen_hash = 0;
    thread->has_ended = false;
    memset(thread->seen, 0, sizeof thread->seen);
    getcontext(&thread->context);
    thread->context.uc_stack.ss_sp = thread->stack;
    thread->context.uc_stack.ss_size = sizeof thread->stack;
    makecontext(&thread->context, (void (*)(void))run_thread, 1, number);
}

static void run_once(void)
{
    memset(&memory, 0, sizeof memory);
    memset(&written, 0, sizeof written);
    returned = 0;
    failure = NULL;
    choices_made = 0;
    is_known = false;
    code_make(&memory);
    thread_init(CALLER);
    thread_init(WRITER);
    running = &threads[WRITER];
    swapcontext(&explorer, &running->context);
    runs++;
    if (!failure && !is_known && returned != RECORDS)
        model_fail("a caller waits for ever");
}

/* What is wrong with the code as `what` breaks it, or NULL. */
static const char *explore(enum model_break what)
{
    broken = what;
    runs = deaths = 0;
    choices_given = 0;
    states = 0;
    memset(met, 0, sizeof met);
    do {
        run_once();
    } while (!failure && next_choices());
    return failure;
}

int main(void)
{
    static const char *const names[BREAKS] = {"nothing",
                                              "release of head",
                                              "acquire of head",
                                              "bytes before head",
                                              "tails of the other parity",
                                              "the note",
                                              "note before write",
                                              "write before commit",
                                              "the commit",
                                              "commit before freed"};
    const char *found = explore(BREAK_NOTHING);
    printf("%llu states, %llu runs, %llu deaths: %s\n", (unsigned long long)states, (unsigned long long)runs,
           (unsigned long long)deaths, found ? found : "sound");
    int status = found != NULL;
    for (int i = BREAK_NOTHING + 1; i < BREAKS; i++) {
        found = explore((enum model_break)i);
        printf("without %s: %s (%llu runs)\n", names[i], found ? found : "NOT FOUND",
               (unsigned long long)runs);
        status |= found == NULL;
    }
    return status;
}

/* --- what the compiler calls at each access ------------------------------------------------------------- */

static bool is_shared(const volatile void *address)
{
    const char *begin = running ? (const char *)&running->view : NULL;
    const char *at = (const char *)address;
    return begin && at >= begin && at < begin + sizeof running->view;
}

static size_t offset_of(const volatile void *address)
{
    return (size_t)((const char *)address - (const char *)&running->view);
}

static void plain_store(const volatile void *address, size_t size)
{
    if (!running)
        return;
    settle_plain(running);
    if (!is_shared(address))
        return;
    running->plain_offset = offset_of(address);
    running->plain_size = size;
}

static void plain_load(void)
{
    if (running)
        settle_plain(running);
}

#define PLAIN(size)                                                                                          \
    void __tsan_read##size(void *address);                                                                   \
    void __tsan_read##size(void *address)                                                                    \
    {                                                                                                        \
        (void)address;                                                                                       \
        plain_load();                                                                                        \
    }                                                                                                        \
    void __tsan_write##size(void *address);                                                                  \
    void __tsan_write##size(void *address)                                                                   \
    {                                                                                                        \
        plain_store(address, size);                                                                          \
    }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *address, unsigned long size);
void __tsan_read_range(void *address, unsigned long size)
{
    (void)address;
    (void)size;
    plain_load();
}

void __tsan_write_range(void *address, unsigned long size);
void __tsan_write_range(void *address, unsigned long size)
{
    plain_store(address, size);
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *address);
void __tsan_func_entry(void *address)
{
    (void)address;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

/* Words of the ring have 64 bits; shorter ones are of what the model leaves out. */
#define ATOMIC(bits)                                                                                         \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *address, int order);            \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *address, int order)             \
    {                                                                                                        \
        atomic_load(address, order);                                                                         \
        return *address;                                                                                     \
    }                                                                                                        \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *address, uint##bits##_t value, int order);     \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *address, uint##bits##_t value, int order)      \
    {                                                                                                        \
        bool shared = is_shared(address);                                                                    \
        if (shared)                                                                                          \
            step();                                                                                          \
        *address = value;                                                                                    \
        if (shared)                                                                                          \
            put_store(running, offset_of(address), order != __ATOMIC_RELAXED && broken != BREAK_PUBLISH);    \
    }

static void atomic_load(const volatile void *address, int order)
{
    if (!is_shared(address))
        return;
    step();
    see_at_load(running, offset_of(address), order != __ATOMIC_RELAXED && broken != BREAK_TAKE);
    running->loads = mix(running->loads, *(const volatile uint64_t *)address);
}
ATOMIC(8)
ATOMIC(32)
ATOMIC(64)

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}
