/*
 * All of test_json.c over the plain-integer lanes, which machines without SSE2 and NEON use. The sources
 * stand in here, so the library's own are not linked.
 */
#define LANES_PORTABLE 1

#include "liblog/base/json.c"
#include "liblog/base/json_valid.c"

#include "test_json.c"
