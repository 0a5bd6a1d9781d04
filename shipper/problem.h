/*
 * What went wrong, in words a person can use. Every problem has a code from errors.def (`shipper explain
 * CODE` tells more), says what happened to what, and what to do. It is made where it is first known, handed
 * up through `ret_problem` parameters, and printed once, by main. Code that is not asked to tell passes NULL.
 */
#ifndef SHIPPER_PROBLEM_H
#define SHIPPER_PROBLEM_H

#include <stdbool.h>

/* sysexits(3), and 1 for a threshold or check that failed. */
enum exit_code {
    EXIT_OK_ = 0,
    EXIT_CHECK_FAILED = 1,
    EXIT_USAGE_ = 64,
    EXIT_BAD_DATA = 65,
    EXIT_NO_INPUT = 66,
    EXIT_UNAVAILABLE_ = 69,
    EXIT_INTERNAL = 70,
    EXIT_CANNOT_CREATE = 73,
    EXIT_IO = 74,
    EXIT_TRY_AGAIN = 75,
    EXIT_NO_PERMISSION = 77,
    EXIT_CONFIGURATION = 78,
};

/* ERR_CFG_001 … from errors.def; ERR_NONE is 0, the others are positive. Functions return -(enum error). */
enum error {
    ERR_NONE = 0,
#define ERROR(name, exit_code, severity, meaning, step1, step2) ERR_##name,
#include "errors.def"
#undef ERROR
    ERR_COUNT
};

enum { PROBLEM_TEXT_SIZE = 4096 };

struct problem {
    enum error error;
    /* A sentence without the code; control characters already escaped. Of several problems each has a line.
     */
    char text[PROBLEM_TEXT_SIZE];
};

/* Fills `problem` (when not NULL) and returns -error, so that a caller writes `return problem_set(…)`. */
int problem_set(struct problem *problem, enum error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * One more problem in the same text, on a line of its own that begins with its code; into an empty text
 * (error ERR_NONE) it goes like problem_set. False when it does not fit, or `problem` is NULL: nothing was
 * added.
 */
bool problem_append(struct problem *problem, enum error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call on `path`: picks the IO_ error that `errno_value` means. */
int problem_from_errno(struct problem *problem, int errno_value, const char *what, const char *path);

const char *error_name(enum error error); /* "IO_002" */
enum exit_code error_exit_code(enum error error);
const char *error_meaning(enum error error);
const char *error_severity(enum error error);
const char *error_step(enum error error, int index); /* index 0 or 1; NULL when there is none */

/* The error of that name in any letter case, or ERR_NONE. */
enum error error_from_name(const char *name);

#endif
