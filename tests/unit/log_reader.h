/*
 * What the tests of the library share: a folder for each test, opening a log in it, and reading back what it
 * wrote with a parser that is not ours (json-c). The including file defines _GNU_SOURCE first.
 *
 * A line is compared as text wherever its whole text is known; json-c answers whether it is JSON at all, and
 * what its escapes mean.
 */
#ifndef TESTS_LOG_READER_H
#define TESTS_LOG_READER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <json-c/json.h>
#include <liblog/liblog.h>
#include <liblog/other.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 65536, FLUSH_MS_MAX = 20000 };

static char test_folder[64];

/* --- a folder for each test ----------------------------------------------------------------------------- */

static inline int enter_folder(void **state)
{
    (void)state;
    snprintf(test_folder, sizeof test_folder, "/tmp/test-log-XXXXXX");
    return mkdtemp(test_folder) && chdir(test_folder) == 0 ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline int leave_folder(void **state)
{
    (void)state;
    ll_close();
    return chdir("/") == 0 && nftw(test_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : -1;
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

static inline void pause_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

/* --- a log ---------------------------------------------------------------------------------------------- */

/* Records alone: no mark at the end, all levels. */
static inline ll_config plain_config(const char *file)
{
    ll_config config;
    ll_config_init(&config);
    snprintf(config.file, sizeof config.file, "%s", file);
    snprintf(config.level, sizeof config.level, "trace");
    snprintf(config.service, sizeof config.service, "tested");
    config.marks = 0;
    config.block_max_ns = 60000000000; /* a busy machine must not make a record be dropped */
    return config;
}

static inline void open_with(const ll_config *config)
{
    ll_problem problem = {0};
    if (ll_open(config, &problem) != LL_OK)
        fail_msg("ll_open: %s", problem.text);
}

static inline void open_log(const char *file)
{
    ll_config config = plain_config(file);
    open_with(&config);
}

/* --- its lines ------------------------------------------------------------------------------------------ */

struct lines {
    char *memory;
    size_t bytes;
    char **text; /* without the newline */
    size_t count;
};

static inline char *read_file(const char *path, size_t *ret_size)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    char *memory = malloc((size_t)st.st_size + 1);
    size_t size = 0;
    for (ssize_t n;
         size < (size_t)st.st_size && (n = read(fd, memory + size, (size_t)st.st_size - size)) > 0;)
        size += (size_t)n;
    close(fd);
    memory[size] = '\0';
    *ret_size = size;
    return memory;
}

static inline struct json_object *parse(const char *text, size_t size)
{
    struct json_tokener *tokener = json_tokener_new_ex(64);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *object = json_tokener_parse_ex(tokener, text, (int)size);
    bool whole = json_tokener_get_error(tokener) == json_tokener_success &&
                 json_tokener_get_parse_end(tokener) == size;
    json_tokener_free(tokener);
    if (!whole || !json_object_is_type(object, json_type_object))
        fail_msg("no JSON object: %.300s", text);
    return object;
}

/* Every line is one whole record: ends with a newline, within the limit, no control character, valid JSON. */
static inline struct lines read_lines(const char *path)
{
    struct lines lines = {0};
    lines.memory = read_file(path, &lines.bytes);
    lines.text = calloc(lines.bytes / 2 + 1, sizeof *lines.text);
    for (char *at = lines.memory, *end; at < lines.memory + lines.bytes; at = end + 1) {
        end = memchr(at, '\n', (size_t)(lines.memory + lines.bytes - at));
        if (!end)
            fail_msg("the last line of %s has no newline: %.200s", path, at);
        assert_in_range(end + 1 - at, 2, LINE_BYTES_MAX);
        for (char *c = at; c < end; c++)
            if ((unsigned char)*c < 0x20)
                fail_msg("a control character in a line of %s", path);
        *end = '\0';
        json_object_put(parse(at, (size_t)(end - at)));
        lines.text[lines.count++] = at;
    }
    return lines;
}

static inline void free_lines(struct lines *lines)
{
    free(lines->text);
    free(lines->memory);
    *lines = (struct lines){0};
}

/* Closes the log and reads it; `count` lines are there. */
static inline struct lines close_and_read(const char *path, size_t count)
{
    ll_close();
    struct lines lines = read_lines(path);
    assert_int_equal(lines.count, count);
    return lines;
}

/* --- parts of a line ------------------------------------------------------------------------------------ */

/* The raw JSON text of a member of the record itself, in a static buffer; NULL when it is not there. Values
 * are followed through nested objects and strings, so a key inside `fields` is never taken for it. */
static inline const char *member(const char *line, const char *key)
{
    static char value[LINE_BYTES_MAX + 1];
    size_t key_size = strlen(key);
    const char *at = line + 1;
    while (*at == '"') {
        const char *name = at + 1, *end = name;
        for (; *end != '"'; end++)
            end += *end == '\\';
        at = end + 2; /* quote and colon */
        bool wanted = (size_t)(end - name) == key_size && memcmp(name, key, key_size) == 0;
        const char *from = at;
        bool in_string = false;
        for (int depth = 0; in_string || depth > 0 || (*at != ',' && *at != '}'); at++) {
            if (in_string) {
                if (*at == '\\')
                    at++;
                else
                    in_string = *at != '"';
            } else {
                in_string = *at == '"';
                depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
            }
        }
        if (wanted) {
            snprintf(value, sizeof value, "%.*s", (int)(at - from), from);
            return value;
        }
        at += *at == ',';
    }
    return NULL;
}

static inline void expect_member(const char *line, const char *key, const char *value)
{
    const char *found = member(line, key);
    if (!found)
        fail_msg("no %s in %.300s", key, line);
    assert_string_equal(found, value);
}

static inline void expect_no_member(const char *line, const char *key)
{
    const char *found = member(line, key);
    if (found)
        fail_msg("%s is %.100s in %.300s", key, found, line);
}

static inline uint64_t seq_of(const char *line)
{
    const char *text = member(line, "seq");
    assert_non_null(text);
    return strtoull(text, NULL, 10);
}

/* A number that the test put into fields, as `"key":N`. */
static inline uint64_t field_number(const char *line, const char *key)
{
    char wanted[64];
    const char *fields = member(line, "fields");
    snprintf(wanted, sizeof wanted, "\"%s\":", key);
    const char *at = fields ? strstr(fields, wanted) : NULL;
    if (!at)
        fail_msg("no field %s in %.300s", key, line);
    return strtoull(at + strlen(wanted), NULL, 10);
}

/* One run's numbers go up by one from line to line, whatever else stands between them; returns the last. */
static inline uint64_t expect_gapless(const struct lines *lines, const char *run_id, uint64_t first)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", run_id);
    uint64_t next = first;
    for (size_t i = 0; i < lines->count; i++) {
        const char *run = member(lines->text[i], "run_id");
        if (run && strcmp(run, quoted) == 0)
            assert_int_equal(seq_of(lines->text[i]), next++);
    }
    return next - 1;
}

static inline size_t count_with(const struct lines *lines, const char *text)
{
    size_t count = 0;
    for (size_t i = 0; i < lines->count; i++)
        count += strstr(lines->text[i], text) != NULL;
    return count;
}

static inline bool file_contains(const char *path, const char *text)
{
    size_t size;
    char *memory = read_file(path, &size);
    bool found = memmem(memory, size, text, strlen(text)) != NULL;
    free(memory);
    return found;
}

/* How many files in a folder end with `suffix`. `ret_path` (of 512 bytes, may be NULL) gets the path of one.
 */
static inline int count_files(const char *folder, const char *suffix, char *ret_path)
{
    int count = 0;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        size_t size = strlen(entry->d_name), end = strlen(suffix);
        if (size < end || strcmp(entry->d_name + size - end, suffix) != 0)
            continue;
        if (ret_path)
            snprintf(ret_path, 512, "%.250s/%.200s", folder, entry->d_name);
        count++;
    }
    if (entries)
        closedir(entries);
    return count;
}

#endif
