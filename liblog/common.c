#include "common.h"

int common_make(struct common *common, struct ring_file *file)
{
    uint32_t index;
    if (common->is_there)
        return 0;
    int error = ring_file_grow(file, &index);
    if (error)
        return error;
    for (int i = 0; i < RING_FILE_DEPTHS; i++)
        ring_producer_init(&common->producer[i], &file->segment[index].ring[i]);
    __atomic_store_n(&common->is_there, true, __ATOMIC_RELEASE);
    return 0;
}
