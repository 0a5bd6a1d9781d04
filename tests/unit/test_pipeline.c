/*
 * What a user relies on: each line of the files is counted once and forwarded once, whatever ends a run and
 * however slow or dead an output is. Everything is real here but the Kafka brokers, which are librdkafka's
 * mock cluster.
 */
#include "shipper/pipeline.h"

#include "liblog/base/cleanup.h"
#include "shipper/event.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <liblog/liblog.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <sqlite3.h>

#include <cmocka.h>

enum { PATH_SIZE = 96 };

#define SECOND_NS 1000000000LL

struct bench {
    char folder[32];
    char pattern[PATH_SIZE], database[PATH_SIZE], out[PATH_SIZE];
    struct config config;
    struct pipeline_options options;
    struct problem problem; /* the last run's */
};

static volatile int stop;
static struct problem told[16];
static int told_count;

static void tell(const struct problem *problem)
{
    if (told_count < 16)
        told[told_count++] = *problem;
}

static bool was_told(enum error error)
{
    for (int i = 0; i < told_count; i++) {
        if (told[i].error == error)
            return true;
    }
    return false;
}

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    strcpy(bench->folder, "/tmp/test_pipeline_XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->pattern, PATH_SIZE, "%s/app.log*", bench->folder);
    snprintf(bench->database, PATH_SIZE, "%s/shipper.db", bench->folder);
    snprintf(bench->out, PATH_SIZE, "%s/out", bench->folder);
    struct config *config = &bench->config;
    config->database_file = bench->database;
    config->state_dir = bench->folder;
    config->series_max = 10000;
    for (int i = 0; i < 4; i++)
        config->retention_ns[i] = 3650 * 86400 * SECOND_NS;
    config->inputs[0].paths[0] = bench->pattern;
    config->inputs[0].path_count = 1;
    config->inputs[0].exact = true;
    config->inputs[0].line_bytes_max = 1 << 20;
    strcpy(config->inputs[0].scan.format, "liblog");
    config->input_count = 1;
    config->outputs[0] = (struct config_output){.name = "out", .type = OUTPUT_STDOUT, .levels = ~0u};
    config->output_count = 1;
    bench->options = (struct pipeline_options){
        .once = true, .timeout_ns = 10 * SECOND_NS, .stop = &stop, .stop_fd = -1, .tell = tell};
    stop = 0;
    told_count = 0;
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    char command[PATH_SIZE];
    snprintf(command, sizeof(command), "rm -r %s", bench->folder);
    int result = system(command);
    free(bench);
    return result;
}

/* ---- files ---- */

static void path_of(const struct bench *bench, const char *name, char path[static PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", bench->folder, name);
}

static void append(const struct bench *bench, const char *name, const char *text, size_t size)
{
    char path[PATH_SIZE];
    path_of(bench, name, path);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

static void append_text(const struct bench *bench, const char *name, const char *text)
{
    append(bench, name, text, strlen(text));
}

static void add_record(char *line, size_t size, int seq, const char *level)
{
    snprintf(line, size,
             "{\"timestamp\":\"2026-01-02T03:%02d:05Z\",\"level\":\"%s\",\"service\":\"checkout\",\"logger\":"
             "\"root\","
             "\"message\":\"m\",\"run_id\":\"019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90\",\"seq\":%d}\n",
             seq / 1000 % 60, level, seq);
}

/* Records with the numbers [from, to), every tenth an error. Also appended to `expected`, which has the room.
 */
static void append_records(const struct bench *bench, const char *name, int from, int to, char *expected)
{
    char path[PATH_SIZE];
    path_of(bench, name, path);
    FILE *file = fopen(path, "a");
    size_t size = expected ? strlen(expected) : 0;
    for (int seq = from; seq < to; seq++) {
        char line[256];
        add_record(line, sizeof(line), seq, seq % 10 ? "INFO" : "ERROR");
        fputs(line, file);
        if (expected)
            strcpy(expected + size, line);
        size += strlen(line);
    }
    fclose(file);
}

static char *read_all(const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &status), 0);
    char *text = calloc(1, (size_t)status.st_size + 1);
    assert_int_equal(fread(text, 1, (size_t)status.st_size, file), status.st_size);
    fclose(file);
    return text;
}

static void assert_out_is(const struct bench *bench, const char *expected)
{
    _cleanup_free_ char *text = read_all(bench->out);
    assert_int_equal(strlen(text), strlen(expected));
    assert_true(strcmp(text, expected) == 0); /* too long to be printed */
}

/* ---- runs ---- */

static enum exit_code run_to(struct bench *bench, int fd)
{
    fflush(stdout);
    int real_stdout = dup(STDOUT_FILENO);
    dup2(fd, STDOUT_FILENO);
    enum exit_code code = pipeline_run(&bench->config, &bench->options, &bench->problem);
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdout);
    return code;
}

static enum exit_code run(struct bench *bench)
{
    _cleanup_close_ int fd = open(bench->out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return run_to(bench, fd);
}

static int64_t query(const struct bench *bench, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2(bench->database, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    int64_t value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static int64_t counted(const struct bench *bench)
{
    return query(bench, "SELECT coalesce(sum(count), 0) FROM counts WHERE resolution_s = 86400");
}

static int64_t counted_errors(const struct bench *bench)
{
    return query(bench, "SELECT coalesce(sum(count), 0) FROM counts JOIN series ON series.id = series_id "
                        "WHERE resolution_s = 86400 AND level = 'ERROR'");
}

enum { EXPECTED_SIZE = 16 * 1024 * 1024 };

static char *make_expected(void)
{
    return calloc(1, EXPECTED_SIZE);
}

/* ---- the tests ---- */

static void test_every_record_is_counted_and_forwarded_once_oldest_first(void **state)
{
    struct bench *bench = *state;
    _cleanup_free_ char *expected = make_expected();
    append_records(bench, "app.log.1", 1, 20001, expected);
    append_records(bench, "app.log", 20001, 30001, expected);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, expected);
    assert_int_equal(counted(bench), 30000);
    assert_int_equal(counted_errors(bench), 3000);
    assert_int_equal(query(bench, "SELECT missing + duplicates FROM run"), 0);
    assert_int_equal(query(bench, "SELECT count(*) FROM output_position WHERE output IN ('stats', 'out')"),
                     4);
}

static void test_a_second_run_forwards_nothing_and_goes_on_with_what_was_added(void **state)
{
    struct bench *bench = *state;
    _cleanup_free_ char *expected = make_expected();
    append_records(bench, "app.log", 1, 101, expected);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, expected);
    assert_int_equal(counted(bench), 100);
    append_records(bench, "app.log", 101, 151, expected);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, expected);
    assert_int_equal(counted(bench), 150);
    assert_int_equal(query(bench, "SELECT duplicates FROM run"), 0);
}

static void test_what_is_no_record_is_rejected_by_reason_or_forwarded_as_it_is(void **state)
{
    struct bench *bench = *state;
    char line[256];
    add_record(line, sizeof(line), 1, "INFO");
    append_text(bench, "app.log", "not json\n");
    append_text(bench, "app.log", line);
    append_text(bench, "app.log", "\n[1,2]\n");
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, line);
    assert_int_equal(query(bench, "SELECT count FROM reject WHERE reason = 'not_json'"), 1);
    assert_int_equal(query(bench, "SELECT count FROM reject WHERE reason = 'not_object'"), 1);
    assert_int_equal(query(bench, "SELECT rejected FROM source"), 2);
    bench->config.inputs[0].invalid_forward = true;
    append_text(bench, "app.log", "plain words\n");
    assert_int_equal(run(bench), EXIT_OK_);
    strcat(line, "plain words\n");
    assert_out_is(bench, line);
    assert_int_equal(query(bench, "SELECT rejected FROM source"), 3);
    assert_int_equal(counted(bench), 1);
}

static void test_copies_of_the_errors_file_are_neither_counted_nor_forwarded(void **state)
{
    struct bench *bench = *state;
    static const char copy[] =
        "{\"timestamp\":\"2026-01-02T03:04:05Z\",\"level\":\"ERROR\",\"service\":\"s\",\"copy\":true}\n";
    append_text(bench, "app.log", copy);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, "");
    assert_int_equal(counted(bench), 0);
    assert_int_equal(query(bench, "SELECT copies FROM source"), 1);
    bench->config.inputs[0].copies_count = true;
    append_text(bench, "app.log", copy);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, copy);
    assert_int_equal(counted(bench), 1);
}

static void test_a_last_line_without_newline_is_taken_when_whole_and_waits_when_not(void **state)
{
    struct bench *bench = *state;
    char line[256];
    add_record(line, sizeof(line), 1, "INFO");
    append(bench, "app.log", line, 20); /* half of it */
    assert_int_equal(run(bench), EXIT_OK_);
    assert_int_equal(counted(bench), 0);
    assert_int_equal(query(bench, "SELECT rejected FROM source"), 0);
    append(bench, "app.log", line + 20, strlen(line) - 21); /* all but the newline */
    assert_int_equal(run(bench), EXIT_OK_);
    assert_int_equal(counted(bench), 1);
    assert_out_is(bench, line);
    append_text(bench, "app.log", "\n");
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, line);
    assert_int_equal(counted(bench), 1);
}

static void test_half_a_line_at_the_end_of_an_older_generation_is_cut_and_does_not_block(void **state)
{
    struct bench *bench = *state;
    char line[256];
    add_record(line, sizeof(line), 1, "INFO");
    append_text(bench, "app.log.1", "{\"timestamp\":\"2026");
    append_text(bench, "app.log", line);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, line);
    assert_int_equal(query(bench, "SELECT count FROM reject WHERE reason = 'cut'"), 1);
}

static void test_a_line_above_the_limit_is_passed_over_however_long_it_is(void **state)
{
    struct bench *bench = *state;
    enum { LONG = 5 * 1024 * 1024 };
    _cleanup_free_ char *expected = make_expected();
    _cleanup_free_ char *noise = malloc(LONG);
    memset(noise, 'x', LONG);
    bench->config.inputs[0].line_bytes_max = 4096;
    append_records(bench, "app.log", 1, 11, expected);
    append(bench, "app.log", noise, LONG);
    append_text(bench, "app.log", "\n");
    append_records(bench, "app.log", 11, 21, expected);
    append(bench, "app.log", noise, LONG); /* and one that has no end yet */
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, expected);
    assert_int_equal(query(bench, "SELECT count FROM reject WHERE reason = 'too_long'"), 1);
    append_text(bench, "app.log", "\n");
    append_records(bench, "app.log", 21, 31, expected);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, expected);
    assert_int_equal(query(bench, "SELECT count FROM reject WHERE reason = 'too_long'"), 2);
    assert_int_equal(counted(bench), 30);
}

static void test_a_line_longer_than_a_piece_but_within_the_limit_is_a_record(void **state)
{
    struct bench *bench = *state;
    enum { LONG = 3 * 1024 * 1024 };
    _cleanup_free_ char *expected = make_expected();
    _cleanup_free_ char *line = malloc(LONG + 256);
    bench->config.inputs[0].line_bytes_max = LONG + 256;
    append_records(bench, "app.log", 1, 11, expected);
    int head = snprintf(
        line, 256,
        "{\"timestamp\":\"2026-01-02T03:04:05Z\",\"level\":\"ERROR\",\"service\":\"s\",\"message\":\"");
    memset(line + head, 'x', LONG);
    strcpy(line + head + LONG, "\"}\n");
    append_text(bench, "app.log", line);
    strcat(expected, line);
    append_records(bench, "app.log", 11, 21, expected);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, expected);
    assert_int_equal(counted(bench), 21);
}

static void test_a_record_without_a_time_has_that_of_the_one_before_also_after_a_restart(void **state)
{
    struct bench *bench = *state;
    append_text(bench, "app.log",
                "{\"timestamp\":\"2025-05-06T07:08:09Z\",\"level\":\"INFO\",\"service\":\"s\"}\n");
    assert_int_equal(run(bench), EXIT_OK_);
    append_text(bench, "app.log", "{\"timestamp\":\"soon\",\"level\":\"ERROR\",\"service\":\"s\"}\n");
    assert_int_equal(run(bench), EXIT_OK_);
    assert_int_equal(query(bench, "SELECT bad_time FROM source"), 1);
    assert_int_equal(query(bench, "SELECT start FROM counts JOIN series ON series.id = series_id WHERE "
                                  "resolution_s = 10 AND level = 'ERROR'"),
                     1746515280); /* 2025-05-06T07:08:00Z */
}

static void test_no_file_is_exit_66(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(run(bench), EXIT_NO_INPUT);
    assert_int_equal(bench->problem.error, ERR_IO_001);
}

static void test_when_nobody_reads_stdout_the_run_ends_with_74_and_the_next_forwards_the_rest(void **state)
{
    struct bench *bench = *state;
    _cleanup_free_ char *expected = make_expected();
    append_records(bench, "app.log", 1, 50001, expected);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(run_to(bench, ends[1]), EXIT_IO);
    close(ends[1]);
    assert_true(was_told(ERR_IO_003));
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, expected);
    assert_int_equal(counted(bench), 50000);
    assert_int_equal(query(bench, "SELECT duplicates FROM run"), 0);
}

static void test_a_new_output_starts_where_the_statistics_stand_or_at_the_beginning_if_told(void **state)
{
    struct bench *bench = *state;
    _cleanup_free_ char *expected = make_expected(), *rest = make_expected();
    append_records(bench, "app.log", 1, 11, expected);
    bench->config.output_count = 0;
    assert_int_equal(run(bench), EXIT_OK_);
    bench->config.output_count = 1;
    append_records(bench, "app.log", 11, 21, rest);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, rest);
    strcat(expected, rest);
    bench->config.outputs[0].name = "all";
    bench->config.outputs[0].start_at_beginning = true;
    assert_int_equal(unlink(bench->out), 0);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, expected);
    assert_int_equal(counted(bench), 20);
}

/* ---- with Kafka ---- */

static int messages_in(const char *brokers, const char *topic, int wanted)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
    rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(partitions, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
    int count = 0;
    /* Until all have come, and then a little longer for one too many. */
    for (int quiet = 0; quiet < (count < wanted ? 50 : 5); quiet++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message && !message->err) {
            count++;
            quiet = 0;
        }
        if (message)
            rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return count;
}

static void test_an_output_that_is_away_holds_up_no_other_and_gets_its_records_later(void **state)
{
    struct bench *bench = *state;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    rd_kafka_t *owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, 1);
    rd_kafka_mock_topic_create(cluster, "logs", 1, 1);
    bench->config.outputs[1] = (struct config_output){
        .name = "lake",
        .type = OUTPUT_KAFKA,
        .levels = 1u << LEVEL_ERROR,
        .brokers = (char *)rd_kafka_mock_cluster_bootstraps(cluster),
        .topic = "logs",
        .key = -1,
        .in_flight_max = 100,
        .property = {{"socket.timeout.ms", "500"}, {"linger.ms", "1"}},
        .property_count = 2,
    };
    bench->config.output_count = 2;
    bench->options.timeout_ns = SECOND_NS;
    _cleanup_free_ char *expected = make_expected();
    append_records(bench, "app.log", 1, 30001, expected);
    rd_kafka_mock_broker_set_down(cluster, 1);
    assert_int_equal(run(bench), EXIT_UNAVAILABLE_);
    assert_true(was_told(ERR_NET_001));
    assert_out_is(bench, expected);
    assert_int_equal(counted(bench), 30000);
    /* It passed the nine lines that are not for it, and waits before the tenth. */
    const char *first_error = strstr(expected, "ERROR");
    while (first_error[-1] != '\n')
        first_error--;
    assert_int_equal(query(bench, "SELECT offset FROM output_position WHERE output = 'lake'"),
                     first_error - expected);
    rd_kafka_mock_broker_set_up(cluster, 1);
    bench->options.timeout_ns = 20 * SECOND_NS;
    assert_int_equal(run(bench), EXIT_OK_);
    assert_out_is(bench, expected);
    assert_int_equal(counted(bench), 30000);
    assert_int_equal(messages_in(bench->config.outputs[1].brokers, "logs", 3000), 3000);
    assert_int_equal(query(bench, "SELECT count(DISTINCT offset) FROM output_position"), 1);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(owner);
}

/* ---- following ---- */

static int stop_fd;

static void on_stop(int signal_number)
{
    uint64_t one = 1;
    (void)signal_number;
    stop = 1;
    (void)!write(stop_fd, &one, sizeof(one));
}

static pid_t start_follower(struct bench *bench, int fd)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct sigaction action = {.sa_handler = on_stop};
    bench->options.stop_fd = stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGSEGV, SIG_DFL); /* a child must not come back into the test's runner */
    signal(SIGABRT, SIG_DFL);
    bench->options.once = false;
    _exit((int)run_to(bench, fd));
}

/* Reads until `expected` has come or 10 s have passed; compares. */
static void assert_arrives(int fd, const char *expected)
{
    size_t size = strlen(expected), got = 0;
    _cleanup_free_ char *seen = calloc(1, size + 1);
    struct pollfd interest = {fd, POLLIN, 0};
    while (got < size && poll(&interest, 1, 10000) == 1) {
        ssize_t n = read(fd, seen + got, size - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_int_equal(got, size);
    assert_true(strcmp(seen, expected) == 0);
}

static int stop_follower(pid_t pid)
{
    int status = -1;
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    return status;
}

static void test_following_forwards_what_is_written_over_a_rotation_and_a_stop_is_clean(void **state)
{
    struct bench *bench = *state;
    char live[PATH_SIZE], older[PATH_SIZE];
    path_of(bench, "app.log", live);
    path_of(bench, "app.log.1", older);
    bench->config.inputs[0].exact = false;
    bench->config.inputs[0].rotated = true;
    bench->config.inputs[0].paths[0] = live;
    _cleanup_free_ char *expected = make_expected();
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    append_records(bench, "app.log", 1, 11, expected);
    pid_t pid = start_follower(bench, ends[1]);
    assert_arrives(ends[0], expected);
    expected[0] = '\0';
    append_records(bench, "app.log", 11, 21, expected);
    assert_arrives(ends[0], expected);
    assert_int_equal(rename(live, older), 0);
    expected[0] = '\0';
    append_records(bench, "app.log.1", 21, 31, expected); /* by a program that has it open still */
    append_records(bench, "app.log", 31, 41, expected);
    assert_arrives(ends[0], expected);
    assert_int_equal(stop_follower(pid), 0);
    assert_int_equal(counted(bench), 40);
    assert_int_equal(query(bench, "SELECT missing + duplicates FROM run"), 0);
    pid = start_follower(bench, ends[1]);
    expected[0] = '\0';
    append_records(bench, "app.log", 41, 51, expected);
    assert_arrives(ends[0], expected); /* and nothing before it */
    assert_int_equal(stop_follower(pid), 0);
    assert_int_equal(counted(bench), 50);
    close(ends[0]);
    close(ends[1]);
}

static void fill_pipe(int fd)
{
    static const char bytes[4096];
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (write(fd, bytes, sizeof(bytes)) > 0)
        continue;
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

static void wait_until(const struct bench *bench, const char *sql, int64_t wanted)
{
    for (int i = 0; i < 400 && (access(bench->database, F_OK) != 0 || query(bench, sql) != wanted); i++)
        poll(NULL, 0, 25);
    assert_int_equal(query(bench, sql), wanted);
}

/* The output takes nothing, so only what is held can still be forwarded. */
static void test_deleted_files_are_held_up_to_the_size_that_is_configured(void **state)
{
    struct bench *bench = *state;
    char live[PATH_SIZE];
    int ends[2];
    path_of(bench, "app.log", live);
    bench->config.deleted_bytes_max = 1 << 20;
    assert_int_equal(pipe(ends), 0);
    fill_pipe(ends[1]);
    append_records(bench, "app.log", 1, 20001, NULL); /* some 3 MB */
    pid_t pid = start_follower(bench, ends[1]);
    wait_until(bench, "SELECT coalesce(sum(records), 0) FROM source", 20000);
    assert_int_equal(query(bench, "SELECT sum(lost_bytes) FROM source"), 0);
    assert_int_equal(unlink(live), 0);
    append_records(bench, "app.log", 20001, 20002,
                   NULL); /* what was lost goes to the database with the next commit */
    wait_until(bench, "SELECT sum(lost_bytes) > 1048576 FROM source", 1);
    assert_int_equal(stop_follower(pid), 0);
    close(ends[0]);
    close(ends[1]);
}

/* Nothing is written any more, and the output takes nothing: only the time that has passed ends the event. */
static void test_the_last_event_of_several_lines_is_counted_while_an_output_is_stuck(void **state)
{
    struct bench *bench = *state;
    int ends[2];
    strcpy(bench->config.inputs[0].scan.format, "plain");
    bench->config.inputs[0].multiline =
        (struct config_multiline){"^[0-9]", 2 * SECOND_NS, .lines_max = 1000, .bytes_max = 1 << 18};
    append_text(bench, "app.log", "1 first\n");
    assert_int_equal(run(bench), EXIT_OK_);
    assert_int_equal(pipe(ends), 0);
    fill_pipe(ends[1]);
    append_text(bench, "app.log", "2 second\n goes on\n3 third\n goes on\n");
    pid_t pid = start_follower(bench, ends[1]);
    wait_until(bench, "SELECT sum(records) FROM source", 3);
    assert_int_equal(stop_follower(pid), 0);
    close(ends[0]);
    close(ends[1]);
}

static void test_kills_at_any_moment_change_no_count_and_lose_no_record(void **state)
{
    enum { KILLS = 8, RECORDS = 20000 };
    struct bench *bench = *state;
    srand(11);
    for (int turn = 0; turn < KILLS; turn++) {
        append_records(bench, "app.log", turn * RECORDS + 1, (turn + 1) * RECORDS + 1, NULL);
        int fd = open(bench->out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        pid_t pid = start_follower(bench, fd);
        close(fd);
        usleep((useconds_t)(rand() % 1500000)); /* a commit comes after a second */
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    assert_int_equal(run(bench), EXIT_OK_);
    assert_int_equal(counted(bench), KILLS * RECORDS);
    assert_int_equal(counted_errors(bench), KILLS * RECORDS / 10);
    assert_int_equal(query(bench, "SELECT records FROM run"), KILLS * RECORDS);
    assert_int_equal(query(bench, "SELECT missing + duplicates FROM run"), 0);
    _cleanup_free_ char *out = read_all(bench->out);
    static bool seen[KILLS * RECORDS + 1];
    for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
        const char *seq = strstr(line, "\"seq\":");
        if (seq && line[strlen(line) - 1] == '}') /* a kill may have torn it; it comes again */
            seen[atoi(seq + 6)] = true;
    }
    for (int seq = 1; seq <= KILLS * RECORDS; seq++)
        assert_true(seen[seq]);
}

/* Logs at full speed and is killed: the end of what it logged lies in its rings. `logged` counts returned
 * calls. */
static void log_and_die(const struct bench *bench, volatile int *logged)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        ll_config config;
        ll_config_init(&config);
        path_of(bench, "app.log", config.file);
        if (ll_open(&config, NULL) != LL_OK)
            _exit(1);
        for (int i = 0; i < 5000; i++) {
            ll_info("still in the ring", ll_kv("i", i));
            ++*logged;
        }
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, NULL, 0);
}

static void test_what_a_dead_program_had_in_its_rings_is_finished_and_read(void **state)
{
    struct bench *bench = *state;
    volatile int *logged = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    log_and_die(bench, logged);
    assert_int_equal(*logged, 5000);
    assert_int_equal(run(bench), EXIT_OK_);
    assert_int_equal(counted(bench), 5000);
    assert_int_equal(query(bench, "SELECT missing + duplicates + before_first FROM run"), 0);
    munmap((void *)logged, sizeof(int));
}

#define PIPELINE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPELINE_TEST(test_every_record_is_counted_and_forwarded_once_oldest_first),
        PIPELINE_TEST(test_a_second_run_forwards_nothing_and_goes_on_with_what_was_added),
        PIPELINE_TEST(test_what_is_no_record_is_rejected_by_reason_or_forwarded_as_it_is),
        PIPELINE_TEST(test_copies_of_the_errors_file_are_neither_counted_nor_forwarded),
        PIPELINE_TEST(test_a_last_line_without_newline_is_taken_when_whole_and_waits_when_not),
        PIPELINE_TEST(test_half_a_line_at_the_end_of_an_older_generation_is_cut_and_does_not_block),
        PIPELINE_TEST(test_a_line_above_the_limit_is_passed_over_however_long_it_is),
        PIPELINE_TEST(test_a_line_longer_than_a_piece_but_within_the_limit_is_a_record),
        PIPELINE_TEST(test_a_record_without_a_time_has_that_of_the_one_before_also_after_a_restart),
        PIPELINE_TEST(test_no_file_is_exit_66),
        PIPELINE_TEST(test_when_nobody_reads_stdout_the_run_ends_with_74_and_the_next_forwards_the_rest),
        PIPELINE_TEST(test_a_new_output_starts_where_the_statistics_stand_or_at_the_beginning_if_told),
        PIPELINE_TEST(test_an_output_that_is_away_holds_up_no_other_and_gets_its_records_later),
        PIPELINE_TEST(test_following_forwards_what_is_written_over_a_rotation_and_a_stop_is_clean),
        PIPELINE_TEST(test_what_a_dead_program_had_in_its_rings_is_finished_and_read),
        PIPELINE_TEST(test_deleted_files_are_held_up_to_the_size_that_is_configured),
        PIPELINE_TEST(test_the_last_event_of_several_lines_is_counted_while_an_output_is_stuck),
        PIPELINE_TEST(test_kills_at_any_moment_change_no_count_and_lose_no_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
