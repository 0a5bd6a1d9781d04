#define _GNU_SOURCE
#include "log_reader.h"
#include "ring_maker.h"

#include "tests/support/chance.h"

#include <errno.h>
#include <sys/mman.h>

static ll_site site = {"made.logger", "made.c", "maker", 7, LL_LEVEL_INFO, 0, 0, 0, 0};

static int make_with_records(struct made *made, int fd, int count)
{
    ll_field fields[] = {ll_kv("i", 0), ll_kv("text", "some text")};
    if (!made_begin(made, fd))
        return -1;
    const struct site_shape *shape = site_register(&made->file, &made->arena, &site, "made", fields, 2);
    for (int i = 0; i < count; i++) {
        fields[0].value.i64 = i;
        if (made_log(made, i % RING_FILE_DEPTHS, &site, shape, "made", fields, 2, (uint64_t)i))
            return -1;
    }
    return 0;
}

static void what_was_made_is_loaded_as_it_was(void **state)
{
    struct made made;
    struct ring_file loaded;
    const char *reason;
    (void)state;
    int fd = os_memory_file("test");
    assert_int_equal(make_with_records(&made, fd, 30), 0);
    assert_int_equal(ring_file_load(&loaded, fd, &reason), LL_OK);
    assert_int_equal(loaded.segment_count, 1);
    assert_string_equal(loaded.identity->run_id, made_run_id);
    assert_int_equal(loaded.growth->sites_used, made.file.growth->sites_used);
    assert_int_equal(loaded.progress->next_seq[ring_file_parity(&loaded)], 1);
    for (int i = 0; i < RING_FILE_DEPTHS; i++) {
        const struct ring *from = &made.file.segment[0].ring[i], *to = &loaded.segment[0].ring[i];
        assert_int_equal(ring_head(from), ring_head(to));
        assert_memory_equal(from->data, to->data, ring_head(from));
    }
    ring_file_release(&loaded);
    made_end(&made);
    close(fd);
}

static void a_note_holds_until_its_commit_and_no_longer(void **state)
{
    struct made made;
    struct ring_file loaded;
    const char *reason;
    struct ring_note note = {.first_seq = 1, .last_seq = 3, .target[0] = {1, 2, 3, 4}};
    (void)state;
    int fd = os_memory_file("test");
    assert_int_equal(make_with_records(&made, fd, 3), 0);
    assert_null(ring_file_pending(&made.file));
    made.file.progress->next_seq[ring_file_parity(&made.file) ^ 1] = 4;
    ring_file_note(&made.file, &note);
    assert_int_equal(ring_file_load(&loaded, fd, &reason), LL_OK);
    assert_non_null(ring_file_pending(&loaded));
    assert_int_equal(ring_file_pending(&loaded)->last_seq, 3);
    assert_memory_equal(&ring_file_pending(&loaded)->target[0], &note.target[0], sizeof note.target[0]);
    assert_int_equal(loaded.progress->next_seq[ring_file_parity(&loaded)], 1);
    ring_file_commit(&loaded); /* of a copy: goes back to the file */
    ring_file_release(&loaded);
    assert_null(ring_file_pending(&made.file));
    assert_int_equal(made.file.progress->next_seq[ring_file_parity(&made.file)], 4);
    made_end(&made);
    close(fd);
}

static void an_anchor_is_read_whole_before_and_after_a_change(void **state)
{
    struct made made;
    struct ticks_anchor first = {1, 2, 3}, second = {4, 5, 6};
    (void)state;
    int fd = os_memory_file("test");
    assert_int_equal(make_with_records(&made, fd, 0), 0);
    ring_file_set_anchor(&made.file, &first);
    const struct ticks_anchor *before = ring_file_anchor(&made.file);
    assert_memory_equal(before, &first, sizeof first);
    ring_file_set_anchor(&made.file, &second);
    assert_memory_equal(before, &first, sizeof first); /* the old one is not written over */
    assert_memory_equal(ring_file_anchor(&made.file), &second, sizeof second);
    made_end(&made);
    close(fd);
}

static void segments_are_given_out_up_to_the_most_there_can_be(void **state)
{
    struct made made;
    uint32_t index;
    (void)state;
    int fd = os_memory_file("test");
    assert_int_equal(make_with_records(&made, fd, 0), 0);
    for (uint32_t i = 1; i < 20; i++) {
        assert_int_equal(ring_file_grow(&made.file, &index), 0);
        assert_int_equal(index, i);
        assert_int_equal(made.file.growth->segments, i + 1);
    }
    uint32_t before = made.file.segment_count;
    made.file.segment_count = RING_FILE_SEGMENTS_MAX;
    assert_int_equal(ring_file_grow(&made.file, &index), -ENOSPC);
    made.file.segment_count = before;
    made_end(&made);
    close(fd);
}

static void a_descriptor_whose_number_was_used_again_is_seen(void **state)
{
    struct made made;
    uint32_t index;
    struct stat st;
    (void)state;
    int fd = open("a.ring", O_RDWR | O_CREAT, 0600), other = open("other", O_RDWR | O_CREAT, 0600);
    assert_int_equal(make_with_records(&made, fd, 1), 0);
    assert_true(ring_file_is_open(&made.file));
    assert_int_equal(dup2(other, fd), fd);
    assert_false(ring_file_is_open(&made.file));
    assert_int_equal(ring_file_grow(&made.file, &index), -EBADF);
    assert_int_equal(ring_file_reopen(&made.file, "other"), -ENOENT);
    assert_int_equal(ring_file_reopen(&made.file, "a.ring"), 0);
    assert_int_equal(ring_file_grow(&made.file, &index), 0);
    assert_int_equal(fstat(other, &st), 0);
    assert_int_equal(st.st_size, 0);
    close(made.file.fd);
    made_end(&made);
    close(fd);
    close(other);
}

/* A ring that has gone round: frames lie over its end, in its process as in the copy. */
static void what_lies_over_the_end_of_a_ring_is_loaded_as_it_was(void **state)
{
    struct made made;
    struct ring_file loaded;
    const char *reason;
    (void)state;
    int fd = os_memory_file("test");
    assert_int_equal(make_with_records(&made, fd, 3), 0);
    struct ring *ring = &made.file.segment[0].ring[0];
    uint64_t size = ring->size, tail = 3 * size - 40, head = tail + size;
    for (uint64_t i = tail; i < head; i++)
        ring->data[i & (size - 1)] = (char)(i * 7 | 1);
    ring->control->tail[ring_file_parity(&made.file)] = tail;
    ring->control->head = head;
    assert_int_equal(ring_file_load(&loaded, fd, &reason), LL_OK);
    assert_memory_equal(ring_at(&loaded.segment[0].ring[0], tail), ring_at(ring, tail), size);
    assert_memory_equal(loaded.segment[0].ring[0].data, ring->data, size - 40);
    ring_file_release(&loaded);
    made_end(&made);
    close(fd);
}

/* A file of holes that claims a thousand full rings of 1 GiB costs its reader neither memory nor time. */
static void a_file_that_claims_more_than_it_holds_is_refused_before_it_is_read(void **state)
{
    struct made made;
    struct ring_file loaded;
    const char *reason = NULL;
    struct ring_control *control = calloc(1, sizeof *control);
    (void)state;
    int fd = os_memory_file("test");
    assert_int_equal(make_with_records(&made, fd, 0), 0);
    made.file.identity->ring_bytes = RING_BYTES_MAX;
    made.file.growth->segments = RING_FILE_SEGMENTS_MAX;
    made_end(&made);
    control->head = RING_BYTES_MAX;
    size_t page = os_page_size(), segment = page + RING_BYTES_MAX + 2 * RING_FILE_SMALL_BYTES;
    for (uint64_t i = 0; i < RING_FILE_SEGMENTS_MAX; i++) {
        off_t offset = (off_t)(4 * page + RING_FILE_SITES_BYTES + i * segment);
        assert_int_equal(pwrite(fd, control, sizeof *control, offset), sizeof *control);
    }
    assert_int_equal(ring_file_load(&loaded, fd, &reason), LL_EFORMAT);
    assert_non_null(reason);
    free(control);
    close(fd);
}

/* Refused; or, where only what was never published is missing, all that was is there. */
static void a_file_cut_anywhere_is_believed_only_where_all_that_was_published_is_there(void **state)
{
    struct made made;
    struct ring_file loaded;
    const char *reason = NULL;
    struct stat st;
    int refused = 0;
    (void)state;
    int fd = os_memory_file("test");
    assert_int_equal(make_with_records(&made, fd, 10), 0);
    uint64_t head = ring_head(&made.file.segment[0].ring[2]);
    assert_int_equal(fstat(fd, &st), 0);
    off_t needed = st.st_size - RING_FILE_SMALL_BYTES + (off_t)head;
    made_end(&made);
    for (off_t size = st.st_size - 1; size >= 0; size -= size > 20000 ? 7919 : 97) {
        assert_int_equal(ftruncate(fd, size), 0);
        int error = ring_file_load(&loaded, fd, &reason);
        assert_int_equal(error, size < needed ? LL_EFORMAT : LL_OK);
        refused += error != LL_OK;
        if (error == LL_OK)
            ring_file_release(&loaded);
        else
            assert_non_null(reason);
    }
    assert_true(refused > 50);
    close(fd);
}

static void expect_damaged(size_t offset, const void *bytes, size_t size)
{
    struct made made;
    struct ring_file loaded;
    const char *reason = NULL;
    int fd = os_memory_file("test");
    assert_int_equal(make_with_records(&made, fd, 10), 0);
    made_end(&made);
    assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), (ssize_t)size);
    assert_int_equal(ring_file_load(&loaded, fd, &reason), LL_EFORMAT);
    assert_non_null(reason);
    close(fd);
}

static void every_number_of_the_front_that_cannot_be_is_refused(void **state)
{
    static char full[256];
    const uint64_t huge = UINT64_MAX, odd = 100000, small = 32768, zero = 0;
    size_t page = os_page_size(), segment = 4 * page + RING_FILE_SITES_BYTES;
    (void)state;
    memset(full, 'x', sizeof full);
#define DAMAGE(field, value)                                                                                 \
    expect_damaged(offsetof(struct ring_identity, field), &(value), sizeof((struct ring_identity *)0)->field)
    DAMAGE(magic, huge);
    DAMAGE(version, huge);
    DAMAGE(version, zero);
    DAMAGE(byte_order, zero);
    DAMAGE(page, odd);
    DAMAGE(page, zero);
    DAMAGE(page, huge);
    DAMAGE(depths, huge);
    DAMAGE(ring_bytes, huge);
    DAMAGE(ring_bytes, odd);
    DAMAGE(ring_bytes, small);
    DAMAGE(small_bytes, small);
    DAMAGE(sites_bytes, zero);
    expect_damaged(offsetof(struct ring_identity, run_id), full, 40);
    expect_damaged(offsetof(struct ring_identity, run_id), "e", 2);
    expect_damaged(offsetof(struct ring_identity, parent_run_id), full, 72);
    expect_damaged(offsetof(struct ring_identity, service), full, 256);
    expect_damaged(offsetof(struct ring_identity, environment), full, 256);
    expect_damaged(3 * page + offsetof(struct ring_growth, sites_used), &huge, 4);
    expect_damaged(3 * page + offsetof(struct ring_growth, sites_used), &zero, 4);
    expect_damaged(3 * page + offsetof(struct ring_growth, segments), &huge, 4);
    expect_damaged(segment + offsetof(struct ring_control, head), &huge, 8);
    expect_damaged(segment + offsetof(struct ring_control, head), &odd, 8);
    expect_damaged(segment + offsetof(struct ring_control, tail), &odd, 8);
}

/* Another process may cut the file while it is read: the copy was checked, and nothing is mapped. */
static void a_file_that_shrinks_while_it_is_finished_does_no_harm(void **state)
{
    struct made made;
    struct ring_file loaded;
    const char *reason;
    struct ring_note note = {.first_seq = 1};
    (void)state;
    int fd = os_memory_file("test");
    assert_int_equal(make_with_records(&made, fd, 10), 0);
    made_end(&made);
    assert_int_equal(ring_file_load(&loaded, fd, &reason), LL_OK);
    assert_int_equal(ftruncate(fd, 100), 0);
    ring_file_note(&loaded, &note);
    ring_file_commit(&loaded);
    assert_non_null(frame_at(&loaded.segment[0].ring[0], 0, ring_head(&loaded.segment[0].ring[0])));
    ring_file_release(&loaded);
    close(fd);
}

static void a_ring_of_another_boot_has_no_living_owner(void **state)
{
    struct made made;
    uint8_t boot[OS_BOOT_ID_SIZE] = {0}, other[OS_BOOT_ID_SIZE] = {1};
    uint32_t word = 1234;
    const char *reason;
    bool alive;
    (void)state;
    int fd = os_memory_file("test");
    assert_int_equal(make_with_records(&made, fd, 1), 0);
    made_end(&made);
    assert_int_equal(ring_file_is_alive(fd, boot, &alive, &reason), LL_OK);
    assert_false(alive); /* nobody holds the word */
    assert_int_equal(pwrite(fd, &word, 4, (off_t)ring_file_owner_offset()), 4);
    assert_int_equal(ring_file_is_alive(fd, boot, &alive, &reason), LL_OK);
    assert_true(alive);
    assert_int_equal(ring_file_is_alive(fd, other, &alive, &reason), LL_OK);
    assert_false(alive);
    word |= OS_OWNER_DIED;
    assert_int_equal(pwrite(fd, &word, 4, (off_t)ring_file_owner_offset()), 4);
    assert_int_equal(ring_file_is_alive(fd, boot, &alive, &reason), LL_OK);
    assert_false(alive);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_loaded_as_it_was),
        cmocka_unit_test(a_note_holds_until_its_commit_and_no_longer),
        cmocka_unit_test(an_anchor_is_read_whole_before_and_after_a_change),
        cmocka_unit_test(segments_are_given_out_up_to_the_most_there_can_be),
        in_folder(a_descriptor_whose_number_was_used_again_is_seen),
        cmocka_unit_test(what_lies_over_the_end_of_a_ring_is_loaded_as_it_was),
        cmocka_unit_test(a_file_that_claims_more_than_it_holds_is_refused_before_it_is_read),
        cmocka_unit_test(a_file_cut_anywhere_is_believed_only_where_all_that_was_published_is_there),
        cmocka_unit_test(every_number_of_the_front_that_cannot_be_is_refused),
        cmocka_unit_test(a_file_that_shrinks_while_it_is_finished_does_no_harm),
        cmocka_unit_test(a_ring_of_another_boot_has_no_living_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
