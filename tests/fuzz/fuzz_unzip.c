/* Any bytes as a compressed file: it ends, in bounded output, and gives the same whatever the piece. */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include "shipper/unzip.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OUT_MAX = 1 << 20 };

static enum unzip_state read_in_pieces(int fd, const uint8_t *data, size_t size, size_t piece, char *out,
                                       size_t *ret_size)
{
    struct unzip *unzip = unzip_new(fd, data, size);
    enum unzip_state state = UNZIP_MORE;
    size_t got;

    fuzz_must(unzip != NULL);
    for (*ret_size = 0; state == UNZIP_MORE && *ret_size + piece <= OUT_MAX; *ret_size += got)
        state = unzip_read(unzip, out + *ret_size, piece, &got);
    fuzz_must(unzip_offset(unzip) == *ret_size);
    unzip_free(unzip);
    return state;
}

int fuzz_one(const uint8_t *data, size_t size)
{
    static char first[OUT_MAX], second[OUT_MAX];
    size_t first_size, second_size;

    if (!unzip_knows(data, size))
        return 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    fuzz_must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    enum unzip_state a = read_in_pieces(fd, data, size, 1 << 16, first, &first_size);
    enum unzip_state b = read_in_pieces(fd, data, size, 777, second, &second_size);
    size_t common = first_size < second_size ? first_size : second_size;
    fuzz_must(memcmp(first, second, common) == 0);
    if (a != UNZIP_MORE && b != UNZIP_MORE) /* both came to an end within the memory */
        fuzz_must(a == b && first_size == second_size);
    close(fd);
    return 0;
}
