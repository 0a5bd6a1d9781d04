#include "scan_way.h"

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512bw");
}
#endif

static const struct scan_way ways[] = {
#if defined(__x86_64__)
    {"avx512", scan_mask_avx512, grammar_step_bmi, line_map_avx512, scan_walk_avx2, has_avx512},
    {"avx2", scan_mask_avx2, grammar_step_bmi, line_map_avx2, scan_walk_avx2, has_avx2},
    {"sse2", scan_mask_sse2, grammar_step, line_map_sse2, scan_walk_sse2, always}, /* every x86-64 has it */
#elif defined(__aarch64__)
    {"neon", scan_mask_neon, grammar_step, line_map_neon, scan_walk_neon, always}, /* every AArch64 has it */
#endif
    {"plain", scan_mask_plain, grammar_step, line_map_plain, scan_walk_plain, always},
};

const struct scan_way *scan_ways(size_t *ret_count)
{
    *ret_count = sizeof(ways) / sizeof(ways[0]);
    return ways;
}

const struct scan_way *scan_way_best(void)
{
    const struct scan_way *way = ways;
    while (!way->usable())
        way++;
    return way;
}
