/*
 * What a user relies on: every record reaches the topic, whatever the broker answers on the way; what it
 * refuses for good is in the dead-letter file; and no position passes a record before one of both is true.
 *
 * The brokers are librdkafka's mock cluster: real connections on loopback, with errors injected.
 */
#include "shipper/output.h"
#include "shipper/output_dead.h"

#include "liblog/base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cmocka.h>

enum { PRODUCE_REQUEST = 0, INIT_PRODUCER_ID_REQUEST = 22, WAIT_MS = 20000 };

#define NOW_NS ((int64_t)time(NULL) * 1000000000)

struct bench {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *cluster;
    char folder[32];
    struct config_output config;
    struct source source;
    struct output *output;
};

static void bench_begin(struct bench *bench)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    bench->owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    bench->cluster = rd_kafka_mock_cluster_new(bench->owner, 1);
    rd_kafka_mock_topic_create(bench->cluster, "logs", 1, 1);
    rd_kafka_mock_topic_create(bench->cluster, "logs.errors", 1, 1);
    strcpy(bench->folder, "/tmp/test_kafka_XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    bench->source.record.path = "/var/log/app.log";
    bench->config = (struct config_output){
        .name = "lake",
        .type = OUTPUT_KAFKA,
        .levels = ~0u,
        .brokers = (char *)rd_kafka_mock_cluster_bootstraps(bench->cluster),
        .topic = "logs",
        .key = EVENT_REQUEST_ID,
        .in_flight_max = 65536,
        .property = {{"linger.ms", "1"},
                     {"retry.backoff.ms", "20"},
                     {"reconnect.backoff.ms", "20"},
                     {"socket.timeout.ms", "500"}}, /* the mock has no controller that could tell of topics */
        .property_count = 4,
    };
}

static void bench_open(struct bench *bench)
{
    struct output_environment environment = {"instance-1", "host-1", bench->folder};
    struct problem problem = {0};
    int result = output_open(&bench->config, 1, &environment, &problem, &bench->output);
    if (result < 0)
        fail_msg("%s", problem.text);
    assert_int_equal(output_begin(bench->output, &bench->source, 0), 0);
}

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    bench_begin(bench);
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    char command[64];
    output_close(bench->output);
    rd_kafka_mock_cluster_destroy(bench->cluster);
    rd_kafka_destroy(bench->owner);
    snprintf(command, sizeof(command), "rm -r %s", bench->folder);
    int result = system(command);
    free(bench);
    return result;
}

/* ---- sending ---- */

enum { LINE_SIZE = 64 };

/* Line `i` stands at i * LINE_SIZE of the source, so offsets, ends and contents are known from the number. */
static void make_line(char line[static LINE_SIZE + 1], int i)
{
    snprintf(line, LINE_SIZE + 1, "{\"seq\":%d,\"pad\":\"%0*d\"}\n", i,
             LINE_SIZE - 18 - snprintf(NULL, 0, "%d", i), 0);
    assert_int_equal(strlen(line), LINE_SIZE);
}

static struct event make_event(enum level level)
{
    struct event event = {.level = level, .time_ns = NOW_NS};
    event.value[EVENT_REQUEST_ID] = (struct value){"abc123", 6, VALUE_STRING, false};
    event.value[EVENT_SERVICE] = (struct value){"checkout", 8, VALUE_STRING, false};
    return event;
}

/* As the pipeline does: when it is not taken, pump and come again. The first problem told is kept. */
static void send_event(struct bench *bench, const char *line, size_t size, uint64_t offset,
                       const struct event *event, struct problem *told)
{
    struct output_record record = {
        slice_from(line, size), event, &bench->source, offset, offset + size, false, 1};
    struct problem problem = {0};
    for (int turn = 0; turn < WAIT_MS / 10; turn++) {
        if (output_send(bench->output, &record, &problem) == OUTPUT_TAKEN)
            return;
        output_pump(bench->output, 10, &problem);
        if (problem.error && told && !told->error)
            *told = problem;
    }
    fail_msg("not taken in time: %s", problem.text);
}

static void send_lines(struct bench *bench, int from, int to, struct problem *told)
{
    struct event event = make_event(LEVEL_INFO);
    for (int i = from; i < to; i++) {
        char line[LINE_SIZE + 1];
        make_line(line, i);
        send_event(bench, line, LINE_SIZE, (uint64_t)i * LINE_SIZE, &event, told);
    }
}

static void flush(struct bench *bench, struct problem *told)
{
    struct problem problem = {0};
    int64_t deadline = time(NULL) + WAIT_MS / 1000;
    while (output_flush(bench->output, 50, &problem) < 0 && time(NULL) < deadline) {
        if (problem.error && told && !told->error)
            *told = problem;
    }
    struct output_counters counters;
    output_counters(bench->output, &counters);
    if (counters.in_flight)
        fail_msg("not delivered in time: %s", problem.text);
    if (problem.error && told && !told->error)
        *told = problem;
}

static struct output_counters counters_of(const struct bench *bench)
{
    struct output_counters counters;
    output_counters(bench->output, &counters);
    return counters;
}

/* ---- reading back ---- */

static rd_kafka_t *consumer_new(const struct bench *bench, const char *topic)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bench->config.brokers, NULL, 0);
    rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(partitions, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
    return consumer;
}

static void consumer_free(rd_kafka_t *consumer)
{
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

/* The next message, or NULL when none comes within `timeout_ms`. */
static rd_kafka_message_t *next_message(rd_kafka_t *consumer, int timeout_ms)
{
    for (int waited = 0; waited <= timeout_ms; waited += 100) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message && !message->err)
            return message;
        if (message)
            rd_kafka_message_destroy(message);
    }
    return NULL;
}

static void assert_text(const void *data, size_t size, const char *expected)
{
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(data, expected, size);
}

/* The topic holds the lines [from, to) once each and in order, and nothing else. */
static void assert_topic_holds_lines(const struct bench *bench, const char *topic, int from, int to)
{
    rd_kafka_t *consumer = consumer_new(bench, topic);
    for (int i = from; i < to; i++) {
        char line[LINE_SIZE + 1];
        make_line(line, i);
        line[LINE_SIZE - 1] = '\0';
        rd_kafka_message_t *message = next_message(consumer, 5000);
        if (!message)
            fail_msg("message %d is missing", i);
        assert_text(message->payload, message->len, line);
        rd_kafka_message_destroy(message);
    }
    assert_null(next_message(consumer, 300));
    consumer_free(consumer);
}

static void assert_header(const rd_kafka_headers_t *headers, const char *name, const char *expected)
{
    const void *value;
    size_t size;
    assert_int_equal(rd_kafka_header_get_last(headers, name, &value, &size), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_text(value, size, expected);
}

/* ---- the tests ---- */

static void test_records_arrive_once_in_order_and_the_position_reaches_the_end(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    send_lines(bench, 0, 1000, NULL);
    output_skip(bench->output, &bench->source, 1000 * LINE_SIZE + 77);
    flush(bench, NULL);
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 1000 * LINE_SIZE + 77);
    assert_int_equal(counters_of(bench).acknowledged, 1000);
    assert_int_equal(counters_of(bench).retried, 0);
    assert_topic_holds_lines(bench, "logs", 0, 1000);
}

static void test_a_message_carries_key_time_and_headers(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    struct event event = make_event(LEVEL_ERROR);
    send_event(bench, "{\"a\":1}\n", 8, 4096, &event, NULL);
    flush(bench, NULL);
    rd_kafka_t *consumer = consumer_new(bench, "logs");
    rd_kafka_message_t *message = next_message(consumer, 5000);
    assert_non_null(message);
    assert_text(message->payload, message->len, "{\"a\":1}");
    assert_text(message->key, message->key_len, "abc123");
    assert_int_equal(rd_kafka_message_timestamp(message, NULL), event.time_ns / 1000000);
    rd_kafka_headers_t *headers;
    assert_int_equal(rd_kafka_message_headers(message, &headers), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_header(headers, "content-type", "application/json");
    assert_header(headers, "service", "checkout");
    assert_header(headers, "host", "host-1");
    assert_header(headers, "file", "/var/log/app.log");
    assert_header(headers, "offset", "4096");
    const void *value;
    size_t size;
    assert_int_equal(rd_kafka_header_get_last(headers, "event_time", &value, &size),
                     RD_KAFKA_RESP_ERR__NOENT);
    rd_kafka_message_destroy(message);
    consumer_free(consumer);
}

static void test_a_record_older_than_the_topic_keeps_goes_out_with_the_time_of_reading(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    struct event event = make_event(LEVEL_ERROR);
    event.time_ns = 1704164645123456789; /* 2024-01-02 */
    int64_t before_ms = NOW_NS / 1000000;
    send_event(bench, "{\"a\":1}\n", 8, 0, &event, NULL);
    flush(bench, NULL);
    assert_int_equal(counters_of(bench).aged, 1);
    rd_kafka_t *consumer = consumer_new(bench, "logs");
    rd_kafka_message_t *message = next_message(consumer, 5000);
    assert_non_null(message);
    assert_in_range(rd_kafka_message_timestamp(message, NULL), before_ms, before_ms + WAIT_MS);
    rd_kafka_headers_t *headers;
    assert_int_equal(rd_kafka_message_headers(message, &headers), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_header(headers, "event_time", "2024-01-02T03:04:05.123456789Z");
    rd_kafka_message_destroy(message);
    consumer_free(consumer);
}

static void test_levels_are_routed_to_their_topics(void **state)
{
    struct bench *bench = *state;
    bench->config.topic_from = "level";
    bench->config.route[0] = (struct config_route){"ERROR", "logs.errors"};
    bench->config.route_count = 1;
    bench_open(bench);
    struct event event = make_event(LEVEL_ERROR);
    char line[LINE_SIZE + 1];
    send_lines(bench, 0, 3, NULL);
    make_line(line, 3);
    send_event(bench, line, LINE_SIZE, 3 * LINE_SIZE, &event, NULL);
    flush(bench, NULL);
    assert_topic_holds_lines(bench, "logs", 0, 3);
    assert_topic_holds_lines(bench, "logs.errors", 3, 4);
}

static void test_the_output_is_full_at_its_bound_and_goes_on_when_acknowledged(void **state)
{
    struct bench *bench = *state;
    bench->config.in_flight_max = 10;
    bench->config.property[0].value = "50";
    bench_open(bench);
    send_lines(bench, 0, 10, NULL);
    struct event event = make_event(LEVEL_INFO);
    char line[LINE_SIZE + 1];
    make_line(line, 10);
    struct output_record record = {slice_from(line, LINE_SIZE), &event, &bench->source, 640, 704, false, 1};
    assert_false(output_ready(bench->output));
    assert_int_equal(output_send(bench->output, &record, NULL), OUTPUT_FULL);
    send_lines(bench, 10, 100, NULL);
    flush(bench, NULL);
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 100 * LINE_SIZE);
    assert_topic_holds_lines(bench, "logs", 0, 100);
}

static void test_a_broker_that_is_away_is_told_once_and_nothing_is_lost(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    send_lines(bench, 0, 10, NULL);
    flush(bench, NULL);
    rd_kafka_mock_broker_set_down(bench->cluster, 1);
    struct problem problem = {0}, again = {0};
    send_lines(bench, 10, 500, &problem);
    for (int i = 0; i < 100 && !problem.error; i++)
        output_pump(bench->output, 20, &problem);
    assert_int_equal(problem.error, ERR_KAF_001);
    for (int i = 0; i < 20; i++)
        output_pump(bench->output, 20, &again);
    assert_int_equal(again.error, ERR_NONE);
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 10 * LINE_SIZE);
    rd_kafka_mock_broker_set_up(bench->cluster, 1);
    flush(bench, NULL);
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 500 * LINE_SIZE);
    assert_topic_holds_lines(bench, "logs", 0, 500);
}

static void test_an_error_that_passes_is_retried_without_doubling(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    rd_kafka_mock_push_request_errors(
        bench->cluster, PRODUCE_REQUEST, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    send_lines(bench, 0, 300, NULL);
    flush(bench, NULL);
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 300 * LINE_SIZE);
    assert_topic_holds_lines(bench, "logs", 0, 300);
}

static void test_a_denied_topic_holds_the_output_and_its_records_go_out_later(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    rd_kafka_mock_push_request_errors(bench->cluster, PRODUCE_REQUEST, 2,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    struct problem problem = {0};
    send_lines(bench, 0, 100, &problem);
    flush(bench, &problem);
    assert_int_equal(problem.error, ERR_KAF_002);
    assert_non_null(strstr(problem.text, "logs"));
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 100 * LINE_SIZE);
    assert_true(counters_of(bench).retried > 0);
    assert_int_equal(counters_of(bench).refused, 0);
    assert_topic_holds_lines(bench, "logs", 0, 100);
}

static char *read_dead_letters(const struct bench *bench)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/dead-lake.jsonl", bench->folder);
    struct stat status;
    if (stat(path, &status) < 0)
        return NULL;
    assert_int_equal(status.st_mode & 07777, 0600);
    char *text = calloc(1, (size_t)status.st_size + 1);
    FILE *file = fopen(path, "r");
    assert_int_equal(fread(text, 1, (size_t)status.st_size, file), status.st_size);
    fclose(file);
    return text;
}

static void test_a_record_too_large_is_put_aside_and_the_rest_goes_on(void **state)
{
    struct bench *bench = *state;
    bench->config.property[4] = (struct config_property){"message.max.bytes", "2000"};
    bench->config.property_count = 5;
    bench_open(bench);
    send_lines(bench, 0, 5, NULL);
    struct event event = make_event(LEVEL_INFO);
    enum { LARGE_SIZE = 50 * LINE_SIZE };
    char large[LARGE_SIZE];
    memset(large, 'x', LARGE_SIZE);
    large[LARGE_SIZE - 1] = '\n';
    struct problem problem = {0};
    send_event(bench, large, LARGE_SIZE, 5 * LINE_SIZE, &event, &problem);
    send_lines(bench, 55, 60, &problem);
    flush(bench, &problem);
    assert_int_equal(problem.error, ERR_KAF_003);
    assert_non_null(strstr(problem.text, "dead-lake.jsonl"));
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 60 * LINE_SIZE);
    assert_int_equal(counters_of(bench).refused, 1);
    assert_int_equal(counters_of(bench).acknowledged, 10);
    _cleanup_free_ char *letters = read_dead_letters(bench);
    assert_non_null(letters);
    large[LARGE_SIZE - 1] = '\0';
    char expected[LARGE_SIZE + 64];
    snprintf(expected, sizeof(expected), "\"file\":\"/var/log/app.log\",\"offset\":320,\"line\":\"%s\"}\n",
             large);
    assert_non_null(strstr(letters, expected));
    assert_string_equal(strchr(letters, '\n'), "\n"); /* one letter */
}

static void test_a_batch_refused_for_one_record_loses_only_that_record(void **state)
{
    struct bench *bench = *state;
    bench->config.property[0].value = "200"; /* so that the ten are one batch */
    bench_open(bench);
    /* The batch is refused; then, one by one, the first record is refused and the others are taken. */
    rd_kafka_mock_push_request_errors(bench->cluster, PRODUCE_REQUEST, 2, RD_KAFKA_RESP_ERR_INVALID_RECORD,
                                      RD_KAFKA_RESP_ERR_INVALID_RECORD);
    struct problem problem = {0};
    send_lines(bench, 0, 10, &problem);
    flush(bench, &problem);
    assert_int_equal(problem.error, ERR_KAF_003);
    assert_int_equal(counters_of(bench).refused, 1);
    assert_int_equal(counters_of(bench).acknowledged, 9);
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 10 * LINE_SIZE);
    _cleanup_free_ char *letters = read_dead_letters(bench);
    assert_non_null(strstr(letters, "\"offset\":0,"));
    assert_topic_holds_lines(bench, "logs", 1, 10);
}

static void test_without_a_place_for_dead_letters_the_position_waits(void **state)
{
    struct bench *bench = *state;
    char path[64];
    snprintf(path, sizeof(path), "%s/dead-lake.jsonl", bench->folder);
    assert_int_equal(mkdir(path, 0700), 0); /* a folder is in the way */
    bench->config.property[4] = (struct config_property){"message.max.bytes", "2000"};
    bench->config.property_count = 5;
    bench_open(bench);
    struct event event = make_event(LEVEL_INFO);
    char large[3000];
    memset(large, 'x', sizeof(large));
    struct problem problem = {0};
    send_event(bench, large, sizeof(large), 0, &event, &problem);
    for (int i = 0; i < 10; i++)
        output_pump(bench->output, 20, &problem);
    assert_true(problem.error == ERR_IO_003 || problem.error == ERR_IO_004);
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 0);
    assert_int_equal(counters_of(bench).in_flight, 1);
    assert_int_equal(rmdir(path), 0);
    flush(bench, NULL);
    assert_int_equal(output_acknowledged(bench->output, &bench->source), sizeof(large));
    assert_int_equal(counters_of(bench).refused, 1);
}

static void test_a_producer_that_failed_for_good_is_built_anew_and_loses_nothing(void **state)
{
    struct bench *bench = *state;
    bench->config.property[4] = (struct config_property){"enable.gapless.guarantee", "true"};
    bench->config.property_count = 5;
    bench_open(bench);
    send_lines(bench, 0, 20, NULL);
    flush(bench, NULL);
    /* With the gapless guarantee a batch that fails for good ends the producer. */
    rd_kafka_mock_push_request_errors(bench->cluster, PRODUCE_REQUEST, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    struct problem problem = {0};
    send_lines(bench, 20, 200, &problem);
    flush(bench, &problem);
    assert_int_equal(problem.error, ERR_KAF_005);
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 200 * LINE_SIZE);
    assert_topic_holds_lines(bench, "logs", 0, 200);
}

static void test_closing_with_records_out_ends_and_leaves_the_position_behind_them(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    send_lines(bench, 0, 5, NULL);
    flush(bench, NULL);
    rd_kafka_mock_broker_set_down(bench->cluster, 1);
    send_lines(bench, 5, 50, NULL);
    assert_true(output_flush(bench->output, 100, NULL) < 0);
    assert_int_equal(output_acknowledged(bench->output, &bench->source), 5 * LINE_SIZE);
    output_close(bench->output);
    bench->output = NULL;
}

static void test_a_property_that_cannot_be_is_refused_at_the_start(void **state)
{
    struct bench *bench = *state;
    bench->config.property[0] = (struct config_property){"compression.type", "rar"};
    struct output_environment environment = {"instance-1", "host-1", bench->folder};
    struct problem problem = {0};
    assert_int_equal(output_open(&bench->config, 1, &environment, &problem, &bench->output), -ERR_KAF_004);
    assert_non_null(strstr(problem.text, "compression.type"));
}

static void test_dead_letters_are_bounded_by_one_rotation(void **state)
{
    struct bench *bench = *state;
    struct dead_letters dead;
    dead_init(&dead, bench->folder, "lake");
    dead.size_max = 1000;
    struct dead_letter letter = {1, "lake", "too large", "logs", "app.log", 0, SLICE("a \"quoted\" line")};
    for (letter.offset = 0; letter.offset < 100; letter.offset++)
        assert_int_equal(dead_write(&dead, &letter, NULL), 0);
    char path[64];
    struct stat status;
    snprintf(path, sizeof(path), "%s/dead-lake.jsonl.1", bench->folder);
    assert_int_equal(stat(path, &status), 0);
    assert_in_range(status.st_size, 1, 1000);
    _cleanup_free_ char *letters = read_dead_letters(bench);
    assert_non_null(strstr(letters, "\"offset\":99,\"line\":\"a \\\"quoted\\\" line\"}\n"));
    assert_in_range(strlen(letters), 1, 1000);
    dead_release(&dead);
}

#define KAFKA_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KAFKA_TEST(test_records_arrive_once_in_order_and_the_position_reaches_the_end),
        KAFKA_TEST(test_a_message_carries_key_time_and_headers),
        KAFKA_TEST(test_a_record_older_than_the_topic_keeps_goes_out_with_the_time_of_reading),
        KAFKA_TEST(test_levels_are_routed_to_their_topics),
        KAFKA_TEST(test_the_output_is_full_at_its_bound_and_goes_on_when_acknowledged),
        KAFKA_TEST(test_a_broker_that_is_away_is_told_once_and_nothing_is_lost),
        KAFKA_TEST(test_an_error_that_passes_is_retried_without_doubling),
        KAFKA_TEST(test_a_denied_topic_holds_the_output_and_its_records_go_out_later),
        KAFKA_TEST(test_a_record_too_large_is_put_aside_and_the_rest_goes_on),
        KAFKA_TEST(test_a_batch_refused_for_one_record_loses_only_that_record),
        KAFKA_TEST(test_without_a_place_for_dead_letters_the_position_waits),
        KAFKA_TEST(test_a_producer_that_failed_for_good_is_built_anew_and_loses_nothing),
        KAFKA_TEST(test_closing_with_records_out_ends_and_leaves_the_position_behind_them),
        KAFKA_TEST(test_a_property_that_cannot_be_is_refused_at_the_start),
        KAFKA_TEST(test_dead_letters_are_bounded_by_one_rotation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
