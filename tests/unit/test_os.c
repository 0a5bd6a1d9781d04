#define _GNU_SOURCE
#include "liblog/base/os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- locks that say "owner died" ------------------------------------------------------------------------ */

/* Each case runs in children: the kernel's list of held words is a thread's, and dies with it. */
static int lock_fd;
static uint32_t *word; /* as everybody sees it */

static int make(void **state)
{
    void *memory;
    (void)state;
    lock_fd = os_memory_file("lock");
    if (lock_fd < 0 || os_allocate(lock_fd, 0, os_page_size()) || os_map(lock_fd, 0, os_page_size(), &memory))
        return -1;
    word = memory;
    return 0;
}

static int release(void **state)
{
    (void)state;
    os_unmap(word, os_page_size());
    return close(lock_fd);
}

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static void wait_for_word(bool held)
{
    for (int i = 0; os_word_is_held(__atomic_load_n(word, __ATOMIC_ACQUIRE)) != held; i++) {
        if (i == 5000)
            fail_msg("the word is %x", *word);
        pause_ms(1);
    }
}

/* The result of taking the word in a thread of its own, given back at once. */
struct taking {
    int64_t timeout_ns;
    int result;
};

static void *take_in_thread(void *argument)
{
    struct taking *taking = argument;
    struct os_robust robust;
    taking->result = os_robust_map(&robust, (int[]){-1, lock_fd}, (uint64_t[]){0, 0});
    if (taking->result)
        return NULL;
    os_robust_adopt(&robust);
    taking->result = os_robust_lock(&robust, 1, taking->timeout_ns);
    if (taking->result >= 0)
        os_robust_unlock(&robust, 1);
    os_robust_unmap(&robust);
    return NULL;
}

static int take(int64_t timeout_ns)
{
    struct taking taking = {timeout_ns, 0};
    pthread_t thread;
    if (pthread_create(&thread, NULL, take_in_thread, &taking))
        return -EAGAIN;
    pthread_join(thread, NULL);
    return taking.result;
}

static void hold_until_killed(void)
{
    struct os_robust robust;
    if (os_robust_map(&robust, (int[]){-1, lock_fd}, (uint64_t[]){0, 0}))
        _exit(1);
    os_robust_adopt(&robust);
    if (os_robust_lock(&robust, 1, -1) < 0)
        _exit(2);
    for (;;)
        pause();
}

static pid_t start_holder(void)
{
    pid_t child = fork();
    if (child == 0)
        hold_until_killed();
    assert_true(child > 0);
    wait_for_word(true);
    return child;
}

static void kill_holder(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_free_lock_is_taken_and_given_back(void **state)
{
    (void)state;
    assert_int_equal(take(-1), 0);
    assert_int_equal(*word, 0);
    assert_int_equal(take(0), 0);
}

static void a_lock_held_by_another_process_is_waited_for_as_long_as_said(void **state)
{
    (void)state;
    pid_t holder = start_holder();
    int64_t before = os_monotonic_ns();
    assert_int_equal(take(50000000), -ETIMEDOUT);
    assert_true(os_monotonic_ns() - before >= 50000000);
    kill_holder(holder);
}

static void who_comes_after_a_killed_holder_is_told_so_once(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        kill_holder(start_holder());
        wait_for_word(false);
        assert_int_equal(take(-1), 1);
        assert_int_equal(take(-1), 0);
    }
}

static void who_waits_is_woken_when_the_holder_is_killed(void **state)
{
    struct taking taking = {-1, -1};
    pthread_t thread;
    (void)state;
    pid_t holder = start_holder();
    pthread_create(&thread, NULL, take_in_thread, &taking);
    pause_ms(30);
    kill_holder(holder);
    pthread_join(thread, NULL);
    assert_int_equal(taking.result, 1);
}

static void hold_and_fork(pid_t *ret_child)
{
    struct os_robust robust;
    if (os_robust_map(&robust, (int[]){-1, lock_fd}, (uint64_t[]){0, 0}))
        _exit(1);
    os_robust_adopt(&robust);
    os_robust_lock(&robust, 1, -1);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    *ret_child = child;
    raise(SIGKILL);
}

static void a_forked_child_that_lives_does_not_hold_its_dead_parents_lock(void **state)
{
    pid_t *grandchild = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)state;
    pid_t child = fork();
    if (child == 0)
        hold_and_fork(grandchild);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(*grandchild > 0);
    assert_int_equal(kill(*grandchild, 0), 0); /* it lives */
    assert_int_equal(take(1000000000), 1);
    kill(*grandchild, SIGKILL);
    munmap(grandchild, 4096);
}

static uint64_t *counter; /* behind the word, in the same page; changed by its holder only */

static void *count_under_lock(void *argument)
{
    struct os_robust robust;
    (void)argument;
    if (os_robust_map(&robust, (int[]){-1, lock_fd}, (uint64_t[]){0, 0}))
        return NULL;
    os_robust_adopt(&robust);
    for (int i = 0; i < 5000; i++) {
        if (os_robust_lock(&robust, 1, -1) != 0)
            break;
        *counter = *counter + 1;
        os_robust_unlock(&robust, 1);
    }
    os_robust_unmap(&robust);
    return NULL;
}

static void of_many_threads_and_processes_one_holds_it_at_a_time(void **state)
{
    pthread_t threads[2];
    pid_t children[2];
    (void)state;
    counter = (uint64_t *)(void *)(word + 2);
    for (int i = 0; i < 2; i++)
        if ((children[i] = fork()) == 0) {
            count_under_lock(NULL);
            _exit(0);
        }
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, count_under_lock, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        waitpid(children[i], NULL, 0);
    assert_int_equal(*counter, 4 * 5000);
    assert_int_equal(*word, 0);
}

/* --- mapped files that others can cut ------------------------------------------------------------------- */

static sig_atomic_t program_saw;
static sigjmp_buf program_goes_on;

static void programs_handler(int number)
{
    (void)number;
    program_saw++;
    siglongjmp(program_goes_on, 1);
}

static void a_page_that_was_cut_off_under_a_guard_is_one_of_zeros(void **state)
{
    struct os_guard guard;
    void *memory, *unguarded;
    (void)state;
    int fd = os_memory_file("cut");
    size_t page = os_page_size();
    struct sigaction before, programs = {.sa_handler = programs_handler};
    assert_int_equal(os_allocate(fd, 0, 2 * page), 0);
    assert_int_equal(os_map(fd, 0, page, &memory), 0);
    assert_int_equal(os_map(fd, page, page, &unguarded), 0);
    ((char *)memory)[7] = 'x';
    sigaction(SIGBUS, &programs, &before);
    assert_int_equal(os_guard_begin(&guard), 0);
    os_guard_watch(&guard, memory, page);
    assert_int_equal(((volatile char *)memory)[7], 'x');
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(((volatile char *)memory)[7], 0);
    ((volatile char *)memory)[7] = 'y';
    assert_int_equal(((volatile char *)memory)[7], 'y');
    if (sigsetjmp(program_goes_on, 1) == 0)
        fail_msg("a page without a guard is there: %d", ((volatile char *)unguarded)[7]);
    assert_int_equal(program_saw, 1); /* another fault is the program's */
    assert_true(os_guard_end(&guard));
    struct sigaction after;
    sigaction(SIGBUS, &before, &after);
    assert_ptr_equal(after.sa_handler, programs_handler);
    os_unmap(memory, page);
    os_unmap(unguarded, page);
    close(fd);
}

/* --- the rest ------------------------------------------------------------------------------------------- */

static void a_twice_mapped_file_shows_its_beginning_behind_its_end(void **state)
{
    void *memory;
    (void)state;
    size_t size = 4 * os_page_size();
    int fd = os_memory_file("twice");
    assert_int_equal(os_allocate(fd, 0, size), 0);
    assert_int_equal(os_map_twice(fd, 0, size, &memory), 0);
    char *bytes = memory;
    memcpy(bytes + size - 4, "overflow", 8);
    assert_memory_equal(bytes, "flow", 4);
    bytes[1] = 'L';
    assert_int_equal(bytes[size + 1], 'L');
    os_unmap(memory, 2 * size);
    close(fd);
}

static void the_boot_is_the_same_for_all_who_ask(void **state)
{
    uint8_t first[OS_BOOT_ID_SIZE], second[OS_BOOT_ID_SIZE], zero[OS_BOOT_ID_SIZE] = {0};
    (void)state;
    assert_int_equal(os_boot_id(first), 0);
    assert_int_equal(os_boot_id(second), 0);
    assert_memory_equal(first, second, sizeof first);
    assert_memory_not_equal(first, zero, sizeof first);
}

static void a_wait_ends_when_the_word_is_another_or_the_time_is_up(void **state)
{
    uint32_t value = 1;
    (void)state;
    assert_int_equal(os_futex_wait(&value, 2, -1, false), -EAGAIN);
    assert_int_equal(os_futex_wait(&value, 1, 1000000, false), -ETIMEDOUT);
}

#define with_lock(test) cmocka_unit_test_setup_teardown(test, make, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_lock(a_free_lock_is_taken_and_given_back),
        with_lock(a_lock_held_by_another_process_is_waited_for_as_long_as_said),
        with_lock(who_comes_after_a_killed_holder_is_told_so_once),
        with_lock(who_waits_is_woken_when_the_holder_is_killed),
        with_lock(a_forked_child_that_lives_does_not_hold_its_dead_parents_lock),
        with_lock(of_many_threads_and_processes_one_holds_it_at_a_time),
        cmocka_unit_test(a_page_that_was_cut_off_under_a_guard_is_one_of_zeros),
        cmocka_unit_test(a_twice_mapped_file_shows_its_beginning_behind_its_end),
        cmocka_unit_test(the_boot_is_the_same_for_all_who_ask),
        cmocka_unit_test(a_wait_ends_when_the_word_is_another_or_the_time_is_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
