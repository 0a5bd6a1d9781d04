/* What keeps a log from being written: each cause is seen, told once, survived, and over when it is gone. */
#define _GNU_SOURCE
#include "held_write.h"
#include "log_reader.h"

#include <sys/socket.h>
#include <sys/un.h>

static const char log_path[] = "logs/app.log";
static int stderr_before;

static int make(void **state)
{
    if (enter_folder(state) || mkdir("logs", 0777))
        return -1;
    stderr_before = dup(STDERR_FILENO);
    int fd = open("stderr.txt", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    return dup2(fd, STDERR_FILENO) < 0 || close(fd) ? -1 : 0;
}

static int release(void **state)
{
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    __atomic_store_n(&write_errno, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&write_bytes_max, 0, __ATOMIC_SEQ_CST);
    return leave_folder(state);
}

static void log_some(int from, int to)
{
    for (int i = from; i < to; i++)
        ll_info("goes on", ll_kv("i", i));
}

static ll_health wait_for_stall(uint32_t stalled)
{
    ll_health health = {0};
    for (int i = 0; i < 4000; i++) {
        ll_health_get(&health);
        if (health.stalled == stalled)
            return health;
        pause_ms(5);
    }
    fail_msg("stalled stayed %u, errno %d", health.stalled, health.write_errno);
    return health;
}

static size_t lines_of_stderr(void)
{
    size_t size, count = 0;
    char *text = read_file("stderr.txt", &size);
    for (size_t i = 0; i < size; i++)
        count += text[i] == '\n';
    free(text);
    return count;
}

/* Logs on until it is seen: a file that was renamed is written on for a moment. Returns how many by then. */
static int log_until_stalled(int from, ll_health *ret_health)
{
    int i = from;
    for (*ret_health = (ll_health){0}; (!ret_health->stalled || !ret_health->write_errors) && i < 4000; i++) {
        log_some(i, i + 1);
        pause_ms(5);
        ll_health_get(ret_health);
    }
    assert_int_equal(ret_health->stalled, 1);
    return i;
}

/* Some before, more while it lasts, some after: all are there once, in order, in the files named. */
static void story(void (*begin)(void), void (*end)(void), int expected_errno, const char *before_path)
{
    ll_config config = plain_config(log_path);
    snprintf(config.ring_dir, sizeof config.ring_dir, ".");
    open_with(&config);
    log_some(0, 10);
    assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
    begin();
    ll_health health;
    int count = log_until_stalled(10, &health);
    log_some(count, count + 300);
    assert_int_equal(health.write_errno, expected_errno);
    assert_int_equal(health.stalls, 1);
    assert_true(health.write_errors > 0);
    assert_int_equal(ll_flush(150), LL_ETIMEOUT);
    assert_int_equal(lines_of_stderr(), 1);
    assert_true(file_contains("stderr.txt", log_path));
    end();
    health = wait_for_stall(0);
    assert_int_equal(health.write_errno, 0);
    assert_int_equal(health.dropped, 0);
    log_some(count + 300, count + 310);
    ll_close();
    assert_int_equal(lines_of_stderr(), 1);
    struct lines before = read_lines(before_path ? before_path : "/dev/null"), lines = read_lines(log_path);
    assert_int_equal(before.count + lines.count, count + 310);
    for (size_t i = 0; i < before.count + lines.count; i++)
        assert_int_equal(field_number(i < before.count ? before.text[i] : lines.text[i - before.count], "i"),
                         i);
    assert_int_equal(expect_gapless(&lines, ll_run_id(), seq_of(lines.text[0])),
                     seq_of(lines.text[lines.count - 1]));
    free_lines(&before);
    free_lines(&lines);
}

/* --- what stands at the path ---------------------------------------------------------------------------- */

static void put_fifo(void)
{
    assert_int_equal(rename(log_path, "before.log") + mkfifo(log_path, 0600), 0);
}

static void put_folder(void)
{
    assert_int_equal(rename(log_path, "before.log") + mkdir(log_path, 0700), 0);
}

static void put_loop(void)
{
    assert_int_equal(rename(log_path, "before.log") + symlink("app.log", log_path), 0);
}

static void put_link_to_nowhere(void)
{
    assert_int_equal(rename(log_path, "before.log") + symlink("nowhere/app.log", log_path), 0);
}

static void put_link_to_device(void)
{
    assert_int_equal(rename(log_path, "before.log") + symlink("/dev/full", log_path), 0);
}

static void put_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", log_path);
    assert_int_equal(rename(log_path, "before.log"), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static void take_away(void)
{
    assert_int_equal(remove(log_path), 0);
}

static void a_fifo_in_its_place(void **state)
{
    (void)state;
    story(put_fifo, take_away, EINVAL, "before.log");
    assert_true(file_contains("stderr.txt", "what is there is no file"));
}

static void a_folder_in_its_place(void **state)
{
    (void)state;
    story(put_folder, take_away, EISDIR, "before.log");
}

static void a_symlink_to_itself_in_its_place(void **state)
{
    (void)state;
    story(put_loop, take_away, ELOOP, "before.log");
}

static void a_symlink_to_nowhere_in_its_place(void **state)
{
    (void)state;
    story(put_link_to_nowhere, take_away, ENOENT, "before.log");
}

static void a_symlink_to_a_device_in_its_place(void **state)
{
    (void)state;
    story(put_link_to_device, take_away, EINVAL, "before.log");
}

static void a_socket_in_its_place(void **state)
{
    (void)state;
    story(put_socket, take_away, ENXIO, "before.log");
}

/* A symlink to a file is followed: some keep their logs on another disk. */
static void a_symlink_to_a_file_in_its_place_is_no_stall(void **state)
{
    ll_health health;
    (void)state;
    open_log(log_path);
    log_some(0, 10);
    ll_flush(FLUSH_MS_MAX);
    assert_int_equal(rename(log_path, "before.log"), 0);
    close(open("elsewhere.log", O_WRONLY | O_CREAT, 0600));
    assert_int_equal(symlink("../elsewhere.log", log_path), 0);
    log_some(10, 20);
    ll_flush(FLUSH_MS_MAX);
    ll_health_get(&health);
    assert_int_equal(health.stalls, 0);
    struct lines lines = close_and_read("elsewhere.log", 10);
    free_lines(&lines);
}

/* --- the folder ----------------------------------------------------------------------------------------- */

static void remove_folder(void)
{
    assert_int_equal(rename("logs", "away"), 0);
}

static void make_folder(void)
{
    assert_int_equal(mkdir("logs", 0755), 0);
}

static void its_folder_removed(void **state)
{
    (void)state;
    story(remove_folder, make_folder, ENOENT, "away/app.log");
}

static void forbid_folder(void)
{
    assert_int_equal(rename(log_path, "before.log") + chmod("logs", 0500), 0);
}

static void allow_folder(void)
{
    assert_int_equal(chmod("logs", 0700), 0);
}

/* As somebody whom permissions hold; root is held by none. */
static void its_folder_closed_to_the_program(void **state)
{
    enum { NOBODY = 65534 };
    uid_t before = geteuid();
    (void)state;
    if (before == 0)
        assert_int_equal(chown(".", NOBODY, (gid_t)-1) + chown("logs", NOBODY, (gid_t)-1) +
                             chown("stderr.txt", NOBODY, (gid_t)-1) + seteuid(NOBODY),
                         0);
    story(forbid_folder, allow_folder, EACCES, "before.log");
    assert_int_equal(seteuid(before), 0);
}

/* --- the disk ------------------------------------------------------------------------------------------- */

static int disk_errno;

static void disk_fails(void)
{
    __atomic_store_n(&write_errno, disk_errno, __ATOMIC_SEQ_CST);
}

static void disk_is_well(void)
{
    __atomic_store_n(&write_errno, 0, __ATOMIC_SEQ_CST);
}

/* Each time half of what was to be written is on the disk before it fails. */
static void a_disk_that_is_full(void **state)
{
    (void)state;
    disk_errno = ENOSPC;
    story(disk_fails, disk_is_well, ENOSPC, NULL);
}

static void a_quota_that_is_used_up(void **state)
{
    (void)state;
    disk_errno = EDQUOT;
    story(disk_fails, disk_is_well, EDQUOT, NULL);
}

static void a_disk_that_breaks(void **state)
{
    (void)state;
    disk_errno = EIO;
    story(disk_fails, disk_is_well, EIO, NULL);
}

static void a_disk_that_was_made_read_only(void **state)
{
    (void)state;
    disk_errno = EROFS;
    story(disk_fails, disk_is_well, EROFS, NULL);
}

static void a_disk_that_takes_little_at_once_and_is_interrupted_is_no_stall(void **state)
{
    ll_health health;
    (void)state;
    __atomic_store_n(&write_bytes_max, 7, __ATOMIC_SEQ_CST);
    open_log(log_path);
    log_some(0, 200);
    ll_flush(FLUSH_MS_MAX);
    ll_health_get(&health);
    assert_int_equal(health.stalls, 0);
    struct lines lines = close_and_read(log_path, 200);
    for (size_t i = 0; i < lines.count; i++)
        assert_int_equal(field_number(lines.text[i], "i"), i);
    free_lines(&lines);
}

/* --- how it is told ------------------------------------------------------------------------------------- */

static void a_stall_that_comes_again_at_once_is_counted_and_not_told_again(void **state)
{
    (void)state;
    disk_errno = ENOSPC;
    open_log(log_path);
    for (int i = 0; i < 5; i++) {
        disk_fails();
        log_some(0, 10);
        wait_for_stall(1);
        disk_is_well();
        assert_int_equal(wait_for_stall(0).stalls, i + 1);
    }
    assert_int_equal(lines_of_stderr(), 1);
    struct lines lines = close_and_read(log_path, 50);
    free_lines(&lines);
}

/* The pipe is full and nobody reads it. */
static void a_stderr_that_takes_nothing_holds_nobody_up(void **state)
{
    int ends[2];
    char full[65536] = {0};
    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], full, sizeof full) > 0)
        continue;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0); /* from now on it waits */
    dup2(ends[1], STDERR_FILENO);
    disk_errno = ENOSPC;
    open_log(log_path);
    disk_fails();
    log_some(0, 10);
    wait_for_stall(1);
    disk_is_well();
    wait_for_stall(0);
    struct lines lines = close_and_read(log_path, 10);
    free_lines(&lines);
    close(ends[0]);
    close(ends[1]);
}

static void rings_whose_folder_is_removed_are_said_to_be_in_memory(void **state)
{
    ll_config config = plain_config(log_path);
    ll_health health;
    (void)state;
    mkdir("rings", 0755);
    snprintf(config.ring_dir, sizeof config.ring_dir, "rings");
    open_with(&config);
    log_some(0, 10);
    ll_health_get(&health);
    assert_int_equal(health.ring, LL_RING_FILE);
    assert_int_equal(rename("rings", "gone"), 0);
    ll_health_get(&health);
    assert_int_equal(health.ring, LL_RING_MEMORY);
    struct lines lines = close_and_read(log_path, 10);
    free_lines(&lines);
}

#define in_stall(test) cmocka_unit_test_setup_teardown(test, make, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_stall(a_fifo_in_its_place),
        in_stall(a_folder_in_its_place),
        in_stall(a_symlink_to_itself_in_its_place),
        in_stall(a_symlink_to_nowhere_in_its_place),
        in_stall(a_symlink_to_a_device_in_its_place),
        in_stall(a_socket_in_its_place),
        in_stall(a_symlink_to_a_file_in_its_place_is_no_stall),
        in_stall(its_folder_removed),
        in_stall(its_folder_closed_to_the_program),
        in_stall(a_disk_that_is_full),
        in_stall(a_quota_that_is_used_up),
        in_stall(a_disk_that_breaks),
        in_stall(a_disk_that_was_made_read_only),
        in_stall(a_disk_that_takes_little_at_once_and_is_interrupted_is_no_stall),
        in_stall(a_stall_that_comes_again_at_once_is_counted_and_not_told_again),
        in_stall(a_stderr_that_takes_nothing_holds_nobody_up),
        in_stall(rings_whose_folder_is_removed_are_said_to_be_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
