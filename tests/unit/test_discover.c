#define _GNU_SOURCE
#include "tail_files.h"

#include "shipper/discover.h"

/* ---- names ---- */

static void names_of_rotated_files_lead_to_the_live_one(void **state)
{
    static const struct {
        const char *name, *live;
        enum generation_kind kind;
    } names[] = {
        {"app.log", "app.log", GENERATION_LIVE},
        {"app.log.1", "app.log", GENERATION_NUMBERED},
        {"app.log.12.gz", "app.log", GENERATION_NUMBERED},
        {"app.log.gz", "app.log", GENERATION_NUMBERED},
        {"app.log-20251019", "app.log", GENERATION_DATED},
        {"app.log-20251019.gz", "app.log", GENERATION_DATED},
        {"app.log-2025101914", "app.log", GENERATION_DATED},
        {"app.log-2025101914.backup", "app.log", GENERATION_DATED},
        {"app.log-2025101914.backup.gz", "app.log", GENERATION_DATED},
        {"notes.backup", "notes.backup", GENERATION_LIVE},
        {"app-20251019.log", "app.log", GENERATION_DATED},
        {"app-20251019.log.gz", "app.log", GENERATION_DATED},
        {"app.log.2025-10-19_14-30", "app.log", GENERATION_DATED},
        {"my-app.log.3", "my-app.log", GENERATION_NUMBERED},
        {"worker.1.log", "worker.1.log", GENERATION_LIVE},
        {"app2.log", "app2.log", GENERATION_LIVE},
        {"app.log.bak", "app.log.bak", GENERATION_LIVE},
        {"a", "a", GENERATION_LIVE},
        {".1", ".1", GENERATION_LIVE},
    };
    char live[FAMILY_NAME_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct generation generation = generation_of(slice_of(names[i].name), live);
        assert_string_equal(live, names[i].live);
        assert_int_equal(generation.kind, names[i].kind);
    }
}

static void generations_are_ordered_by_age(void **state)
{
    static const char *const oldest_first[] = {
        "a.log-20241231", "a.log-20250101.gz", "a.log-2025010203", "a.log.10.gz",
        "a.log.9",        "a.log.1",           "a.log.gz",         "a.log"};
    size_t count = sizeof(oldest_first) / sizeof(oldest_first[0]);
    char live[FAMILY_NAME_MAX];

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int order = generation_compare(generation_of(slice_of(oldest_first[i]), live),
                                           generation_of(slice_of(oldest_first[j]), live));
            assert_true(i < j ? order < 0 : i > j ? order > 0 : order == 0);
        }
}

/* ---- files ---- */

static int problems;
static enum error last_problem;

static void count_problem(void *context, const struct problem *problem, const char *path)
{
    (void)context;
    (void)path;
    problems++;
    last_problem = problem->error;
}

/* What is found, as one text: "path path …", the rest-only ones in brackets. */
static char *found_text(const struct config_input *inputs, int count, const char *const *own, int own_count)
{
    static char text[4096];
    struct discover_options options = {.inputs = inputs,
                                       .input_count = count,
                                       .own_files = own,
                                       .own_file_count = own_count,
                                       .on_problem = count_problem};
    struct found found;
    char *at = text;

    problems = 0;
    text[0] = '\0';
    assert_int_equal(discover(&options, NULL, &found), 0);
    for (size_t i = 0; i < found.count; i++)
        at += sprintf(at, found.files[i].rest_only ? "%s[%s]" : "%s%s", i ? " " : "", found.files[i].path);
    assert_true(found.incomplete == (problems > 0));
    discover_release(&found);
    return text;
}

static struct config_input *input_for(const char *pattern)
{
    static struct config_input input;

    input = (struct config_input){.rotated = true};
    input.paths[input.path_count++] = (char *)(uintptr_t)pattern;
    return &input;
}

static char *find(const char *pattern)
{
    return found_text(input_for(pattern), 1, NULL, 0);
}

static void write_all(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        write_file(names[i], names[i]);
}

#define WRITE_ALL(...)                                                                                       \
    write_all((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void a_pattern_brings_the_rotated_files_oldest_first(void **state)
{
    (void)state;
    WRITE_ALL("app.log", "app.log.1", "app.log.2.gz", "app.log.10.gz", "app.log-20251019.gz",
              "app-20251020.log", "other.txt", "b.log", "application.txt.1");
    assert_string_equal(find("*.log"),
                        "app.log-20251019.gz app-20251020.log app.log.10.gz app.log.2.gz app.log.1 "
                        "app.log b.log");
    assert_string_equal(find("app.log"),
                        "app.log-20251019.gz app-20251020.log app.log.10.gz app.log.2.gz app.log.1 app.log");
    struct config_input *input = input_for("*.log");
    input->rotated = false;
    assert_string_equal(found_text(input, 1, NULL, 0), "app-20251020.log app.log b.log");
}

static void an_exact_input_is_what_its_pattern_matches_in_age_order(void **state)
{
    (void)state;
    assert_int_equal(mkdir("logs", 0755), 0);
    WRITE_ALL("logs/app.log", "logs/app.log.1", "logs/app.log.2.gz");
    struct config_input *input = input_for("logs/app.log*");
    input->exact = true;
    assert_string_equal(found_text(input, 1, NULL, 0), "logs/app.log.2.gz logs/app.log.1 logs/app.log");
    input->paths[0] = (char[]){"logs/app.log"};
    assert_string_equal(found_text(input, 1, NULL, 0), "[logs/app.log.2.gz] [logs/app.log.1] logs/app.log");
}

static void excluded_files_are_left_out_with_their_rotated_ones(void **state)
{
    (void)state;
    WRITE_ALL("app.log", "app.log.1", "debug.log", "debug.log.1", "x.tmp.log");
    struct config_input *input = input_for("*.log");
    input->exclude[input->exclude_count++] = (char[]){"debug.log"};
    input->exclude[input->exclude_count++] = (char[]){"*.tmp*"};
    assert_string_equal(found_text(input, 1, NULL, 0), "app.log.1 app.log");
    input->exclude[input->exclude_count++] = (char[]){"*.1"};
    assert_string_equal(found_text(input, 1, NULL, 0), "app.log");
}

static void hidden_names_folders_and_fifos_are_never_inputs(void **state)
{
    (void)state;
    WRITE_ALL("app.log", ".hidden.log", ".app.log.ll");
    assert_int_equal(mkdir("folder.log", 0755), 0);
    assert_int_equal(mkdir(".app.log.d", 0755), 0);
    WRITE_ALL(".app.log.d/inner.log");
    assert_int_equal(mkfifo("pipe.log", 0644), 0);
    assert_string_equal(find("*"), "app.log");
    assert_string_equal(find("*/*.log"), "");
    assert_string_equal(find("*.log"), "app.log");
    assert_string_equal(find(".*.log"), ".hidden.log");
}

static void own_files_are_never_inputs(void **state)
{
    const char *const own[] = {"shipper.db", "self.log", "out.txt"};

    (void)state;
    WRITE_ALL("app.log", "shipper.db", "shipper.db-wal", "shipper.db-shm", "self.log", "self.log.1",
              "out.txt");
    assert_int_equal(link("out.txt", "also-out.log"), 0);
    assert_string_equal(found_text(input_for("*"), 1, own, 3), "app.log");
}

static void own_files_are_known_however_a_path_is_spelt(void **state)
{
    const char *const own[] = {"./state/shipper.db", "state/lock", "/proc/self/fd/1"};

    (void)state;
    assert_int_equal(mkdir("state", 0755), 0);
    assert_int_equal(symlink("state", "way"), 0);
    WRITE_ALL("state/app.log", "state/shipper.db-wal", "state/shipper.db-shm", "state/lock", "state/out.log",
              "state/out.log.1", "lock");
    int out = open("state/out.log", O_WRONLY), before = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    char text[4096];
    snprintf(text, sizeof(text), "%s", found_text(input_for("state/*"), 1, own, 3));
    const char *by_link = found_text(input_for("way//*"), 1, own, 3);
    dup2(before, STDOUT_FILENO);
    close(before);
    close(out);
    assert_string_equal(text, "state/app.log");
    assert_string_equal(by_link, "way/app.log");
    assert_string_equal(found_text(input_for("loc*"), 1, own, 3), "lock"); /* not that of the state folder */
}

static void links_are_followed_only_where_that_is_safe(void **state)
{
    (void)state;
    assert_int_equal(mkdir("in", 0755), 0);
    assert_int_equal(mkdir("out", 0755), 0);
    WRITE_ALL("in/real.log", "out/other.log");
    assert_int_equal(symlink("real.log", "in/a-link.log"), 0);
    assert_int_equal(symlink("loop.log", "in/loop.log"), 0);
    assert_int_equal(symlink("nothing", "in/dangling.log"), 0);
    assert_int_equal(symlink("../out/other.log", "in/same-owner.log"), 0);
    assert_string_equal(find("in/*.log"), "in/real.log in/same-owner.log");
    if (geteuid() != 0)
        return;
    assert_int_equal(chown("out/other.log", 12345, 12345), 0);
    assert_int_equal(chown("in/real.log", 12345, 12345), 0);
    assert_string_equal(find("in/*.log"), "in/real.log");
    assert_string_equal(find("in/a-l*.log"), "in/a-link.log"); /* inside the input's own folder */
    struct config_input *input = input_for("in/*.log");
    input->follow_symlinks = true;
    assert_string_equal(found_text(input, 1, NULL, 0), "in/real.log in/same-owner.log");
}

static void folders_may_be_patterns_and_one_file_is_found_once(void **state)
{
    struct config_input inputs[2];

    (void)state;
    assert_int_equal(mkdir("a1", 0755), 0);
    assert_int_equal(mkdir("a2", 0755), 0);
    assert_int_equal(mkdir("b", 0755), 0);
    WRITE_ALL("a1/x.log", "a2/x.log", "a2/y[1].log", "b/x.log");
    assert_string_equal(find("a?/*.log"), "a1/x.log a2/x.log a2/y[1].log");
    assert_string_equal(find("a2//y[1].log"), "a2/y[1].log");
    assert_string_equal(find("nowhere/*.log"), "");
    inputs[0] = *input_for("a1/*");
    inputs[1] = *input_for("*/x.log");
    assert_string_equal(found_text(inputs, 2, NULL, 0), "a1/x.log a2/x.log b/x.log");
}

static void a_folder_without_permission_is_told_and_the_others_go_on(void **state)
{
    (void)state;
    assert_int_equal(mkdir("open", 0755), 0);
    assert_int_equal(mkdir("shut", 0755), 0);
    WRITE_ALL("open/a.log", "shut/a.log");
    assert_int_equal(chmod("shut", 0), 0);
    bool root = geteuid() == 0;
    if (root)
        assert_int_equal(seteuid(12345), 0);
    char *text = strdup(find("*/a.log"));
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod("shut", 0755), 0);
    assert_string_equal(text, "open/a.log");
    assert_int_equal(problems, 1);
    assert_int_equal(last_problem, ERR_IO_002);
    free(text);
}

static void names_that_no_pattern_wants_are_no_news(void **state)
{
    struct config_input *input = input_for("/var/log/*.log");

    (void)state;
    assert_true(discover_wants(input, 1, "a.log"));
    assert_true(discover_wants(input, 1, "a.log.1.gz"));
    assert_false(discover_wants(input, 1, "a.txt"));
    assert_false(discover_wants(input, 1, ".a.log"));
    input->rotated = false;
    assert_false(discover_wants(input, 1, "a.log.1"));
}

static int enter_open_folder(void **state)
{
    return enter_folder(state) || chmod(test_folder, 0755);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_open_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_rotated_files_lead_to_the_live_one),
        cmocka_unit_test(generations_are_ordered_by_age),
        IN_FOLDER(a_pattern_brings_the_rotated_files_oldest_first),
        IN_FOLDER(an_exact_input_is_what_its_pattern_matches_in_age_order),
        IN_FOLDER(excluded_files_are_left_out_with_their_rotated_ones),
        IN_FOLDER(hidden_names_folders_and_fifos_are_never_inputs),
        IN_FOLDER(own_files_are_never_inputs),
        IN_FOLDER(own_files_are_known_however_a_path_is_spelt),
        IN_FOLDER(links_are_followed_only_where_that_is_safe),
        IN_FOLDER(folders_may_be_patterns_and_one_file_is_found_once),
        IN_FOLDER(a_folder_without_permission_is_told_and_the_others_go_on),
        cmocka_unit_test(names_that_no_pattern_wants_are_no_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
