#define _GNU_SOURCE
#include "tail_files.h"

#include "shipper/source.h"

/* ---- evidence as text ---- */

static struct source_evidence some_evidence(void)
{
    struct source_evidence e = {.device = UINT64_MAX,
                                .inode = 1234567890123456789u,
                                .birth_ns = -5,
                                .modified_ns = INT64_MIN,
                                .size = UINT64_MAX,
                                .compressed = true,
                                .offset = UINT64_MAX};
    source_hash_bytes(&e.head, "head", 4);
    source_hash_bytes(&e.marker, "marker", 6);
    return e;
}

static void evidence_survives_the_way_through_the_database(void **state)
{
    struct source_evidence before = some_evidence(), after = {0};
    char text[SOURCE_EVIDENCE_TEXT_MAX], again[SOURCE_EVIDENCE_TEXT_MAX];

    (void)state;
    source_evidence_to_text(text, &before);
    assert_true(strlen(text) < SOURCE_EVIDENCE_TEXT_MAX - 1);
    assert_int_equal(source_evidence_from_text(text, &after), 0);
    assert_true(after.device == before.device && after.inode == before.inode && after.size == before.size);
    assert_true(after.birth_ns == before.birth_ns && after.modified_ns == before.modified_ns);
    assert_true(after.compressed && !after.finished && after.offset == before.offset);
    assert_true(source_hash_equal(&after.head, &before.head));
    assert_true(source_hash_equal(&after.marker, &before.marker));
    source_evidence_to_text(again, &after);
    assert_string_equal(again, text);
    assert_int_equal(before.start.size, 0);
    assert_true(source_renew_beginning(&before, text, 100 + before.head.size));
    before.gone_ns = INT64_MAX;
    source_evidence_to_text(text, &before);
    assert_int_equal(source_evidence_from_text(text, &after), 0);
    assert_true(after.gone_ns == INT64_MAX);
    assert_int_equal(after.start.size, SOURCE_START_BYTES);
    assert_true(source_hash_equal(&after.start, &before.start));
}

static void text_that_is_no_evidence_is_refused_and_leaves_the_result_alone(void **state)
{
    struct source_evidence e = some_evidence(), out = {.inode = 42};
    char text[SOURCE_EVIDENCE_TEXT_MAX], changed[SOURCE_EVIDENCE_TEXT_MAX + 2];

    (void)state;
    source_evidence_to_text(text, &e);
    for (size_t size = 0; size < strlen(text); size++) {
        snprintf(changed, sizeof(changed), "%.*s", (int)size, text);
        assert_int_equal(source_evidence_from_text(changed, &out), -1);
    }
    snprintf(changed, sizeof(changed), "%s}", text);
    assert_int_equal(source_evidence_from_text(changed, &out), -1);
    e.marker.size = SOURCE_MARKER_BYTES_MAX + 1;
    source_evidence_to_text(text, &e);
    assert_int_equal(source_evidence_from_text(text, &out), -1);
    e = some_evidence();
    e.offset = 5; /* a marker of six bytes cannot lie before it */
    source_evidence_to_text(text, &e);
    assert_int_equal(source_evidence_from_text(text, &out), -1);
    assert_int_equal(out.inode, 42);
}

static void a_hash_is_the_beginning_of_sha256(void **state)
{
    static const uint8_t abc[SOURCE_HASH_SIZE] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                                  0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23};
    struct source_hash hash;

    (void)state;
    source_hash_bytes(&hash, "abc", 3);
    assert_int_equal(hash.size, 3);
    assert_memory_equal(hash.hash, abc, sizeof(abc));
}

/* ---- the table, row by row ---- */

/* A file in memory. */
struct fake {
    const char *bytes;
    size_t size;
    int asked;
};

static bool fake_hash_before(void *context, uint64_t offset, uint32_t size, struct source_hash *ret_hash)
{
    struct fake *fake = context;

    fake->asked++;
    if (offset > fake->size || size > offset)
        return false;
    source_hash_bytes(ret_hash, fake->bytes + offset - size, size);
    return true;
}

static struct source_facts facts_of(struct fake *fake, uint64_t inode)
{
    size_t head = fake->size < SOURCE_HEAD_BYTES_MAX ? fake->size : SOURCE_HEAD_BYTES_MAX;

    return (struct source_facts){.device = 1,
                                 .inode = inode,
                                 .modified_ns = 100,
                                 .size = fake->size,
                                 .clean_end = fake->size && fake->bytes[fake->size - 1] == '\n',
                                 .head = slice_from(fake->bytes, head),
                                 .hash_before = fake_hash_before,
                                 .context = fake};
}

/* What is known of a file with these bytes, read up to `offset`. */
static struct source_evidence known_of(const char *bytes, uint64_t inode, uint64_t offset)
{
    size_t size = strlen(bytes);
    uint32_t head = size < SOURCE_HEAD_BYTES_MAX ? (uint32_t)size : SOURCE_HEAD_BYTES_MAX;
    uint32_t marker = offset < SOURCE_MARKER_BYTES_MAX ? (uint32_t)offset : SOURCE_MARKER_BYTES_MAX;
    struct source_evidence e = {
        .device = 1, .inode = inode, .modified_ns = 50, .size = size, .offset = offset};

    source_hash_bytes(&e.head, bytes, head);
    source_hash_bytes(&e.marker, bytes + offset - marker, marker);
    return e;
}

static struct fake fake_of(const char *bytes)
{
    return (struct fake){.bytes = bytes, .size = strlen(bytes)};
}

#define OLD "one\ntwo\nthree\n"

static void same_inode_head_and_marker_is_the_same_source(void **state)
{
    struct fake file = fake_of(OLD "four\n");
    struct source_evidence known = known_of(OLD, 7, 14);
    struct source_facts facts = facts_of(&file, 7);

    (void)state;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_SAME);
    facts.device = 99; /* another number after a reboot */
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_SAME);
    known.offset = 0;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_SAME);
}

static void a_file_that_lost_written_bytes_is_rolled_back(void **state)
{
    struct fake file = fake_of("one\ntwo\n");
    struct source_evidence known = known_of("one\n", 7, 4);
    struct source_facts facts = facts_of(&file, 7);

    (void)state;
    known.offset = 14;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_ROLLED_BACK);
    facts.clean_end = false; /* ends where no write could have begun */
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_REWRITTEN);
    facts.clean_end = true;
    facts.inode = 8;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_OTHER);
}

static void an_emptied_file_is_not_rolled_back(void **state)
{
    struct fake file = fake_of("");
    struct source_evidence known = known_of(OLD, 7, 14);
    struct source_facts facts = facts_of(&file, 7);

    (void)state;
    facts.clean_end = true;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_REWRITTEN);
}

static void truncated_and_written_again_to_any_size_is_a_new_source(void **state)
{
    static const char *const contents[] = {"ONE\n", "ONE\nTWO\nTHREE\n", "ONE\nTWO\nTHREE\nFOUR\n"};
    struct source_evidence known = known_of(OLD, 7, 14);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fake file = fake_of(contents[i]);
        struct source_facts facts = facts_of(&file, 7);
        assert_int_equal(source_compare(&known, false, &facts), SOURCE_REWRITTEN);
    }
}

static void equal_heads_do_not_hide_a_file_written_anew(void **state)
{
    char before[2 * SOURCE_HEAD_BYTES_MAX + 1], after[2 * SOURCE_HEAD_BYTES_MAX + 1];
    struct fake file = {.bytes = after, .size = 2 * SOURCE_HEAD_BYTES_MAX};

    (void)state;
    memset(before, 'h', sizeof(before));
    memset(after, 'h', sizeof(after));
    before[sizeof(before) - 1] = after[sizeof(after) - 1] = '\0';
    after[1500] = 'X';
    struct source_evidence known = known_of(before, 7, 1600);
    struct source_facts facts = facts_of(&file, 7);
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_REWRITTEN);
    facts.inode = 8;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_OTHER);
}

static void a_moved_copied_or_compressed_file_is_the_same_source(void **state)
{
    struct fake file = fake_of(OLD "four\n");
    struct source_evidence known = known_of(OLD, 7, 8);
    struct source_facts facts = facts_of(&file, 8);

    (void)state;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_SAME);
    facts.compressed = true;
    facts.size = 5; /* as it lies there; says nothing of the decompressed bytes */
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_SAME);
}

static void an_equal_head_of_which_nothing_was_read_is_another_source(void **state)
{
    struct fake file = fake_of(OLD);
    struct source_evidence known = known_of(OLD, 7, 0);
    struct source_facts facts = facts_of(&file, 8);

    (void)state;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_OTHER);
    known.modified_ns = facts.modified_ns; /* what gzip and mv hand on: the same one, if the first is gone */
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_SAME);
    assert_int_equal(source_compare(&known, true, &facts), SOURCE_OTHER);
}

static void a_reused_inode_is_no_evidence(void **state)
{
    struct fake file = fake_of("something else\n");
    struct source_evidence known = known_of(OLD, 7, 14);
    struct source_facts facts = facts_of(&file, 7);

    (void)state;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_REWRITTEN);
    known.birth_ns = 1; /* born at another time: not even the same file */
    facts.birth_ns = 2;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_OTHER);
    facts.device++; /* a reboot gives a device another number, and no file another birth */
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_OTHER);
}

static void a_compressed_file_read_to_its_end_is_not_inflated_again(void **state)
{
    struct fake file = fake_of(OLD);
    struct source_evidence known = known_of(OLD, 7, 14);
    struct source_facts facts = facts_of(&file, 7);

    (void)state;
    known.compressed = known.finished = facts.compressed = true;
    known.modified_ns = facts.modified_ns;
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_REMEMBERED);
    assert_int_equal(file.asked, 0);
    facts.modified_ns++; /* touched: compared again */
    assert_int_equal(source_compare(&known, false, &facts), SOURCE_SAME);
    assert_int_equal(file.asked, 1);
}

static void the_strongest_claim_decides_among_many(void **state)
{
    struct fake file = fake_of(OLD);
    struct source_facts facts = facts_of(&file, 7);
    struct source_evidence unread = known_of(OLD, 5, 0), moved = known_of(OLD, 6, 4),
                           far = known_of(OLD, 9, 14), reused = known_of("xyz\n", 7, 4);
    struct source_candidate candidates[] = {
        {&reused, false}, {&unread, false}, {&moved, false}, {&far, false}};
    int index = -1;

    (void)state;
    assert_int_equal(source_decide(candidates, 4, &facts, &index), SOURCE_SAME);
    assert_int_equal(index, 3);
    candidates[3].present = true; /* seen elsewhere: this would be a copy, so the other one goes first */
    assert_int_equal(source_decide(candidates, 4, &facts, &index), SOURCE_SAME);
    assert_int_equal(index, 2);
    assert_int_equal(source_decide(candidates, 2, &facts, &index), SOURCE_REWRITTEN);
    assert_int_equal(index, 0);
    index = -7;
    assert_int_equal(source_decide(candidates + 1, 1, &facts, &index), SOURCE_OTHER);
    assert_int_equal(index, -7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_survives_the_way_through_the_database),
        cmocka_unit_test(text_that_is_no_evidence_is_refused_and_leaves_the_result_alone),
        cmocka_unit_test(a_hash_is_the_beginning_of_sha256),
        cmocka_unit_test(same_inode_head_and_marker_is_the_same_source),
        cmocka_unit_test(a_file_that_lost_written_bytes_is_rolled_back),
        cmocka_unit_test(an_emptied_file_is_not_rolled_back),
        cmocka_unit_test(truncated_and_written_again_to_any_size_is_a_new_source),
        cmocka_unit_test(equal_heads_do_not_hide_a_file_written_anew),
        cmocka_unit_test(a_moved_copied_or_compressed_file_is_the_same_source),
        cmocka_unit_test(an_equal_head_of_which_nothing_was_read_is_another_source),
        cmocka_unit_test(a_reused_inode_is_no_evidence),
        cmocka_unit_test(a_compressed_file_read_to_its_end_is_not_inflated_again),
        cmocka_unit_test(the_strongest_claim_decides_among_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
