#define _GNU_SOURCE
#include "liblog/drain.h"
#include "liblog/folder.h"
#include "log_reader.h"
#include "tests/support/chance.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { THREADS = 2, RUNS_MAX = 64, RECORDS_MAX = 500000 };

/* --- loggers that never pause, and what they had logged when they were killed --------------------------- */

struct truth {
    char run_id[40];
    uint64_t returned[THREADS]; /* calls */
};

static struct truth *truths; /* shared with the children */
static int truth_count;
static struct truth *mine;

static void *log_without_pause(void *argument)
{
    uint64_t *returned = argument;
    int thread = (int)(returned - mine->returned);
    for (uint64_t i = 0; i < RECORDS_MAX; i++) { /* should nobody come and kill it, the disk does not fill */
        ll_info("busy", ll_kv("thread", thread), ll_kv("i", i),
                ll_kv("text", "as long as a usual record is"));
        __atomic_store_n(returned, i + 1, __ATOMIC_RELEASE);
    }
    for (;;)
        pause();
    return NULL;
}

/* No child outlives a test that fails. */
static pid_t fork_child(void)
{
    pid_t child = fork();
    if (child == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    assert_true(child >= 0);
    return child;
}

static void log_until_killed(const char *path)
{
    ll_config config = plain_config(path);
    pthread_t thread;
    config.ring_bytes = 65536;
    config.block_max_ns = INT64_C(60000000000);
    if (ll_open(&config, NULL) != LL_OK)
        _exit(1);
    memcpy(mine->run_id, ll_run_id(), sizeof mine->run_id - 3);
    pthread_create(&thread, NULL, log_without_pause, &mine->returned[1]);
    log_without_pause(&mine->returned[0]);
}

struct logger {
    pid_t process;
    const struct truth *truth;
};

static struct logger start_logger(const char *path)
{
    mine = &truths[truth_count++];
    *mine = (struct truth){.run_id = ""};
    pid_t child = fork_child();
    if (child == 0)
        log_until_killed(path);
    assert_true(child > 0);
    return (struct logger){child, mine};
}

static void kill_child(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void wait_until_it_logs(struct logger logger)
{
    for (int i = 0; __atomic_load_n(&logger.truth->returned[0], __ATOMIC_ACQUIRE) < 100; i++) {
        if (i == 20000)
            fail_msg("a logger does not log");
        pause_ms(1);
    }
}

static void kill_after_us(struct logger logger, uint64_t us)
{
    wait_until_it_logs(logger);
    nanosleep(&(struct timespec){0, (long)us * 1000}, NULL);
    kill_child(logger.process);
}

/* --- the account ---------------------------------------------------------------------------------------- */

struct account {
    char run_id[48]; /* with its quotes */
    uint64_t seq, next[THREADS], recovered;
};

static struct account *account_of(struct account *accounts, const char *run_id)
{
    for (struct account *a = accounts;; a++) {
        assert_true(a < accounts + RUNS_MAX);
        if (!*a->run_id)
            snprintf(a->run_id, sizeof a->run_id, "%s", run_id);
        if (strcmp(a->run_id, run_id) == 0)
            return a;
    }
}

static void count_line(struct account *a, const char *line)
{
    assert_int_equal(seq_of(line), ++a->seq); /* none missing, none twice, in order */
    if (member(line, "mark")) {
        a->recovered += strcmp(member(line, "mark"), "\"recovered\"") == 0;
        return;
    }
    uint64_t thread = field_number(line, "thread");
    assert_true(thread < THREADS);
    assert_int_equal(field_number(line, "i"), a->next[thread]++);
}

/* Nothing that returned is missing, nothing is there twice. */
static void settle_accounts(const char *const *paths, int path_count, uint64_t recovered)
{
    static struct account accounts[RUNS_MAX];
    char quoted[64];
    memset(accounts, 0, sizeof accounts);
    for (int i = 0; i < path_count; i++) {
        struct lines lines = read_lines(paths[i]);
        for (size_t k = 0; k < lines.count; k++)
            count_line(account_of(accounts, member(lines.text[k], "run_id")), lines.text[k]);
        free_lines(&lines);
    }
    for (int i = 0; i < truth_count; i++) {
        if (!*truths[i].run_id)
            continue; /* killed before it had opened its log */
        snprintf(quoted, sizeof quoted, "\"%s\"", truths[i].run_id);
        struct account *a = account_of(accounts, quoted);
        assert_int_equal(a->recovered, recovered);
        for (int t = 0; t < THREADS; t++)
            assert_in_range(a->next[t], truths[i].returned[t], truths[i].returned[t] + 1);
    }
}

static void settle(const char *path)
{
    settle_accounts(&path, 1, 1);
}

static int enter(void **state)
{
    truths = mmap(NULL, RUNS_MAX * sizeof *truths, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    truth_count = 0;
    return truths == MAP_FAILED ? -1 : enter_folder(state);
}

static int leave(void **state)
{
    munmap(truths, RUNS_MAX * sizeof *truths);
    return leave_folder(state);
}

#define with_truth(test) cmocka_unit_test_setup_teardown(test, enter, leave)

static ll_recovered recover(const char *path)
{
    ll_recovered recovered;
    ll_problem problem = {0};
    if (ll_recover(path, NULL, &recovered, &problem) != LL_OK)
        fail_msg("%s", problem.text);
    return recovered;
}

/* --- one dead process ----------------------------------------------------------------------------------- */

static void all_that_a_killed_process_had_logged_is_there_once_after_recovery(void **state)
{
    struct chance chance = {__LINE__};
    (void)state;
    for (int i = 0; i < 20; i++) {
        kill_after_us(start_logger("app.log"), chance_below(&chance, 20000));
        ll_recovered recovered = recover("app.log");
        assert_int_equal(recovered.finished, 1);
        assert_int_equal(recovered.damaged + recovered.living + recovered.lost_bytes, 0);
        assert_int_equal(count_files(".app.log.ll", ".ring", NULL), 0);
    }
    recover("app.log");
    settle("app.log");
}

static void the_next_that_opens_the_log_finishes_the_dead_before_it_writes(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        kill_after_us(start_logger("app.log"), (uint64_t)(3000 * i));
    ll_health health;
    open_log("app.log");
    ll_health_get(&health);
    assert_in_range(health.recovered_rings, 1, 5); /* each logger finished those before it */
    ll_close();
    settle("app.log");
}

static void a_dry_run_tells_what_would_be_done_and_does_nothing(void **state)
{
    ll_recovered recovered;
    ll_recover_options options = {.dry_run = 1};
    size_t before, after;
    (void)state;
    kill_after_us(start_logger("app.log"), 1000);
    char *text = read_file("app.log", &before);
    assert_int_equal(ll_recover("app.log", &options, &recovered, NULL), LL_OK);
    assert_int_equal(recovered.finished, 1);
    free(text);
    text = read_file("app.log", &after);
    assert_int_equal(before, after);
    assert_int_equal(count_files(".app.log.ll", ".ring", NULL), 1);
    free(text);
    recover("app.log");
    settle("app.log");
}

static void the_rings_of_the_living_are_left_alone(void **state)
{
    (void)state;
    struct logger logger = start_logger("app.log");
    wait_until_it_logs(logger);
    ll_recovered recovered = recover("app.log");
    assert_int_equal(recovered.living, 1);
    assert_int_equal(recovered.finished + recovered.damaged, 0);
    kill_child(logger.process);
    assert_int_equal(recover("app.log").finished, 1);
    settle("app.log");
}

static void a_path_without_log_and_rings_is_named(void **state)
{
    ll_recovered recovered;
    ll_problem problem = {0};
    (void)state;
    assert_int_equal(ll_recover("none.log", NULL, &recovered, &problem), LL_ENOENT);
    assert_non_null(strstr(problem.text, "none.log"));
    assert_int_equal(ll_recover("", NULL, &recovered, &problem), LL_EINVAL);
    close(open("plain.log", O_CREAT | O_WRONLY, 0600));
    assert_int_equal(ll_recover("plain.log", NULL, &recovered, &problem), LL_OK);
}

/* --- a forked child that outlives its parent ------------------------------------------------------------ */

/* The child keeps every descriptor and mapping of the dead parent, and has not called the library. */
static void fork_then_log(const char *path, pid_t *ret_child)
{
    ll_config config = plain_config(path);
    config.ring_bytes = 65536;
    if (ll_open(&config, NULL) != LL_OK)
        _exit(1);
    memcpy(mine->run_id, ll_run_id(), sizeof mine->run_id - 3);
    ll_info("busy", ll_kv("thread", 0), ll_kv("i", 0));
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    *ret_child = child;
    ll_info("busy", ll_kv("thread", 0), ll_kv("i", 1));
    __atomic_store_n(&mine->returned[0], 2, __ATOMIC_RELEASE);
    raise(SIGKILL);
}

static void a_dead_parent_is_finished_while_its_forked_child_lives(void **state)
{
    (void)state;
    pid_t *grandchild = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    mine = &truths[truth_count++];
    pid_t child = fork_child();
    if (child == 0)
        fork_then_log("app.log", grandchild);
    assert_int_equal(waitpid(child, NULL, 0), child);
    ll_recovered recovered = recover("app.log");
    assert_int_equal(recovered.finished, 1);
    settle("app.log");
    assert_true(*grandchild > 0);
    kill(*grandchild, SIGKILL);
    munmap(grandchild, 4096);
}

/* --- numbers of processes and descriptors mean nothing -------------------------------------------------- */

static void log_without_descriptors(const char *path)
{
    ll_config config = plain_config(path);
    config.ring_bytes = 65536;
    if (ll_open(&config, NULL) != LL_OK)
        _exit(1);
    memcpy(mine->run_id, ll_run_id(), sizeof mine->run_id - 3);
    closefrom(3);
    log_without_pause(&mine->returned[0]);
}

static void a_program_that_has_closed_all_descriptors_lives_and_is_finished_when_it_is_dead(void **state)
{
    (void)state;
    mine = &truths[truth_count++];
    pid_t child = fork_child();
    if (child == 0)
        log_without_descriptors("app.log");
    wait_until_it_logs((struct logger){child, mine});
    assert_int_equal(recover("app.log").living, 1);
    kill_child(child);
    assert_int_equal(recover("app.log").finished, 1);
    settle("app.log");
}

/* As the first process of a namespace of its own, as in a container. `ret_logger` is shared: its number here.
 */
static pid_t start_contained(const char *path, pid_t *ret_logger)
{
    mine = &truths[truth_count++];
    pid_t container = fork_child();
    if (container == 0) {
        if (unshare(CLONE_NEWPID) && unshare(CLONE_NEWUSER | CLONE_NEWPID))
            _exit(errno == EPERM ? 2 : 1);
        pid_t logger = fork_child();
        if (logger == 0)
            log_until_killed(path);
        __atomic_store_n(ret_logger, logger, __ATOMIC_RELEASE);
        _exit(waitpid(logger, NULL, 0) == logger ? 0 : 1);
    }
    return container;
}

static uint32_t owner_of(const char *ring)
{
    uint32_t word;
    int fd = open(ring, O_RDONLY);
    assert_int_equal(pread(fd, &word, sizeof word, (off_t)ring_file_owner_offset()), sizeof word);
    close(fd);
    return word & OS_OWNER_MASK;
}

/* The writers of all rings have one number, each in its namespace. */
static void expect_one_owner_number(const char *folder, int rings)
{
    uint32_t owner = 0;
    int count = 0;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; (entry = readdir(entries));) {
        char path[512];
        if (!strstr(entry->d_name, ".ring"))
            continue;
        snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
        assert_true(count++ == 0 || owner_of(path) == owner);
        owner = owner_of(path);
    }
    closedir(entries);
    assert_int_equal(count, rings);
}

static void kill_contained(pid_t container, pid_t logger)
{
    int status;
    kill(logger, SIGKILL);
    assert_int_equal(waitpid(container, &status, 0), container);
    assert_int_equal(status, 0);
}

static void of_processes_with_one_number_in_several_containers_the_dead_are_finished(void **state)
{
    pid_t container[2], *logger;
    int status;
    (void)state;
    logger = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 2; i++) {
        container[i] = start_contained("app.log", &logger[i]);
        const struct truth *truth = mine;
        while (__atomic_load_n(&truth->returned[0], __ATOMIC_ACQUIRE) < 100) {
            if (waitpid(container[i], &status, WNOHANG) == container[i]) {
                assert_int_equal(WEXITSTATUS(status), 2);
                print_message("this system gives no namespaces\n");
                truth_count = 0;
                return;
            }
            pause_ms(1);
        }
    }
    expect_one_owner_number(".app.log.ll", 2);
    kill_contained(container[0], logger[0]);
    ll_recovered recovered = recover("app.log");
    assert_int_equal(recovered.living, 1);
    assert_in_range(recovered.finished, 0, 1); /* the living one was faster when it found the lock */
    kill_contained(container[1], logger[1]);
    recover("app.log");
    settle("app.log");
    munmap(logger, 4096);
}

/* --- several recoverers --------------------------------------------------------------------------------- */

static pid_t start_recoverer(void)
{
    pid_t child = fork_child();
    if (child == 0)
        _exit(ll_recover("app.log", NULL, NULL, NULL) != LL_OK);
    assert_true(child > 0);
    return child;
}

static void recoverers_at_once_do_each_ring_once(void **state)
{
    int status;
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct logger first = start_logger("app.log"), second = start_logger("app.log");
        wait_until_it_logs(first);
        kill_after_us(second, 2000);
        kill_child(first.process);
        pid_t recoverers[3];
        for (int k = 0; k < 3; k++)
            recoverers[k] = start_recoverer();
        for (int k = 0; k < 3; k++) {
            assert_int_equal(waitpid(recoverers[k], &status, 0), recoverers[k]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(count_files(".app.log.ll", ".ring", NULL), 0);
    }
    settle("app.log");
}

static void a_recoverer_killed_anywhere_is_followed_by_one_that_loses_and_repeats_nothing(void **state)
{
    struct chance chance = {__LINE__};
    (void)state;
    for (int i = 0; i < 20; i++) {
        kill_after_us(start_logger("app.log"), chance_below(&chance, 3000));
        for (int k = 0; k < 4; k++) {
            pid_t recoverer = start_recoverer();
            nanosleep(&(struct timespec){0, (long)chance_below(&chance, 3000000)}, NULL);
            kill_child(recoverer);
        }
        recover("app.log");
    }
    settle("app.log");
}

/* --- several processes on one file ---------------------------------------------------------------------- */

static void processes_on_one_file_that_are_killed_leave_whole_lines_and_lose_nothing(void **state)
{
    struct chance chance = {__LINE__};
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct logger loggers[3];
        for (int k = 0; k < 3; k++)
            loggers[k] = start_logger("app.log");
        for (int k = 0; k < 3; k++)
            kill_after_us(loggers[k], chance_below(&chance, 5000));
    }
    recover("app.log");
    settle("app.log");
}

/* One of them moves the log away, again and again, and all go on in the new one. */
static void processes_on_one_file_that_is_rotated_and_that_are_killed_lose_nothing(void **state)
{
    enum { ROTATIONS = 8 };
    char name[ROTATIONS + 1][32], from[32];
    const char *paths[ROTATIONS + 1];
    struct chance chance = {__LINE__};
    struct logger loggers[3];
    (void)state;
    for (int i = 0; i <= ROTATIONS; i++) {
        snprintf(name[i], sizeof name[i], i < ROTATIONS ? "app.log.%d" : "app.log", ROTATIONS - i);
        paths[i] = name[i];
    }
    for (int k = 0; k < 3; k++)
        loggers[k] = start_logger("app.log");
    for (int k = 0; k < 3; k++)
        wait_until_it_logs(loggers[k]);
    for (int i = 0; i < ROTATIONS; i++) {
        for (int k = i; k > 0; k--) {
            snprintf(from, sizeof from, "app.log.%d", k);
            assert_int_equal(rename(from, name[ROTATIONS - k - 1]), 0);
        }
        assert_int_equal(rename("app.log", "app.log.1"), 0);
        close(open("app.log", O_CREAT | O_WRONLY, 0640));
        nanosleep(&(struct timespec){0, (long)chance_below(&chance, 4000000)}, NULL);
        if (i >= ROTATIONS - 3)
            kill_child(loggers[i - (ROTATIONS - 3)].process);
    }
    recover("app.log");
    settle_accounts(paths, ROTATIONS + 1, 1);
}

static void a_log_that_is_reached_by_a_symlink_is_repaired_like_any(void **state)
{
    struct chance chance = {__LINE__};
    (void)state;
    assert_int_equal(mkdir("data", 0755), 0);
    assert_int_equal(symlink("data/real.log", "app.log"), 0);
    for (int i = 0; i < 20; i++) {
        kill_after_us(start_logger("app.log"), chance_below(&chance, 5000));
        recover("app.log");
    }
    settle("data/real.log");
}

/* --- the write that was under way, step by step --------------------------------------------------------- */

/* A dead process's ring with records that no file has yet. Path of the ring file in `ret_ring`. */
static void leave_ring(char *ret_ring)
{
    mine = &truths[truth_count++];
    int status;
    pid_t child = fork_child();
    if (child == 0) {
        ll_config config = plain_config("logs/app.log");
        snprintf(config.ring_dir, sizeof config.ring_dir, "rings");
        config.ring_bytes = 65536;
        close(STDERR_FILENO);
        if (ll_open(&config, NULL) != LL_OK)
            _exit(1);
        memcpy(mine->run_id, ll_run_id(), sizeof mine->run_id - 3);
        for (uint64_t i = 0; i < 50; i++)
            ll_error("busy", ll_kv("thread", 0), ll_kv("i", i));
        mine->returned[0] = 50;
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    struct folder folder;
    assert_int_equal(folder_open(&folder, "logs/app.log", "rings", false), 0);
    assert_int_equal(count_files(folder.path, ".ring", ret_ring), 1);
    folder_close(&folder);
}

/* Writes the note of the first block as its writer would have, and `part` of 4 quarters of the block to
 * `path`. */
static void write_part(const char *ring, const char *path, int part)
{
    struct ring_file file;
    struct drain drain;
    struct sink none;
    const char *reason;
    struct stat st;
    int ring_fd = open(ring, O_RDWR), fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0640);
    assert_int_equal(ring_file_load(&file, ring_fd, &reason), LL_OK);
    sink_init(&none, path);
    assert_int_equal(drain_init(&drain, &file, &none, NULL), LL_OK);
    assert_int_equal(drain_fill(&drain, UINT64_MAX), 50);
    assert_int_equal(fstat(fd, &st), 0);
    unsigned next = ring_file_parity(&file) ^ 1;
    for (uint32_t i = 0; i < drain.cursor_count; i++)
        drain.cursor[i].ring->control->tail[next] = drain.cursor[i].position;
    file.progress->next_seq[next] = drain.next_seq;
    struct ring_note note = {.first_seq = drain.first_seq, .last_seq = drain.next_seq - 1};
    note.target[0] = (struct ring_target){(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
                                          drain.block.size};
    ring_file_note(&file, &note);
    size_t size = drain.block.size * (size_t)part / 4;
    assert_int_equal(write(fd, drain.block.data, size), (ssize_t)size);
    drain_release(&drain);
    ring_file_release(&file);
    close(ring_fd);
    close(fd);
}

static void recover_with_rings(void)
{
    ll_recover_options options = {.ring_dir = "rings"};
    ll_recovered recovered;
    ll_problem problem = {0};
    if (ll_recover("logs/app.log", &options, &recovered, &problem) != LL_OK)
        fail_msg("%s", problem.text);
    assert_int_equal(recovered.finished, 1);
}

static void finish_part(int part, const char *rotated)
{
    char ring[512];
    const char *paths[] = {"logs/app.log.1", "logs/app.log"};
    mkdir("rings", 0755);
    leave_ring(ring);
    mkdir("logs", 0755);
    int fd = open("logs/app.log", O_WRONLY | O_CREAT | O_APPEND, 0640);
    close(fd);
    write_part(ring, "logs/app.log", part);
    if (rotated)
        assert_int_equal(rename("logs/app.log", rotated), 0);
    recover_with_rings();
    settle_accounts(rotated ? paths : paths + 1, rotated ? 2 : 1, 1);
}

static void a_block_that_was_not_begun_is_written_once(void **state)
{
    (void)state;
    finish_part(0, NULL);
}

static void a_block_written_in_part_is_cut_off_and_written_again(void **state)
{
    (void)state;
    finish_part(2, NULL);
}

static void a_block_written_whole_but_not_confirmed_is_not_repeated(void **state)
{
    (void)state;
    finish_part(4, NULL);
}

static void a_fragment_in_a_file_rotated_since_is_cut_off_there(void **state)
{
    (void)state;
    finish_part(3, "logs/app.log.1");
}

static void a_whole_block_in_a_file_rotated_since_is_not_repeated(void **state)
{
    (void)state;
    finish_part(4, "logs/app.log.1");
}

static void a_note_that_points_at_lines_of_another_run_cuts_nothing_there(void **state)
{
    char ring[512];
    (void)state;
    mkdir("rings", 0755);
    leave_ring(ring);
    mkdir("logs", 0755);
    open_log("logs/app.log"); /* another run, at the place the note tells */
    write_part(ring, "logs/app.log", 0);
    for (int i = 0; i < 3; i++)
        ll_info("another");
    ll_close();
    recover_with_rings();
    struct lines lines = read_lines("logs/app.log");
    assert_int_equal(count_with(&lines, "\"message\":\"another\""), 3);
    assert_int_equal(count_with(&lines, "\"message\":\"busy\""), 50);
    free_lines(&lines);
}

/* --- ring files that cannot be believed ----------------------------------------------------------------- */

static void copy_bytes(const char *path, const char *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static void damage(struct chance *chance, char *bytes, size_t *size)
{
    switch (chance_below(chance, 4)) {
    case 0:
        *size = (size_t)chance_below(chance, *size);
        break;
    case 1:
        for (int i = 0; i < 50; i++)
            bytes[chance_below(chance, *size)] ^= (char)(1 << chance_below(chance, 8));
        break;
    case 2: /* within the pages that lead: identity, owner, progress, growth */
        for (int i = 0; i < 8; i++)
            bytes[chance_below(chance, 4) * 4096 + chance_below(chance, 800)] ^=
                (char)(1 << chance_below(chance, 8));
        break;
    default: /* lengths and indexes all over the table and the first frames */
        for (int i = 0; i < 200; i++)
            memset(bytes + chance_below(chance, *size / 4) * 4, (int)chance_below(chance, 256), 4);
    }
}

static void a_damaged_ring_file_harms_neither_the_recoverer_nor_what_the_log_holds(void **state)
{
    enum { ROUNDS = 150 };
    struct chance chance = {__LINE__};
    char ring[512];
    size_t size, log_size;
    uint32_t damaged = 0;
    (void)state;
    mkdir("rings", 0755);
    leave_ring(ring);
    mkdir("logs", 0755);
    open_log("logs/app.log");
    for (int i = 0; i < 20; i++)
        ll_info("before");
    ll_close();
    write_part(ring, "logs/app.log", 2);
    char *whole = read_file(ring, &size), *log = read_file("logs/app.log", &log_size), *bytes = malloc(size);
    for (int i = 0; i < ROUNDS; i++) {
        size_t damaged_size = size, after_size;
        ll_recover_options options = {.ring_dir = "rings"};
        ll_recovered recovered;
        memcpy(bytes, whole, size);
        damage(&chance, bytes, &damaged_size);
        copy_bytes(ring, bytes, damaged_size);
        copy_bytes("logs/app.log", log, log_size);
        ll_recover("logs/app.log", &options, &recovered, NULL);
        assert_int_equal(recovered.living + recovered.finished + recovered.damaged, 1);
        damaged += recovered.damaged;
        assert_int_equal(access(ring, F_OK) == 0,
                         recovered.damaged + recovered.living == 1); /* left as it is */
        char *after = read_file("logs/app.log", &after_size);
        size_t kept = (size_t)(strstr(log, mine->run_id) - log);
        while (log[kept - 1] != '\n')
            kept--;
        assert_true(after_size >= kept);
        assert_memory_equal(after, log, kept); /* lines of others stay */
        free(after);
    }
    assert_true(damaged > 0);
    free(whole);
    free(log);
    free(bytes);
}

static void one_damaged_ring_stops_no_other(void **state)
{
    ll_recovered recovered;
    ll_problem problem = {0};
    char path[600], folder[] = ".app.log.ll";
    (void)state;
    kill_after_us(start_logger("app.log"), 1000);
    snprintf(path, sizeof path, "%s/0.ring", folder);
    copy_bytes(path, "LLRING\n nonsense", 16);
    snprintf(path, sizeof path, "%s/1.ring", folder);
    copy_bytes(path, "", 0);
    snprintf(path, sizeof path, "%s/2.ring", folder);
    assert_int_equal(symlink("/dev/zero", path), 0);
    snprintf(path, sizeof path, "%s/3.ring", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(ll_recover("app.log", NULL, &recovered, &problem) != LL_OK);
    assert_int_equal(recovered.finished, 1);
    assert_int_equal(recovered.damaged, 4);
    assert_non_null(strstr(problem.text, ".ring"));
    settle("app.log");
}

/* --- a folder of somebody hostile ----------------------------------------------------------------------- */

static int recover_fails(const char *path, const char *words)
{
    ll_problem problem = {0};
    int error = ll_recover(path, NULL, NULL, &problem);
    if (!strstr(problem.text, words))
        fail_msg("%s", problem.text);
    return error;
}

static void a_ring_with_a_second_name_is_left_alone(void **state)
{
    char ring[512];
    (void)state;
    kill_after_us(start_logger("app.log"), 1000);
    assert_int_equal(count_files(".app.log.ll", ".ring", ring), 1);
    assert_int_equal(mkdir(".mine.log.ll", 0700), 0);
    assert_int_equal(link(ring, ".mine.log.ll/stolen.ring"), 0);
    assert_int_equal(recover_fails("mine.log", "second name"), LL_EACCES);
    assert_int_equal(access("mine.log", F_OK), -1);
    assert_int_equal(unlink(".mine.log.ll/stolen.ring"), 0);
    assert_int_equal(recover("app.log").finished, 1);
    settle("app.log");
}

static void a_symlink_to_the_rings_of_another_log_is_not_followed(void **state)
{
    (void)state;
    kill_after_us(start_logger("app.log"), 1000);
    assert_int_equal(symlink(".app.log.ll", ".mine.log.ll"), 0);
    ll_recover("mine.log", NULL, NULL, NULL);
    assert_int_equal(access("mine.log", F_OK), -1);
    assert_int_equal(recover("app.log").finished, 1);
    settle("app.log");
}

static void a_log_that_is_a_symlink_of_another_owner_is_not_written_to(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return; /* nobody else can make a file of another owner, and who is not root gains nothing by it */
    kill_after_us(start_logger("app.log"), 1000);
    assert_int_equal(rename("app.log", "real.log"), 0);
    assert_int_equal(symlink("real.log", "app.log"), 0);
    assert_int_equal(lchown("app.log", 12345, 12345), 0);
    assert_int_equal(recover_fails("app.log", "symlink"), LL_EACCES);
    assert_int_equal(lchown("app.log", 0, 0), 0);
    assert_int_equal(recover("app.log").finished, 1);
    settle("real.log");
}

static void a_log_made_by_root_for_another_belongs_to_that_one(void **state)
{
    struct stat st;
    (void)state;
    if (geteuid() != 0)
        return; /* who is not root makes it for itself */
    kill_after_us(start_logger("app.log"), 1000);
    assert_int_equal(unlink("app.log"), 0);
    assert_int_equal(chown(".app.log.ll", 12345, 12346), 0);
    recover("app.log");
    assert_int_equal(stat("app.log", &st), 0);
    assert_int_equal(st.st_uid, 12345);
    assert_int_equal(st.st_gid, 12346);
}

/* Holds the log's lock until it is killed. */
static pid_t start_holder(const char *path)
{
    int held[2];
    char byte;
    assert_int_equal(pipe(held), 0);
    pid_t child = fork_child();
    if (child == 0) {
        struct folder folder;
        struct os_robust robust;
        if (folder_open(&folder, path, "", false) ||
            os_robust_map(&robust, (int[]){-1, folder.lock_fd}, (uint64_t[]){0, 0}))
            _exit(1);
        os_robust_adopt(&robust);
        os_robust_lock(&robust, 1, -1);
        if (write(held[1], "", 1) != 1)
            _exit(2);
        for (;;)
            pause();
    }
    assert_int_equal(read(held[0], &byte, 1), 1);
    close(held[0]);
    close(held[1]);
    return child;
}

static void a_lock_that_is_cut_off_while_a_recoverer_waits_for_it_does_it_no_harm(void **state)
{
    char lock[512];
    int status;
    (void)state;
    kill_after_us(start_logger("app.log"), 1000);
    pid_t holder = start_holder("app.log"), recoverer = start_recoverer();
    pause_ms(100);
    struct folder folder;
    assert_int_equal(folder_open(&folder, "app.log", "", false), 0);
    snprintf(lock, sizeof lock, "/proc/self/fd/%d", folder.lock_fd);
    assert_int_equal(truncate(lock, 0), 0);
    folder_close(&folder);
    assert_int_equal(waitpid(recoverer, &status, 0), recoverer);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1); /* told, and alive */
    kill_child(holder);
}

/* A stopped process that holds the lock keeps nobody from opening the log. */
static void a_log_whose_lock_is_held_by_a_stopped_process_can_be_opened(void **state)
{
    (void)state;
    kill_after_us(start_logger("app.log"), 1000);
    pid_t holder = start_holder("app.log");
    open_log("app.log");
    ll_info("late");
    kill_child(holder);
    assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
    ll_health health;
    ll_health_get(&health);
    assert_int_equal(health.recovered_rings, 1); /* before the first line of its own */
    ll_close();
    struct lines lines = read_lines("app.log");
    assert_in_range(expect_gapless(&lines, mine->run_id, 1), mine->returned[0] + mine->returned[1],
                    UINT64_MAX);
    expect_member(lines.text[lines.count - 1], "message", "\"late\"");
    free_lines(&lines);
}

static void a_ring_file_of_a_newer_version_is_left_for_who_knows_it(void **state)
{
    char ring[512];
    ll_recovered recovered;
    ll_problem problem = {0};
    uint32_t version = RING_FILE_VERSION + 1;
    (void)state;
    kill_after_us(start_logger("app.log"), 1000);
    assert_int_equal(count_files(".app.log.ll", ".ring", ring), 1);
    int fd = open(ring, O_RDWR);
    assert_int_equal(pwrite(fd, &version, 4, offsetof(struct ring_identity, version)), 4);
    assert_int_equal(ll_recover("app.log", NULL, &recovered, &problem), LL_EFORMAT);
    assert_int_equal(recovered.damaged, 1);
    version = RING_FILE_VERSION;
    assert_int_equal(pwrite(fd, &version, 4, offsetof(struct ring_identity, version)), 4);
    close(fd);
    assert_int_equal(recover("app.log").finished, 1);
    settle("app.log");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_truth(all_that_a_killed_process_had_logged_is_there_once_after_recovery),
        with_truth(the_next_that_opens_the_log_finishes_the_dead_before_it_writes),
        with_truth(a_dry_run_tells_what_would_be_done_and_does_nothing),
        with_truth(the_rings_of_the_living_are_left_alone),
        with_truth(a_path_without_log_and_rings_is_named),
        with_truth(a_dead_parent_is_finished_while_its_forked_child_lives),
        with_truth(a_program_that_has_closed_all_descriptors_lives_and_is_finished_when_it_is_dead),
        with_truth(of_processes_with_one_number_in_several_containers_the_dead_are_finished),
        with_truth(recoverers_at_once_do_each_ring_once),
        with_truth(a_recoverer_killed_anywhere_is_followed_by_one_that_loses_and_repeats_nothing),
        with_truth(processes_on_one_file_that_are_killed_leave_whole_lines_and_lose_nothing),
        with_truth(processes_on_one_file_that_is_rotated_and_that_are_killed_lose_nothing),
        with_truth(a_log_that_is_reached_by_a_symlink_is_repaired_like_any),
        with_truth(a_block_that_was_not_begun_is_written_once),
        with_truth(a_block_written_in_part_is_cut_off_and_written_again),
        with_truth(a_block_written_whole_but_not_confirmed_is_not_repeated),
        with_truth(a_fragment_in_a_file_rotated_since_is_cut_off_there),
        with_truth(a_whole_block_in_a_file_rotated_since_is_not_repeated),
        with_truth(a_note_that_points_at_lines_of_another_run_cuts_nothing_there),
        with_truth(a_damaged_ring_file_harms_neither_the_recoverer_nor_what_the_log_holds),
        with_truth(one_damaged_ring_stops_no_other),
        with_truth(a_ring_with_a_second_name_is_left_alone),
        with_truth(a_symlink_to_the_rings_of_another_log_is_not_followed),
        with_truth(a_log_that_is_a_symlink_of_another_owner_is_not_written_to),
        with_truth(a_log_made_by_root_for_another_belongs_to_that_one),
        with_truth(a_lock_that_is_cut_off_while_a_recoverer_waits_for_it_does_it_no_harm),
        with_truth(a_log_whose_lock_is_held_by_a_stopped_process_can_be_opened),
        with_truth(a_ring_file_of_a_newer_version_is_left_for_who_knows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
