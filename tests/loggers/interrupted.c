/*
 * Logs without a pause while a timer's handler logs too, and forks children that log at once, meanwhile.
 *
 *     interrupted RECORDS PERIOD_US CHILDREN SETTLED
 *
 * Goes on until the main thread has logged RECORDS and the handler 200. Writes to the file SETTLED how many
 * each has logged. The log is set up by LOG_*.
 */
#define _GNU_SOURCE
#include <liblog/liblog.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_RECORDS = 10, HANDLED_MIN = 200 };

static volatile sig_atomic_t handled;

static void on_timer(int number)
{
    int n = handled;

    (void)number;
    ll_info("handler", ll_kv("n", n));
    handled = n + 1;
}

static void every_us(long us)
{
    const struct itimerval timer = {{0, us}, {0, us}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* Timers do not pass to a child. */
static void fork_child(void)
{
    if (fork() != 0)
        return;
    for (int n = 0; n < CHILD_RECORDS; n++)
        ll_info("child", ll_kv("n", n));
    ll_close();
    _exit(0);
}

static int wait_for_children(int count)
{
    int bad = 0, status;

    for (int i = 0; i < count; i++) {
        bad += wait(&status) < 0 || status != 0;
    }
    return bad;
}

static int settle(const char *path, long own)
{
    FILE *file = fopen(path, "we");

    if (!file)
        return 73;
    fprintf(file, "{\"main\": %ld, \"handler\": %d}\n", own, (int)handled);
    return fclose(file) == 0 ? 0 : 74;
}

int main(int argc, char **argv)
{
    ll_config config;
    ll_problem problem;

    if (argc != 5) {
        fprintf(stderr, "usage: %s RECORDS PERIOD_US CHILDREN SETTLED\n", argv[0]);
        return 64;
    }
    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        fprintf(stderr, "%s\n", problem.text);
        return 78;
    }
    long records = atol(argv[1]), children = atol(argv[3]), n;
    signal(SIGALRM, on_timer);
    every_us(atol(argv[2]));
    for (n = 0; n < records || handled < HANDLED_MIN; n++) {
        ll_info("main", ll_kv("n", n));
        if (children > 0 && n < records && n % (records / children) == records / children / 2)
            fork_child();
    }
    every_us(0);
    if (wait_for_children((int)children) != 0)
        return 70;
    ll_close();
    return settle(argv[4], n);
}
