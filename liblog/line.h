/*
 * (level, time, place, context, fields) -> the bytes of one line. The only place that knows the format.
 *
 * What does not change from call to call is escaped once: of a run in struct record_run, of a call site in
 * struct record_site. Both are private to the thread that encodes.
 */
#ifndef LIBLOG_LINE_H
#define LIBLOG_LINE_H

#include "frame.h"
#include "liblog/base/bytes.h"
#include "ring_file.h"

enum {
    RECORD_BYTES_MAX = 65536, /* of a line, newline included */
    RECORD_COPY_BYTES = 16,   /* of these, kept free for what makes a line a copy */
};

/* What was written last and is likely to be written again: most records are of the same second and thread as
 * the one before. */
struct record_recent {
    uint64_t second_ns; /* since 1970, the beginning of that second; of an earlier one modulo 2^64 */
    uint32_t thread;
    uint32_t thread_size;
    char second[64]; /* {"timestamp":"2025-10-19T14:30:00. */
    char tid[64];    /* ,"pid":4711,"tid":4713 */
};

struct line_layout;

struct record_run {
    const struct ring_identity *identity; /* borrowed */
    const struct line_layout *layout;
    char *memory;         /* owns what the slices show */
    struct slice service; /* ,"service":"…","environment":"…","logger": */
    struct slice run;     /* ,"run_id":"…","parent_run_id":"…","seq": */
    struct slice pid;     /* ,"pid":4711,"tid": */
    uint32_t source_level;
    bool has_own_addresses; /* call stacks in its frames are of this process */
    struct record_recent recent;
};

/* LL_OK or LL_ENOMEM. */
int record_run_init(struct record_run *run, const struct ring_identity *identity);
void record_run_release(struct record_run *run);

struct record_key {
    struct slice text;  /* "key": */
    struct slice piece; /* the same with what comes before it: ,"fields":{ or a comma; empty when shadowed */
    uint8_t type;       /* enum ll_type */
    uint8_t form;       /* enum site_form */
    bool shadowed;      /* a later field of the site has the same key */
};

struct record_site {
    struct site_view view;
    struct slice head;    /* Z","level":"INFO","service":…,"logger":"…","message": */
    struct slice message; /* "…" with its quotes, of a literal one; else empty */
    struct slice source;  /* ,"source":{…}; empty below the source level */
    struct slice start; /* Z, head, message and the run up to its seq; empty when that is not all constant */
    struct slice end;   /* }}\n, or }\n of a record without fields */
    size_t bytes_max;   /* of a usual record but for its texts */
    struct record_key *key;
};

/* Makes a site's constant parts from its entry, in one allocation. NULL when memory runs out. */
struct record_site *record_site_new(const struct record_run *run, const struct site_view *view);
void record_site_free(struct record_site *site);

/* Records that the library makes itself. */
struct record_mark {
    const char *mark; /* LL_MARK_… */
    const char *message;
    uint8_t level;
    uint32_t pid_thread;    /* tid */
    uint64_t dropped_count; /* with mark "dropped" */
    const char *dropped_reason;
    uint8_t dropped_level;
};

/*
 * Appends one line, cut at its longest strings when it is over the limit. False when `out` has not
 * RECORD_BYTES_MAX bytes left. *ret_truncated is set when something was cut.
 */
bool record_encode(struct bytes *out, struct record_run *run, const struct record_site *site,
                   const struct frame_view *frame, uint64_t seq, int64_t unix_ns, bool *ret_truncated);

/* A registered place, a literal message, its keys, no exception, and not too long: then it is made straight
 * from its frame, to the same bytes. */
bool record_is_usual(const struct record_site *site, const struct frame *frame);

/* False, with nothing appended, when the frame cannot be believed, or `out` has not RECORD_BYTES_MAX bytes
 * left. */
bool record_encode_usual(struct bytes *out, struct record_run *run, const struct record_site *site,
                         const struct frame *frame, uint64_t seq, int64_t unix_ns);

bool record_encode_mark(struct bytes *out, const struct record_run *run, const struct record_mark *mark,
                        uint64_t seq, int64_t unix_ns);

/* The errors file's version of a line that stands in another buffer (with its newline). */
bool record_copy(struct bytes *out, const struct record_run *run, struct slice line);

/* Whether the line that begins at `bytes` is one of that run; or, when it is torn and all that there is,
 * could be. */
bool record_may_be_of_run(struct slice bytes, bool is_all, const struct ring_identity *identity);

const char *record_level_name(unsigned level);

#endif
