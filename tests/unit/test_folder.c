#define _GNU_SOURCE
#include "liblog/folder.h"
#include "log_reader.h"

#include <errno.h>

static void expect_folder(const char *log, const char *ring_dir, const char *path)
{
    struct folder folder;
    struct stat st;
    assert_int_equal(folder_open(&folder, log, ring_dir, true), 0);
    assert_string_equal(folder.path, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(fstat(folder.lock_fd, &st), 0);
    assert_true(st.st_size >= (off_t)os_page_size()); /* a mapping of it cannot be a SIGBUS */
    folder_close(&folder);
    assert_int_equal(folder.lock_fd, -1);
}

static void rings_lie_hidden_beside_the_log(void **state)
{
    char absolute[256], wanted[256];
    (void)state;
    assert_int_equal(mkdir("logs", 0755), 0);
    expect_folder("app.log", "", ".app.log.ll");
    expect_folder("logs/app.log", NULL, "logs/.app.log.ll");
    snprintf(absolute, sizeof absolute, "%s/app.log", test_folder);
    snprintf(wanted, sizeof wanted, "%s/.app.log.ll", test_folder);
    expect_folder(absolute, "", wanted);
}

/* However the path is spelled, and wherever the process stands: whoever recovers must find the same folder.
 */
static void under_a_ring_dir_the_folder_has_the_logs_whole_path_in_its_name(void **state)
{
    char absolute[256], wanted[256];
    (void)state;
    assert_int_equal(mkdir("rings", 0755), 0);
    assert_int_equal(mkdir("logs", 0755), 0);
    snprintf(wanted, sizeof wanted, "rings/%s/logs/app.log.ll", test_folder);
    for (char *c = wanted + 6; *c; c++)
        *c = *c == '/' ? '%' : *c;
    snprintf(absolute, sizeof absolute, "%s/logs/app.log", test_folder);
    expect_folder(absolute, "rings", wanted);
    expect_folder("logs/app.log", "rings", wanted);
    expect_folder("./logs/app.log", "rings", wanted);
}

static void the_folder_may_be_read_by_whom_the_log_may_be(void **state)
{
    static const struct {
        mode_t log, folder;
    } modes[] = {{0600, 0700}, {0640, 0750}, {0644, 0755}, {0660, 0770}};
    char log[32], folder[64];
    struct stat st;
    (void)state;
    for (int i = 0; i < 4; i++) {
        snprintf(log, sizeof log, "%d.log", i);
        snprintf(folder, sizeof folder, ".%d.log.ll", i);
        close(open(log, O_WRONLY | O_CREAT, 0600));
        assert_int_equal(chmod(log, modes[i].log), 0);
        expect_folder(log, "", folder);
        assert_int_equal(stat(folder, &st), 0);
        assert_int_equal(st.st_mode & 07777, modes[i].folder);
    }
}

static void where_there_is_none_nothing_is_made_unless_asked_for(void **state)
{
    struct folder folder;
    (void)state;
    assert_int_equal(folder_open(&folder, "app.log", "", false), -ENOENT);
    assert_int_equal(access(".app.log.ll", F_OK), -1);
    assert_int_equal(folder_open(&folder, "none/app.log", "", true), -ENOENT);
    assert_int_equal(folder_open(&folder, "app.log", "none", true), -ENOENT);
    folder_close(&folder);
}

static void a_path_that_is_too_long_is_an_error(void **state)
{
    static char path[2 * LL_PATH_SIZE];
    struct folder folder;
    (void)state;
    memset(path, 'p', sizeof path - 1);
    assert_int_equal(folder_open(&folder, path, "", true), -ENAMETOOLONG);
    assert_int_equal(folder_open(&folder, "app.log", path, true), -ENAMETOOLONG);
}

static void a_symlink_is_not_taken_for_the_lock(void **state)
{
    struct folder folder;
    char lock[512];
    (void)state;
    expect_folder("app.log", "", ".app.log.ll");
    DIR *entries = opendir(".app.log.ll");
    for (struct dirent *entry; (entry = readdir(entries));)
        if (strncmp(entry->d_name, "lock.", 5) == 0)
            snprintf(lock, sizeof lock, ".app.log.ll/%s", entry->d_name);
    closedir(entries);
    assert_int_equal(unlink(lock), 0);
    close(open("precious", O_WRONLY | O_CREAT, 0600));
    assert_int_equal(symlink("../precious", lock), 0);
    assert_int_equal(folder_open(&folder, "app.log", "", true), -ELOOP);
    struct stat st;
    assert_int_equal(stat("precious", &st), 0);
    assert_int_equal(st.st_size, 0);
}

/* A daemon goes to another folder: its log stays where it was. */
static void a_program_that_changes_its_folder_keeps_its_log_and_rings(void **state)
{
    ll_config config = plain_config("app.log");
    (void)state;
    snprintf(config.error_file, sizeof config.error_file, "errors.log");
    assert_int_equal(mkdir("elsewhere", 0755), 0);
    open_with(&config);
    ll_error("before");
    assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
    assert_int_equal(chdir("elsewhere"), 0);
    ll_error("after");
    ll_close();
    assert_int_equal(chdir(".."), 0);
    struct lines lines = read_lines("app.log"), copies = read_lines("errors.log");
    assert_int_equal(lines.count, 2);
    assert_int_equal(copies.count, 2);
    assert_int_equal(access("elsewhere/app.log", F_OK), -1);
    assert_int_equal(count_files(".app.log.ll", ".ring", NULL), 0);
    free_lines(&lines);
    free_lines(&copies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(rings_lie_hidden_beside_the_log),
        in_folder(under_a_ring_dir_the_folder_has_the_logs_whole_path_in_its_name),
        in_folder(the_folder_may_be_read_by_whom_the_log_may_be),
        in_folder(where_there_is_none_nothing_is_made_unless_asked_for),
        in_folder(a_path_that_is_too_long_is_an_error),
        in_folder(a_symlink_is_not_taken_for_the_lock),
        in_folder(a_program_that_changes_its_folder_keeps_its_log_and_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
