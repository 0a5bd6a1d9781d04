/*
 * A program killed at one exact point of its way. It runs in a child that this process traces; at the point
 * it gets SIGKILL, which it cannot see coming: before a system call or after it, after a write that took only
 * a part of its bytes, or some instructions later. Asking for the points one after the other until the
 * program ends by itself tries them all.
 *
 * The including file defines _GNU_SOURCE first. One traced program at a time; a thread of this process that
 * waits for children of its own meanwhile would take the tracer's news.
 */
#ifndef TESTS_KILL_POINTS_H
#define TESTS_KILL_POINTS_H

#include <elf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILL_ANY_CALL = -1 };

/* The n-th time that one of its threads enters (and then leaves) a system call. */
struct kill_point {
    long call;               /* its number, as SYS_write; or KILL_ANY_CALL */
    int nth;                 /* of these, from 1 on, over all threads */
    bool after;              /* when it has run; else before */
    long torn;               /* >= 0, with `after`: it is given only so many bytes to write */
    int steps;               /* with `after`: so many instructions of its thread later */
    void (*meanwhile)(void); /* done while it stands still there; may be NULL */
    bool spare;              /* then it goes on instead of being killed */
};

struct kill_trace {
    const struct kill_point *point;
    pid_t program;
    int seen;     /* calls of the kind entered */
    pid_t inside; /* the thread whose call is the one, between entry and exit */
};

/* --- one thread that stands still ----------------------------------------------------------------------- */

#if defined(__x86_64__)
#define KILL_THIRD_ARGUMENT(registers) ((registers).rdx)
#elif defined(__aarch64__)
#define KILL_THIRD_ARGUMENT(registers) ((registers).regs[2])
#endif

static inline void kill_shorten_write(pid_t thread, long bytes)
{
    struct user_regs_struct registers;
    struct iovec all = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &all))
        return;
    KILL_THIRD_ARGUMENT(registers) = (unsigned long)bytes;
    ptrace(PTRACE_SETREGSET, thread, (void *)NT_PRSTATUS, &all);
}

static inline void kill_step(pid_t thread, int steps)
{
    int status;
    for (int i = 0; i < steps; i++)
        if (ptrace(PTRACE_SINGLESTEP, thread, NULL, NULL) || waitpid(thread, &status, __WALL) != thread ||
            !WIFSTOPPED(status))
            return;
}

/* Whether the point is reached. */
static inline bool kill_at_call(struct kill_trace *trace, pid_t thread)
{
    struct __ptrace_syscall_info info;
    const struct kill_point *point = trace->point;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) <= 0)
        return false;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        if (point->call != KILL_ANY_CALL && (long)info.entry.nr != point->call)
            return false;
        if (++trace->seen != point->nth)
            return false;
        trace->inside = thread;
        if (point->after && point->torn >= 0 && point->torn < (long)info.entry.args[2])
            kill_shorten_write(thread, point->torn);
        return !point->after;
    }
    if (thread != trace->inside)
        return false;
    trace->inside = 0;
    kill_step(thread, point->steps);
    return true;
}

/* --- the program ---------------------------------------------------------------------------------------- */

static inline void kill_program(pid_t program)
{
    int status;
    kill(program, SIGKILL);
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0 || (thread == program && (WIFSIGNALED(status) || WIFEXITED(status))))
            return;
    }
}

/* Starts `story` in a child that stands still before its first instruction. */
static inline pid_t kill_start(void (*story)(void *), void *argument)
{
    int status;
    pid_t program = fork();
    if (program == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        story(argument);
        _exit(0);
    }
    if (program < 0 || waitpid(program, &status, 0) != program || !WIFSTOPPED(status))
        return -1;
    ptrace(PTRACE_SETOPTIONS, program, NULL,
           (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL));
    return program;
}

/*
 * Runs `story` and kills it at the point. 1: killed there. 0: it ended by itself with 0 before it came that
 * far. -1: it cannot be traced, or ended otherwise.
 */
static inline int kill_run(void (*story)(void *), void *argument, const struct kill_point *point)
{
    struct kill_trace trace = {.point = point, .program = kill_start(story, argument)};
    pid_t thread = trace.program;
    int status, signal_number = 0;
    if (trace.program < 0)
        return -1;
    for (;;) {
        ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(long)signal_number);
        thread = waitpid(-1, &status, __WALL);
        if (thread < 0)
            return -1;
        signal_number = 0;
        if (thread == trace.program && (WIFEXITED(status) || WIFSIGNALED(status)))
            return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
        if (!WIFSTOPPED(status))
            continue; /* another of its threads has ended */
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            if (!kill_at_call(&trace, thread))
                continue;
            if (point->meanwhile)
                point->meanwhile();
            if (point->spare)
                continue;
            kill_program(trace.program);
            return 1;
        }
        if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
            signal_number = WSTOPSIG(status);
    }
}

#endif
