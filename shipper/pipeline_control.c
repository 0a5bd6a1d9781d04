/* What a running shipper answers on the socket `control`, from what it holds in memory. A later command is a
 * line in the table and a function of this kind. */
#include "pipeline_internal.h"

#include "positions.h"
#include "report_text.h"
#include "tail_file.h"

#include <inttypes.h>
#include <unistd.h>

static int run_ping(void *context, struct slice arguments, FILE *answer, struct problem *ret_problem)
{
    (void)context, (void)arguments, (void)ret_problem;
    fprintf(answer, "pid %ld\n", (long)getpid());
    return 0;
}

/* ---- status ---- */

static uint64_t lane_lag_bytes(struct pipeline *pipeline, int lane)
{
    uint64_t bytes = 0;
    for (struct source *source = tail_next(pipeline->tail, NULL); source;
         source = tail_next(pipeline->tail, source))
        bytes += source_unread_bytes(source, lane);
    return bytes;
}

static void print_output(struct pipeline *pipeline, int lane, FILE *out)
{
    struct output *output = pipeline->lane[lane].output;
    struct output_counters counters;
    output_counters(output, &counters);
    fputs(",{\"name\":", out);
    text_json(slice_of(output_name(output)), out);
    fprintf(out,
            ",\"lag_bytes\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"acknowledged\":%" PRIu64
            ",\"refused\":%" PRIu64 ",\"retried\":%" PRIu64 ",\"in_flight\":%" PRIu64 ",\"ready\":%s}",
            lane_lag_bytes(pipeline, lane), counters.sent, counters.acknowledged, counters.refused,
            counters.retried, counters.in_flight, output_ready(output) ? "true" : "false");
}

static int run_status(void *context, struct slice arguments, FILE *answer, struct problem *ret_problem)
{
    struct pipeline *pipeline = context;
    const struct progress_totals *totals = &pipeline->totals;
    (void)arguments, (void)ret_problem;
    fprintf(answer, "{\"pid\":%ld,\"instance\":", (long)getpid());
    text_json(slice_of(store_instance(pipeline->store)), answer);
    fprintf(answer,
            ",\"files\":%" PRIu64 ",\"records\":%" PRIu64 ",\"rejected\":%" PRIu64 ",\"bytes\":%" PRIu64
            ",\"outputs\":[{\"name\":\"stats\",\"lag_bytes\":%" PRIu64 "}",
            totals->files, totals->records, totals->rejected, totals->bytes,
            lane_lag_bytes(pipeline, LANE_STATS));
    for (int lane = LANE_STATS + 1; lane < pipeline->lane_count; lane++)
        print_output(pipeline, lane, answer);
    fputs("]}\n", answer);
    return 0;
}

/* ---- positions ---- */

static void add_position(struct pipeline *pipeline, const struct source *source, int lane,
                         struct positions_printer *printer)
{
    const struct source_evidence *evidence = &source->record.evidence;
    const struct output *output = pipeline->lane[lane].output;
    struct scanner *scanner = pipeline->scanner[source->input - pipeline->config->inputs];
    struct position_row row = {
        .source_id = slice_of(source->record.id),
        .path = slice_of(source->record.path),
        .output = slice_of(output ? output_name(output) : "stats"),
        .offset = output ? output_acknowledged(output, source) : source->position[lane],
        .size = evidence->size,
        .lag_bytes = source_unread_bytes(source, lane),
        .compressed = evidence->compressed,
        .finished = evidence->finished,
        .device = evidence->device,
        .inode = evidence->inode,
        .modified_ns = evidence->modified_ns,
        .fd = source->file ? source->file->fd : -1,
    };
    /* What was sent and is not acknowledged yet is behind, too. */
    if (!row.compressed && row.offset < source->position[lane])
        row.lag_bytes += source->position[lane] - row.offset;
    positions_add(printer, &row, position_lag_s(&row, scanner, pipeline_wall_ns()));
}

static int run_positions(void *context, struct slice arguments, FILE *answer, struct problem *ret_problem)
{
    struct pipeline *pipeline = context;
    struct positions_printer printer;
    bool is_json = slice_is(arguments, "json");
    if (!is_json && !slice_is(arguments, "table"))
        return problem_set(ret_problem, ERR_USE_001, "positions are told as table or json");
    positions_begin(&printer, is_json ? POSITIONS_JSON : POSITIONS_TABLE, answer);
    for (struct source *source = tail_next(pipeline->tail, NULL); source;
         source = tail_next(pipeline->tail, source)) {
        for (int lane = 0; source->started && lane < pipeline->lane_count; lane++)
            add_position(pipeline, source, lane, &printer);
    }
    positions_end(&printer);
    return 0;
}

const struct control_command pipeline_commands[] = {
    {"ping", run_ping},
    {"status", run_status},
    {"positions", run_positions},
    {0},
};
