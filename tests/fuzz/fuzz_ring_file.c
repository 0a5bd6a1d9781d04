/*
 * A dead process's ring file with any of its bytes changed and its end cut off: loaded, and drained into
 * lines that are whole and valid, whatever they say; and recovered beside a log that holds another run's
 * lines, which stay, and a part of the block whose write was under way.
 *
 * Input: two bytes for the length (0: as it is), then changes of four bytes each: area, place in it (two),
 * value.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/json.h"
#include "liblog/drain.h"
#include "liblog/recover.h"
#include "tests/unit/ring_maker.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { RECORDS = 20, DEPTH_MAX = 80 };

/* Made once: what each input changes a copy of. */
static char *whole;
static size_t whole_size;

static ll_site registered = {"made.logger", "made.c", "maker", 7, LL_LEVEL_ERROR, 0, 0, 0, 0};
static ll_site placed = {"another", "other.c", "maker", 8, LL_LEVEL_INFO, 0, 0, 0, 0};

static void log_records(struct made *made)
{
    ll_field fields[] = {ll_kv("i", 0),
                         ll_kv("text", "some text"),
                         ll_kv("d", 0.1),
                         ll_json("json", "[1,2]"),
                         ll_bytes("bytes", "\x01\x02", 2),
                         ll_exception("T", "message")};
    const size_t count = sizeof fields / sizeof fields[0];
    const struct site_shape *shape =
        site_register(&made->file, &made->arena, &registered, "made", fields, count);
    for (int i = 0; i < RECORDS; i++) {
        bool plain = i % 4 == 3;
        fields[0].value.i64 = i;
        fuzz_must(made_log(made, i % RING_FILE_DEPTHS, plain ? &placed : &registered, plain ? NULL : shape,
                           "made", fields, count, (uint64_t)i) == 0);
    }
}

static void make_whole(void)
{
    static struct made made;
    struct stat st;
    int fd = os_memory_file("whole");
    fuzz_must(fd >= 0 && made_begin(&made, fd));
    log_records(&made);
    made_end(&made);
    fuzz_must(fstat(fd, &st) == 0);
    whole_size = (size_t)st.st_size;
    whole = malloc(whole_size);
    fuzz_must(whole && pread(fd, whole, whole_size, 0) == (ssize_t)whole_size);
    close(fd);
}

/* Where the areas begin: the four pages, the table, the rings' control page, the first ring, the second. */
static size_t area_offset(unsigned area)
{
    size_t page = os_page_size();
    if (area < 5)
        return area * page;
    size_t segment = 4 * page + RING_FILE_SITES_BYTES;
    return area == 5 ? segment : segment + page + (area == 6 ? 0 : RING_BYTES_MIN);
}

static void put_changed(int fd, const uint8_t *data, size_t size)
{
    fuzz_must(fd >= 0 && pwrite(fd, whole, whole_size, 0) == (ssize_t)whole_size);
    for (size_t i = 2; i + 4 <= size; i += 4) {
        size_t at = area_offset(data[i] % 8) + (data[i + 1] | (size_t)data[i + 2] << 8);
        if (at < whole_size)
            fuzz_must(pwrite(fd, &data[i + 3], 1, (off_t)at) == 1);
    }
    size_t length = size < 2 ? 0 : data[0] | (size_t)data[1] << 8;
    if (length)
        fuzz_must(ftruncate(fd, (off_t)(whole_size * length / 65536)) == 0);
}

static void check_lines(struct slice block)
{
    while (block.size > 0) {
        const char *end = memchr(block.data, '\n', block.size);
        fuzz_must(end);
        size_t size = (size_t)(end - block.data);
        fuzz_must(size < RECORD_BYTES_MAX && json_is_valid(slice_from(block.data, size), DEPTH_MAX));
        block = slice_from(end + 1, block.size - size - 1);
    }
}

static void drain_all(struct ring_file *file)
{
    struct drain drain;
    struct sink log, errors;
    sink_init(&log, "stdout");
    sink_init(&errors, "stdout");
    log.fd = errors.fd = open("/dev/null", O_WRONLY);
    fuzz_must(log.fd >= 0 && drain_init(&drain, file, &log, &errors) == LL_OK);
    for (int i = 0; drain_fill(&drain, UINT64_MAX) > 0; i++) {
        fuzz_must(i < 1000); /* it ends */
        check_lines(bytes_slice(&drain.block));
        check_lines(bytes_slice(&drain.copies));
        fuzz_must(drain_write(&drain) == 0);
    }
    drain_release(&drain);
    close(log.fd);
}

/* --- beside a log --------------------------------------------------------------------------------------- */

static const char anothers[] =
    "{\"timestamp\":\"1970-01-01T00:00:00.000000000Z\",\"message\":\"another's\"}\n";
static char work[64];        /* a folder of this process's own */
static struct folder folder; /* of rings, in it */
static char log_path[128], ring_path[128];
static char *block; /* the first one that the ring gives, half of which is in the log */
static size_t block_size;

static void remove_work(void)
{
    unlink(log_path);
    unlink(ring_path);
    rmdir(folder.path);
    rmdir(work);
}

static void write_log(int fd, size_t part)
{
    fuzz_must(fd >= 0 && ftruncate(fd, 0) == 0);
    fuzz_must(pwrite(fd, anothers, sizeof anothers - 1, 0) == (ssize_t)sizeof anothers - 1);
    fuzz_must(pwrite(fd, block, part, sizeof anothers - 1) == (ssize_t)part);
}

/* Gives `whole` a note of its first block, as if its owner had died while writing it behind another's line.
 */
static void note_block(void)
{
    struct ring_file file;
    struct drain drain;
    struct sink none;
    struct stat st;
    const char *reason;
    int _cleanup_close_ fd = os_memory_file("noted");
    fuzz_must(pwrite(fd, whole, whole_size, 0) == (ssize_t)whole_size);
    fuzz_must(ring_file_load(&file, fd, &reason) == LL_OK);
    sink_init(&none, log_path);
    fuzz_must(drain_init(&drain, &file, &none, NULL) == LL_OK && drain_fill(&drain, UINT64_MAX) > 0);
    block_size = drain.block.size;
    block = malloc(block_size);
    fuzz_must(block && stat(log_path, &st) == 0);
    memcpy(block, drain.block.data, block_size);
    unsigned next = ring_file_parity(&file) ^ 1;
    for (uint32_t i = 0; i < drain.cursor_count; i++)
        drain.cursor[i].ring->control->tail[next] = drain.cursor[i].position;
    file.progress->next_seq[next] = drain.next_seq;
    struct ring_note note = {
        .first_seq = drain.first_seq, .last_seq = drain.next_seq - 1, .anchor = drain.anchor};
    note.target[0] =
        (struct ring_target){(uint64_t)st.st_dev, (uint64_t)st.st_ino, sizeof anothers - 1, block_size};
    ring_file_note(&file, &note);
    drain_release(&drain);
    ring_file_release(&file);
    fuzz_must(pread(fd, whole, whole_size, 0) == (ssize_t)whole_size);
}

static void make_work(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(work, sizeof work, "%.30s/fuzz-ring-XXXXXX", base ? base : "/tmp");
    fuzz_must(mkdtemp(work) != NULL);
    snprintf(log_path, sizeof log_path, "%s/app.log", work);
    snprintf(folder.path, sizeof folder.path, "%s/rings", work);
    snprintf(ring_path, sizeof ring_path, "%s/rings/a.ring", work);
    fuzz_must(mkdir(folder.path, 0700) == 0);
    atexit(remove_work);
    int _cleanup_close_ fd = open(log_path, O_RDWR | O_CREAT, 0600);
    fuzz_must(fd >= 0);
    note_block();
}

/* A small frame may be a call of a place with long texts. */
#define GROWTH_BYTES_MAX                                                                                     \
    ((off_t)RING_FILE_DEPTHS * RING_BYTES_MIN / (off_t)sizeof(struct frame) * RECORD_BYTES_MAX)

static void recover_beside_log(const uint8_t *data, size_t size)
{
    char found[sizeof anothers];
    struct sink log;
    struct stat st;
    ll_recovered recovered = {0};
    int _cleanup_close_ fd = open(log_path, O_RDWR);
    int _cleanup_close_ ring = open(ring_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    write_log(fd, size ? block_size * data[size - 1] / 255 : block_size / 2);
    put_changed(ring, data, size);
    sink_init(&log, log_path);
    recover_folder(&folder, &log, NULL, false, &recovered, NULL);
    sink_release(&log);
    fuzz_must(recovered.living + recovered.finished + recovered.damaged == 1);
    fuzz_must(fstat(fd, &st) == 0 && st.st_size < GROWTH_BYTES_MAX);
    fuzz_must(pread(fd, found, sizeof anothers - 1, 0) == (ssize_t)sizeof anothers - 1);
    fuzz_must(memcmp(found, anothers, sizeof anothers - 1) == 0);
}

int fuzz_one(const uint8_t *data, size_t size)
{
    struct ring_file file;
    const char *reason = NULL;
    if (!whole) {
        make_whole();
        make_work();
    }
    int _cleanup_close_ fd = os_memory_file("changed");
    put_changed(fd, data, size);
    int error = ring_file_load(&file, fd, &reason);
    fuzz_must(error == LL_OK || (error == LL_EFORMAT && reason));
    if (!error) {
        drain_all(&file);
        ring_file_release(&file);
    }
    recover_beside_log(data, size);
    return 0;
}
