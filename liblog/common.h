/*
 * The rings that belong to no thread, in a segment of their own: one for threads that could get none, one for
 * the crash handler, one for what was logged before the log was open. Made when the first of these is in
 * sight: with the second thread, with ll_crash_handler_install, with the first early record.
 */
#ifndef LIBLOG_COMMON_H
#define LIBLOG_COMMON_H

#include "ring_file.h"

#include <pthread.h>

enum common_ring { COMMON_SHARED = 0, COMMON_CRASH = 1, COMMON_EARLY = 2 };

struct common {
    bool is_there;         /* atomic */
    pthread_mutex_t mutex; /* of the shared ring; taken in quiet */
    struct ring_producer producer[RING_FILE_DEPTHS];
};

/* 0, also when it is there already; or why there is no segment. Under the life lock. */
int common_make(struct common *common, struct ring_file *file);

#endif
