/*
 * LOG_FORMAT=otel: OpenTelemetry's log data model, one record a line, attributes as plain JSON and named by
 * the semantic conventions where these have a name. The caller's fields are a map among the attributes, so
 * they can forge none of the others.
 */
#include "liblog/base/json.h"
#include "line_parts.h"

/* Numbers of 64 bits are strings in OpenTelemetry's JSON. The severities are 1, 5, 9, 13, 17, 21. */
static void add_start(struct bytes *b, int64_t unix_ns, unsigned level)
{
    BYTES_LITERAL(b, "{\"timeUnixNano\":\"");
    json_add_i64(b, unix_ns);
    BYTES_LITERAL(b, "\",\"severityNumber\":");
    json_add_u64(b, 1 + 4 * level);
    line_add_member(b, "severityText", slice_of(record_level_name(level)));
    BYTES_LITERAL(b, ",\"body\":");
}

static void add_resource(struct bytes *b, const struct record_run *run, struct slice logger)
{
    BYTES_LITERAL(b, ",\"resource\":{\"service.name\":");
    json_add_string(b, slice_of(run->identity->service));
    line_add_member_if_any(b, "deployment.environment.name", slice_of(run->identity->environment));
    line_add_number_member(b, "process.pid", run->identity->pid);
    BYTES_LITERAL(b, "},\"scope\":{\"name\":");
    json_add_string(b, logger);
    bytes_add_char(b, '}');
}

static void add_run(struct bytes *b, const struct record_run *run, uint64_t seq, uint32_t thread)
{
    BYTES_LITERAL(b, ",\"attributes\":{\"run_id\":");
    json_add_string(b, slice_of(run->identity->run_id));
    line_add_member_if_any(b, "parent_run_id", slice_of(run->identity->parent_run_id));
    line_add_number_member(b, "seq", seq);
    line_add_number_member(b, "thread.id", thread);
}

static void add_source(struct bytes *b, const struct site_view *view)
{
    line_add_member(b, "code.file.path", line_base_name(view->file));
    line_add_number_member(b, "code.line.number", view->line);
    line_add_member(b, "code.function.name", view->function);
}

static const char *const exception_keys[LINE_EXCEPTION_KEYS] = {
    [LINE_EXCEPTION_TYPE] = "exception.type",
    [LINE_EXCEPTION_MESSAGE] = "exception.message",
    [LINE_EXCEPTION_CODE] = "exception.code",
    [LINE_EXCEPTION_STACK] = "exception.stacktrace",
};

static void add_record(struct bytes *b, const struct record_run *run, const struct record_site *site,
                       const struct frame_view *frame, uint64_t seq, int64_t unix_ns,
                       const struct line_limits *limits)
{
    add_start(b, unix_ns, site->view.level);
    line_add_text(b, line_message(site, frame), limits);
    line_add_member_if_any(b, "traceId", frame->context[CONTEXT_TRACE_ID]);
    line_add_member_if_any(b, "spanId", frame->context[CONTEXT_SPAN_ID]);
    add_resource(b, run, site->view.logger);
    add_run(b, run, seq, frame->frame->thread);
    if (frame->frame->flags & FRAME_CRASH)
        line_add_member(b, "mark", SLICE(LL_MARK_CRASH));
    line_add_member_if_any(b, "request_id", frame->context[CONTEXT_REQUEST_ID]);
    line_add_member_if_any(b, "url.path", frame->context[CONTEXT_ENDPOINT]);
    line_add_member_if_any(b, "user.id", frame->context[CONTEXT_USER]);
    line_add_exception_members(b, exception_keys, frame, limits);
    if (site->view.level >= run->source_level)
        add_source(b, &site->view);
    line_add_fields(b, site, frame, limits);
    if (limits->truncated)
        BYTES_LITERAL(b, ",\"truncated\":true");
    BYTES_LITERAL(b, "}}\n");
}

static void add_mark(struct bytes *b, const struct record_run *run, const struct record_mark *mark,
                     uint64_t seq, int64_t unix_ns)
{
    add_start(b, unix_ns, mark->level);
    json_add_string(b, slice_of(mark->message));
    add_resource(b, run, SLICE("liblog"));
    add_run(b, run, seq, mark->pid_thread);
    line_add_member(b, "mark", slice_of(mark->mark));
    if (mark->dropped_count) {
        line_add_number_member(b, "dropped.count", mark->dropped_count);
        line_add_member(b, "dropped.reason", slice_of(mark->dropped_reason));
        line_add_member(b, "dropped.level", slice_of(record_level_name(mark->dropped_level)));
    }
    BYTES_LITERAL(b, "}}\n");
}

const struct line_layout line_layout_otel = {.add_record = add_record,
                                             .add_mark = add_mark,
                                             .beginning = LINE_LITERAL("{\"timeUnixNano\":\""),
                                             .run = LINE_LITERAL("\"run_id\":\""),
                                             .end = LINE_LITERAL("}}\n"),
                                             .copy_end = LINE_LITERAL(",\"copy\":true}}\n")};
