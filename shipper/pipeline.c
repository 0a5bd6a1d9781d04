#include "pipeline_internal.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_NS_MIN                                                                                    \
    (5 * NS_PER_MS) /* under load looks are bounded, and what was written meanwhile comes in one piece */

enum {
    WAIT_MS_BUSY = 100,      /* while an output has something out, or a source waits for one */
    WAIT_MS_WATCHFUL = 1000, /* while somebody may take too long */
    HOST_BYTES_MAX = 256,
};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t pipeline_mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t pipeline_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

void pipeline_tell(struct pipeline *pipeline, const struct problem *problem)
{
    if (!problem->error)
        return;
    progress_clear(&pipeline->progress);
    pipeline->options->tell(problem);
}

bool pipeline_stops(const struct pipeline *pipeline)
{
    return *pipeline->options->stop || pipeline->fatal.error;
}

/* ---- beginning ---- */

static int open_scanners(struct pipeline *pipeline, struct problem *ret_problem)
{
    int result = 0;
    for (int i = 0; result == 0 && i < pipeline->config->input_count; i++) {
        const struct config_input *input = &pipeline->config->inputs[i];
        result = scanner_new(&input->scan, ret_problem, &pipeline->scanner[i]);
        if (result == 0 && input->multiline.start)
            result = pattern_new(input->multiline.start, false, ret_problem, &pipeline->event_start[i]);
    }
    return result;
}

static int open_outputs(struct pipeline *pipeline, struct problem *ret_problem)
{
    char host[HOST_BYTES_MAX] = "";
    gethostname(host, sizeof(host) - 1);
    struct output_environment environment = {store_instance(pipeline->store), host,
                                             pipeline->config->state_dir};
    pipeline->lane_count = 1;
    for (int i = 0; i < pipeline->config->output_count; i++) {
        struct lane *lane = &pipeline->lane[i + 1];
        const struct config_output *config = &pipeline->config->outputs[i];
        lane->was_known = store_output_known(pipeline->store, config->name);
        lane->moved_at_ns = pipeline_mono_ns();
        int result = output_open(config, i + 1, &environment, ret_problem, &lane->output);
        if (result < 0)
            return result;
        pipeline->lane_count++;
    }
    return 0;
}

static int open_tail(struct pipeline *pipeline, struct problem *ret_problem)
{
    struct source_record *known = NULL;
    int known_count = 0;
    if (own_files_init(&pipeline->own_files, pipeline->config) < 0)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left to begin with");
    int result = store_load_sources(pipeline->store, ret_problem, &known, &known_count);
    if (result < 0)
        return result;
    struct tail_options options = {
        .inputs = pipeline->config->inputs,
        .input_count = pipeline->config->input_count,
        .once = pipeline->options->once,
        .own_files = pipeline->own_files.path,
        .own_file_count = pipeline->own_files.count,
        .known = known,
        .known_count = known_count,
        .lane_count = pipeline->lane_count,
        .hold_ns_max = pipeline->config->deleted_ns_max,
        .hold_bytes_max = pipeline->config->deleted_bytes_max,
    };
    result = tail_new(&options, ret_problem, &pipeline->tail);
    source_records_free(known, known_count);
    return result;
}

/* Without it commands can only read the database, which harms nothing else. */
static void open_control(struct pipeline *pipeline)
{
    char folder[STORE_FOLDER_SIZE];
    struct problem problem = {0};
    if (store_folder(pipeline->config->database_file, folder, &problem) < 0 ||
        control_open(folder, pipeline_commands, pipeline, &problem, &pipeline->control) < 0)
        pipeline_tell(pipeline, &problem);
}

static int open_all(struct pipeline *pipeline, struct problem *ret_problem)
{
    int result = store_open(pipeline->config, ret_problem, &pipeline->store);
    if (result == 0)
        result = batch_new(pipeline->config->series_max, &pipeline->batch);
    if (result == 0)
        result = store_load_series(pipeline->store, pipeline->batch, ret_problem);
    if (result == 0)
        result = reader_init(&pipeline->reader, pipeline->config);
    if (result == -ERR_INT_002)
        problem_set(ret_problem, ERR_INT_002, "no memory is left to begin with");
    if (result == 0)
        result = open_scanners(pipeline, ret_problem);
    if (result == 0)
        result = open_outputs(pipeline, ret_problem);
    if (result == 0)
        result = open_tail(pipeline, ret_problem);
    if (result == 0)
        open_control(pipeline);
    return result;
}

static void close_all(struct pipeline *pipeline)
{
    control_close(pipeline->control);
    store_close(pipeline->store); /* first: a commit under way still speaks of the batch and the sources */
    for (int i = 0; i < LANE_COUNT_MAX; i++)
        output_close(pipeline->lane[i].output);
    for (int i = 0; i < CONFIG_INPUTS_MAX; i++)
        scanner_free(pipeline->scanner[i]);
    for (int i = 0; i < CONFIG_INPUTS_MAX; i++)
        pattern_free(pipeline->event_start[i]);
    reader_release(&pipeline->reader);
    tail_free(pipeline->tail);
    own_files_release(&pipeline->own_files);
    committer_release(&pipeline->committer);
    batch_free(pipeline->batch);
    free(pipeline);
}

/* ---- looking and reading ---- */

static void on_tail_problem(void *context, const struct problem *problem)
{
    pipeline_tell(context, problem);
}

/* Gives a source that is new to this run its positions. */
static void start_source(struct pipeline *pipeline, struct source *source)
{
    struct problem problem = {0};
    pipeline->totals.files++;
    if (pipeline_start_source(pipeline, source, &problem) < 0)
        pipeline->fatal = problem;
}

/* Finds files, and wakes those of which something changed. */
static void look(struct pipeline *pipeline)
{
    struct source *source;
    pipeline_recover(pipeline); /* first, because --once reads to the size that a look finds */
    if (tail_look(pipeline->tail, pipeline_wall_ns(), on_tail_problem, pipeline) < 0)
        problem_set(&pipeline->fatal, ERR_INT_002, "no memory is left for the list of files");
    while ((source = tail_next_woken(pipeline->tail)) != NULL) {
        if (!source->started)
            start_source(pipeline, source);
        agenda_wake(&pipeline->agenda, source);
        pipeline_unsettle(pipeline, source);
    }
}

static uint64_t unread_bytes(struct pipeline *pipeline, int lane)
{
    uint64_t bytes = 0;
    for (struct source *source = tail_next(pipeline->tail, NULL); source;
         source = tail_next(pipeline->tail, source))
        bytes += source_unread_bytes(source, lane);
    return bytes;
}

static void pump_outputs(struct pipeline *pipeline)
{
    for (int i = LANE_STATS + 1; i < pipeline->lane_count; i++) {
        struct lane *lane = &pipeline->lane[i];
        struct problem problem = {0};
        struct output_counters counters;
        output_pump(lane->output, 0, &problem);
        pipeline_tell(pipeline, &problem);
        output_counters(lane->output, &counters);
        uint64_t acknowledged = counters.acknowledged + counters.refused;
        if (acknowledged != lane->acknowledged)
            pipeline_touch(pipeline);
        if (acknowledged != lane->acknowledged || (!counters.in_flight && output_ready(lane->output)))
            lane->moved_at_ns = pipeline_mono_ns();
        lane->acknowledged = acknowledged;
    }
}

void pipeline_tick(struct pipeline *pipeline)
{
    control_turn(pipeline->control);
    pump_outputs(pipeline);
    if (!pipeline->fatal.error)
        pipeline_commit(pipeline, false);
    if (progress_is_due(&pipeline->progress, pipeline_mono_ns()))
        progress_show(&pipeline->progress, unread_bytes(pipeline, LANE_STATS), pipeline_mono_ns());
}

/* ---- waiting ---- */

static bool is_waited_for(struct pipeline *pipeline, int lane)
{
    struct output_counters counters;
    const struct output *output = pipeline->lane[lane].output;
    if (pipeline->lane[lane].given_up)
        return false;
    output_counters(output, &counters);
    return counters.in_flight || (!output_ready(output) && unread_bytes(pipeline, lane));
}

static bool waits_for_outputs(struct pipeline *pipeline)
{
    for (int lane = LANE_STATS + 1; lane < pipeline->lane_count; lane++) {
        if (is_waited_for(pipeline, lane))
            return true;
    }
    return false;
}

static bool some_output_works(struct pipeline *pipeline)
{
    for (int lane = LANE_STATS + 1; lane < pipeline->lane_count; lane++) {
        struct output_counters counters;
        output_counters(pipeline->lane[lane].output, &counters);
        if (!pipeline->lane[lane].given_up && counters.in_flight)
            return true;
    }
    return false;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How long nothing is due, if nothing is heard either. */
static int64_t rest_ns(struct pipeline *pipeline)
{
    const struct committer *committer = &pipeline->committer;
    const struct agenda *agenda = &pipeline->agenda;
    int64_t now_ns = pipeline_mono_ns(), rest = tail_due_ns(pipeline->tail);
    if (!ring_is_empty(&agenda->awake) || pipeline_can_drop(pipeline))
        return 0;
    rest = earlier(rest, agenda->timed_due_ns - now_ns);
    if (committer->due_ns && !committer->under_way)
        rest = earlier(rest, committer->due_ns - now_ns);
    if (!ring_is_empty(&agenda->held) || some_output_works(pipeline))
        rest = earlier(rest, WAIT_MS_BUSY * NS_PER_MS);
    if (pipeline->options->once || control_is_asked(pipeline->control))
        rest = earlier(rest, WAIT_MS_WATCHFUL * NS_PER_MS);
    else
        rest = earlier(rest, pipeline->recovery.due_ns - now_ns);
    return rest > 0 ? rest : 0;
}

/* Sleeps until a file changes, an output can go on, a commit has ended or is due, or a stop. */
static void wait_for_something(struct pipeline *pipeline)
{
    struct pollfd interests[4 + LANE_COUNT_MAX];
    nfds_t count = 0;
    interests[count++] = (struct pollfd){pipeline->options->stop_fd, POLLIN, 0};
    interests[count++] =
        (struct pollfd){pipeline->options->once ? -1 : tail_watch_fd(pipeline->tail), POLLIN, 0};
    interests[count++] = (struct pollfd){control_fd(pipeline->control), POLLIN, 0};
    interests[count++] = (struct pollfd){store_commit_fd(pipeline->store), POLLIN, 0};
    for (int lane = LANE_STATS + 1; lane < pipeline->lane_count; lane++) {
        if (!pipeline->lane[lane].given_up)
            interests[count++] = output_interest(pipeline->lane[lane].output);
    }
    poll(interests, count, (int)((rest_ns(pipeline) + NS_PER_MS - 1) / NS_PER_MS));
    if (interests[1].revents)
        poll(interests, 1, LOOK_EVERY_NS_MIN / NS_PER_MS);
}

/* ---- outputs that do not come back ---- */

static void give_up(struct pipeline *pipeline, int lane, enum exit_code code)
{
    pipeline->lane[lane].given_up = true;
    agenda_lanes_are_ready(&pipeline->agenda, 1u << lane); /* nobody waits for it any more */
    if (pipeline->end_code == EXIT_OK_ || code == EXIT_IO)
        pipeline->end_code = code;
}

static void give_up_after_timeout(struct pipeline *pipeline, int lane)
{
    struct problem problem;
    int64_t away_ns = pipeline_mono_ns() - pipeline->lane[lane].moved_at_ns;
    if (!pipeline->options->once || away_ns < pipeline->options->timeout_ns || !is_waited_for(pipeline, lane))
        return;
    problem_set(&problem, ERR_NET_001,
                "output \"%s\" has taken nothing for %lld s; it goes on there at the next run",
                output_name(pipeline->lane[lane].output), (long long)(away_ns / NS_PER_S));
    pipeline_tell(pipeline, &problem);
    give_up(pipeline, lane, error_exit_code(ERR_NET_001));
}

/* Whether any output is left that goes on; true also when there never was one. */
static bool has_living_output(struct pipeline *pipeline)
{
    int living = 0;
    for (int lane = LANE_STATS + 1; lane < pipeline->lane_count; lane++) {
        if (!pipeline->lane[lane].given_up && output_is_dead(pipeline->lane[lane].output))
            give_up(pipeline, lane, EXIT_IO);
        else if (!pipeline->lane[lane].given_up)
            give_up_after_timeout(pipeline, lane);
        living += !pipeline->lane[lane].given_up;
    }
    return living > 0 || pipeline->lane_count == 1;
}

/* ---- the loop ---- */

static void follow(struct pipeline *pipeline)
{
    while (!pipeline_stops(pipeline) && has_living_output(pipeline)) {
        look(pipeline);
        bool moved = pipeline_turn(pipeline);
        pipeline_tick(pipeline);
        pipeline_drop_finished(pipeline);
        if (!moved && !pipeline_stops(pipeline))
            wait_for_something(pipeline);
    }
}

/* The statistics end when there is nothing more to read, or the database took nothing for as long as the
 * time-out. */
static bool is_stuck(const struct pipeline *pipeline, int64_t moved_at_ns)
{
    return pipeline->committer.problem.error &&
           (pipeline_can_count(pipeline) || pipeline_mono_ns() - moved_at_ns > pipeline->options->timeout_ns);
}

static void read_once(struct pipeline *pipeline)
{
    int64_t moved_at_ns = pipeline_mono_ns();
    look(pipeline);
    progress_begin(&pipeline->progress, stderr, pipeline->options->show_progress,
                   unread_bytes(pipeline, LANE_STATS), pipeline_mono_ns());
    while (!pipeline_stops(pipeline) && has_living_output(pipeline)) {
        /* An output that got ready only after its turn has another: hence the question before and after. */
        bool waited = waits_for_outputs(pipeline);
        bool moved = pipeline_turn(pipeline);
        pipeline_tick(pipeline);
        if (moved) {
            moved_at_ns = pipeline_mono_ns();
            continue;
        }
        if (!waited && !waits_for_outputs(pipeline) &&
            (pipeline_can_count(pipeline) || is_stuck(pipeline, moved_at_ns)))
            break;
        wait_for_something(pipeline);
    }
    progress_clear(&pipeline->progress);
}

/* ---- the end ---- */

static void flush_outputs(struct pipeline *pipeline)
{
    int64_t deadline_ns = pipeline_mono_ns() + FLUSH_MS_MAX * NS_PER_MS;
    for (int lane = LANE_STATS + 1; lane < pipeline->lane_count; lane++) {
        struct problem problem = {0};
        int64_t left_ms = (deadline_ns - pipeline_mono_ns()) / NS_PER_MS;
        if (!pipeline->lane[lane].given_up)
            output_flush(pipeline->lane[lane].output, left_ms > 0 ? (int)left_ms : 0, &problem);
        pipeline_tell(pipeline, &problem);
    }
    pump_outputs(pipeline);
}

/* With --once the half line at the end of a file that may still grow is not taken; whoever waits for it is
 * told. */
static void tell_left_lines(struct pipeline *pipeline)
{
    for (struct source *source = tail_next(pipeline->tail, NULL); source;
         source = tail_next(pipeline->tail, source)) {
        uint64_t left = source_unread_bytes(source, LANE_STATS);
        struct problem words; /* not one; but a file's name may hold anything */
        if (left == 0 || source->record.evidence.compressed)
            continue;
        problem_set(
            &words, ERR_NONE, "%s: the last line, %llu bytes from %llu on, has no end yet and is left",
            source->record.path, (unsigned long long)left, (unsigned long long)source->position[LANE_STATS]);
        fprintf(stderr, "shipper: %s\n", words.text);
    }
}

static enum exit_code no_input(const struct pipeline *pipeline, struct problem *ret_problem)
{
    const struct config *config = pipeline->config;
    const char *first = config->input_count ? config->inputs[0].paths[0] : "";
    bool more = config->input_count > 1 || (config->input_count && config->inputs[0].path_count > 1);
    problem_set(ret_problem, ERR_IO_001, "no file matches %s%s; check the pattern, and that it is quoted",
                first, more ? " or any other pattern" : "");
    return error_exit_code(ERR_IO_001);
}

static enum exit_code end_code(struct pipeline *pipeline, struct problem *ret_problem)
{
    enum exit_code unreadable;
    if (!pipeline->options->once || pipeline->end_code != EXIT_OK_)
        return pipeline->end_code;
    if (tail_unreadable(pipeline->tail, &unreadable) > 0)
        return unreadable;
    if (tail_matched(pipeline->tail) == 0 && pipeline->totals.files == 0)
        return no_input(pipeline, ret_problem);
    return EXIT_OK_;
}

/* After memory ran out within a batch, the batch is not whole: what was committed before stands. */
static enum exit_code end_run(struct pipeline *pipeline, struct problem *ret_problem)
{
    if (pipeline->fatal.error) {
        *ret_problem = pipeline->fatal;
        return error_exit_code(pipeline->fatal.error);
    }
    flush_outputs(pipeline);
    if (pipeline_commit(pipeline, true) < 0) {
        *ret_problem = pipeline->committer.problem;
        return error_exit_code(ret_problem->error);
    }
    if (pipeline->options->once && !*pipeline->options->stop)
        tell_left_lines(pipeline);
    if (pipeline->options->once && pipeline->options->show_summary)
        progress_summary(&pipeline->progress, &pipeline->totals, pipeline_mono_ns());
    return end_code(pipeline, ret_problem);
}

static void show_timings(struct pipeline *pipeline)
{
    pipeline->stages.took_ns[STAGE_STORE] = store_busy_ns(pipeline->store);
    stage_print(&pipeline->stages, stderr);
}

enum exit_code pipeline_run(const struct config *config, const struct pipeline_options *options,
                            struct problem *ret_problem)
{
    struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
    *ret_problem = (struct problem){0};
    if (!pipeline)
        return error_exit_code((enum error) -
                               problem_set(ret_problem, ERR_INT_002, "no memory is left to begin with"));
    pipeline->config = config;
    pipeline->options = options;
    pipeline->stages.runs = options->show_timings;
    agenda_init(&pipeline->agenda);
    enum exit_code code;
    int result = open_all(pipeline, ret_problem);
    if (result < 0) {
        code = error_exit_code((enum error) - result);
    } else {
        if (options->once)
            read_once(pipeline);
        else
            follow(pipeline);
        code = end_run(pipeline, ret_problem);
        if (options->show_timings)
            show_timings(pipeline);
    }
    close_all(pipeline);
    return code;
}
