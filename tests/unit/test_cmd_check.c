#include "shipper/cmd.h"
#include "shipper/config.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_cmd_check_XXXXXX";
static const char *const names[] = {"app.log", "app.log.1", "other.txt", "c.yaml", "out", "err"};

static void path_of(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s/%s", folder, name);
}

static void write_named(const char *name, const char *text)
{
    char path[128];
    path_of(path, sizeof path, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    write_named("app.log", "{\"level\":\"INFO\"}\n");
    write_named("app.log.1", "{\"level\":\"ERROR\"}\n{\"level\":\"INFO\"}\n");
    write_named("other.txt", "no log\n");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        path_of(path, sizeof path, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

/* Runs a command with stdout and stderr in the files `out` and `err`, whose text the caller frees. */
struct answer {
    enum exit_code code;
    char *out, *err;
};

static char *read_named(const char *name)
{
    char path[128];
    path_of(path, sizeof path, name);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, in) < 65535);
    fclose(in);
    return text;
}

static int redirect(FILE *stream, const char *name)
{
    char path[128];
    path_of(path, sizeof path, name);
    fflush(stream);
    int kept = dup(fileno(stream));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(dup2(fileno(file), fileno(stream)) >= 0);
    fclose(file);
    return kept;
}

static void restore(FILE *stream, int kept)
{
    fflush(stream);
    assert_true(dup2(kept, fileno(stream)) >= 0);
    close(kept);
}

static struct answer ask(command_function *command, int argc, char **argv)
{
    struct answer answer;
    int kept_out = redirect(stdout, "out"), kept_err = redirect(stderr, "err");
    answer.code = command(argc, argv);
    restore(stdout, kept_out);
    restore(stderr, kept_err);
    answer.out = read_named("out");
    answer.err = read_named("err");
    return answer;
}

static void answer_clear(struct answer *answer)
{
    free(answer->out);
    free(answer->err);
}

#define _cleanup_answer_ _cleanup_(answer_clear)

static void assert_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void write_configuration(const char *pattern)
{
    char text[512];
    snprintf(text, sizeof text,
             "state_dir: %s\ninputs: [{ paths: '%s/%s' }]\noutputs:\n"
             "  - { name: lake, type: kafka, brokers: 'b:1', topic: t, in_flight: 7, properties: { "
             "sasl.password: pw } }\n",
             folder, folder, pattern);
    write_named("c.yaml", text);
}

static struct answer check_configuration(char *format)
{
    static char file[128];
    path_of(file, sizeof file, "c.yaml");
    char *argv[] = {"check", "-c", file, "--format", format, NULL};
    return ask(cmd_check, 5, argv);
}

static void a_valid_configuration_is_shown_with_its_files_and_promises(void **state)
{
    (void)state;
    write_configuration("*.log");
    _cleanup_answer_ struct answer answer = check_configuration("text");
    char expected[512];
    assert_int_equal(answer.code, EXIT_OK_);
    assert_string_equal(answer.err, "");
    snprintf(
        expected, sizeof expected,
        "# Files that inputs[0] matches now: 2\n#   %s/app.log.1 (35 bytes)\n#   %s/app.log (17 bytes)\n",
        folder, folder);
    assert_holds(answer.out, expected);
    assert_holds(answer.out,
                 "at least once: nothing is lost, and after a kill at most 7 records in flight come twice\n");
    assert_holds(answer.out, "sasl.password: \"********\"\n");
    assert_null(strstr(answer.out, "pw"));
}

static void the_answer_in_text_is_itself_a_valid_configuration(void **state)
{
    (void)state;
    write_configuration("*.log");
    _cleanup_answer_ struct answer answer = check_configuration("text");
    write_named("c.yaml", answer.out);
    _cleanup_answer_ struct answer again = check_configuration("text");
    assert_int_equal(again.code, EXIT_OK_);
    assert_string_equal(again.out, answer.out);
}

static void the_answer_in_json_is_one_valid_object(void **state)
{
    (void)state;
    write_configuration("*.log");
    _cleanup_answer_ struct answer answer = check_configuration("json");
    assert_int_equal(answer.code, EXIT_OK_);
    char expected[512];
    snprintf(expected, sizeof expected,
             "\"files\":[{\"path\":\"%s/app.log.1\",\"size_bytes\":35,\"compressed\":false},"
             "{\"path\":\"%s/app.log\",\"size_bytes\":17,\"compressed\":false}]",
             folder, folder);
    assert_holds(answer.out, expected);
    assert_true(json_is_valid(slice_from(answer.out, strlen(answer.out) - 1), 16));
}

static void a_pattern_that_matches_nothing_yet_is_told_and_no_fault(void **state)
{
    (void)state;
    write_configuration("none*.log");
    _cleanup_answer_ struct answer answer = check_configuration("text");
    assert_int_equal(answer.code, EXIT_OK_);
    assert_holds(answer.err, "shipper: IO_001: inputs[0] matches no file now: ");
}

static void a_path_of_the_command_line_that_matches_nothing_is_no_input(void **state)
{
    (void)state;
    char path[128];
    path_of(path, sizeof path, "none.log");
    char *argv[] = {"check", path, NULL};
    _cleanup_answer_ struct answer answer = ask(cmd_check, 2, argv);
    assert_int_equal(answer.code, EXIT_NO_INPUT);
}

static void paths_of_the_command_line_are_exactly_what_they_match(void **state)
{
    (void)state;
    char path[128];
    path_of(path, sizeof path, "app.log");
    char *argv[] = {"check", path, NULL};
    _cleanup_answer_ struct answer answer = ask(cmd_check, 2, argv);
    assert_int_equal(answer.code, EXIT_OK_);
    assert_holds(answer.out, "# Files that inputs[0] matches now: 1\n");
}

static void an_invalid_configuration_is_told_on_stderr_and_in_json(void **state)
{
    (void)state;
    write_named("c.yaml", "inputs: [{ paths: x }]\nno: 1\nstats: { max_series: x }\n");
    _cleanup_answer_ struct answer answer = check_configuration("json");
    assert_int_equal(answer.code, EXIT_CONFIGURATION);
    assert_int_equal(strncmp(answer.out, "{\"valid\":false,\"code\":\"CFG_003\",\"text\":\"", 40), 0);
    assert_true(json_is_valid(slice_from(answer.out, strlen(answer.out) - 1), 4));
    char expected[512], file[128];
    path_of(file, sizeof file, "c.yaml");
    snprintf(
        expected, sizeof expected,
        "shipper: CFG_003: %s:2: no: there is no such key; known here: environment, instance, state_dir, "
        "inputs, "
        "outputs, stats, deleted\n"
        "shipper: CFG_004: %s:3: stats.max_series: found \"x\"; a whole number from 1 to 10000000 would do\n",
        file, file);
    assert_string_equal(answer.err, expected);
}

static void nothing_to_check_is_a_wrong_command_line(void **state)
{
    (void)state;
    char *argv[] = {"check", NULL};
    _cleanup_answer_ struct answer answer = ask(cmd_check, 1, argv);
    assert_int_equal(answer.code, EXIT_USAGE_);
}

static void every_code_is_explained(void **state)
{
    (void)state;
    char *all[] = {"explain", "--format", "json", NULL};
    _cleanup_answer_ struct answer table = ask(cmd_explain, 3, all);
    assert_int_equal(table.code, EXIT_OK_);
    assert_true(json_is_valid(slice_from(table.out, strlen(table.out) - 1), 4));
    for (enum error error = ERR_NONE + 1; error < ERR_COUNT; error++) {
        char name[16];
        snprintf(name, sizeof name, "%s", error_name(error));
        char *one[] = {"explain", name, NULL};
        _cleanup_answer_ struct answer answer = ask(cmd_explain, 2, one);
        assert_int_equal(answer.code, EXIT_OK_);
        assert_holds(answer.out, error_meaning(error));
        assert_holds(answer.out, error_step(error, 0));
        assert_holds(table.out, name);
    }
    char *unknown[] = {"explain", "CFG_999", NULL};
    _cleanup_answer_ struct answer answer = ask(cmd_explain, 2, unknown);
    assert_int_equal(answer.code, EXIT_USAGE_);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_configuration_is_shown_with_its_files_and_promises),
        cmocka_unit_test(the_answer_in_text_is_itself_a_valid_configuration),
        cmocka_unit_test(the_answer_in_json_is_one_valid_object),
        cmocka_unit_test(a_pattern_that_matches_nothing_yet_is_told_and_no_fault),
        cmocka_unit_test(a_path_of_the_command_line_that_matches_nothing_is_no_input),
        cmocka_unit_test(paths_of_the_command_line_are_exactly_what_they_match),
        cmocka_unit_test(an_invalid_configuration_is_told_on_stderr_and_in_json),
        cmocka_unit_test(nothing_to_check_is_a_wrong_command_line),
        cmocka_unit_test(every_code_is_explained),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
