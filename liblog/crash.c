#include "crash.h"

#include "caller.h"
#include "traceback.h"

#include <liblog/crash.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

/*
 * What happens in the handler, in order. Each step may itself go wrong, for the program has; a fault in one
 * ends that step only. Nothing here takes a lock, allocates, or waits without an end.
 *
 *   take the call stack        into static memory, entry by entry
 *   write the record           into a ring that is the handler's alone (common.h), as every call does
 *   wake the writer and wait   at most a second, and not when it is the writer that crashed
 *   pass the signal on         the action that was there before is put back, and the same signal sent once
 * more: it arrives when the handler returns, at the instruction that was interrupted
 */
enum { SIGNALS = 7, WAIT_NS_MAX = 1000000000, STEP_NS = 1000000 };

static const struct {
    int number;
    const char *name;
} signals[SIGNALS] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGILL, "SIGILL"},  {SIGFPE, "SIGFPE"},
                      {SIGABRT, "SIGABRT"}, {SIGSYS, "SIGSYS"}, {SIGTRAP, "SIGTRAP"}};

static struct sigaction before[SIGNALS]; /* what was there */
static bool is_watched;                  /* atomic */

/* The first thread that crashes tells it; others wait for that. */
enum { TELLER_NONE = 0, TELLER_DONE = UINT32_MAX };
static uint32_t teller; /* atomic: its number, or one of these */
static sigjmp_buf next_step;
static volatile sig_atomic_t is_in_step;

static struct crash {
    const siginfo_t *info;
    const void *context;
    const char *signal;
    uint64_t ticks; /* of the record; 0: there is none */
    struct traceback traceback;
} crash;

bool crash_is_watched(void)
{
    return __atomic_load_n(&is_watched, __ATOMIC_ACQUIRE);
}

/* --- the record ------------------------------------------------------------------------------------------ */

static const char *reason_of(const siginfo_t *info)
{
    if (info->si_code <= 0)
        return info->si_signo == SIGABRT ? "abort, or sent by a program" : "sent by a program";
    switch (info->si_signo) {
    case SIGSEGV:
        return info->si_code == SEGV_MAPERR ? "nothing is at this address" : "this access is not permitted";
    case SIGBUS:
        return info->si_code == BUS_ADRALN ? "the address is not aligned" : "what is mapped there is gone";
    case SIGFPE:
        return info->si_code == FPE_INTDIV ? "an integer was divided by zero" : "arithmetic went wrong";
    case SIGILL:
        return "this is no instruction";
    case SIGSYS:
        return "this system call is not permitted";
    default:
        return "a trap";
    }
}

static bool has_address(const siginfo_t *info)
{
    return info->si_code > 0 && info->si_signo != SIGSYS && info->si_signo != SIGTRAP &&
           info->si_code != SI_KERNEL;
}

/* No snprintf: it is not made for handlers. */
static const char *address_text(char text[static 19], uintptr_t address)
{
    static const char digits[] = "0123456789abcdef";
    char *at = text + 18;
    *at = '\0';
    do
        *--at = digits[address & 15];
    while (address >>= 4);
    *--at = 'x';
    *--at = '0';
    return at;
}

static size_t fields_of(const struct crash *told, char address[static 19], ll_field ret_fields[static 8])
{
    size_t count = 0;
    ret_fields[count++] = ll_field_part_(LL_TYPE_EXCEPTION_TYPE, told->signal);
    ret_fields[count++] = ll_field_part_(LL_TYPE_EXCEPTION_MESSAGE, reason_of(told->info));
    ret_fields[count++] =
        ll_field_pointer_("traceback", 0, LL_TYPE_TRACEBACK, told->traceback.bytes, told->traceback.size);
    ret_fields[count++] = ll_field_i64_("signal", 0, told->info->si_signo);
    ret_fields[count++] = ll_field_i64_("code", 0, told->info->si_code);
    if (has_address(told->info))
        ret_fields[count++] =
            ll_field_string_("address", 0, address_text(address, (uintptr_t)told->info->si_addr));
    else if (told->info->si_code <= 0)
        ret_fields[count++] = ll_field_i64_("sent_by_pid", 0, told->info->si_pid);
    return count;
}

static void write_record(struct crash *told)
{
    static const ll_site site = {"liblog", NULL, NULL, 0, LL_LEVEL_CRITICAL, 0, 0, 0, 0};
    struct instance *instance = instance_current();
    const struct caller *caller = caller_of_thread;
    const struct caller_request *request = caller ? caller_request(caller) : NULL;
    ll_field fields[8];
    char address[19];
    uint64_t needed;
    if (!instance || !instance->common.is_there)
        return;
    struct frame_call call = {.site = &site,
                              .message = "the program crashed",
                              .fields = fields,
                              .count = fields_of(told, address, fields),
                              .context = request ? &request->packed : NULL,
                              .is_crash = true,
                              .thread = os_thread_id(),
                              .ticks = ticks_stamp()};
    if (frame_pack(&instance->common.producer[COMMON_CRASH], &call, &needed) == 0)
        told->ticks = call.ticks;
}

/* --- the steps ------------------------------------------------------------------------------------------- */

static void take_stack(struct crash *told)
{
    traceback_take_interrupted(&told->traceback, told->context);
}

static void wait_for_writer(struct crash *told)
{
    struct instance *instance = instance_current();
    if (!told->ticks || !instance)
        return;
    writer_poke(&instance->writer, true);
    if (instance->writer.thread_number != os_thread_id() && !writer_is_stalled(&instance->writer))
        writer_wait(&instance->writer, told->ticks, WAIT_NS_MAX);
}

static void tell(void)
{
    static void (*const steps[])(struct crash *) = {take_stack, write_record, wait_for_writer};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        is_in_step = 1;
        if (sigsetjmp(next_step, 0) == 0)
            steps[i](&crash);
        is_in_step = 0;
    }
}

static void wait_for_teller(void)
{
    int64_t end = os_monotonic_ns() + 2 * (int64_t)WAIT_NS_MAX;
    uint32_t now;
    while ((now = __atomic_load_n(&teller, __ATOMIC_ACQUIRE)) != TELLER_DONE && os_monotonic_ns() < end)
        os_futex_wait(&teller, now, STEP_NS, false);
}

/* Once only: when the handler that was there survives the signal, this one is no longer in its way. */
static void pass_on(int index, siginfo_t *info)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signals[index].number);
    sigaction(signals[index].number, &before[index], NULL);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    os_signal_again(signals[index].number, info);
}

static int index_of(int number)
{
    int i = 0;
    while (i < SIGNALS - 1 && signals[i].number != number)
        i++;
    return i;
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    int errno_before = errno, index = index_of(number);
    uint32_t mine = os_thread_id(), none = TELLER_NONE;
    if (is_in_step && __atomic_load_n(&teller, __ATOMIC_ACQUIRE) == mine)
        siglongjmp(next_step, 1);
    if (__atomic_compare_exchange_n(&teller, &none, mine, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        crash = (struct crash){.info = info, .context = context, .signal = signals[index].name};
        tell();
        __atomic_store_n(&teller, TELLER_DONE, __ATOMIC_RELEASE);
        os_futex_wake(&teller, INT32_MAX, false);
    } else if (none != mine) {
        wait_for_teller();
    }
    pass_on(index, info);
    errno = errno_before;
}

/* --- installing ------------------------------------------------------------------------------------------ */

/* Signals of faults stay open: one in a step ends the step. */
static void block_others(sigset_t *ret_mask)
{
    sigfillset(ret_mask);
    for (int i = 0; i < SIGNALS; i++)
        sigdelset(ret_mask, signals[i].number);
}

static int install(int index)
{
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER},
                     now;
    block_others(&action.sa_mask);
    if (sigaction(signals[index].number, NULL, &now))
        return LL_ESYSTEM;
    if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_crash)
        return LL_OK;
    before[index] = now;
    return sigaction(signals[index].number, &action, NULL) ? LL_ESYSTEM : LL_OK;
}

int ll_crash_handler_install(void)
{
    struct traceback unused;
    struct caller *caller = caller_mine();
    if (!caller)
        return LL_ENOMEM;
    traceback_take(&unused, 0); /* what the first walk loads is loaded before a crash */
    __atomic_store_n(&is_watched, true, __ATOMIC_RELEASE);
    __atomic_store_n(&teller, TELLER_NONE, __ATOMIC_RELEASE);
    if (!caller->crash_stack)
        caller->crash_stack = crash_stack_begin();
    int error = instance_watch_crashes();
    for (int i = 0; i < SIGNALS && !error; i++)
        error = install(i);
    return error;
}

/* --- a stack for each thread ----------------------------------------------------------------------------- */

void *crash_stack_begin(void)
{
    stack_t now, own = {.ss_size = os_signal_stack_bytes()};
    if (sigaltstack(NULL, &now) || !(now.ss_flags & SS_DISABLE) || os_guarded_stack(own.ss_size, &own.ss_sp))
        return NULL;
    if (sigaltstack(&own, NULL) == 0)
        return own.ss_sp;
    os_guarded_stack_release(own.ss_sp, own.ss_size);
    return NULL;
}

void crash_stack_end(void *stack, bool is_own)
{
    const stack_t off = {.ss_flags = SS_DISABLE};
    stack_t now;
    if (!stack)
        return;
    if (is_own && sigaltstack(NULL, &now) == 0 && now.ss_sp == stack)
        sigaltstack(&off, NULL);
    os_guarded_stack_release(stack, os_signal_stack_bytes());
}

/* --- the other public calls ------------------------------------------------------------------------------ */

void ll_log_signal_safe(ll_level level, const char *message)
{
    static ll_site sites[LL_LEVEL_OFF] = {{"root", NULL, NULL, 0, LL_LEVEL_TRACE, 0, 0, 0, 0},
                                          {"root", NULL, NULL, 0, LL_LEVEL_DEBUG, 0, 0, 0, 0},
                                          {"root", NULL, NULL, 0, LL_LEVEL_INFO, 0, 0, 0, 0},
                                          {"root", NULL, NULL, 0, LL_LEVEL_WARNING, 0, 0, 0, 0},
                                          {"root", NULL, NULL, 0, LL_LEVEL_ERROR, 0, 0, 0, 0},
                                          {"root", NULL, NULL, 0, LL_LEVEL_CRITICAL, 0, 0, 0, 0}};
    if ((int)level >= 0 && level < LL_LEVEL_OFF && ll_is_on_(&sites[level]))
        ll_write_at(&sites[level], LL_KEYS_DYNAMIC, message, NULL, 0);
}

__attribute__((noinline)) ll_field ll_traceback(void)
{
    struct caller *caller = caller_mine();
    if (!caller)
        return ll_field_end_();
    uint32_t turn = caller->traceback_turn++;
    struct traceback *traceback = &caller->traceback[turn % CALLER_TRACEBACKS];
    traceback_take(traceback, 1);
    return ll_field_pointer_("traceback", LL_FIELD_KEY_LITERAL, LL_TYPE_TRACEBACK, traceback->bytes,
                             traceback->size);
}
