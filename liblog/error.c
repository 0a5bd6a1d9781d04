#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

const char *ll_strerror(int error)
{
    switch (error) {
    case LL_OK:
        return "no error";
#define CASE(name, number, text)                                                                             \
    case name:                                                                                               \
        return text;
        LL_ERRORS(CASE)
#undef CASE
    default:
        return "an error this version does not know";
    }
}

int ll_problem_set_(ll_problem *problem, int error, const char *format, ...)
{
    va_list arguments;
    if (!problem)
        return error;
    problem->error = error;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return error;
}
