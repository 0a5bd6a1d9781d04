#define _GNU_SOURCE
#include "log_reader.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

/* The linker sends the library's calls here (--wrap). */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);

static __thread bool watched;           /* this thread is in a log call */
static __thread uint64_t while_watched; /* what it allocated there */
static int64_t until_failure = -1;      /* atomic; how many may still succeed; negative: all */
static uint64_t failures;               /* atomic */

static bool fails_now(void)
{
    while_watched += watched;
    if (__atomic_load_n(&until_failure, __ATOMIC_SEQ_CST) < 0 ||
        __atomic_fetch_sub(&until_failure, 1, __ATOMIC_SEQ_CST) != 0)
        return false;
    __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return fails_now() ? MAP_FAILED : __real_mmap(address, size, protection, flags, fd, offset);
}

/* --- nothing is allocated in a call --------------------------------------------------------------------- */

static void log_many_kinds(int round)
{
    char key[16];
    snprintf(key, sizeof key, "key%d", round);
    ll_request_begin(&(ll_request){.endpoint = "/cart"});
    ll_info("first of its place", ll_kv("i", round), ll_kv("d", 0.5), ll_kv("text", "text"));
    ll_error("an error", ll_exception_code("T", "C", "message"), ll_kv(key, round), ll_json("json", "{}"));
    ll_infof("formatted %d", round);
    ll_request_end();
    ll_debug("debug", ll_secret("password", key), ll_bytes("bytes", key, 3));
}

static void *log_watched(void *argument)
{
    uint64_t *ret_allocations = argument;
    ll_info("the thread's first call");
    while_watched = 0;
    watched = true;
    for (int i = 0; i < 500; i++)
        log_many_kinds(i);
    watched = false;
    *ret_allocations = while_watched;
    return NULL;
}

/* Places that are called for the first time are among them. */
static void after_a_threads_first_call_none_allocates(void **state)
{
    uint64_t allocations[3] = {1, 1, 1};
    pthread_t threads[2];
    (void)state;
    open_log("app.log");
    log_watched(&allocations[0]);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, log_watched, &allocations[i + 1]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(allocations[i], 0);
    struct lines lines = close_and_read("app.log", 3 * (1 + 500 * 4));
    free_lines(&lines);
}

static void *log_first(void *argument)
{
    watched = true;
    ll_info("first");
    watched = false;
    *(uint64_t *)argument = while_watched;
    return NULL;
}

/* So that the test above cannot pass for want of counting. */
static void a_threads_first_call_is_seen_to_allocate(void **state)
{
    uint64_t allocations = 0;
    pthread_t thread;
    (void)state;
    open_log("app.log");
    pthread_create(&thread, NULL, log_first, &allocations);
    pthread_join(thread, NULL);
    assert_true(allocations > 0);
}

/* --- each allocation fails once ------------------------------------------------------------------------- */

static void whichever_allocation_fails_at_open_the_program_goes_on(void **state)
{
    uint64_t before = 0, opened = 0, refused = 0;
    (void)state;
    for (int64_t n = 0;; n++) {
        ll_config config = plain_config("app.log");
        ll_problem problem = {0};
        before = failures;
        __atomic_store_n(&until_failure, n, __ATOMIC_SEQ_CST);
        int error = ll_open(&config, &problem);
        __atomic_store_n(&until_failure, -1, __ATOMIC_SEQ_CST);
        opened += error == LL_OK;
        refused += error != LL_OK;
        if (error)
            assert_true(error == LL_ENOMEM && problem.error == LL_ENOMEM && *problem.text);
        ll_info("in or out");
        ll_close();
        assert_int_equal(count_files(".app.log.ll", ".new", NULL), 0);
        assert_int_equal(count_files(".app.log.ll", ".ring", NULL), 0);
        if (failures == before)
            break;
    }
    assert_true(refused > 0);
    struct lines lines = close_and_read("app.log", opened);
    free_lines(&lines);
}

static void whichever_allocation_fails_in_a_call_only_that_record_is_lost_and_counted(void **state)
{
    uint64_t before = 0, calls = 0;
    ll_health health;
    (void)state;
    open_log("app.log");
    ll_flush(FLUSH_MS_MAX);
    for (int64_t n = 0;; n++) {
        pthread_t thread;
        uint64_t unused;
        before = failures;
        /* the allocations of the thread's own beginning are the C library's, and not sent here */
        __atomic_store_n(&until_failure, n, __ATOMIC_SEQ_CST);
        assert_int_equal(pthread_create(&thread, NULL, log_first, &unused), 0);
        pthread_join(thread, NULL);
        __atomic_store_n(&until_failure, -1, __ATOMIC_SEQ_CST);
        calls++;
        ll_flush(FLUSH_MS_MAX);
        if (failures == before)
            break;
    }
    ll_health_get(&health);
    ll_close();
    struct lines lines = read_lines("app.log");
    assert_true(calls > 3);
    assert_int_equal(count_with(&lines, "\"message\":\"first\"") + health.dropped, calls);
    free_lines(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(after_a_threads_first_call_none_allocates),
        in_folder(a_threads_first_call_is_seen_to_allocate),
        in_folder(whichever_allocation_fails_at_open_the_program_goes_on),
        in_folder(whichever_allocation_fails_in_a_call_only_that_record_is_lost_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
