#define _GNU_SOURCE
#include "liblog/stats_view.h"
#include "log_reader.h"
#include "tests/support/chance.h"

/*
 * The truth is a list of all records that were counted; what the statistics say is compared with what the
 * list says.
 */
enum { TRUTH_MAX = 400000, TRUE_TYPES = 300 };
static const int64_t second_ns = 1000000000;
static const int64_t start_ns = INT64_C(1760000000) * 1000000000;

struct fact {
    int64_t time_ns;
    uint8_t level;
    int16_t type; /* -1: none */
};

static struct {
    struct fact *fact;
    size_t count, held; /* `held` of them are committed */
    uint64_t seq;
    struct stats_file file;
    struct stats stats;
} t;

static int make(void **state)
{
    (void)state;
    struct stats_header header = {.started_ns = start_ns, .run_id = "made"};
    memset(&t, 0, sizeof t);
    t.fact = malloc(TRUTH_MAX * sizeof *t.fact);
    t.seq = 1;
    if (!t.fact || stats_file_make_private(&t.file, &header))
        return -1;
    stats_begin(&t.stats, &t.file, 1);
    return 0;
}

static int release(void **state)
{
    (void)state;
    stats_end(&t.stats);
    stats_file_release(&t.file);
    free(t.fact);
    return 0;
}

static struct slice text_of(int type, char memory[static 32])
{
    return slice_from(memory, (size_t)snprintf(memory, 32, "Type%dError", type));
}

static void count_one(int64_t time_ns, unsigned level, int type)
{
    char name[32], message[32];
    assert_true(t.count < TRUTH_MAX);
    t.fact[t.count++] = (struct fact){time_ns, (uint8_t)level, (int16_t)type};
    if (!stats_count(&t.stats, level, time_ns)) {
        assert_true(level < LL_LEVEL_ERROR);
    } else {
        struct stats_error error = {.time_ns = time_ns, .seq = t.seq, .level = level, .line = 7};
        error.type = type < 0 ? slice_from("", 0) : text_of(type, name);
        error.message = slice_from(message, (size_t)snprintf(message, sizeof message, "n %zu", t.count - 1));
        error.file = SLICE("/some/where/made.c");
        stats_error(&t.stats, &error);
    }
    t.seq++;
}

static void commit(void)
{
    stats_stage(&t.stats, t.seq, t.count ? t.fact[t.count - 1].time_ns : 0);
    stats_commit(&t.stats);
    t.held = t.count;
}

static void die_and_begin_again(uint64_t next_seq)
{
    stats_end(&t.stats);
    stats_begin(&t.stats, &t.file, next_seq);
    t.seq = next_seq;
}

static ll_stats *ask(int64_t to_ns, uint32_t seconds)
{
    static ll_stats stats;
    struct stats_view view;
    assert_int_equal(stats_view_copy(&view, &t.stats), LL_OK);
    stats_view_get(&view, to_ns, seconds, &stats);
    stats_view_release(&view);
    return &stats;
}

static uint64_t count_of(const ll_stats *stats, int type)
{
    char name[32];
    text_of(type, name);
    for (uint32_t i = 0; i < stats->type_count; i++)
        if (strcmp(stats->types[i].name, name) == 0)
            return stats->types[i].count;
    return 0;
}

/* What the list says of the committed records between two times. */
struct truth {
    uint64_t level[STATS_LEVELS], type[TRUE_TYPES], untyped;
};

static struct truth truth_between(int64_t from_ns, int64_t to_ns)
{
    struct truth truth = {{0}, {0}, 0};
    for (size_t i = 0; i < t.held; i++) {
        const struct fact *fact = &t.fact[i];
        if (fact->time_ns < from_ns || fact->time_ns > to_ns)
            continue;
        truth.level[fact->level]++;
        if (fact->level >= LL_LEVEL_ERROR && fact->type >= 0)
            truth.type[fact->type]++;
        else if (fact->level >= LL_LEVEL_ERROR)
            truth.untyped++;
    }
    return truth;
}

static void expect_true(const ll_stats *stats, const struct truth *truth, bool types_too)
{
    for (int i = 0; i < STATS_LEVELS; i++)
        assert_int_equal(stats->counts[i], truth->level[i]);
    assert_int_equal(stats->total_errors, truth->level[LL_LEVEL_ERROR] + truth->level[LL_LEVEL_CRITICAL]);
    if (!types_too)
        return;
    assert_int_equal(stats->untyped_errors, truth->untyped);
    for (int i = 0; i < TRUE_TYPES; i++)
        assert_int_equal(count_of(stats, i), truth->type[i]);
}

static void expect_all_true(void)
{
    struct truth truth = truth_between(INT64_MIN, INT64_MAX);
    expect_true(ask(INT64_MAX, 0), &truth, true);
}

/* A window says itself from when it tells; it reaches to the end of the running second or minute. */
static const ll_stats *expect_window_true(int64_t to_ns, uint32_t seconds)
{
    const ll_stats *stats = ask(to_ns, seconds);
    int64_t unit_ns = seconds > 3600 ? 60 * second_ns : second_ns;
    int64_t end_ns = to_ns / unit_ns * unit_ns + unit_ns - 1;
    struct truth truth = truth_between(stats->from_ns, end_ns);
    expect_true(stats, &truth, stats->types_from_ns == stats->from_ns);
    return stats;
}

/* --- tests ---------------------------------------------------------------------------------------------- */

static void a_window_holds_what_lies_in_its_seconds_and_nothing_else(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        count_one(start_ns + i * second_ns + (i % 3) * 333333333, i % 6u, i % 5);
    commit();
    int64_t now = start_ns + 99 * second_ns + second_ns / 2;
    const ll_stats *stats = ask(now, 10);
    assert_true(stats->from_ns == start_ns + 89 * second_ns);
    struct truth truth = truth_between(start_ns + 89 * second_ns, now);
    expect_true(stats, &truth, true);
    assert_int_equal(truth.level[0] + truth.level[1] + truth.level[2] + truth.level[3] + truth.level[4] +
                         truth.level[5],
                     11);
    assert_true(ask(now, 1000)->from_ns == start_ns); /* there was nothing before */
    stats = ask(now + 1000 * second_ns, 10);
    assert_int_equal(stats->total_errors, 0);
    expect_all_true();
}

static void an_hour_is_kept_in_seconds_and_a_day_in_minutes(void **state)
{
    (void)state;
    int64_t now = start_ns;
    for (int i = 0; i < 90000; i++) {
        now = start_ns + i * second_ns;
        count_one(now, i % 6u, i % 7);
        if (i % 50 == 0)
            commit();
    }
    commit();
    const uint32_t windows[] = {1, 59, 60, 61, 3599, 3600, 3601, 7200, 86399, 86400};
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        const ll_stats *stats = expect_window_true(now, windows[i]);
        int64_t asked_ns = now - windows[i] * second_ns;
        assert_true(stats->from_ns <= asked_ns && stats->from_ns > asked_ns - 60 * second_ns);
        assert_true(windows[i] > 3600 || stats->from_ns == asked_ns);
        assert_true(stats->types_from_ns == stats->from_ns);
    }
    expect_all_true();
}

static void the_same_second_counts_on_after_the_clock_was_set_back(void **state)
{
    (void)state;
    const int times[] = {10, 11, 12, 10, 11, 9, 12, 13};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        for (int k = 0; k < 3; k++)
            count_one(start_ns + times[i] * second_ns + k, LL_LEVEL_ERROR, k);
        commit();
    }
    expect_window_true(start_ns + 13 * second_ns, 3);
    expect_window_true(start_ns + 11 * second_ns, 2);
    expect_all_true();
}

/* Counted with a clock that is years ahead, then set right: the present is told as ever, and what lies ahead
 * is in no window but in the totals. */
static void a_clock_that_was_far_ahead_spoils_no_later_window(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++)
        count_one(start_ns + (INT64_C(900000000) + i) * second_ns, LL_LEVEL_ERROR, i % 3);
    commit();
    for (int i = 0; i < 10000; i++) {
        count_one(start_ns + i * second_ns, i % 6u, i % 4);
        if (i % 100 == 99)
            commit();
    }
    const ll_stats *stats = expect_window_true(start_ns + 9999 * second_ns, 3600);
    assert_true(stats->from_ns == start_ns + 6399 * second_ns && stats->types_from_ns == stats->from_ns);
    expect_all_true();
}

/* Errors come so fast that seconds of types are overwritten: those of the time ahead first, then real ones.
 */
static void a_clock_that_was_far_ahead_hides_no_loss(void **state)
{
    (void)state;
    int64_t now = 0;
    for (int i = 0; i < 60000; i++) {
        bool ahead = i < 10000;
        now = start_ns + (int64_t)i * second_ns / 50 + (ahead ? INT64_C(900000000) * second_ns : 0);
        count_one(now, LL_LEVEL_ERROR, i % 200);
        if (i % 50 == 49)
            commit();
    }
    const ll_stats *stats = ask(now, 900);
    struct truth truth = truth_between(stats->from_ns, now);
    expect_true(stats, &truth, true);
    assert_true(stats->types_from_ns == stats->from_ns);
    expect_all_true();
}

static void times_that_no_calendar_has_are_counted_too(void **state)
{
    (void)state;
    const int64_t times[] = {-1, 0, INT64_MIN, INT64_MAX, -second_ns, start_ns};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        count_one(times[i], LL_LEVEL_ERROR, 1);
    commit();
    expect_all_true();
}

/* So many types a second that their seconds do not reach back an hour: then minutes tell, and say so. */
static void windows_of_very_many_types_are_told_in_minutes_or_say_from_when_types_are_whole(void **state)
{
    (void)state;
    int64_t now = 0;
    for (int i = 0; i < 100000; i++) {
        now = start_ns + i * second_ns / 100;
        count_one(now, LL_LEVEL_ERROR, i % 250);
        if (i % 100 == 99)
            commit();
    }
    commit();
    const ll_stats *stats = expect_window_true(now, 30);
    assert_true(stats->from_ns == now / second_ns * second_ns - 30 * second_ns);
    stats = ask(now, 600);
    assert_true(stats->from_ns % (60 * second_ns) == 0 || stats->from_ns == start_ns);
    struct truth truth = truth_between(stats->from_ns, INT64_MAX);
    expect_true(stats, &truth, stats->types_from_ns == stats->from_ns);
    assert_true(stats->types_from_ns == stats->from_ns);
    expect_all_true();
}

static void a_block_that_was_staged_and_not_committed_is_not_counted_after_a_death(void **state)
{
    (void)state;
    count_one(start_ns, LL_LEVEL_ERROR, 1);
    count_one(start_ns, LL_LEVEL_INFO, -1);
    commit();
    count_one(start_ns + second_ns, LL_LEVEL_ERROR, 1);
    count_one(start_ns + second_ns, LL_LEVEL_ERROR, 2);
    stats_stage(&t.stats, t.seq, start_ns);
    die_and_begin_again(3);
    t.count = t.held;
    expect_all_true();
    assert_int_equal(ask(INT64_MAX, 0)->uncounted, 0);
}

static void a_block_whose_commit_was_the_last_act_is_counted_once(void **state)
{
    (void)state;
    count_one(start_ns, LL_LEVEL_ERROR, 1);
    commit();
    count_one(start_ns + second_ns, LL_LEVEL_ERROR, 1);
    count_one(start_ns + second_ns, LL_LEVEL_CRITICAL, -1);
    stats_stage(&t.stats, t.seq, start_ns);
    t.held = t.count;
    die_and_begin_again(4);
    expect_all_true();
}

/* Random records, steps of the clock, blocks, and deaths before and after the commit. */
static void whatever_happens_the_numbers_are_those_of_the_records_committed(void **state)
{
    (void)state;
    struct chance chance = {20};
    int64_t now = start_ns;
    for (int block = 0; block < 3000; block++) {
        uint64_t begin_seq = t.seq;
        int records = 1 + (int)chance_below(&chance, 30);
        for (int i = 0; i < records; i++) {
            uint64_t kind = chance_below(&chance, 1000);
            now += kind < 900   ? (int64_t)chance_below(&chance, 200000000)
                   : kind < 990 ? (int64_t)chance_below(&chance, 30) * second_ns
                   : kind < 997 ? (int64_t)chance_below(&chance, 3000) * second_ns
                                : -(int64_t)chance_below(&chance, 200) * second_ns;
            count_one(now, (unsigned)chance_below(&chance, 6), (int)chance_below(&chance, 41) - 1);
        }
        stats_stage(&t.stats, t.seq, now);
        if (chance_below(&chance, 20) == 0) /* as a block that could not be written at once */
            stats_stage(&t.stats, t.seq, now);
        switch (chance_below(&chance, 10)) {
        case 0:
            die_and_begin_again(begin_seq);
            t.count = t.held;
            break;
        case 1:
            t.held = t.count;
            die_and_begin_again(t.seq);
            break;
        default:
            stats_commit(&t.stats);
            t.held = t.count;
        }
        if (block % 100 == 0) {
            expect_all_true();
            expect_window_true(now, 1 + (uint32_t)chance_below(&chance, 3600));
            expect_window_true(now, 3601 + (uint32_t)chance_below(&chance, 80000));
        }
    }
    expect_all_true();
}

/* --- more types than are told apart --------------------------------------------------------------------- */

static void up_to_256_types_are_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 256 * 20; i++) {
        count_one(start_ns, LL_LEVEL_ERROR, i * 7 % 256);
        if (i % 90 == 0)
            commit();
    }
    commit();
    expect_all_true();
    const ll_stats *stats = ask(INT64_MAX, 0);
    assert_int_equal(stats->type_count, 256);
    assert_int_equal(stats->types_exact, 1);
}

static int number_of(const char *name)
{
    return atoi(name + strlen("Type"));
}

static void more_types_are_within_their_stated_error_and_the_frequent_ones_are_there(void **state)
{
    (void)state;
    struct chance chance = {21};
    for (int i = 0; i < 60000; i++) {
        bool frequent = chance_below(&chance, 10) < 7;
        int type = frequent ? (int)chance_below(&chance, 20) : 20 + (int)chance_below(&chance, 280);
        count_one(start_ns + (int64_t)i * 1000000, LL_LEVEL_ERROR, type);
        if (i % 77 == 0)
            commit();
    }
    commit();
    struct truth truth = truth_between(INT64_MIN, INT64_MAX);
    const ll_stats *stats = ask(INT64_MAX, 0);
    uint64_t sum = 0;
    assert_int_equal(stats->types_exact, 0);
    assert_int_equal(stats->total_errors, 60000);
    for (uint32_t i = 0; i < stats->type_count; i++) {
        const ll_error_type *type = &stats->types[i];
        uint64_t real = truth.type[number_of(type->name)];
        assert_in_range(real, type->count - type->error, type->count);
        assert_true(i == 0 || stats->types[i - 1].count >= type->count);
        sum += type->count;
    }
    assert_int_equal(sum, 60000);
    for (int i = 0; i < 20; i++)
        assert_true(count_of(stats, i) >= truth.type[i]);
}

/* A type that takes another's row takes its name only with the block. */
static void a_type_keeps_its_name_when_the_block_that_replaced_it_did_not_come_to_be(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++)
        count_one(start_ns, LL_LEVEL_ERROR, i);
    commit();
    uint64_t seq = t.seq;
    for (int i = 256; i < 290; i++)
        count_one(start_ns, LL_LEVEL_ERROR, i);
    stats_stage(&t.stats, t.seq, start_ns);
    die_and_begin_again(seq);
    t.count = t.held;
    expect_all_true();
    assert_int_equal(ask(INT64_MAX, 0)->types_exact, 1);
}

static void a_window_tells_of_types_that_gave_way_as_others(void **state)
{
    (void)state;
    for (int i = 0; i < 300 * 5; i++) {
        count_one(start_ns + i * (second_ns / 10), LL_LEVEL_ERROR, i % 300);
        if (i % 50 == 49)
            commit();
    }
    const uint32_t windows[] = {20, 200, 4000};
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        const ll_stats *stats = ask(start_ns + 150 * second_ns, windows[i]);
        uint64_t typed = stats->other_types_errors;
        for (uint32_t k = 0; k < stats->type_count; k++)
            typed += stats->types[k].count;
        assert_int_equal(typed, stats->total_errors);
        assert_int_equal(stats->untyped_errors, 0);
        assert_true(windows[i] == 20 || stats->other_types_errors > 0);
    }
}

/* --- names and texts ------------------------------------------------------------------------------------ */

static void count_named(struct slice name)
{
    struct stats_error error = {.time_ns = start_ns, .seq = t.seq++, .level = LL_LEVEL_ERROR};
    error.type = name;
    error.message = name;
    error.request_id = error.endpoint = error.logger = error.file = name;
    assert_true(stats_count(&t.stats, LL_LEVEL_ERROR, start_ns));
    stats_error(&t.stats, &error);
}

static void names_are_kept_as_a_reader_of_the_log_gets_them(void **state)
{
    (void)state;
    char longer[2][1000];
    memset(longer, 'x', sizeof longer);
    longer[1][999] = 'y';
    count_named(SLICE("a\xff"
                      "b"));
    count_named(SLICE("a\0b"));
    count_named(SLICE("\xc3\xa4"));
    count_named(slice_from(longer[0], 200));
    count_named(slice_from(longer[0], 1000));
    count_named(slice_from(longer[1], 1000));
    count_named(slice_from(longer[1], 1000));
    commit();
    const ll_stats *stats = ask(INT64_MAX, 0);
    assert_int_equal(stats->type_count, 5);
    assert_int_equal(stats->types[0].count + stats->types[1].count, 4);
    for (uint32_t i = 0; i < 5; i++) {
        const char *name = stats->types[i].name;
        size_t size = strlen(name);
        if (stats->types[i].count == 2 && size == 200)
            assert_int_equal(name[183], '#');
        else
            assert_true(size == 200 ||
                        strcmp(name, "a\xef\xbf\xbd"
                                     "b") == 0 ||
                        strcmp(name, "\xc3\xa4") == 0);
    }
}

/* --- the latest errors ---------------------------------------------------------------------------------- */

static void expect_recent(void)
{
    static ll_recent_error recent[LL_RECENT_ERRORS_MAX];
    struct stats_view view;
    assert_int_equal(stats_view_copy(&view, &t.stats), LL_OK);
    int count = stats_view_recent(&view, recent), found = 0;
    stats_view_release(&view);
    for (size_t i = t.held; i-- > 0 && found < LL_RECENT_ERRORS_MAX;) {
        char message[32], name[32] = "";
        if (t.fact[i].level < LL_LEVEL_ERROR)
            continue;
        assert_true(found < count);
        snprintf(message, sizeof message, "n %zu", i);
        if (t.fact[i].type >= 0)
            text_of(t.fact[i].type, name);
        assert_string_equal(recent[found].message, message);
        assert_string_equal(recent[found].type, name);
        assert_string_equal(recent[found].file, "made.c");
        assert_int_equal(recent[found].line, 7);
        assert_int_equal(recent[found].level, t.fact[i].level);
        assert_true(recent[found].time_ns == t.fact[i].time_ns);
        found++;
    }
    assert_int_equal(count, found);
}

static void the_latest_128_errors_are_there_newest_first_however_blocks_were_cut(void **state)
{
    (void)state;
    const int blocks[] = {0, 1, 50, 127, 1, 128, 129, 300, 3, 1000, 5};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        for (int k = 0; k < blocks[i]; k++) {
            count_one(start_ns + (int64_t)t.count, k % 9 == 0 ? LL_LEVEL_INFO : LL_LEVEL_ERROR, k % 3 - 1);
        }
        commit();
        expect_recent();
    }
}

static void errors_of_a_block_that_did_not_come_to_be_are_not_among_the_latest(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        count_one(start_ns + i, LL_LEVEL_ERROR, 1);
    commit();
    uint64_t seq = t.seq;
    for (int i = 0; i < 500; i++)
        count_one(start_ns + i, LL_LEVEL_ERROR, 2);
    stats_stage(&t.stats, t.seq, start_ns);
    die_and_begin_again(seq);
    t.count = t.held;
    expect_recent();
    expect_all_true();
}

/* --- a file that somebody has changed ------------------------------------------------------------------- */

static void look_at_everything(const struct stats_view *view, char *json, size_t size)
{
    static ll_recent_error recent[LL_RECENT_ERRORS_MAX];
    static ll_stats stats;
    const uint32_t windows[] = {0, 1, 3600, 86400};
    int count = stats_view_recent(view, recent);
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        stats_view_get(view, start_ns + 1000 * second_ns, windows[i], &stats);
        int length = stats_view_json(&stats, recent, count, json, size);
        assert_true(length > 0 && (size_t)length < size);
        json_object_put(parse(json, (size_t)length));
    }
}

static void whatever_stands_in_the_file_it_is_read_within_its_bounds(void **state)
{
    (void)state;
    enum { JSON_BYTES = 4 << 20, ROUNDS = 60 };
    struct chance chance = {22};
    char *json = malloc(JSON_BYTES);
    for (int i = 0; i < 3000; i++)
        count_one(start_ns + i * second_ns / 3, (unsigned)chance_below(&chance, 6), i % 300);
    commit();
    size_t head = offsetof(struct stats_layout, recent);
    for (int round = 0; round < ROUNDS; round++) {
        struct stats_view view = {0};
        assert_int_equal(stats_file_make_private(&view.file, &t.file.at->header), 0);
        memcpy(view.file.at, t.file.at, sizeof *view.file.at);
        char *bytes = (char *)view.file.at;
        for (int k = 0; k < 3000; k++) {
            size_t range = k % 2 ? head : sizeof *view.file.at;
            size_t at = STATS_HEADER_BYTES + chance_below(&chance, range - STATS_HEADER_BYTES);
            bytes[at] = (char)(round % 3 ? chance_below(&chance, 256) : 0xff);
        }
        stats_begin(&view.stats, &view.file, t.seq);
        look_at_everything(&view, json, JSON_BYTES);
        for (int k = 0; k < 500; k++) { /* and counted on */
            struct stats_error error = {.time_ns = start_ns, .level = LL_LEVEL_ERROR, .type = SLICE("T")};
            if (stats_count(&view.stats, k % 6u, start_ns + k * second_ns))
                stats_error(&view.stats, &error);
        }
        stats_stage(&view.stats, t.seq + 500, start_ns);
        stats_commit(&view.stats);
        look_at_everything(&view, json, JSON_BYTES);
        stats_view_release(&view);
    }
    free(json);
}

static void a_file_of_another_kind_size_or_version_is_refused(void **state)
{
    struct stats_file loaded;
    (void)state;
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(stats_file_load(&loaded, fd), LL_EFORMAT);
    size_t whole = sizeof *t.file.at;
    assert_int_equal(pwrite(fd, t.file.at, whole, 0), whole);
    assert_int_equal(stats_file_load(&loaded, fd), LL_OK);
    stats_file_release(&loaded);
    for (size_t at = 0; at < offsetof(struct stats_header, started_ns); at++) {
        char byte = (char)(((char *)t.file.at)[at] ^ 0x40);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
        assert_int_equal(stats_file_load(&loaded, fd), LL_EFORMAT);
        assert_int_equal(pwrite(fd, (char *)t.file.at + at, 1, (off_t)at), 1);
    }
    assert_int_equal(ftruncate(fd, (off_t)whole - 1), 0);
    assert_int_equal(stats_file_load(&loaded, fd), LL_EFORMAT);
    close(fd);
}

#define with_truth(test) cmocka_unit_test_setup_teardown(test, make, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_truth(a_window_holds_what_lies_in_its_seconds_and_nothing_else),
        with_truth(an_hour_is_kept_in_seconds_and_a_day_in_minutes),
        with_truth(the_same_second_counts_on_after_the_clock_was_set_back),
        with_truth(a_clock_that_was_far_ahead_spoils_no_later_window),
        with_truth(a_clock_that_was_far_ahead_hides_no_loss),
        with_truth(times_that_no_calendar_has_are_counted_too),
        with_truth(windows_of_very_many_types_are_told_in_minutes_or_say_from_when_types_are_whole),
        with_truth(a_block_that_was_staged_and_not_committed_is_not_counted_after_a_death),
        with_truth(a_block_whose_commit_was_the_last_act_is_counted_once),
        with_truth(whatever_happens_the_numbers_are_those_of_the_records_committed),
        with_truth(up_to_256_types_are_exact),
        with_truth(more_types_are_within_their_stated_error_and_the_frequent_ones_are_there),
        with_truth(a_type_keeps_its_name_when_the_block_that_replaced_it_did_not_come_to_be),
        with_truth(a_window_tells_of_types_that_gave_way_as_others),
        with_truth(names_are_kept_as_a_reader_of_the_log_gets_them),
        with_truth(the_latest_128_errors_are_there_newest_first_however_blocks_were_cut),
        with_truth(errors_of_a_block_that_did_not_come_to_be_are_not_among_the_latest),
        with_truth(whatever_stands_in_the_file_it_is_read_within_its_bounds),
        with_truth(a_file_of_another_kind_size_or_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
