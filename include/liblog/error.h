/* Errors of the library: an int, LL_OK or a negative LL_E…; and, where a person will read it, the words. */
#ifndef LIBLOG_ERROR_H
#define LIBLOG_ERROR_H

#include "api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, number, text): the one list from which names, numbers and texts are made. */
#define LL_ERRORS(X)                                                                                         \
    X(LL_EINVAL, -1, "a setting or argument cannot be")                                                      \
    X(LL_ENOMEM, -2, "memory ran out")                                                                       \
    X(LL_EIO, -3, "reading or writing failed")                                                               \
    X(LL_EACCES, -4, "permission denied")                                                                    \
    X(LL_ENOENT, -5, "no such file or folder")                                                               \
    X(LL_EOPEN, -6, "the log is open already")                                                               \
    X(LL_ECLOSED, -7, "the log is not open")                                                                 \
    X(LL_ETIMEOUT, -8, "the time given has passed")                                                          \
    X(LL_EFORMAT, -9, "the file is damaged or not one of liblog's")                                          \
    X(LL_ESYSTEM, -10, "the system refused")                                                                 \
    X(LL_EOFF, -11, "it is switched off in the settings")

enum ll_error {
    LL_OK = 0,
#define LL_ERROR_ENUM_(name, number, text) name = number,
    LL_ERRORS(LL_ERROR_ENUM_)
#undef LL_ERROR_ENUM_
};

/* What went wrong, as one sentence: which setting or file, what it was, what would do. */
typedef struct ll_problem {
    int error;      /* LL_OK or LL_E… */
    char text[508]; /* always NUL-terminated */
} ll_problem;

/* The text of an error; never NULL, static. Any thread, also in a signal handler. */
LL_API const char *ll_strerror(int error);

#ifdef __cplusplus
}
#endif
#endif
