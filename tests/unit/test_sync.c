/*
 * LOG_SYNC, with a model of a power cut: of each file only what it held when it was last synced is left, and
 * a file whose folder was not synced since it was made is gone. The library's calls go through the test
 * (--wrap).
 */
#define _GNU_SOURCE
#include "log_reader.h"

#include <errno.h>
#include <pthread.h>

int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);

enum { FILES_MAX = 16, THREADS = 4 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    ino_t inode;
    off_t bytes; /* on the disk */
    bool named;  /* its folder was synced after its last sync began */
} safe[FILES_MAX];
static int safe_count, syncs, sync_errno; /* under the mutex */

static int make(void **state)
{
    safe_count = syncs = sync_errno = 0;
    return enter_folder(state);
}

/* The disk has the bytes that the file had when the call began. */
int __wrap_fdatasync(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    pthread_mutex_lock(&mutex);
    int error = sync_errno;
    int i = 0;
    while (i < safe_count && safe[i].inode != st.st_ino)
        i++;
    if (!error && i < FILES_MAX) {
        safe_count += i == safe_count;
        safe[i].inode = st.st_ino;
        safe[i].bytes = st.st_size;
    }
    syncs++;
    pthread_mutex_unlock(&mutex);
    errno = error;
    return error ? -1 : 0;
}

int __wrap_fsync(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < safe_count; i++)
        safe[i].named = true;
    pthread_mutex_unlock(&mutex);
    return 0;
}

/* What a power cut now would leave of the file. */
static off_t left_by_power_cut(const char *path)
{
    struct stat st;
    off_t left = 0;
    if (stat(path, &st))
        return 0;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < safe_count; i++)
        if (safe[i].inode == st.st_ino && safe[i].named)
            left = safe[i].bytes;
    pthread_mutex_unlock(&mutex);
    return left;
}

static bool is_left(const char *path, const char *text)
{
    size_t size;
    off_t left = left_by_power_cut(path);
    if (left == 0)
        return false;
    char *memory = read_file(path, &size);
    assert_true((size_t)left <= size);
    bool found = memmem(memory, (size_t)left, text, strlen(text)) != NULL;
    free(memory);
    return found;
}

static ll_config with_sync(ll_sync sync)
{
    ll_config config = plain_config("app.log");
    config.sync = sync;
    return config;
}

/* --- error ---------------------------------------------------------------------------------------------- */

static void *log_errors(void *argument)
{
    int thread = (int)(intptr_t)argument;
    for (int i = 0; i < 50; i++) {
        char before[64], error[64];
        ll_info("before it", ll_kv("thread", thread), ll_kv("before", i));
        ll_error("must stay", ll_kv("thread", thread), ll_kv("error", i));
        snprintf(before, sizeof before, "\"thread\":%d,\"before\":%d}", thread, i);
        snprintf(error, sizeof error, "\"thread\":%d,\"error\":%d}", thread, i);
        if (!is_left("app.log", error) || !is_left("app.log", before))
            fail_msg("the call of %s returned before the disk had it", error);
    }
    return NULL;
}

static void error_when_the_call_has_returned_the_disk_has_it_and_all_before_it(void **state)
{
    ll_config config = with_sync(LL_SYNC_ERROR);
    pthread_t threads[THREADS];
    ll_health health;
    (void)state;
    open_with(&config);
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_errors, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ll_health_get(&health);
    assert_int_equal(health.unsynced, 0);
    struct lines lines = close_and_read("app.log", THREADS * 100);
    free_lines(&lines);
}

static void error_records_below_it_wait_for_no_disk(void **state)
{
    ll_config config = with_sync(LL_SYNC_ERROR);
    (void)state;
    open_with(&config);
    for (int i = 0; i < 1000; i++)
        ll_warning("not so important");
    ll_flush(FLUSH_MS_MAX);
    assert_int_equal(syncs, 0);
    ll_critical("that is");
    assert_true(syncs > 0);
    assert_true(is_left("app.log", "that is"));
}

/* The call returns, and ll_health says that it was too early. */
static void error_a_disk_that_refuses_is_counted_and_the_next_one_tried(void **state)
{
    ll_config config = with_sync(LL_SYNC_ERROR);
    ll_health health;
    (void)state;
    open_with(&config);
    sync_errno = EIO;
    ll_error("refused");
    ll_health_get(&health);
    assert_int_equal(health.unsynced, 1);
    assert_false(is_left("app.log", "refused"));
    sync_errno = 0;
    ll_error("taken");
    assert_true(is_left("app.log", "refused") && is_left("app.log", "taken"));
    ll_health_get(&health);
    assert_int_equal(health.unsynced, 1);
}

static void error_a_log_that_cannot_be_written_holds_no_call_up(void **state)
{
    ll_config config = with_sync(LL_SYNC_ERROR);
    ll_health health = {0};
    (void)state;
    assert_int_equal(mkdir("app.log", 0700), 0);
    int before = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    open_with(&config); /* LOG_BLOCK_MAX is a minute */
    for (int i = 0; i < 20; i++)
        ll_error("waits in the ring");
    ll_health_get(&health);
    assert_int_equal(health.unsynced, 20);
    assert_int_equal(rmdir("app.log"), 0);
    while (ll_health_get(&health), health.stalled)
        pause_ms(5);
    ll_error("the first that is taken");
    dup2(before, STDERR_FILENO);
    close(before);
    close(nowhere);
    assert_true(is_left("app.log", "the first that is taken"));
}

/* --- interval ------------------------------------------------------------------------------------------- */

static void wait_until_left(const char *path, const char *text)
{
    for (int i = 0; i < 2000; i++) {
        if (is_left(path, text))
            return;
        pause_ms(5);
    }
    fail_msg("%s was never synced", text);
}

/* No record comes behind the last one that could have it synced along. */
static void interval_the_last_record_reaches_the_disk_too_without_a_sync_for_each(void **state)
{
    ll_config config = with_sync(LL_SYNC_INTERVAL);
    (void)state;
    open_with(&config);
    for (int i = 0; i < 100; i++) {
        ll_info("one of many");
        ll_flush(FLUSH_MS_MAX); /* a block each */
    }
    ll_error("the last one");
    wait_until_left("app.log", "the last one");
    int before = syncs;
    assert_true(before < 50);
    ll_info("after a pause");
    wait_until_left("app.log", "after a pause");
    assert_true(syncs > before);
}

static void interval_a_rotated_file_is_synced_before_it_is_left(void **state)
{
    ll_config config = with_sync(LL_SYNC_INTERVAL);
    (void)state;
    open_with(&config);
    ll_info("to begin with");
    wait_until_left("app.log", "to begin with");
    ll_info("into the old file");
    ll_flush(FLUSH_MS_MAX);
    assert_int_equal(rename("app.log", "app.log.1"), 0);
    close(open("app.log", O_WRONLY | O_CREAT, 0640));
    ll_info("into the new file");
    ll_flush(FLUSH_MS_MAX);
    assert_true(is_left("app.log.1", "into the old file"));
    wait_until_left("app.log", "into the new file");
}

static void closing_leaves_nothing_to_a_power_cut(void **state)
{
    static const ll_sync modes[] = {LL_SYNC_INTERVAL, LL_SYNC_ERROR};
    (void)state;
    for (int i = 0; i < 2; i++) {
        ll_config config = with_sync(modes[i]);
        struct stat st;
        open_with(&config);
        for (int n = 0; n < 10; n++)
            ll_info("to the end");
        ll_close();
        assert_int_equal(stat("app.log", &st), 0);
        assert_int_equal(left_by_power_cut("app.log"), st.st_size);
    }
}

/* --- never ---------------------------------------------------------------------------------------------- */

static void never_syncs_nothing(void **state)
{
    ll_config config = with_sync(LL_SYNC_NEVER);
    (void)state;
    open_with(&config);
    for (int i = 0; i < 100; i++)
        ll_critical("whatever comes");
    ll_flush(FLUSH_MS_MAX);
    ll_close();
    assert_int_equal(syncs, 0);
}

#define in_model(test) cmocka_unit_test_setup_teardown(test, make, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_model(error_when_the_call_has_returned_the_disk_has_it_and_all_before_it),
        in_model(error_records_below_it_wait_for_no_disk),
        in_model(error_a_disk_that_refuses_is_counted_and_the_next_one_tried),
        in_model(error_a_log_that_cannot_be_written_holds_no_call_up),
        in_model(interval_the_last_record_reaches_the_disk_too_without_a_sync_for_each),
        in_model(interval_a_rotated_file_is_synced_before_it_is_left),
        in_model(closing_leaves_nothing_to_a_power_cut),
        in_model(never_syncs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
