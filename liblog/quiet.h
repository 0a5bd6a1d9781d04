/*
 * A stretch of code out of which its thread is not to be taken: neither by a signal handler nor by a
 * cancellation. Around every lock of the library, for a handler that logs may need the lock too, and a thread
 * that ends with it would hold it for good. Signals of faults stay open: they mean that the code itself went
 * wrong, and the crash handler takes no lock.
 */
#ifndef LIBLOG_QUIET_H
#define LIBLOG_QUIET_H

#include <pthread.h>
#include <signal.h>

struct quiet {
    sigset_t mask;
    int cancel_state;
};

static inline void quiet_begin(struct quiet *ret_before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    sigset_t all;
    sigfillset(&all);
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_BLOCK, &all, &ret_before->mask);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ret_before->cancel_state);
}

static inline void quiet_end(const struct quiet *before)
{
    int unused;
    pthread_setcancelstate(before->cancel_state, &unused);
    pthread_sigmask(SIG_SETMASK, &before->mask, NULL);
}

#endif
