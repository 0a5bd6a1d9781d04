/*
 * What a program says in its last moment.
 *
 *     ll_open(&config, &problem);
 *     ll_crash_handler_install();
 *
 * After a fatal signal (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP) the log ends with one
 * CRITICAL record: mark "crash", the signal as its exception's type, the address, the call stack, and the
 * request that the thread was in. Then the signal goes on to the handler that was there before, or to the
 * system: exit status and core dump are what they would be without liblog.
 */
#ifndef LIBLOG_CRASH_H
#define LIBLOG_CRASH_H

#include "api.h"
#include "field.h"
#include "record.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Installs the handler for the whole process, and for this thread a stack of its own on which it runs (a
 * recursion without end leaves none); threads get theirs with their first log call after it, where they have
 * none yet. Before or after ll_open, once or again: a handler that was installed later is then chained.
 * LL_OK, or LL_ESYSTEM, LL_ENOMEM.
 *
 * The handler waits at most a second until the record is written. It takes no lock and allocates nothing, so
 * a crash inside liblog or inside malloc ends no differently; a record that could not be written then lies in
 * the ring file, and whoever opens the log next writes it. The handler is done when it has passed the signal
 * on: a program that survives one (by siglongjmp out of a handler of its own) installs it again.
 */
LL_API int ll_crash_handler_install(void);

/*
 * Logs a message to the logger "root" at a level. For signal handlers; may also be called anywhere else. The
 * ordinary log calls may be made in a handler too: they make no difference but that formatting (ll_infof …)
 * is not made for it. In a handler that interrupted a log call no call waits for room in a full ring.
 */
LL_API void ll_log_signal_safe(ll_level level, const char *message);

/*
 * A field: the call stack, innermost first, at most 48 calls, as "function+0x1f (module)", or
 * "0x1139 (module)" where no name is known: of stripped files those that are exported are. It stands in the
 * record's exception when there is one, else among the fields as "traceback".
 *
 *     ll_error("cannot open", ll_exception("OperationalError", "no such file"), ll_traceback());
 *
 * It walks the stack by the unwind tables (some 10 µs), names are looked up by the writer thread. Belongs
 * into a log call's arguments: its memory is the thread's, and used again by the fourth call after it.
 */
LL_API ll_field ll_traceback(void);

#ifdef __cplusplus
}
#endif
#endif
