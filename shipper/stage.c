#include "stage.h"

#include <time.h>

int64_t stage_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void stage_print(const struct stage_clock *clock, FILE *out)
{
    static const char *const names[STAGE_COUNT] = {
        [STAGE_READ] = "read",     [STAGE_FRAME] = "frame", [STAGE_SCAN] = "scan",
        [STAGE_WINDOW] = "window", [STAGE_STORE] = "store", [STAGE_OUTPUT] = "output",
    };
    for (int i = 0; i < STAGE_COUNT; i++)
        fprintf(out, "%s %s %.3f s", i ? "," : "stages:", names[i], (double)clock->took_ns[i] / 1e9);
    fputc('\n', out);
}
