#define _GNU_SOURCE
#include "log_reader.h"
#include "ring_maker.h"

#include "tests/support/chance.h"

/* One call on its way through the ring: liblog/frame.h. (test_frame.c is shipper's frame.) */

static ll_site site = {"made.logger", "made.c", "maker", 7, LL_LEVEL_INFO, 0, 0, 0, 0};
static struct made made;
static int made_fd;
static struct frame_view view;

static int make(void **state)
{
    (void)state;
    made_fd = os_memory_file("test");
    return made_begin(&made, made_fd) ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    made_end(&made);
    return close(made_fd);
}

static bool read_entry(uint32_t entry, struct site_view *ret_site)
{
    uint32_t used = made.file.growth->sites_used;
    return entry % 8 == 0 && entry < used && site_read(made.file.sites + entry, used - entry, ret_site);
}

static bool read_back(uint64_t position, struct frame_view *ret_view)
{
    const struct ring *ring = &made.file.segment[0].ring[0];
    const struct frame *frame = frame_at(ring, position, ring_head(ring) - position);
    struct site_view site_view = {.key_count = 0};
    if (!frame || (frame->entry && !read_entry(frame->entry, &site_view)))
        return false;
    return frame_read(frame, &site_view, ret_view);
}

static void expect_values(bool with_keys)
{
    static const char *const keys[] = {"i", "u", "d", "s", "null", "b", "secret", "bytes"};
    assert_int_equal(view.value_count, 8);
    for (int i = 0; i < 8; i++)
        assert_true(slice_is(view.value[i].key, with_keys ? keys[i] : ""));
    assert_int_equal(view.value[0].number, (uint64_t)INT64_MIN);
    assert_int_equal(view.value[1].number, UINT64_MAX);
    double d = 0.1;
    assert_memory_equal(&view.value[2].number, &d, 8);
    assert_true(slice_is(view.value[3].text, "text"));
    assert_int_equal(view.value[4].type, LL_TYPE_NULL);
    assert_int_equal(view.value[5].number, 1);
    assert_int_equal(view.value[6].type, LL_TYPE_SECRET);
    assert_true(slice_equal(view.value[7].text, slice_from("a\0b", 3)));
}

static void a_call_is_read_as_it_was_made_with_and_without_a_registered_place(void **state)
{
    const char *nothing = NULL;
    char changing[] = "i";
    (void)state;
    ll_field fields[] = {ll_kv("i", INT64_MIN),     ll_kv("u", UINT64_MAX),      ll_kv("d", 0.1),
                         ll_kv("s", "text"),        ll_kv("null", nothing),      ll_bool("b", 1),
                         ll_secret("secret", "no"), ll_bytes("bytes", "a\0b", 3)};
    const struct site_shape *shape = site_register(&made.file, &made.arena, &site, "literal", fields, 8);
    assert_non_null(shape);
    assert_int_equal(made_log(&made, 0, &site, shape, shape->message, fields, 8, 42), 0);
    uint64_t second = made.producer[0].head;
    fields[0].key = changing;
    fields[0].flags = 0;
    assert_int_equal(made_log(&made, 0, &site, shape, "another", fields, 8, 43), 0);
    uint64_t third = made.producer[0].head;
    assert_int_equal(made_log(&made, 0, &site, NULL, "another", fields, 8, 44), 0);

    assert_true(read_back(0, &view));
    assert_int_equal(view.frame->flags, 0);
    assert_int_equal(view.frame->ticks, 42);
    assert_int_equal(view.frame->thread, 4713);
    expect_values(false);
    assert_true(read_back(second, &view));
    assert_int_equal(view.frame->flags, FRAME_KEYS | FRAME_MESSAGE);
    assert_true(slice_is(view.message, "another"));
    expect_values(true);
    assert_true(read_back(third, &view));
    assert_int_equal(view.frame->flags, FRAME_KEYS | FRAME_MESSAGE | FRAME_PLACE);
    struct site_view place;
    assert_true(site_read(view.place.data, view.place.size, &place));
    assert_true(slice_is(place.function, "maker"));
    expect_values(true);
}

/* A text by its end and by its size, and none: one registered key takes them all. */
static void texts_of_every_length_and_null_come_back_whole(void **state)
{
    char text[101] = "";
    ll_field field = ll_kv("s", text);
    const struct site_shape *shape = site_register(&made.file, &made.arena, &site, "literal", &field, 1);
    (void)state;
    for (size_t size = 0; size <= 100; size++) {
        uint64_t position = made.producer[0].head;
        for (size_t i = 0; i < size; i++)
            text[i] = (char)('!' + (size + i) % 90);
        text[size] = '\0';
        field = size % 2 ? ll_kv("s", text) : ll_strn("s", text, size);
        assert_int_equal(made_log(&made, 0, &site, shape, shape->message, &field, 1, 1), 0);
        assert_true(read_back(position, &view));
        assert_int_equal(view.frame->flags, 0);
        assert_true(slice_equal(view.value[0].text, slice_from(text, size)));
    }
    uint64_t position = made.producer[0].head;
    field = ll_kv("s", (const char *)NULL);
    assert_int_equal(made_log(&made, 0, &site, shape, shape->message, &field, 1, 1), 0);
    assert_true(read_back(position, &view));
    assert_int_equal(view.value[0].type, LL_TYPE_NULL);
}

static void a_ring_without_room_takes_nothing_and_says_how_much_is_needed(void **state)
{
    ll_field field = ll_strn("text", "0123456789", 10);
    struct frame_call call = {.site = &site, .message = "m", .fields = &field, .count = 1};
    uint64_t needed = 0, head, calls = 0;
    (void)state;
    while (frame_pack(&made.producer[0], &call, &needed) == 0)
        calls++;
    head = ring_head(&made.file.segment[0].ring[0]);
    assert_int_equal(head, made.producer[0].head);
    assert_true(calls == RING_BYTES_MIN / needed && RING_BYTES_MIN - head < needed);
    ring_free(&made.file.segment[0].ring[0], needed);
    assert_int_equal(frame_pack(&made.producer[0], &call, &needed), 0);
}

static void what_no_ring_of_this_size_could_hold_is_cut_before(void **state)
{
    static char text[200000];
    ll_field fields[3];
    (void)state;
    memset(text, 't', sizeof text);
    for (int i = 0; i < 3; i++)
        fields[i] = ll_strn("t", text, sizeof text);
    assert_int_equal(made_log(&made, 0, &site, NULL, "m", fields, 3, 1), 0);
    assert_true(read_back(0, &view));
    assert_true(view.frame->flags & FRAME_CUT);
    assert_true(view.frame->size <= RING_BYTES_MIN / 2);
    assert_true(slice_is(view.message, "m"));
    for (int i = 0; i < 3; i++)
        assert_true(view.value[i].text.size > 5000);
}

static void bytes_of_an_earlier_round_are_no_frame(void **state)
{
    ll_field field = ll_kv("i", 1);
    const struct ring *ring = &made.file.segment[0].ring[0];
    (void)state;
    while (made_log(&made, 0, &site, NULL, "m", &field, 1, 1) == 0)
        continue;
    assert_non_null(frame_at(ring, 0, ring->size));
    assert_null(frame_at(ring, ring->size, ring->size)); /* the same bytes, one round later */
}

static bool is_inside(struct slice slice, const struct frame *frame)
{
    const char *begin = (const char *)frame;
    return slice.size == 0 || (slice.data >= begin && slice.data + slice.size <= begin + frame->size);
}

static void a_damaged_frame_is_refused_or_stays_within_its_bytes(void **state)
{
    struct chance chance = {3};
    ll_field fields[] = {ll_kv("i", 1), ll_kv("text", "some text"), ll_bytes("b", "123", 3), ll_kv("d", 2.5)};
    struct ring *ring = &made.file.segment[0].ring[0];
    const struct site_shape *shape = site_register(&made.file, &made.arena, &site, "literal", fields, 4);
    (void)state;
    made_log(&made, 0, &site, shape, shape->message, fields, 4, 1);
    uint64_t second = made.producer[0].head;
    made_log(&made, 0, &site, NULL, "a message", fields, 4, 2);
    size_t size = made.producer[0].head;
    char *whole = malloc(size);
    memcpy(whole, ring->data, size);
    for (int i = 0; i < 50000; i++) {
        memcpy(ring->data, whole, size);
        for (uint64_t k = 0; k <= chance_below(&chance, 4); k++)
            ring->data[chance_below(&chance, size)] = (char)chance_below(&chance, 256);
        for (uint64_t position = 0; position <= second; position += second) {
            if (!read_back(position, &view))
                continue;
            assert_true(view.value_count <= FRAME_FIELDS_MAX);
            assert_true(is_inside(view.message, view.frame) && is_inside(view.place, view.frame));
            for (uint32_t k = 0; k < view.value_count; k++)
                assert_true(is_inside(view.value[k].text, view.frame) &&
                            is_inside(view.value[k].key, view.frame));
        }
    }
    free(whole);
}

#define with_ring(test) cmocka_unit_test_setup_teardown(test, make, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_ring(a_call_is_read_as_it_was_made_with_and_without_a_registered_place),
        with_ring(texts_of_every_length_and_null_come_back_whole),
        with_ring(a_ring_without_room_takes_nothing_and_says_how_much_is_needed),
        with_ring(what_no_ring_of_this_size_could_hold_is_cut_before),
        with_ring(bytes_of_an_earlier_round_are_no_frame),
        with_ring(a_damaged_frame_is_refused_or_stays_within_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
