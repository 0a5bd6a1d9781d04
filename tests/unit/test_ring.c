#define _GNU_SOURCE
#include "liblog/base/os.h"
#include "liblog/ring.h"
#include "tests/support/chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum { SIZE = 65536 };

static struct ring ring;

static int make(void **state)
{
    void *memory;
    (void)state;
    int fd = os_memory_file("ring");
    if (fd < 0 || os_allocate(fd, 0, SIZE) || os_map_twice(fd, 0, SIZE, SIZE, &memory))
        return -1;
    close(fd);
    ring = (struct ring){aligned_alloc(RING_LINE, sizeof(struct ring_control)), memory, SIZE};
    memset(ring.control, 0, sizeof *ring.control);
    return 0;
}

static int release(void **state)
{
    (void)state;
    os_unmap(ring.data, 2 * SIZE);
    free(ring.control);
    return 0;
}

static void the_ends_lie_on_cache_lines_of_their_own(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct ring_control, tail), RING_LINE);
    assert_int_equal(offsetof(struct ring_control, dropped), 2 * RING_LINE);
    assert_int_equal(sizeof(struct ring_control), 4 * RING_LINE);
}

static void what_is_reserved_is_invisible_until_it_is_published(void **state)
{
    struct ring_producer producer;
    (void)state;
    ring_producer_init(&producer, &ring);
    memcpy(ring_reserve(&producer, 8), "invisibl", 8);
    assert_int_equal(ring_head(&ring), 0);
    ring_publish(&producer, 8);
    assert_int_equal(ring_head(&ring), 8);
    assert_memory_equal(ring_at(&ring, 0), "invisibl", 8);
}

static void a_full_ring_gives_no_room_until_some_is_freed(void **state)
{
    struct ring_producer producer;
    (void)state;
    ring_producer_init(&producer, &ring);
    assert_non_null(ring_reserve(&producer, SIZE));
    assert_null(ring_reserve(&producer, SIZE + 8));
    ring_publish(&producer, SIZE);
    assert_null(ring_reserve(&producer, 8));
    assert_int_equal(ring_producer_refresh(&producer), 0);
    ring_free(&ring, 64);
    assert_null(ring_reserve(&producer, 72));
    assert_non_null(ring_reserve(&producer, 64));
    assert_int_equal(ring_producer_refresh(&producer), 64);
}

static void what_runs_over_the_end_is_one_piece_for_writer_and_reader(void **state)
{
    struct ring_producer producer;
    char text[128];
    (void)state;
    ring_producer_init(&producer, &ring);
    ring_reserve(&producer, SIZE - 64);
    ring_publish(&producer, SIZE - 64);
    ring_free(&ring, SIZE - 64);
    for (int i = 0; i < 128; i++)
        text[i] = (char)i;
    memcpy(ring_reserve(&producer, 128), text, 128);
    ring_publish(&producer, 128);
    assert_memory_equal(ring_at(&ring, SIZE - 64), text, 128);
    assert_memory_equal(ring.data, text + 64, 64);
}

static void a_producer_that_comes_later_goes_on_where_the_last_ended(void **state)
{
    struct ring_producer first, second;
    (void)state;
    ring_producer_init(&first, &ring);
    ring_reserve(&first, 4096);
    ring_publish(&first, 4096);
    ring_producer_init(&second, &ring);
    assert_ptr_equal(ring_reserve(&second, 8), ring.data + 4096);
    assert_int_equal(ring_producer_refresh(&second), SIZE - 4096);
}

enum { PIECES = 200000 };

static uint64_t piece_size(struct chance *chance)
{
    return 8 * (1 + chance_below(chance, 100));
}

static void *produce(void *argument)
{
    struct ring_producer producer;
    struct chance chance = {7};
    (void)argument;
    ring_producer_init(&producer, &ring);
    for (uint64_t i = 0; i < PIECES; i++) {
        uint64_t size = piece_size(&chance), *at;
        while (!(at = (uint64_t *)(void *)ring_reserve(&producer, size)))
            sched_yield();
        for (uint64_t k = 0; k < size / 8; k++)
            at[k] = i + k;
        ring_publish(&producer, size);
    }
    return NULL;
}

static void two_threads_pass_every_byte_on_in_order(void **state)
{
    pthread_t thread;
    struct chance chance = {7};
    uint64_t position = 0;
    (void)state;
    pthread_create(&thread, NULL, produce, NULL);
    for (uint64_t i = 0; i < PIECES; i++) {
        uint64_t size = piece_size(&chance);
        while (ring_head(&ring) == position)
            sched_yield();
        assert_true(ring_head(&ring) - position >= size); /* whole pieces only */
        const uint64_t *at = (const uint64_t *)(const void *)ring_at(&ring, position);
        for (uint64_t k = 0; k < size / 8; k++)
            if (at[k] != i + k)
                fail_msg("piece %llu is wrong", (unsigned long long)i);
        position += size;
        ring_free(&ring, position);
    }
    pthread_join(thread, NULL);
    assert_int_equal(ring_head(&ring), position);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ends_lie_on_cache_lines_of_their_own),
        cmocka_unit_test_setup_teardown(what_is_reserved_is_invisible_until_it_is_published, make, release),
        cmocka_unit_test_setup_teardown(a_full_ring_gives_no_room_until_some_is_freed, make, release),
        cmocka_unit_test_setup_teardown(what_runs_over_the_end_is_one_piece_for_writer_and_reader, make,
                                        release),
        cmocka_unit_test_setup_teardown(a_producer_that_comes_later_goes_on_where_the_last_ended, make,
                                        release),
        cmocka_unit_test_setup_teardown(two_threads_pass_every_byte_on_in_order, make, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
