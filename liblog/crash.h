/* The handler of fatal signals: liblog/crash.h tells what it does, and this what others do for it. */
#ifndef LIBLOG_CRASH_INSIDE_H
#define LIBLOG_CRASH_INSIDE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the handler was installed: then each instance keeps a ring for it, and each thread a stack. */
bool crash_is_watched(void);

/* Gives this thread a stack for the handler, when it has none for signals yet. NULL: none was made. */
void *crash_stack_begin(void);

/* Gives it back; `is_own` says that it is the calling thread's. NULL is none. */
void crash_stack_end(void *stack, bool is_own);

#endif
