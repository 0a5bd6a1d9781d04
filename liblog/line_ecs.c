/*
 * LOG_FORMAT=ecs: Elastic Common Schema 8.11, keys with dots as ecs-logging writes them. What ECS has no key
 * for are labels; the caller's fields stand in an object of their own, so they can forge none of the others.
 */
#include "liblog/base/json.h"
#include "liblog/base/time_text.h"
#include "line_parts.h"

#define ECS_VERSION "8.11.0"

static void add_start(struct bytes *b, int64_t unix_ns, unsigned level)
{
    char time[TIME_TEXT_SIZE];
    time_to_text(time, unix_ns);
    BYTES_LITERAL(b, "{\"@timestamp\":\"");
    bytes_add(b, slice_from(time, sizeof time));
    BYTES_LITERAL(b, "\",\"log.level\":\"");
    bytes_add(b, slice_of(record_level_name(level)));
    BYTES_LITERAL(b, "\",\"message\":");
}

static void add_run(struct bytes *b, const struct record_run *run, struct slice logger, uint64_t seq)
{
    line_add_member(b, "ecs.version", SLICE(ECS_VERSION));
    line_add_member(b, "service.name", slice_of(run->identity->service));
    line_add_member_if_any(b, "service.environment", slice_of(run->identity->environment));
    line_add_member(b, "log.logger", logger);
    line_add_member(b, "labels.run_id", slice_of(run->identity->run_id));
    line_add_member_if_any(b, "labels.parent_run_id", slice_of(run->identity->parent_run_id));
    line_add_number_member(b, "event.sequence", seq);
}

static void add_process(struct bytes *b, const struct record_run *run, uint32_t thread)
{
    line_add_number_member(b, "process.pid", run->identity->pid);
    line_add_number_member(b, "process.thread.id", thread);
}

static void add_source(struct bytes *b, const struct site_view *view)
{
    line_add_member(b, "log.origin.file.name", line_base_name(view->file));
    line_add_number_member(b, "log.origin.file.line", view->line);
    line_add_member(b, "log.origin.function", view->function);
}

static const char *const exception_keys[LINE_EXCEPTION_KEYS] = {
    [LINE_EXCEPTION_TYPE] = "error.type",
    [LINE_EXCEPTION_MESSAGE] = "error.message",
    [LINE_EXCEPTION_CODE] = "error.code",
    [LINE_EXCEPTION_STACK] = "error.stack_trace",
};

static void add_record(struct bytes *b, const struct record_run *run, const struct record_site *site,
                       const struct frame_view *frame, uint64_t seq, int64_t unix_ns,
                       const struct line_limits *limits)
{
    static const char *const context_keys[CONTEXT_TEXTS] = {"http.request.id", "trace.id", "span.id",
                                                            "url.path", "user.id"};
    add_start(b, unix_ns, site->view.level);
    line_add_text(b, line_message(site, frame), limits);
    add_run(b, run, site->view.logger, seq);
    if (frame->frame->flags & FRAME_CRASH)
        line_add_member(b, "labels.mark", SLICE(LL_MARK_CRASH));
    for (int i = 0; i < CONTEXT_TEXTS; i++)
        line_add_member_if_any(b, context_keys[i], frame->context[i]);
    line_add_exception_members(b, exception_keys, frame, limits);
    add_process(b, run, frame->frame->thread);
    if (site->view.level >= run->source_level)
        add_source(b, &site->view);
    line_add_fields(b, site, frame, limits);
    if (limits->truncated)
        BYTES_LITERAL(b, ",\"labels.truncated\":true");
    BYTES_LITERAL(b, "}\n");
}

static void add_mark(struct bytes *b, const struct record_run *run, const struct record_mark *mark,
                     uint64_t seq, int64_t unix_ns)
{
    add_start(b, unix_ns, mark->level);
    json_add_string(b, slice_of(mark->message));
    add_run(b, run, SLICE("liblog"), seq);
    line_add_member(b, "labels.mark", slice_of(mark->mark));
    if (mark->dropped_count) {
        line_add_number_member(b, "labels.dropped_count", mark->dropped_count);
        line_add_member(b, "labels.dropped_reason", slice_of(mark->dropped_reason));
        line_add_member(b, "labels.dropped_level", slice_of(record_level_name(mark->dropped_level)));
    }
    add_process(b, run, mark->pid_thread);
    BYTES_LITERAL(b, "}\n");
}

const struct line_layout line_layout_ecs = {.add_record = add_record,
                                            .add_mark = add_mark,
                                            .beginning = LINE_LITERAL("{\"@timestamp\":\""),
                                            .run = LINE_LITERAL("\"labels.run_id\":\""),
                                            .end = LINE_LITERAL("}\n"),
                                            .copy_end = LINE_LITERAL(",\"labels.copy\":true}\n")};
