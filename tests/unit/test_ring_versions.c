/*
 * Rings that older versions have left behind are finished by this one. tests/data/ring-vN and log-vN are what
 * a program of version N left when it was killed in the middle of its second write: its ring file, without
 * the zeros, and its log. Whoever raises RING_FILE_VERSION keeps them, and adds those of the version before
 * it:
 *
 *     build/dev/tests/test_ring_versions make tests/data
 */
#define _GNU_SOURCE
#include "liblog/ring_file.h"
#include "log_reader.h"
#include "tests/support/kill_points.h"

enum { BURST = 8, PIECE_BYTES = 64, TORN_BYTES = 700, WRITE_OF_BURST_2 = 2 };

/* --- the program ---------------------------------------------------------------------------------------- */

static void log_burst(int from)
{
    for (int i = from; i < from + BURST; i++) {
        char key[8] = "run-key", text[32];
        ll_field at_run_time[] = {ll_kv("i", i), {.key = key, .type = LL_TYPE_I64, .value.i64 = i}};
        static ll_site site = {
            .logger = "made", .file = "made.c", .function = "maker", .line = 7, .level = LL_LEVEL_INFO};
        snprintf(text, sizeof text, "text %d", i);
        if (i % 4 == 3)
            ll_write(&site, text, at_run_time, 2);
        else
            ll_info("usual", ll_kv("i", i), ll_kv("text", text), ll_kv("half", i / 2.0),
                    ll_bool("even", i % 2 == 0), ll_json("json", "[1,{}]"), ll_bytes("bytes", "\x01\xff", 2),
                    ll_secret("secret", text), ll_kv("nothing", (const char *)NULL));
    }
}

static void log_two_bursts(void *unused)
{
    (void)unused;
    ll_config config = plain_config("app.log");
    config.ring_bytes = RING_BYTES_MIN;
    if (ll_open(&config, NULL) != LL_OK)
        _exit(1);
    log_burst(0);
    ll_flush(FLUSH_MS_MAX);
    log_burst(BURST);
    ll_flush(FLUSH_MS_MAX);
}

/* --- a file without its zeros: offset, size, bytes … and last the file's size, 0 ------------------------- */

static void write_sparse(const char *from, const char *to)
{
    size_t size;
    char *bytes = read_file(from, &size), zero[PIECE_BYTES] = {0};
    FILE *out = fopen(to, "wb");
    for (uint64_t at = 0; at < size; at += PIECE_BYTES) {
        uint64_t piece = size - at < PIECE_BYTES ? size - at : PIECE_BYTES;
        if (memcmp(bytes + at, zero, piece) == 0)
            continue;
        fwrite(&at, sizeof at, 1, out);
        fwrite(&piece, sizeof piece, 1, out);
        fwrite(bytes + at, 1, piece, out);
    }
    fwrite(&(uint64_t){size}, sizeof(uint64_t), 1, out);
    fwrite(&(uint64_t){0}, sizeof(uint64_t), 1, out);
    fclose(out);
    free(bytes);
}

static void read_sparse(const char *from, int to)
{
    size_t size;
    char *bytes = read_file(from, &size);
    const char *at = bytes;
    for (;;) {
        uint64_t place[2];
        assert_true(at + sizeof place <= bytes + size);
        memcpy(place, at, sizeof place);
        at += sizeof place;
        if (place[1] == 0) {
            assert_int_equal(ftruncate(to, (off_t)place[0]), 0);
            break;
        }
        assert_int_equal(pwrite(to, at, place[1], (off_t)place[0]), place[1]);
        at += place[1];
    }
    free(bytes);
}

static void copy_file(const char *from, const char *to)
{
    size_t size;
    char *bytes = read_file(from, &size);
    FILE *out = fopen(to, "wb");
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    fclose(out);
    free(bytes);
}

/* --- made --------------------------------------------------------------------------------------------------- */

static int make_sample(const char *folder)
{
    const struct kill_point torn = {SYS_write, WRITE_OF_BURST_2, true, TORN_BYTES, 0, NULL, false};
    char ring[512], to[512], *whole = realpath(folder, NULL);
    enter_folder(NULL);
    if (!whole || kill_run(log_two_bursts, NULL, &torn) != 1 ||
        count_files(".app.log.ll", ".ring", ring) != 1)
        return 1;
    snprintf(to, sizeof to, "%s/ring-v%d", whole, RING_FILE_VERSION);
    write_sparse(ring, to);
    snprintf(to, sizeof to, "%s/log-v%d", whole, RING_FILE_VERSION);
    copy_file("app.log", to);
    free(whole);
    return leave_folder(NULL);
}

/* --- and finished --------------------------------------------------------------------------------------- */

/* The note names the log's file as it was then: it is given the one that stands for it now. The place of the
 * note is that of every version so far. */
static void name_log_in_note(int ring)
{
    struct stat st;
    struct ring_identity identity;
    struct ring_target target;
    assert_int_equal(stat("app.log", &st), 0);
    assert_int_equal(pread(ring, &identity, sizeof identity, 0), sizeof identity);
    off_t at = (off_t)(2 * identity.page + offsetof(struct ring_progress, note.target));
    assert_int_equal(pread(ring, &target, sizeof target, at), sizeof target);
    target.device = (uint64_t)st.st_dev;
    target.inode = (uint64_t)st.st_ino;
    assert_int_equal(pwrite(ring, &target, sizeof target, at), sizeof target);
}

static void lay_out(int version)
{
    char path[512];
    snprintf(path, sizeof path, PROJECT_FOLDER "/tests/data/log-v%d", version);
    copy_file(path, "app.log");
    assert_int_equal(mkdir(".app.log.ll", 0700), 0);
    int ring = open(".app.log.ll/old.ring", O_RDWR | O_CREAT, 0600);
    snprintf(path, sizeof path, PROJECT_FOLDER "/tests/data/ring-v%d", version);
    read_sparse(path, ring);
    name_log_in_note(ring);
    close(ring);
}

static void expect_usual(const char *line, uint64_t i)
{
    char fields[256], half[32];
    snprintf(half, sizeof half, "%g%s", (double)i / 2, i % 2 ? "" : ".0");
    snprintf(fields, sizeof fields,
             "{\"i\":%d,\"text\":\"text %d\",\"half\":%s,\"even\":%s,\"json\":[1,{}],\"bytes\":\"01ff\","
             "\"secret\":\"[redacted]\",\"nothing\":null}",
             (int)i, (int)i, half, i % 2 ? "false" : "true");
    expect_member(line, "message", "\"usual\"");
    expect_member(line, "fields", fields);
}

static void expect_finished(int version)
{
    char path[512];
    size_t before_size, after_size;
    snprintf(path, sizeof path, PROJECT_FOLDER "/tests/data/log-v%d", version);
    char *before = read_file(path, &before_size), *after = read_file("app.log", &after_size);
    assert_true(after_size > before_size && before[before_size - 1] != '\n');
    assert_memory_equal(before, after, before_size); /* the half line was completed */
    free(before);
    free(after);
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, 2 * BURST + 1);
    for (uint64_t i = 0; i < 2 * BURST; i++) {
        assert_int_equal(seq_of(lines.text[i]), i + 1);
        assert_int_equal(field_number(lines.text[i], "i"), i);
        if (i % 4 == 3)
            assert_int_equal(field_number(lines.text[i], "run-key"), i);
        else
            expect_usual(lines.text[i], i);
    }
    expect_member(lines.text[2 * BURST], "mark", "\"recovered\"");
    free_lines(&lines);
}

static void rings_of_every_version_so_far_are_finished(void **state)
{
    ll_recovered recovered;
    ll_problem problem = {0};
    (void)state;
    for (int version = 1; version <= RING_FILE_VERSION; version++) {
        lay_out(version);
        if (ll_recover("app.log", NULL, &recovered, &problem) != LL_OK)
            fail_msg("version %d: %s", version, problem.text);
        assert_int_equal(recovered.finished, 1);
        assert_int_equal(recovered.lost_bytes, 0);
        expect_finished(version);
        assert_int_equal(leave_folder(NULL), 0);
        assert_int_equal(enter_folder(NULL), 0);
    }
}

static void a_ring_of_a_version_to_come_is_left_alone_and_reported(void **state)
{
    ll_recovered recovered;
    ll_problem problem = {0};
    const uint32_t to_come = RING_FILE_VERSION + 1;
    size_t before_size, after_size;
    (void)state;
    lay_out(RING_FILE_VERSION);
    int ring = open(".app.log.ll/old.ring", O_RDWR);
    assert_int_equal(pwrite(ring, &to_come, sizeof to_come, offsetof(struct ring_identity, version)),
                     sizeof to_come);
    close(ring);
    char *before = read_file("app.log", &before_size);
    assert_int_equal(ll_recover("app.log", NULL, &recovered, &problem), LL_EFORMAT);
    assert_int_equal(recovered.damaged, 1);
    assert_non_null(strstr(problem.text, "newer version"));
    char *after = read_file("app.log", &after_size);
    assert_int_equal(before_size, after_size);
    assert_int_equal(access(".app.log.ll/old.ring", F_OK), 0);
    free(before);
    free(after);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        in_folder(rings_of_every_version_so_far_are_finished),
        in_folder(a_ring_of_a_version_to_come_is_left_alone_and_reported),
    };
    if (argc == 3 && strcmp(argv[1], "make") == 0)
        return make_sample(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
