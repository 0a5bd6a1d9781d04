#include "stage.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t stage_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The most memory that was resident at once, in KiB; 0 where nothing tells. Not getrusage(), which goes on
 * from what ran in the process before. */
static long memory_peak_kib(void)
{
    char line[128];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && kib == 0 && fgets(line, sizeof(line), status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (status)
        fclose(status);
    return kib;
}

void stage_print(const struct stage_clock *clock, FILE *out)
{
    static const char *const names[STAGE_COUNT] = {
        [STAGE_READ] = "read",     [STAGE_FRAME] = "frame", [STAGE_SCAN] = "scan",
        [STAGE_WINDOW] = "window", [STAGE_STORE] = "store", [STAGE_OUTPUT] = "output",
    };
    for (int i = 0; i < STAGE_COUNT; i++)
        fprintf(out, "%s %s %.3f s", i ? "," : "stages:", names[i], (double)clock->took_ns[i] / 1e9);
    fprintf(out, "; memory at most %.1f MiB\n", (double)memory_peak_kib() / 1024);
}
