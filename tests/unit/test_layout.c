#define _GNU_SOURCE
#include "log_reader.h"
#include "ring_maker.h"

#include "liblog/line.h"

/* LOG_FORMAT: each layout's line, to the byte; liblog/line_text.c, line_ecs.c, line_otel.c. */

enum { OUT_BYTES = 2 * RECORD_BYTES_MAX };
#define RUN "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90"

static ll_site site = {"backend.database", "src/db.c", "open_db", 118, LL_LEVEL_ERROR, 0, 0, 0, 0};
static const int64_t when_ns = INT64_C(1760884200123456789); /* 2025-10-19T14:30:00.123456789Z */
static struct made made;
static int made_fd;
static struct record_run run;
static struct frame_view view;
static char memory[OUT_BYTES];
static struct bytes out;

static int make(void **state)
{
    (void)state;
    made_fd = os_memory_file("test");
    return made_begin(&made, made_fd) ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    record_run_release(&run);
    made_end(&made);
    return close(made_fd);
}

static void begin(enum ring_layout layout)
{
    record_run_release(&run);
    made.file.identity->layout = layout;
    snprintf(made.file.identity->environment, sizeof made.file.identity->environment, "production");
    assert_int_equal(record_run_init(&run, made.file.identity), 0);
    bytes_init(&out, memory, sizeof memory);
}

static struct frame_context_bytes packed_context(void)
{
    static const char *const texts[CONTEXT_TEXTS] = {"abc123", "4bf92f3577b34da6a3ce929d0e0e4736",
                                                     "00f067aa0ba902b7", "/api/glossary", "u-77"};
    struct frame_context_bytes context = {0};
    struct frame_context sizes;
    char *at = context.bytes + sizeof sizes;
    for (int i = 0; i < CONTEXT_TEXTS; i++) {
        sizes.size[i] = (uint16_t)strlen(texts[i]);
        at = mempcpy(at, texts[i], sizes.size[i]);
    }
    memcpy(context.bytes, &sizes, sizeof sizes);
    context.size = (uint32_t)(at - context.bytes + 7) & ~7u;
    return context;
}

/* The call as a line of the layout; whether something was cut. */
static bool add(const ll_site *at, const char *message, const struct frame_context_bytes *context,
                const ll_field *fields, size_t count)
{
    struct site_view read;
    struct record_site *constant;
    uint64_t needed, position = made.producer[0].head;
    bool truncated;
    const struct site_shape *shape = site_register(&made.file, &made.arena, at, NULL, fields, count);
    struct frame_call call = {.site = at,
                              .shape = shape,
                              .message = message,
                              .fields = fields,
                              .count = count,
                              .context = context,
                              .ticks = 1,
                              .thread = 4713};
    const struct ring *ring = &made.file.segment[0].ring[0];
    assert_non_null(shape);
    assert_int_equal(frame_pack(&made.producer[0], &call, &needed), 0);
    assert_true(
        site_read(made.file.sites + shape->entry, made.file.growth->sites_used - shape->entry, &read));
    constant = record_site_new(&run, &read);
    const struct frame *frame = frame_at(ring, position, ring_head(ring) - position);
    assert_non_null(frame);
    if (made.file.identity->layout != RING_LAYOUT_JSON)
        assert_false(record_is_usual(constant, frame));
    assert_true(frame_read(frame, &constant->view, &view));
    assert_true(record_encode(&out, &run, constant, &view, 1042, when_ns, &truncated));
    record_site_free(constant);
    return truncated;
}

static void add_documented(void)
{
    struct frame_context_bytes context = packed_context();
    const ll_field fields[] = {ll_exception_code("OperationalError", "DB_003", "unable to open"),
                               ll_kv("attempt", 3), ll_kv("elapsed_ms", 12.5), ll_bool("retry", true),
                               ll_kv("run_id", "forged")};
    add(&site, "Database connection failed", &context, fields, sizeof fields / sizeof fields[0]);
}

static void expect(const char *wanted)
{
    memory[out.size] = '\0';
    assert_string_equal(memory, wanted);
    bytes_cut(&out, 0);
}

static void expect_json(const char *wanted)
{
    json_object_put(parse(memory, out.size - 1));
    expect(wanted);
}

#define ECS_START                                                                                            \
    "{\"@timestamp\":\"2025-10-19T14:30:00.123456789Z\",\"log.level\":\"ERROR\",\"message\":\"Database "     \
    "connection "                                                                                            \
    "failed\",\"ecs.version\":\"8.11.0\",\"service.name\":\"made\",\"service.environment\":\"production\","  \
    "\"log.logger\":\"backend.database\",\"labels.run_id\":\"" RUN "\",\"event.sequence\":1042,"             \
    "\"http.request.id\":\"abc123\",\"trace.id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span.id\":"          \
    "\"00f067aa0ba902b7\",\"url.path\":\"/api/"                                                              \
    "glossary\",\"user.id\":\"u-77\",\"error.type\":\"OperationalError\","                                   \
    "\"error.message\":\"unable to "                                                                         \
    "open\",\"error.code\":\"DB_003\",\"process.pid\":4711,\"process.thread.id\":4713,"                      \
    "\"log.origin.file.name\":\"db.c\",\"log.origin.file.line\":118,\"log.origin.function\":\"open_db\","    \
    "\"fields\":{\"attempt\":3,\"elapsed_ms\":12.5,\"retry\":true,\"run_id\":\"forged\"}"

static void ecs_has_the_names_of_the_elastic_common_schema(void **state)
{
    (void)state;
    begin(RING_LAYOUT_ECS);
    add_documented();
    expect_json(ECS_START "}\n");
    add_documented();
    struct slice line = bytes_slice(&out);
    char copied[4096];
    struct bytes copy;
    bytes_init(&copy, copied, sizeof copied);
    assert_true(record_copy(&copy, &run, line));
    copied[copy.size] = '\0';
    assert_string_equal(copied, ECS_START ",\"labels.copy\":true}\n");
}

static void otel_has_the_names_of_opentelemetrys_log_data_model(void **state)
{
    (void)state;
    begin(RING_LAYOUT_OTEL);
    add_documented();
    expect_json(
        "{\"timeUnixNano\":\"1760884200123456789\",\"severityNumber\":17,\"severityText\":\"ERROR\",\"body\":"
        "\"Database connection failed\",\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"spanId\":"
        "\"00f067aa0ba902b7\",\"resource\":{\"service.name\":\"made\",\"deployment.environment.name\":"
        "\"production\",\"process.pid\":4711},\"scope\":{\"name\":\"backend.database\"},\"attributes\":"
        "{\"run_id\":\"" RUN "\",\"seq\":1042,\"thread.id\":4713,\"request_id\":\"abc123\",\"url.path\":"
        "\"/api/"
        "glossary\",\"user.id\":\"u-77\",\"exception.type\":\"OperationalError\",\"exception.message\":"
        "\"unable to "
        "open\",\"exception.code\":\"DB_003\",\"code.file.path\":\"db.c\",\"code.line.number\":118,"
        "\"code.function.name\":\"open_db\",\"fields\":{\"attempt\":3,\"elapsed_ms\":12.5,\"retry\":true,"
        "\"run_id\":\"forged\"}}}\n");
}

static void text_is_one_line_in_columns(void **state)
{
    const ll_field none[] = {ll_kv("empty", ""), ll_kv("two words", "a b"),
                             ll_kv("null", (const char *)NULL)};
    ll_site info = {"shop", "shop.c", "f", 1, LL_LEVEL_INFO, 0, 0, 0, 0};
    (void)state;
    begin(RING_LAYOUT_TEXT);
    add_documented();
    expect("2025-10-19T14:30:00.123456Z ERROR    backend.database Database connection failed attempt=3 "
           "elapsed_ms=12.5 "
           "retry=true run_id=forged error=OperationalError code=DB_003 error_message=\"unable to open\" "
           "request_id=abc123 trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 "
           "endpoint=/api/glossary user=u-77 source=db.c:118 run_id=" RUN " seq=1042\n");
    add(&info, "said \"hello\" to C:\\", NULL, none, 3);
    expect("2025-10-19T14:30:00.123456Z INFO     shop             said \"hello\" to C:\\ empty=\"\" \"two "
           "words\"=\"a b\" "
           "null=null run_id=" RUN " seq=1042\n");
}

static void a_text_makes_up_neither_a_line_nor_a_colour(void **state)
{
    const ll_field fields[] = {ll_kv("k", "x\033[31m"), ll_kv("a=b\n", "y")};
    (void)state;
    begin(RING_LAYOUT_TEXT);
    add(&site, "one\ntwo \033[2J \xff", NULL, fields, 2);
    expect("2025-10-19T14:30:00.123456Z ERROR    backend.database one\\ntwo \\u001b[2J \xef\xbf\xbd "
           "k=\"x\\u001b[31m\" "
           "\"a=b\\n\"=y source=db.c:118 run_id=" RUN " seq=1042\n");
}

static void at_a_terminal_level_and_names_are_coloured(void **state)
{
    const ll_field field = ll_kv("n", 1);
    (void)state;
    begin(RING_LAYOUT_COLOURED);
    add(&site, "m", NULL, &field, 1);
    expect(
        "\033[2m2025-10-19T14:30:00.123456Z \033[0m\033[31mERROR\033[0m    \033[2mbackend.database\033[0m m "
        "\033[36mn\033[0m=1 \033[36msource\033[0m=db.c:118\033[2m run_id=" RUN " seq=1042\033[0m\n");
}

static void the_librarys_own_records_say_what_was_left_out(void **state)
{
    const struct record_mark mark = {.mark = LL_MARK_DROPPED,
                                     .message = "left out",
                                     .level = LL_LEVEL_WARNING,
                                     .pid_thread = 5,
                                     .dropped_count = 7,
                                     .dropped_reason = "overflow",
                                     .dropped_level = LL_LEVEL_INFO};
    (void)state;
    begin(RING_LAYOUT_ECS);
    assert_true(record_encode_mark(&out, &run, &mark, 9, when_ns));
    expect_json(
        "{\"@timestamp\":\"2025-10-19T14:30:00.123456789Z\",\"log.level\":\"WARNING\",\"message\":\"left "
        "out\","
        "\"ecs.version\":\"8.11.0\",\"service.name\":\"made\",\"service.environment\":\"production\","
        "\"log.logger\":\"liblog\",\"labels.run_id\":\"" RUN
        "\",\"event.sequence\":9,\"labels.mark\":\"dropped\","
        "\"labels.dropped_count\":7,\"labels.dropped_reason\":\"overflow\",\"labels.dropped_level\":\"INFO\","
        "\"process.pid\":4711,\"process.thread.id\":5}\n");
    begin(RING_LAYOUT_OTEL);
    assert_true(record_encode_mark(&out, &run, &mark, 9, when_ns));
    expect_json(
        "{\"timeUnixNano\":\"1760884200123456789\",\"severityNumber\":13,\"severityText\":\"WARNING\","
        "\"body\":"
        "\"left out\",\"resource\":{\"service.name\":\"made\",\"deployment.environment.name\":\"production\","
        "\"process.pid\":4711},\"scope\":{\"name\":\"liblog\"},\"attributes\":{\"run_id\":\"" RUN
        "\",\"seq\":9,\"thread.id\":5,\"mark\":\"dropped\",\"dropped.count\":7,\"dropped.reason\":"
        "\"overflow\","
        "\"dropped.level\":\"INFO\"}}\n");
    begin(RING_LAYOUT_TEXT);
    assert_true(record_encode_mark(&out, &run, &mark, 9, when_ns));
    expect(
        "2025-10-19T14:30:00.123456Z WARNING  liblog           left out mark=dropped count=7 reason=overflow "
        "level=INFO run_id=" RUN " seq=9\n");
}

/* Each layout cuts what is over the limit, says so, and stays a whole line. */
static void what_is_over_the_limit_is_cut_in_every_layout(void **state)
{
    static char text[30000];
    memset(text, '\001', sizeof text - 1); /* six times as long when escaped */
    const ll_field field = ll_kv("long", text);
    (void)state;
    for (enum ring_layout layout = RING_LAYOUT_JSON; layout < RING_LAYOUTS; layout++) {
        begin(layout);
        assert_true(add(&site, "m", NULL, &field, 1));
        assert_true(out.size <= RECORD_BYTES_MAX && out.size > RECORD_BYTES_MAX - 100);
        assert_true(memchr(memory, '\n', out.size) == memory + out.size - 1);
        assert_non_null(memmem(memory, out.size, "truncated", 9));
        assert_true(record_may_be_of_run(bytes_slice(&out), false, made.file.identity));
        if (layout != RING_LAYOUT_TEXT && layout != RING_LAYOUT_COLOURED)
            json_object_put(parse(memory, out.size - 1));
        ring_free(&made.file.segment[0].ring[0], made.producer[0].head);
    }
}

#define with_ring(test) cmocka_unit_test_setup_teardown(test, make, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_ring(ecs_has_the_names_of_the_elastic_common_schema),
        with_ring(otel_has_the_names_of_opentelemetrys_log_data_model),
        with_ring(text_is_one_line_in_columns),
        with_ring(a_text_makes_up_neither_a_line_nor_a_colour),
        with_ring(at_a_terminal_level_and_names_are_coloured),
        with_ring(the_librarys_own_records_say_what_was_left_out),
        with_ring(what_is_over_the_limit_is_cut_in_every_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
