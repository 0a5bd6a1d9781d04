/* Makes the words of a failure. Returns `error`, so that a caller writes `return problem_set(…)`. */
#ifndef LIBLOG_PROBLEM_H
#define LIBLOG_PROBLEM_H

#include <liblog/error.h>

int ll_problem_set_(ll_problem *problem, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define problem_set ll_problem_set_

#endif
