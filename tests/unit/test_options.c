#include "shipper/options.h"

#include "liblog/base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ARGC_MAX = 16 };

/* What the command of these tests was told. */
struct told {
    bool verbose, quiet;
    const char *file;
    uint64_t top;
    int64_t timeout_ns;
    struct option_moment since;
    int format;
    struct arguments arguments;
    struct problem problem;
    char *argv[ARGC_MAX];
};

/* Parses the words of `line`, separated by blanks; `told` keeps argv, into which the results point. */
static int parse_counted(struct told *told, char *line, int argument_count_min, int argument_count_max)
{
    *told = (struct told){.format = 1};
    const struct option options[] = {
        {.letter = 'v',
         .name = "verbose",
         .help = "More words.",
         .kind = OPTION_FLAG,
         .to.flag = &told->verbose},
        {.letter = 'q', .name = "quiet", .help = "No words.", .kind = OPTION_FLAG, .to.flag = &told->quiet},
        {.letter = 'c',
         .name = "config",
         .argument = "FILE",
         .help = "The file.",
         .kind = OPTION_TEXT,
         .to.text = &told->file},
        {.name = "top",
         .argument = "N",
         .help = "So many.",
         .kind = OPTION_NUMBER,
         .to.number = &told->top,
         .minimum = 1,
         .maximum = 100},
        {.name = "timeout",
         .argument = "TIME",
         .help = "So long.",
         .kind = OPTION_DURATION,
         .to.duration_ns = &told->timeout_ns},
        {.name = "since",
         .argument = "TIME",
         .help = "From then.",
         .kind = OPTION_MOMENT,
         .to.moment = &told->since},
        {.name = "format",
         .argument = "table|json|csv",
         .help = "The form.",
         .kind = OPTION_CHOICE,
         .to.choice = &told->format},
    };
    const struct option_set set = {.command = "test",
                                   .arguments = "PATH…",
                                   .summary = "Tests.",
                                   .options = options,
                                   .option_count = OPTION_COUNT(options),
                                   .argument_count_min = argument_count_min,
                                   .argument_count_max = argument_count_max};
    int argc = 1;
    told->argv[0] = "test";
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        told->argv[argc++] = word;
    assert_true(argc < ARGC_MAX);
    return options_parse(&set, argc, told->argv, &told->arguments, &told->problem);
}

static int parse(struct told *told, char *line)
{
    return parse_counted(told, line, 0, -1);
}

#define LINE(literal) ((char[]){"" literal})

static void assert_refused(char *line, enum error error, const char *text)
{
    struct told told;
    assert_int_equal(parse_counted(&told, line, 0, 2), -(int)error);
    assert_string_equal(told.problem.text, text);
}

static void options_and_arguments_may_be_mixed(void **state)
{
    (void)state;
    struct told told;
    assert_int_equal(parse(&told, LINE("a -v b --config=x.yaml c --top 7 - -- -q --top")), 0);
    assert_true(told.verbose);
    assert_false(told.quiet);
    assert_string_equal(told.file, "x.yaml");
    assert_int_equal(told.top, 7);
    static const char *const expected[] = {"a", "b", "c", "-", "-q", "--top"};
    assert_int_equal(told.arguments.count, 6);
    for (int i = 0; i < 6; i++)
        assert_string_equal(told.arguments.values[i], expected[i]);
}

static void letters_may_be_joined_and_the_last_takes_a_value(void **state)
{
    (void)state;
    struct told told;
    assert_int_equal(parse(&told, LINE("-vqcx.yaml")), 0);
    assert_true(told.verbose && told.quiet);
    assert_string_equal(told.file, "x.yaml");
    assert_int_equal(parse(&told, LINE("-c a -vc b")), 0);
    assert_true(told.verbose);
    assert_string_equal(told.file, "b");
}

static void what_is_not_given_keeps_its_default(void **state)
{
    (void)state;
    struct told told;
    assert_int_equal(parse(&told, LINE("")), 0);
    assert_int_equal(told.format, 1);
    assert_null(told.file);
    assert_false(told.since.is_given);
    assert_int_equal(told.arguments.count, 0);
}

static void values_have_their_types(void **state)
{
    (void)state;
    struct told told;
    assert_int_equal(parse(&told, LINE("--timeout 1h30m --format csv --since 2h")), 0);
    assert_int_equal(told.timeout_ns, 5400000000000);
    assert_int_equal(told.format, 2);
    assert_true(told.since.is_given && told.since.is_span);
    assert_int_equal(option_moment_ns(&told.since, 7200000000005), 5);
    assert_int_equal(parse(&told, LINE("--since 1970-01-01T00:00:01Z")), 0);
    assert_false(told.since.is_span);
    assert_int_equal(option_moment_ns(&told.since, 99), 1000000000);
}

static void a_wrong_word_is_told_with_what_would_do(void **state)
{
    (void)state;
    assert_refused(LINE("--confg x"), ERR_USE_001,
                   "there is no option --confg; did you mean --config?; `shipper test --help` lists them");
    assert_refused(LINE("--xyzzy"), ERR_USE_001,
                   "there is no option --xyzzy; `shipper test --help` lists them");
    assert_refused(LINE("-vx"), ERR_USE_001, "there is no option -x; `shipper test --help` lists them");
    assert_refused(LINE("--config"), ERR_USE_001, "--config needs a value: FILE");
    assert_refused(LINE("--verbose=1"), ERR_USE_001, "--verbose takes no value");
    assert_refused(LINE("a b c"), ERR_USE_001, "shipper test: \"c\" is one argument too many");
    assert_refused(LINE("--top 0"), ERR_VAL_001, "--top: found \"0\"; a whole number from 1 to 100 would do");
    assert_refused(LINE("--top=101"), ERR_VAL_001,
                   "--top: found \"101\"; a whole number from 1 to 100 would do");
    assert_refused(LINE("--timeout soon"), ERR_VAL_001,
                   "--timeout: found \"soon\"; a span of time such as 90s, 1h30m or 30d would do");
    assert_refused(LINE("--timeout 0s"), ERR_VAL_001,
                   "--timeout: found \"0s\"; a span of time such as 90s, 1h30m or 30d would do");
    assert_refused(LINE("--since monday"), ERR_VAL_001,
                   "--since: found \"monday\"; a time such as 2025-10-19T14:30:00Z, or a span such as 2h or "
                   "30d would do");
    assert_refused(LINE("--format xml"), ERR_VAL_001, "--format: found \"xml\"; table, json or csv would do");
    struct told told;
    assert_int_equal(parse_counted(&told, LINE("-v"), 1, -1), -ERR_USE_001);
    assert_string_equal(told.problem.text, "shipper test needs PATH…");
}

static void help_is_made_from_the_table(void **state)
{
    (void)state;
    bool flag = false;
    const char *text = NULL;
    const struct option options[] = {
        {.letter = 'f', .name = "flag", .help = "A flag.", .kind = OPTION_FLAG, .to.flag = &flag},
        {.name = "text", .argument = "TEXT", .help = "A text.", .kind = OPTION_TEXT, .to.text = &text},
    };
    const struct option_set set = {.command = "test",
                                   .arguments = "[PATH]",
                                   .summary = "Tests.",
                                   .details = "More.\n",
                                   .options = options,
                                   .option_count = OPTION_COUNT(options),
                                   .argument_count_max = 1};
    _cleanup_free_ char *help = NULL;
    size_t size;
    FILE *out = open_memstream(&help, &size);
    options_help(&set, out);
    fclose(out);
    assert_string_equal(help, "Usage: shipper test [OPTION…] [PATH]\n"
                              "\n"
                              "Tests.\n"
                              "\n"
                              "Options:\n"
                              "  -f, --flag                      A flag.\n"
                              "      --text TEXT                 A text.\n"
                              "  -h, --help                      Print this help and end.\n"
                              "\n"
                              "More.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_may_be_mixed),
        cmocka_unit_test(letters_may_be_joined_and_the_last_takes_a_value),
        cmocka_unit_test(what_is_not_given_keeps_its_default),
        cmocka_unit_test(values_have_their_types),
        cmocka_unit_test(a_wrong_word_is_told_with_what_would_do),
        cmocka_unit_test(help_is_made_from_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
