#define _GNU_SOURCE
#include "tail_files.h"

#include "shipper/unzip.h"

/* The ways of compression; each test goes through them all. */
static const struct way {
    const char *name;
    void (*append)(const char *path, const void *bytes, size_t size);
    size_t unchecked_to; /* where the bytes of the header end that no checksum covers */
} ways[] = {
    {"gzip", append_gzip, 10}, /* flags, time and system */
    {"zstd", append_zstd, 9},  /* whether there is a checksum at all, and the window */
};

#define FOR_EACH_WAY(way)                                                                                    \
    for (const struct way *way = ways; way < ways + sizeof(ways) / sizeof(ways[0]); way++)

static struct unzip *open_unzip(int fd)
{
    char head[UNZIP_HEAD_BYTES] = "";
    ssize_t size = pread(fd, head, sizeof(head), 0);

    assert_true(size >= 0 && unzip_knows(head, (size_t)size));
    struct unzip *unzip = unzip_new(fd, head, (size_t)size);
    assert_non_null(unzip);
    return unzip;
}

static char *made;
static size_t made_size;

static void make(int lines)
{
    made = make_lines("unzip", 0, lines);
    made_size = strlen(made);
}

/* Reads all in pieces of `piece` bytes; the state behind the last one. */
static enum unzip_state read_all(struct unzip *unzip, size_t piece, char *out, size_t *ret_size)
{
    enum unzip_state state = UNZIP_MORE;
    size_t got;

    for (*ret_size = 0; state == UNZIP_MORE; *ret_size += got)
        state = unzip_read(unzip, out + *ret_size, piece, &got);
    return state;
}

static void check_file(const char *path, enum unzip_state want_state, size_t want_size)
{
    static const size_t pieces[] = {7, 100, 1 << 16, 1 << 24};
    char *out = malloc(made_size + (1 << 24) + 1);

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        int fd = open(path, O_RDONLY);
        struct unzip *unzip = open_unzip(fd);
        size_t size;
        assert_int_equal(read_all(unzip, pieces[i], out, &size), want_state);
        assert_int_equal(size, want_size);
        assert_memory_equal(out, made, size);
        assert_int_equal(unzip_offset(unzip), size);
        unzip_free(unzip);
        close(fd);
    }
    free(out);
}

static void a_compressed_file_gives_its_bytes_whatever_the_piece(void **state)
{
    (void)state;
    make(20000);
    FOR_EACH_WAY(way)
    {
        way->append(way->name, made, made_size);
        check_file(way->name, UNZIP_END, made_size);
    }
    free(made);
}

static void members_one_after_the_other_are_one_stream(void **state)
{
    (void)state;
    make(3000);
    FOR_EACH_WAY(way)
    {
        for (size_t at = 0; at < made_size; at += 5000)
            way->append(way->name, made + at, made_size - at < 5000 ? made_size - at : 5000);
        way->append(way->name, "", 0);
        check_file(way->name, UNZIP_END, made_size);
        put_bytes(way->name, O_APPEND, "\0\0\0\0", 4); /* padding, as tapes leave it */
        check_file(way->name, UNZIP_END, made_size);
        put_bytes(way->name, O_APPEND, "no member", 9);
        check_file(way->name, UNZIP_DAMAGED, made_size);
    }
    free(made);
}

/* pzstd begins a file with one that holds the size of what follows. */
static void frames_to_be_skipped_are_skipped(void **state)
{
    (void)state;
    make(1000);
    put_bytes("p.zst", O_TRUNC, "\x50\x2a\x4d\x18\x04\0\0\0abcd", 12);
    append_zstd("p.zst", made, made_size);
    put_bytes("p.zst", O_APPEND, "\x5f\x2a\x4d\x18\x02\0\0\0xy", 10);
    check_file("p.zst", UNZIP_END, made_size);
    free(made);
}

static size_t read_whole(const char *path, void *memory, size_t size)
{
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, memory, size);

    assert_in_range(got, 1, size - 1);
    close(fd);
    return (size_t)got;
}

static void a_half_written_file_gives_what_is_there_and_goes_on_when_it_grows(void **state)
{
    static char packed[1 << 20], out[1 << 22];

    (void)state;
    make(20000);
    FOR_EACH_WAY(way)
    {
        way->append("whole", made, made_size);
        size_t size = read_whole("whole", packed, sizeof(packed)), done, got;
        put_bytes("half", O_TRUNC, packed, size / 2);
        int fd = open("half", O_RDONLY);
        struct unzip *unzip = open_unzip(fd);
        assert_int_equal(read_all(unzip, 1 << 16, out, &done), UNZIP_CUT);
        assert_true(done > 0 && done < made_size);
        assert_int_equal(unzip_compressed_offset(unzip), size / 2);
        for (int look = 0; look < 100; look++) /* nothing has come yet: that is no mistake */
            assert_int_equal(read_all(unzip, 1 << 16, out + done, &got), UNZIP_CUT);
        put_bytes("half", O_APPEND, packed + size / 2, size - size / 2);
        assert_int_equal(read_all(unzip, 1 << 16, out + done, &got), UNZIP_END);
        assert_int_equal(done + got, made_size);
        assert_memory_equal(out, made, made_size);
        unzip_free(unzip);
        close(fd);
        unlink("whole");
    }
    free(made);
}

static void every_cut_and_every_flipped_byte_is_noticed(void **state)
{
    static unsigned char bytes[8192];
    static char out[1 << 18];

    (void)state;
    make(20);
    FOR_EACH_WAY(way)
    {
        way->append("whole", made, made_size);
        size_t size = read_whole("whole", bytes, sizeof(bytes)), got;
        for (size_t i = UNZIP_HEAD_BYTES; i < 2 * size; i++) {
            bool cut = i < size;
            size_t at = cut ? i : i - size;
            if (!cut && at < way->unchecked_to) /* before, it is taken for no compressed file */
                continue;
            bytes[at] ^= cut ? 0 : 0x55;
            put_bytes("bad", O_TRUNC, bytes, cut ? at : size);
            bytes[at] ^= cut ? 0 : 0x55;
            int fd = open("bad", O_RDONLY);
            struct unzip *unzip = open_unzip(fd);
            enum unzip_state seen = read_all(unzip, 1 << 16, out, &got);
            assert_true(seen == UNZIP_CUT || (seen == UNZIP_DAMAGED && !cut));
            unzip_free(unzip);
            close(fd);
        }
        unlink("whole");
    }
    free(made);
}

/* Positions hang on it: another reader of the file must come to the same end. */
static void how_far_a_damaged_file_can_be_read_does_not_hang_on_the_piece(void **state)
{
    static char packed[1 << 20], out[1 << 22];

    (void)state;
    make(20000);
    FOR_EACH_WAY(way)
    {
        way->append("whole", made, made_size);
        size_t size = read_whole("whole", packed, sizeof(packed)), first, got;
        for (size_t at = size / 10; at < size; at += size / 10) {
            packed[at] ^= 0x55;
            put_bytes("bad", O_TRUNC, packed, size);
            packed[at] ^= 0x55;
            int fd = open("bad", O_RDONLY);
            for (size_t piece = 1 << 22; piece > 100; piece /= 7) {
                struct unzip *unzip = open_unzip(fd);
                read_all(unzip, piece, out, &got);
                first = piece == 1 << 22 ? got : first;
                assert_int_equal(got, first);
                unzip_free(unzip);
            }
            close(fd);
        }
        unlink("whole");
    }
    free(made);
}

static void any_place_can_be_gone_to_forwards_and_backwards(void **state)
{
    static const size_t places[] = {70000, 100, 100, 0, 80000, 79999, 3};
    char got[50];
    size_t size;

    (void)state;
    make(2000);
    FOR_EACH_WAY(way)
    {
        way->append(way->name, made, made_size);
        int fd = open(way->name, O_RDONLY);
        struct unzip *unzip = open_unzip(fd);
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            assert_int_equal(unzip_seek(unzip, places[i]), UNZIP_MORE);
            assert_int_equal(unzip_read(unzip, got, sizeof(got), &size), UNZIP_MORE);
            assert_int_equal(size, sizeof(got));
            assert_memory_equal(got, made + places[i], sizeof(got));
        }
        assert_int_equal(unzip_seek(unzip, made_size + 1), UNZIP_END);
        assert_int_equal(unzip_offset(unzip), made_size);
        unzip_free(unzip);
        close(fd);
    }
    free(made);
}

/* Appends 1 MiB of zeros as a member of its own, many times: no member knows how much there is in all. */
static void make_bomb(const struct way *way)
{
    char *zeros = calloc(1, 1 << 20);

    for (int i = 0; i < 400; i++)
        way->append(way->name, zeros, 1 << 20);
    free(zeros);
}

static void a_bomb_ends_early(void **state)
{
    char *out = malloc(1 << 20);

    (void)state;
    FOR_EACH_WAY(way)
    {
        uint64_t total = 0;
        size_t got;
        enum unzip_state seen = UNZIP_MORE;
        make_bomb(way);
        int fd = open(way->name, O_RDONLY);
        struct unzip *unzip = open_unzip(fd);
        for (; seen == UNZIP_MORE; total += got)
            seen = unzip_read(unzip, out, 1 << 20, &got);
        assert_int_equal(seen, UNZIP_BOMB);
        assert_true(total >= UNZIP_BOMB_FREE_BYTES && total < UNZIP_BOMB_FREE_BYTES + (32 << 20));
        unzip_free(unzip);
        close(fd);
    }
    free(out);
}

/* The header asks for 16 MiB before a byte was read: nothing is given, and no such memory taken. */
static void a_window_above_the_limit_is_refused_and_the_limit_itself_is_not(void **state)
{
    size_t size = (UNZIP_WINDOW_BYTES_MAX << 1) + 1000, got;
    char *bytes = calloc(1, size), *out = malloc(1 << 20);

    (void)state;
    for (int log = UNZIP_WINDOW_LOG_MAX; log <= UNZIP_WINDOW_LOG_MAX + 1; log++) {
        ZSTD_CCtx *context = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, log);
        char *packed = malloc(ZSTD_compressBound(size));
        size_t packed_size = ZSTD_compress2(context, packed, ZSTD_compressBound(size), bytes, size);
        ZSTD_freeCCtx(context);
        put_bytes("w.zst", O_TRUNC, packed, packed_size);
        free(packed);
        int fd = open("w.zst", O_RDONLY);
        struct unzip *unzip = open_unzip(fd);
        enum unzip_state seen = unzip_read(unzip, out, 1 << 20, &got);
        bool allowed = log == UNZIP_WINDOW_LOG_MAX;
        assert_int_equal(seen, allowed ? UNZIP_MORE : UNZIP_WINDOW);
        assert_int_equal(got, allowed ? 1 << 20 : 0);
        unzip_free(unzip);
        close(fd);
    }
    free(bytes);
    free(out);
}

static void only_compressed_files_are_taken_for_such(void **state)
{
    (void)state;
    assert_true(unzip_knows("\x28\xb5\x2f\xfd", 4));
    assert_false(unzip_knows("\x28\xb5\x2f\xfc", 4));
    assert_false(unzip_knows("\x28\xb5\x2f", 3));
    assert_false(unzip_knows("", 0));
    assert_true(unzip_knows("\x1f\x8b\x08", 3));
    assert_false(unzip_knows("\x1f\x8b", 2));
    assert_false(unzip_knows("{\"timestamp\"", 12));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_compressed_file_gives_its_bytes_whatever_the_piece),
        IN_FOLDER(members_one_after_the_other_are_one_stream),
        IN_FOLDER(frames_to_be_skipped_are_skipped),
        IN_FOLDER(a_half_written_file_gives_what_is_there_and_goes_on_when_it_grows),
        IN_FOLDER(every_cut_and_every_flipped_byte_is_noticed),
        IN_FOLDER(how_far_a_damaged_file_can_be_read_does_not_hang_on_the_piece),
        IN_FOLDER(any_place_can_be_gone_to_forwards_and_backwards),
        IN_FOLDER(a_bomb_ends_early),
        IN_FOLDER(a_window_above_the_limit_is_refused_and_the_limit_itself_is_not),
        cmocka_unit_test(only_compressed_files_are_taken_for_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
