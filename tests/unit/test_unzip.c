#define _GNU_SOURCE
#include "tail_files.h"

#include "shipper/unzip.h"

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
        struct unzip *unzip = unzip_new(fd);
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

static void a_gzip_file_gives_its_bytes_whatever_the_piece(void **state)
{
    (void)state;
    make(20000);
    append_gzip("a.gz", made, made_size);
    check_file("a.gz", UNZIP_END, made_size);
    free(made);
}

static void members_one_after_the_other_are_one_stream(void **state)
{
    (void)state;
    make(3000);
    for (size_t at = 0; at < made_size; at += 5000)
        append_gzip("m.gz", made + at, made_size - at < 5000 ? made_size - at : 5000);
    append_gzip("m.gz", "", 0);
    check_file("m.gz", UNZIP_END, made_size);
    put_bytes("m.gz", O_APPEND, "\0\0\0\0", 4); /* padding, as tapes leave it */
    check_file("m.gz", UNZIP_END, made_size);
    put_bytes("m.gz", O_APPEND, "no gzip", 7);
    check_file("m.gz", UNZIP_DAMAGED, made_size);
    free(made);
}

static void a_half_written_file_gives_what_is_there_and_goes_on_when_it_grows(void **state)
{
    char part[64 << 10], *out;
    size_t size, done, got;

    (void)state;
    make(2000);
    append_gzip("whole.gz", made, made_size);
    out = malloc(made_size + (1 << 17));
    int whole = open("whole.gz", O_RDONLY);
    size = (size_t)read(whole, part, sizeof(part));
    close(whole);
    put_bytes("half.gz", O_TRUNC, part, size / 2);
    int fd = open("half.gz", O_RDONLY);
    struct unzip *unzip = unzip_new(fd);
    assert_int_equal(read_all(unzip, 1 << 16, out, &done), UNZIP_CUT);
    assert_true(done > 0 && done < made_size);
    assert_int_equal(unzip_compressed_offset(unzip), size / 2);
    put_bytes("half.gz", O_APPEND, part + size / 2, size - size / 2);
    assert_int_equal(read_all(unzip, 1 << 16, out + done, &got), UNZIP_END);
    assert_int_equal(done + got, made_size);
    assert_memory_equal(out, made, made_size);
    unzip_free(unzip);
    close(fd);
    free(out);
    free(made);
}

static void every_cut_and_every_flipped_byte_is_noticed(void **state)
{
    unsigned char bytes[8192];
    char out[64 << 10];

    (void)state;
    make(20);
    append_gzip("whole.gz", made, made_size);
    int fd = open("whole.gz", O_RDONLY);
    size_t size = (size_t)read(fd, bytes, sizeof(bytes)), got;
    close(fd);
    for (size_t i = 0; i < 2 * size; i++) {
        bool cut = i < size;
        size_t at = cut ? i : i - size;
        if (!cut && at >= 3 && at < 10) /* flags, time and system in the header: no checksum covers them */
            continue;
        bytes[at] ^= cut ? 0 : 0x55;
        put_bytes("bad.gz", O_TRUNC, bytes, cut ? at : size);
        bytes[at] ^= cut ? 0 : 0x55;
        fd = open("bad.gz", O_RDONLY);
        struct unzip *unzip = unzip_new(fd);
        enum unzip_state seen = read_all(unzip, sizeof(out) / 2, out, &got);
        assert_true(seen == UNZIP_CUT || (seen == UNZIP_DAMAGED && !cut));
        unzip_free(unzip);
        close(fd);
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
    append_gzip("s.gz", made, made_size);
    int fd = open("s.gz", O_RDONLY);
    struct unzip *unzip = unzip_new(fd);
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
    free(made);
}

static void a_bomb_ends_early(void **state)
{
    char *zeros = calloc(1, 1 << 20), *out = malloc(1 << 20);
    uint64_t total = 0;
    size_t got;
    enum unzip_state seen = UNZIP_MORE;

    (void)state;
    gzFile file = gzopen("bomb.gz", "wb");
    for (int i = 0; i < 400; i++)
        assert_int_equal(gzwrite(file, zeros, 1 << 20), 1 << 20);
    gzclose(file);
    int fd = open("bomb.gz", O_RDONLY);
    struct unzip *unzip = unzip_new(fd);
    for (; seen == UNZIP_MORE; total += got)
        seen = unzip_read(unzip, out, 1 << 20, &got);
    assert_int_equal(seen, UNZIP_BOMB);
    assert_true(total >= UNZIP_BOMB_FREE_BYTES && total < UNZIP_BOMB_FREE_BYTES + (32 << 20));
    unzip_free(unzip);
    close(fd);
    free(zeros);
    free(out);
}

static void only_gzip_is_taken_for_gzip(void **state)
{
    (void)state;
    assert_true(unzip_knows("\x1f\x8b\x08", 3));
    assert_false(unzip_knows("\x1f\x8b", 2));
    assert_false(unzip_knows("{\"timestamp\"", 12));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_gzip_file_gives_its_bytes_whatever_the_piece),
        IN_FOLDER(members_one_after_the_other_are_one_stream),
        IN_FOLDER(a_half_written_file_gives_what_is_there_and_goes_on_when_it_grows),
        IN_FOLDER(every_cut_and_every_flipped_byte_is_noticed),
        IN_FOLDER(any_place_can_be_gone_to_forwards_and_backwards),
        IN_FOLDER(a_bomb_ends_early),
        cmocka_unit_test(only_gzip_is_taken_for_gzip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
