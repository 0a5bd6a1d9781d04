#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "event_maker.h"
#include "store_maker.h"

#include "shipper/cmd.h"
#include "shipper/report.h"
#include "shipper/report_text.h"

#include <fcntl.h>
#include <inttypes.h>

#define T0    INT64_C(1760832000) /* 2025-10-19T00:00:00Z */
#define RUN_A "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90"

/* --- which windows are read --- */

static const int64_t all_kept[WINDOW_RESOLUTIONS] = {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN};

/* Any plan covers its range without gap or overlap, in whole windows that are kept. */
static int64_t assert_whole(int64_t from_s, int64_t to_s,
                            const int64_t kept_from_s[static WINDOW_RESOLUTIONS])
{
    struct store_piece pieces[STORE_PIECES_MAX];
    const int64_t asked_from = from_s, asked_to = to_s;
    int count = report_plan(&from_s, &to_s, kept_from_s, pieces);
    int64_t at = from_s, windows = 0;
    assert_true(from_s <= asked_from && to_s >= asked_to);
    assert_in_range(count, 1, STORE_PIECES_MAX);
    for (int i = 0; i < count; i++) {
        assert_int_equal(pieces[i].from_s, at);
        assert_true(pieces[i].to_s > at);
        assert_int_equal(pieces[i].from_s % pieces[i].resolution_s, 0);
        assert_int_equal(pieces[i].to_s % pieces[i].resolution_s, 0);
        windows += (pieces[i].to_s - pieces[i].from_s) / pieces[i].resolution_s;
        at = pieces[i].to_s;
    }
    assert_int_equal(at, to_s);
    return windows;
}

static void a_range_is_covered_by_whole_windows_whatever_its_ends(void **state)
{
    (void)state;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        int64_t from = T0 + rand() % (60 * WINDOW_DAY);
        int64_t length = 1 + rand() % (i % 3 ? 2 * WINDOW_DAY : 900 * WINDOW_DAY);
        const int64_t kept[WINDOW_RESOLUTIONS] = {T0 + 40 * WINDOW_DAY, T0 + 20 * WINDOW_DAY,
                                                  T0 + 2 * WINDOW_DAY, INT64_MIN};
        assert_whole(from, from + length, all_kept);
        assert_whole(from, from + length, kept);
    }
}

static void a_month_is_read_in_hours_and_days(void **state)
{
    (void)state;
    assert_in_range(assert_whole(T0 + 12345, T0 + 12345 + 30 * WINDOW_DAY, all_kept), 30, 29 + 2 * 24);
    assert_in_range(assert_whole(T0, T0 + 30 * WINDOW_DAY, all_kept), 30, 30);
}

/* --- numbers --- */

static const char *const types[] = {"Timeout",       "Refused", "", "=cmd()", "<script>alert(1)</script>",
                                    "\xc3\xa4|\"b\\"};
enum { TYPES = 6, HOURS = 50 };

struct truth {
    uint64_t by_type[TYPES]; /* ERROR and CRITICAL */
    uint64_t by_level[LEVEL_COUNT];
    uint64_t errors, records;
    int64_t first[TYPES], last[TYPES];
};

static void tally(struct truth *truth, const struct event *event, int type)
{
    truth->by_level[event->level]++;
    truth->records++;
    if (event->level < LEVEL_ERROR || event->level > LEVEL_CRITICAL)
        return;
    int64_t time_s = event->time_ns / SECOND_NS;
    if (truth->by_type[type]++ == 0 || time_s < truth->first[type])
        truth->first[type] = time_s;
    if (time_s > truth->last[type])
        truth->last[type] = time_s;
    truth->errors++;
}

/* Fills the database and returns what lies within from … to. The first and the last record are at fixed
 * times. */
static struct truth fill(struct folder *folder, int64_t from_s, int64_t to_s)
{
    struct truth truth = {0};
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    srand(77);
    for (int i = 0; i < 20000; i++) {
        int64_t time_s = i == 0   ? T0
                         : i == 1 ? T0 + HOURS * WINDOW_HOUR - 1
                                  : T0 + rand() % (HOURS * WINDOW_HOUR);
        int type = rand() % 50 ? rand() % 3 : rand() % TYPES;
        struct event event = event_of_run(RUN_A, (uint64_t)i + 1 + (i >= 10000), time_s);
        event.level = (enum level)(rand() % LEVEL_COUNT);
        event_set(&event, EVENT_EXCEPTION_TYPE, types[type]);
        event.value[EVENT_EXCEPTION_TYPE].escaped = false;
        assert_int_equal(add_event(batch, &event, SLICE("")), 0);
        if (time_s >= from_s && time_s < to_s)
            tally(&truth, &event, type);
    }
    for (uint64_t i = 0; i < 12; i++)
        assert_int_equal(
            batch_add_reject(batch, "source", i, i < 10 ? REJECT_NOT_JSON : REJECT_CUT, SLICE("x")), 0);
    commit(store, batch);
    batch_free(batch);
    store_close(store);
    return truth;
}

static struct report *report_of(struct folder *folder, const struct report_request *request)
{
    struct store_reader *reader;
    struct report *report;
    struct problem problem = {0};
    assert_int_equal(store_reader_open(folder->file, &problem, &reader), 0);
    assert_int_equal(report_make(reader, request, &problem, &report), 0);
    store_reader_close(reader);
    return report;
}

static void assert_report_is(const struct report *report, const struct truth *truth)
{
    uint64_t groups = 0, sum = 0;
    for (int type = 0; type < TYPES; type++)
        groups += truth->by_type[type] > 0;
    assert_int_equal(report->group_count, groups);
    assert_int_equal(report->total, truth->errors);
    assert_int_equal(report->records, truth->records);
    assert_memory_equal(report->level, truth->by_level, sizeof(truth->by_level));
    for (uint32_t i = 0; i < report->line_count; i++) {
        const struct report_line *line = &report->lines[i];
        int type = 0;
        while (strcmp(types[type], line->name) != 0)
            type++;
        assert_int_equal(line->count, truth->by_type[type]);
        assert_int_equal(line->first_s, window_start(truth->first[type], line->first_resolution_s));
        assert_int_equal(line->last_s, window_start(truth->last[type], line->last_resolution_s));
        uint64_t in_buckets = 0;
        for (uint32_t b = 0; b < report->bucket_count; b++)
            in_buckets += line->bucket[b];
        assert_int_equal(in_buckets, line->count);
        assert_true(i == 0 || report->lines[i - 1].count >= line->count);
        sum += line->count;
    }
    assert_int_equal(sum, truth->errors);
}

static void without_a_range_the_report_is_over_all_there_is(void **state)
{
    struct folder *folder = *state;
    const struct truth truth = fill(folder, INT64_MIN, INT64_MAX);
    const struct report_request request = {.by = COLUMN_TYPE, .levels = report_levels_from(LEVEL_ERROR)};
    struct report *report = report_of(folder, &request);
    assert_report_is(report, &truth);
    assert_int_equal(report->from_s, T0);
    assert_int_equal(report->to_s, T0 + HOURS * WINDOW_HOUR);
    assert_int_equal(report->runs.records, 20000);
    assert_int_equal(report->runs.missing, 1);
    assert_int_equal(report->rejects[REJECT_NOT_JSON], 10);
    assert_int_equal(report->rejects[REJECT_CUT], 2);
    report_free(report);
}

static void a_range_counts_exactly_what_lies_in_its_windows(void **state)
{
    struct folder *folder = *state;
    const int64_t from = T0 + 3 * WINDOW_HOUR + 120, to = T0 + 27 * WINDOW_HOUR + 60;
    const struct truth truth = fill(folder, from, to);
    const struct report_request request = {.by = COLUMN_TYPE,
                                           .levels = report_levels_from(LEVEL_ERROR),
                                           .since_given = true,
                                           .since_s = from + 59,
                                           .until_given = true,
                                           .until_s = to - 59};
    struct report *report = report_of(folder, &request);
    assert_int_equal(report->from_s, from);
    assert_int_equal(report->to_s, to);
    assert_report_is(report, &truth);
    report_free(report);
}

static void by_level_and_top_leave_the_total_as_it_is(void **state)
{
    struct folder *folder = *state;
    const struct truth truth = fill(folder, INT64_MIN, INT64_MAX);
    const struct report_request request = {
        .by = COLUMN_LEVEL, .levels = report_levels_from(LEVEL_TRACE), .top = 2};
    struct report *report = report_of(folder, &request);
    assert_int_equal(report->line_count, 2);
    assert_int_equal(report->group_count, LEVEL_COUNT);
    assert_int_equal(report->total, truth.records);
    for (int i = 0; i < 2; i++)
        assert_int_equal(report->lines[i].count,
                         truth.by_level[level_from_text(slice_of(report->lines[i].name))]);
    report_free(report);
}

static void another_service_is_not_in_it(void **state)
{
    struct folder *folder = *state;
    fill(folder, INT64_MIN, INT64_MAX);
    struct report_request request = {.by = COLUMN_SERVICE, .levels = REPORT_LEVELS_ALL, .service = "bank"};
    struct report *report = report_of(folder, &request);
    assert_int_equal(report->records, 0);
    assert_int_equal(report->runs.runs, 0);
    report_free(report);
    request.service = "shop";
    report = report_of(folder, &request);
    assert_int_equal(report->records, 20000);
    report_free(report);
}

/* Retention is applied: days remain of what was long ago, and the report goes back to them. */
static void what_only_days_remember_is_still_reported(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    static const int64_t days_before[] = {500, 450, 100, 10, 1, 0};
    for (int i = 0; i < 6; i++) {
        struct event event =
            event_of(LEVEL_ERROR, T0 + 3600 - days_before[i] * WINDOW_DAY, "shop", "Timeout");
        for (int n = 0; n <= i; n++)
            assert_int_equal(add_event(batch, &event, SLICE("")), 0);
        commit(store, batch);
    }
    batch_free(batch);
    store_close(store);
    const struct report_request request = {.by = COLUMN_TYPE, .levels = report_levels_from(LEVEL_ERROR)};
    struct report *report = report_of(folder, &request);
    assert_int_equal(report->total, 21);
    assert_int_equal(report->from_s, T0 - 500 * WINDOW_DAY);
    report_free(report);
}

/* --- commands and formats --- */

/* Runs a command with its answer in a file, and returns what it wrote. */
static enum exit_code answer_of(struct folder *folder, command_function *command, const char *arguments,
                                char *out, size_t size)
{
    char line[512], *argv[16];
    int argc = 0;
    snprintf(line, sizeof(line), "command --db %s %s", folder->file, arguments);
    for (char *word = strtok(line, " "); word && argc < 15; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    char path[128];
    snprintf(path, sizeof(path), "%s/out", folder->path);
    fflush(stdout);
    int saved = dup(1), fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
    assert_true(saved >= 0 && fd >= 0 && dup2(fd, 1) == 1);
    enum exit_code code = command(argc, argv);
    fflush(stdout);
    assert_int_equal(dup2(saved, 1), 1);
    close(saved);
    ssize_t read_size = pread(fd, out, size - 1, 0);
    assert_true(read_size >= 0);
    out[read_size] = '\0';
    close(fd);
    return code;
}

static void stats_are_the_documented_json(void **state)
{
    struct folder *folder = *state;
    static char out[1 << 16];
    char expected[256];
    const struct truth truth = fill(folder, INT64_MIN, INT64_MAX);
    assert_int_equal(answer_of(folder, cmd_stats, "", out, sizeof(out)), EXIT_OK_);
    snprintf(expected, sizeof(expected), "{\"error_counts\":{\"CRITICAL\":%" PRIu64 ",\"ERROR\":%" PRIu64 ",",
             truth.by_level[LEVEL_CRITICAL], truth.by_level[LEVEL_ERROR]);
    assert_memory_equal(out, expected, strlen(expected));
    snprintf(expected, sizeof(expected), "\"Timeout\":%" PRIu64, truth.by_type[0]);
    assert_non_null(strstr(out, expected));
    const double minutes = (HOURS * 3600 - 1) / 60.0;
    char *at = strstr(out, "\"total_errors\":");
    assert_non_null(at);
    uint64_t total;
    double rate, duration;
    assert_int_equal(sscanf(at,
                            "\"total_errors\":%" SCNu64
                            ",\"error_rate_per_minute\":%lf,\"tracking_duration_minutes\":%lf}",
                            &total, &rate, &duration),
                     3);
    assert_int_equal(total, truth.errors);
    assert_true(duration > minutes - 1e-9 && duration < minutes + 1e-9);
    assert_true(rate > (double)truth.errors / minutes - 1e-9 && rate < (double)truth.errors / minutes + 1e-9);
}

static void hostile_texts_reach_no_spreadsheet_browser_or_terminal(void **state)
{
    struct folder *folder = *state;
    static char out[1 << 16];
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    static const char *const hostile[] = {"=cmd()", "<script>alert(1)</script>", "\033[31mred", "a|b",
                                          ("\xe2\x80\xae"
                                           "evil")};
    for (int i = 0; i < 5; i++) {
        struct event event = event_of(LEVEL_ERROR, T0, "shop", hostile[i]);
        assert_int_equal(add_event(batch, &event, SLICE("")), 0);
    }
    commit(store, batch);
    batch_free(batch);
    store_close(store);
    answer_of(folder, cmd_report, "--format csv", out, sizeof(out));
    assert_non_null(strstr(out, "\r\n\"'=cmd()\",1,0.2,"));
    answer_of(folder, cmd_report, "--format html", out, sizeof(out));
    assert_null(strstr(out, "<script"));
    assert_non_null(strstr(out, "&#60;script&#62;alert(1)&#60;/script&#62;"));
    answer_of(folder, cmd_report, "--format md", out, sizeof(out));
    assert_null(strstr(out, "<script"));
    assert_null(strstr(out, "a|b"));
    answer_of(folder, cmd_report, "--format table", out, sizeof(out));
    assert_null(strchr(out, '\033'));
    assert_null(strstr(out, "\xe2\x80\xae"));
    assert_non_null(strstr(out, "\\x1b[31mred"));
    answer_of(folder, cmd_report, "--format json", out, sizeof(out));
    assert_non_null(strstr(out, "{\"type\":\"\\u001b[31mred\",\"count\":1,\"share\":0.2,"));
}

static void a_report_has_its_range_its_accounting_and_its_rejects(void **state)
{
    struct folder *folder = *state;
    static char out[1 << 16];
    fill(folder, INT64_MIN, INT64_MAX);
    assert_int_equal(answer_of(folder, cmd_report,
                               "--top 2 --since 2025-10-19T03:00:35Z --until 2025-10-19T04:59:38Z", out,
                               sizeof(out)),
                     EXIT_OK_);
    assert_non_null(strstr(out, "2025-10-19T03:00:30Z to 2025-10-19T04:59:40Z (119.2 minutes)"));
    assert_non_null(strstr(out, "20,000 records in 1 run: 1 missing, 0 duplicates, 0 dropped on purpose"));
    assert_non_null(strstr(out, "12 lines: not_json 10, cut 2"));
    assert_non_null(strstr(out, " more)"));
    assert_int_equal(
        answer_of(folder, cmd_report, "--since 1h --until 2020-01-01T00:00:00Z", out, sizeof(out)), EXIT_OK_);
    assert_non_null(
        strstr(out, "The database holds records from 2025-10-19T00:00:00Z to 2025-10-21T02:00:00Z"));
}

static void runs_are_listed_with_what_is_missing(void **state)
{
    struct folder *folder = *state;
    static char out[1 << 16];
    fill(folder, INT64_MIN, INT64_MAX);
    assert_int_equal(answer_of(folder, cmd_runs, "--format jsonl", out, sizeof(out)), EXIT_OK_);
    assert_non_null(strstr(out, "{\"run_id\":\"" RUN_A "\",\"parent_run_id\":\"\",\"service\":\"shop\""));
    assert_non_null(
        strstr(out, "\"first_seq\":1,\"last_seq\":20001,\"records\":20000,\"missing\":1,\"duplicates\":0,"
                    "\"dropped\":0,\"before_first\":0,\"inexact\":false,\"ended\":\"running\"}\n"));
    assert_int_equal(answer_of(folder, cmd_runs, "", out, sizeof(out)), EXIT_OK_);
    assert_non_null(strstr(out, "20,000          1          0          0  running\n"));
}

static void an_empty_database_gives_an_answer_in_every_format(void **state)
{
    struct folder *folder = *state;
    static char out[1 << 16];
    static const char *const formats[] = {"table", "json", "md", "html", "csv", "jsonl"};
    char arguments[64];
    store_close(store_made(folder));
    for (int i = 0; i < 6; i++) {
        snprintf(arguments, sizeof(arguments), "--format %s", formats[i]);
        assert_int_equal(answer_of(folder, cmd_report, arguments, out, sizeof(out)), EXIT_OK_);
        assert_int_equal(strlen(out) > 0, i < 5);
    }
    assert_int_equal(answer_of(folder, cmd_stats, "", out, sizeof(out)), EXIT_OK_);
    assert_non_null(
        strstr(out, "\"total_errors\":0,\"error_rate_per_minute\":0.0,\"tracking_duration_minutes\":0.0}"));
    assert_int_equal(answer_of(folder, cmd_runs, "--format json", out, sizeof(out)), EXIT_OK_);
    assert_string_equal(out, "[]\n");
}

static void a_missing_database_is_no_input(void **state)
{
    struct folder *folder = *state;
    static char out[1 << 16];
    assert_int_equal(answer_of(folder, cmd_report, "", out, sizeof(out)), EXIT_NO_INPUT);
    assert_int_equal(answer_of(folder, cmd_report, "--level LOUD", out, sizeof(out)), EXIT_USAGE_);
    assert_int_equal(answer_of(folder, cmd_report, "--help", out, sizeof(out)), EXIT_OK_);
    assert_non_null(strstr(out, "--since"));
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_covered_by_whole_windows_whatever_its_ends),
        cmocka_unit_test(a_month_is_read_in_hours_and_days),
        STORE_TEST(without_a_range_the_report_is_over_all_there_is),
        STORE_TEST(a_range_counts_exactly_what_lies_in_its_windows),
        STORE_TEST(by_level_and_top_leave_the_total_as_it_is),
        STORE_TEST(another_service_is_not_in_it),
        STORE_TEST(what_only_days_remember_is_still_reported),
        STORE_TEST(stats_are_the_documented_json),
        STORE_TEST(hostile_texts_reach_no_spreadsheet_browser_or_terminal),
        STORE_TEST(a_report_has_its_range_its_accounting_and_its_rejects),
        STORE_TEST(runs_are_listed_with_what_is_missing),
        STORE_TEST(an_empty_database_gives_an_answer_in_every_format),
        STORE_TEST(a_missing_database_is_no_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
