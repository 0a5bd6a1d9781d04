/* The inside of a pipeline: pipeline.c (the loop), pipeline_turn.c (whose turn it is), pipeline_pass.c (one
 * piece of one source), pipeline_lines.c (what a line is worth, and who gets it), pipeline_commit.c
 * (positions and transactions), pipeline_recover.c (rings of dead programs). */
#ifndef SHIPPER_PIPELINE_INTERNAL_H
#define SHIPPER_PIPELINE_INTERNAL_H

#include "agenda.h"
#include "batch.h"
#include "control.h"
#include "frame.h"
#include "joiner.h"
#include "output.h"
#include "own_files.h"
#include "pipeline.h"
#include "progress.h"
#include "scan.h"
#include "stage.h"
#include "store.h"
#include "tail.h"

enum {
    PIECE_BYTES =
        256 *
        1024, /* read at a time; it stays in the processor's second memory until it has been gone through */
    LINES_AT_ONCE = 32, /* so few that their events stay in the processor's nearest memory */
    COMMIT_ROWS_MAX = 100000,
    FLUSH_MS_MAX = 3000, /* at a stop */
};

#define NS_PER_MS       1000000LL
#define NS_PER_S        1000000000LL
#define COMMIT_EVERY_NS NS_PER_S
#define PATIENCE_NS                                                                                          \
    NS_PER_S /* how long a pass waits for an output that is full before it goes on without it */

/* A line above the limit that has not ended yet: how far it was looked through, so that no byte is looked at
 * twice. */
struct long_line {
    struct source *source;
    struct framer framer;
    struct long_line *next;
};

/* The piece in memory. Of a compressed file the bytes behind the last line are kept for the next piece,
 * because its stream does not go back. */
struct reader {
    char *memory; /* `capacity` bytes, and SCAN_PADDING behind them */
    size_t capacity;
    struct line *lines;           /* LINES_AT_ONCE: those that are dealt with now */
    const struct source *kept_of; /* whose bytes are kept; NULL: none */
    uint64_t kept_offset;
    struct slice kept;
    struct long_line *long_lines;
};

struct moved_lane {
    struct source *source;
    int lane;
};

/* What a commit changes, as long as it is under way or to be tried again. */
struct commit_list {
    struct source **sources;
    int source_count;
    struct store_position *positions;
    struct moved_lane *moved; /* whose position each of these is */
    int position_count;
};

/* What has happened since the last commit began, and when the next is due. */
struct committer {
    int64_t due_ns;         /* monotonic; 0: nothing has happened */
    struct problem problem; /* of the last try; ERR_NONE when it succeeded */
    bool under_way;         /* on the store's thread */
    struct commit_list list;
};

/* When rings of dead programs are looked for again, and the problem that was told last. */
struct recovery {
    int64_t due_ns; /* monotonic */
    enum error told;
};

/* An output as the pipeline sees it. */
struct lane {
    struct output *output; /* NULL for the statistics */
    bool was_known;        /* the database had seen this output when the run began */
    bool given_up;         /* dead, or away for longer than the time-out */
    uint64_t acknowledged; /* its counter when it last moved */
    int64_t moved_at_ns;   /* monotonic */
};

struct pipeline {
    const struct config *config;
    const struct pipeline_options *options;
    struct store *store;
    struct control *control; /* NULL where the state folder takes no socket */
    struct batch *batch;
    struct own_files own_files; /* never inputs; the tail borrows them */
    struct tail *tail;
    struct agenda agenda;
    bool may_drop; /* some source may be through that was not before */
    struct scanner *scanner[CONFIG_INPUTS_MAX];
    struct pattern *event_start[CONFIG_INPUTS_MAX]; /* NULL: every line is an event */
    struct lane lane[LANE_COUNT_MAX];
    int lane_count;
    struct reader reader;
    struct committer committer;
    struct recovery recovery;
    struct progress progress;
    struct progress_totals totals;
    struct stage_clock stages;
    struct problem fatal;    /* ERR_NONE, or what ends the run */
    enum exit_code end_code; /* of what went wrong without ending it */
};

int64_t pipeline_mono_ns(void);
int64_t pipeline_wall_ns(void);
void pipeline_tell(struct pipeline *pipeline, const struct problem *problem);
bool pipeline_stops(const struct pipeline *pipeline);

/* What is to be done between two pieces. */
void pipeline_tick(struct pipeline *pipeline);

/* ---- pipeline_turn.c ---- */

/* Each source that has something to be done has its turn. Whether any lane moved. */
bool pipeline_turn(struct pipeline *pipeline);

/* Whether the database holds all that is known of the source, and it goes on. */
bool pipeline_is_settled(const struct pipeline *pipeline, const struct source *source);

/* Something of it may have changed that is to be committed. */
void pipeline_unsettle(struct pipeline *pipeline, struct source *source);

/* A pass moved nothing: the source waits for those of its lanes that are not among the `served`, or until
 * `due_ns` (monotonic, 0: none), or for news. */
void pipeline_let_wait(struct pipeline *pipeline, struct source *source, uint32_t served, int64_t due_ns);

/* ---- pipeline_pass.c ---- */

int reader_init(struct reader *reader, const struct config *config);
void reader_release(struct reader *reader);
void reader_forget(struct reader *reader, const struct source *source);

/* Reads one piece of a source and gives it to the lanes that stand at its beginning. Whether any lane moved;
 * if none did, the agenda says what the source waits for. */
bool pipeline_pass(struct pipeline *pipeline, struct source *source);

/* ---- pipeline_recover.c ---- */

/* Finishes the rings of dead programs beside the live logs, when it is due: at the beginning and every 30 s.
 */
void pipeline_recover(struct pipeline *pipeline);

/* ---- pipeline_control.c ---- */

/* What commands may ask; their context is the pipeline. */
extern const struct control_command pipeline_commands[];

/* ---- pipeline_commit.c ---- */

/* Gives a source its positions, from the database or where each lane begins. 0 or a negative error. */
int pipeline_start_source(struct pipeline *pipeline, struct source *source, struct problem *ret_problem);

/* Something has changed that is to be committed. */
void pipeline_touch(struct pipeline *pipeline);

/* Whether the statistics may take more: not when commits fail and the batch is full. */
bool pipeline_can_count(const struct pipeline *pipeline);

/*
 * Takes in the end of a commit, and begins one when it is due. With `now` all that has happened is committed
 * when it returns. 0, or a negative error: nothing is lost, it is tried again.
 */
int pipeline_commit(struct pipeline *pipeline, bool now);

void committer_release(struct committer *committer);

/* Whether there may be some to let go of, and no commit speaks of them. */
bool pipeline_can_drop(const struct pipeline *pipeline);

/* Lets go of sources that are read, acknowledged and committed, some at a time. */
void pipeline_drop_finished(struct pipeline *pipeline);

#endif
