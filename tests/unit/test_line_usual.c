#define _GNU_SOURCE
#include "log_reader.h"
#include "ring_maker.h"

#include "liblog/line.h"
#include "tests/support/chance.h"

/* A usual record is made straight from its frame: to the same bytes as by the way that takes any. */

enum { FIELDS = 18, OUT_BYTES = 2 * RECORD_BYTES_MAX };

static ll_site site = {"made.logger", "dir/made.c", "maker", 7, LL_LEVEL_ERROR, 0, 0, 0, 0};
static struct made made;
static int made_fd;
static struct record_run run;
static struct frame_view view;
static char usual_bytes[OUT_BYTES], any_bytes[OUT_BYTES];

static int make(void **state)
{
    (void)state;
    made_fd = os_memory_file("test");
    return made_begin(&made, made_fd) && record_run_init(&run, made.file.identity) == 0 ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    record_run_release(&run);
    made_end(&made);
    return close(made_fd);
}

static const char *some_text(struct chance *c)
{
    static char texts[8][64];
    static int last;
    char *text = texts[++last % 8];
    size_t size = chance_below(c, 40);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(chance_below(c, 8) ? 'a' + chance_below(c, 26) : 1 + chance_below(c, 255));
    text[size] = '\0';
    return chance_below(c, 20) ? text : NULL;
}

static double some_double(struct chance *c)
{
    uint64_t bits = chance_u64(c);
    double any;
    memcpy(&any, &bits, sizeof any);
    return chance_below(c, 2) ? any : (double)(int64_t)(bits >> 40) / 1000;
}

/* One value of every kind; "again" twice, of which the last stands. */
static void make_fields(struct chance *c, ll_field *fields)
{
    uint64_t word = chance_u64(c) >> chance_below(c, 64);
    const ll_field made_now[FIELDS] = {
        ll_kv("i", (int64_t)word),
        ll_kv("negative", -(int64_t)(word >> 1)),
        ll_kv("u", word),
        ll_kv("d", some_double(c)),
        ll_kv("f", (float)some_double(c)),
        ll_bool("yes", word & 1),
        ll_kv("again", word),
        ll_kv("text", some_text(c)),
        ll_kv("a key that is longer than one step", some_text(c)),
        ll_bytes("bytes", "\0\xff", 2),
        ll_json("json", "[1, {\"a\":null}]"),
        ll_json("no json", "[1,"),
        ll_time("time", (int64_t)(word >> 1)),
        ll_duration("duration", (int64_t)(word >> 20)),
        ll_secret("secret", "no"),
        ll_kv("\"quoted\"", some_text(c)),
        ll_kv("again", some_text(c)),
        ll_strn("sized", "a\0b", 3),
    };
    memcpy(fields, made_now, sizeof made_now);
}

/* One line, of one whole object. */
static void expect_json(struct slice line)
{
    assert_true(line.size > 0 && memchr(line.data, '\n', line.size) == line.data + line.size - 1);
    json_object_put(parse(line.data, line.size - 1));
}

/* The frame at the ring's end, both ways. */
static void expect_same_bytes(const struct record_site *constant, uint64_t position, uint64_t seq, int64_t ns)
{
    const struct ring *ring = &made.file.segment[0].ring[0];
    const struct frame *frame = frame_at(ring, position, ring_head(ring) - position);
    struct bytes usual, any;
    bool truncated;
    bytes_init(&usual, usual_bytes, sizeof usual_bytes);
    bytes_init(&any, any_bytes, sizeof any_bytes);
    assert_non_null(frame);
    assert_true(record_is_usual(constant, frame));
    assert_true(record_encode_usual(&usual, &run, constant, frame, seq, ns));
    assert_true(frame_read(frame, &constant->view, &view));
    assert_true(record_encode(&any, &run, constant, &view, seq, ns, &truncated));
    assert_false(truncated);
    assert_true(slice_equal(bytes_slice(&usual), bytes_slice(&any)));
    expect_json(bytes_slice(&usual));
}

static void both_ways_write_the_same_bytes(void **state)
{
    struct chance c = {11};
    ll_field fields[FIELDS];
    struct site_view read;
    (void)state;
    make_fields(&c, fields);
    for (int i = 0; i < FIELDS; i++) /* a text that happens to be NULL has no say in its key's type */
        fields[i].type = fields[i].type == LL_TYPE_NULL ? LL_TYPE_STRING : fields[i].type;
    const struct site_shape *shape = site_register(&made.file, &made.arena, &site, "literal", fields, FIELDS);
    assert_non_null(shape);
    assert_true(
        site_read(made.file.sites + shape->entry, made.file.growth->sites_used - shape->entry, &read));
    struct record_site *constant = record_site_new(&run, &read);
    for (uint64_t i = 0; i < 3000; i++) {
        uint64_t position = made.producer[0].head;
        make_fields(&c, fields);
        assert_int_equal(made_log(&made, 0, &site, shape, shape->message, fields, FIELDS, i), 0);
        expect_same_bytes(constant, position, i * i, (int64_t)(chance_u64(&c) >> 3));
        ring_free(&made.file.segment[0].ring[0], made.producer[0].head);
    }
    record_site_free(constant);
}

/* Every byte of the values damaged: refused, or whole lines of JSON made of what lies in the frame. */
static void a_damaged_usual_frame_gives_whole_json_or_nothing(void **state)
{
    struct chance c = {12};
    ll_field fields[FIELDS];
    struct site_view read;
    struct bytes out;
    (void)state;
    make_fields(&c, fields);
    const struct site_shape *shape = site_register(&made.file, &made.arena, &site, "literal", fields, FIELDS);
    site_read(made.file.sites + shape->entry, made.file.growth->sites_used - shape->entry, &read);
    struct record_site *constant = record_site_new(&run, &read);
    made_log(&made, 0, &site, shape, shape->message, fields, FIELDS, 1);
    char *frame_bytes = made.file.segment[0].ring[0].data;
    const struct frame *frame = (const struct frame *)(const void *)frame_bytes;
    for (uint32_t at = sizeof *frame; at < frame->size; at++) {
        char before = frame_bytes[at];
        frame_bytes[at] = (char)chance_below(&c, 256);
        bytes_init(&out, usual_bytes, sizeof usual_bytes);
        if (record_encode_usual(&out, &run, constant, frame, 1, 1))
            expect_json(bytes_slice(&out));
        frame_bytes[at] = before;
    }
    record_site_free(constant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_ways_write_the_same_bytes, make, release),
        cmocka_unit_test_setup_teardown(a_damaged_usual_frame_gives_whole_json_or_nothing, make, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
