#include "shipper/cmd.h"
#include "shipper/problem.h"
#include "shipper/suggest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void every_code_has_a_meaning_and_a_step(void **state)
{
    (void)state;
    for (enum error error = ERR_NONE + 1; error < ERR_COUNT; error++) {
        assert_true(strlen(error_meaning(error)) > 10);
        assert_non_null(error_step(error, 0));
        assert_true(strlen(error_step(error, 0)) > 10);
        assert_null(error_step(error, 2));
        assert_true(strcmp(error_severity(error), "warning") == 0 ||
                    strcmp(error_severity(error), "error") == 0 ||
                    strcmp(error_severity(error), "critical") == 0);
        assert_int_not_equal(error_exit_code(error), EXIT_OK_);
    }
}

static void a_code_is_found_by_its_name_in_any_letter_case(void **state)
{
    (void)state;
    for (enum error error = ERR_NONE + 1; error < ERR_COUNT; error++)
        assert_int_equal(error_from_name(error_name(error)), error);
    assert_int_equal(error_from_name("cfg_003"), ERR_CFG_003);
    assert_int_equal(error_from_name("CFG_999"), ERR_NONE);
    assert_int_equal(error_from_name("OK"), ERR_NONE);
}

static void setting_a_problem_returns_its_negative_code(void **state)
{
    (void)state;
    struct problem problem = {0};
    assert_int_equal(problem_set(&problem, ERR_IO_003, "cannot read %s", "a.log"), -ERR_IO_003);
    assert_int_equal(problem.error, ERR_IO_003);
    assert_string_equal(problem.text, "cannot read a.log");
    assert_int_equal(problem_set(NULL, ERR_IO_003, "nobody asks"), -ERR_IO_003);
}

static void hostile_text_cannot_steer_a_terminal_or_forge_a_line(void **state)
{
    (void)state;
    struct problem problem = {0};
    problem_set(&problem, ERR_IO_003, "%s", "a\x1b[31m\nb\t\x7f");
    assert_string_equal(problem.text, "a\\x1b[31m\\x0ab\\x09\\x7f");
    problem_set(&problem, ERR_IO_003, "%s", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9f");
    assert_string_equal(problem.text, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9f");
    /* a control character of two bytes, an overlong one, a half one, a surrogate, one beyond Unicode */
    problem_set(&problem, ERR_IO_003, "%s", "\xc2\x9b \xc0\xaf \xe2\x82 \xed\xa0\x80 \xf4\x90\x80\x80");
    assert_string_equal(problem.text,
                        "\\xc2\\x9b \\xc0\\xaf \\xe2\\x82 \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80");
}

static void text_that_is_too_long_is_cut_at_a_character(void **state)
{
    (void)state;
    char text[2 * PROBLEM_TEXT_SIZE];
    memset(text, '\x01', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct problem problem = {0};
    problem_set(&problem, ERR_IO_003, "%s", text);
    assert_int_equal(strlen(problem.text), (PROBLEM_TEXT_SIZE - 1) / 4 * 4);
}

static void several_problems_stand_in_one_text_with_their_codes(void **state)
{
    (void)state;
    struct problem problem = {0};
    assert_true(problem_append(&problem, ERR_CFG_003, "first"));
    assert_true(problem_append(&problem, ERR_CFG_004, "second\n"));
    assert_int_equal(problem.error, ERR_CFG_003);
    assert_string_equal(problem.text, "first\nCFG_004: second\\x0a");
    assert_false(problem_append(NULL, ERR_CFG_004, "nobody asks"));
}

static void a_problem_that_does_not_fit_is_not_added_in_part(void **state)
{
    (void)state;
    struct problem problem = {0};
    char line[1000];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < 4; i++)
        assert_true(problem_append(&problem, ERR_CFG_003, "%s", line));
    size_t size = strlen(problem.text);
    assert_false(problem_append(&problem, ERR_CFG_003, "%s", line));
    assert_int_equal(strlen(problem.text), size);
}

static void a_failed_system_call_becomes_the_code_that_helps(void **state)
{
    (void)state;
    static const struct {
        int errno_value;
        enum error error;
    } cases[] = {
        {ENOENT, ERR_IO_001}, {EACCES, ERR_IO_002}, {EPERM, ERR_IO_002},  {EIO, ERR_IO_003},
        {EROFS, ERR_IO_004},  {ENOSPC, ERR_IO_005}, {EMFILE, ERR_IO_006}, {ENFILE, ERR_IO_006},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct problem problem = {0};
        assert_int_equal(problem_from_errno(&problem, cases[i].errno_value, "cannot open", "x.log"),
                         -(int)cases[i].error);
        assert_int_equal(strncmp(problem.text, "cannot open x.log: ", 19), 0);
    }
}

static void the_nearest_word_is_suggested_and_a_far_one_is_not(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance(SLICE("paths"), SLICE("paths")), 0);
    assert_int_equal(suggest_distance(SLICE("pahts"), SLICE("paths")), 1);
    assert_int_equal(suggest_distance(SLICE("path"), SLICE("paths")), 1);
    assert_int_equal(suggest_distance(SLICE("kitten"), SLICE("sitting")), 3);
    assert_int_equal(suggest_distance(SLICE(""), SLICE("abc")), 3);
    struct suggestion suggestion = {0};
    suggest(&suggestion, SLICE("Pahts"), "exclude");
    assert_null(suggestion.word);
    suggest(&suggestion, SLICE("Pahts"), "paths");
    assert_string_equal(suggestion.word, "paths");
}

static void the_version_is_that_of_the_build(void **state)
{
    (void)state;
    char path[4096], line[256];
    snprintf(path, sizeof path, "%s/CMakeLists.txt", PROJECT_FOLDER);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    bool found = false;
    while (!found && fgets(line, sizeof line, in))
        found = strncmp(line, "project(", 8) == 0;
    fclose(in);
    assert_true(found);
    assert_non_null(strstr(line, " VERSION " SHIPPER_VERSION " "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_meaning_and_a_step),
        cmocka_unit_test(a_code_is_found_by_its_name_in_any_letter_case),
        cmocka_unit_test(setting_a_problem_returns_its_negative_code),
        cmocka_unit_test(hostile_text_cannot_steer_a_terminal_or_forge_a_line),
        cmocka_unit_test(text_that_is_too_long_is_cut_at_a_character),
        cmocka_unit_test(several_problems_stand_in_one_text_with_their_codes),
        cmocka_unit_test(a_problem_that_does_not_fit_is_not_added_in_part),
        cmocka_unit_test(a_failed_system_call_becomes_the_code_that_helps),
        cmocka_unit_test(the_version_is_that_of_the_build),
        cmocka_unit_test(the_nearest_word_is_suggested_and_a_far_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
