#include "problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct error_entry {
    const char *name;
    enum exit_code exit_code;
    const char *severity;
    const char *meaning;
    const char *steps[2];
};

static const struct error_entry entries[ERR_COUNT] = {
    [ERR_NONE] = {.name = "OK", .exit_code = EXIT_OK_, .severity = "none", .meaning = "Nothing is wrong."},
#define ERROR(name_, exit_code_, severity_, meaning_, step1, step2)                                          \
    [ERR_##name_] = {.name = #name_,                                                                         \
                     .exit_code = exit_code_,                                                                \
                     .severity = severity_,                                                                  \
                     .meaning = meaning_,                                                                    \
                     .steps = {step1, step2}},
#include "errors.def"
#undef ERROR
};

static const struct error_entry *entry_of(enum error error)
{
    return &entries[error < ERR_COUNT ? error : ERR_INT_001];
}

const char *error_name(enum error error)
{
    return entry_of(error)->name;
}

enum exit_code error_exit_code(enum error error)
{
    return entry_of(error)->exit_code;
}

const char *error_meaning(enum error error)
{
    return entry_of(error)->meaning;
}

const char *error_severity(enum error error)
{
    return entry_of(error)->severity;
}

const char *error_step(enum error error, int index)
{
    return index >= 0 && index < 2 ? entry_of(error)->steps[index] : NULL;
}

enum error error_from_name(const char *name)
{
    for (enum error error = ERR_NONE + 1; error < ERR_COUNT; error++)
        if (strcasecmp(entries[error].name, name) == 0)
            return error;
    return ERR_NONE;
}

/* The size of the character that starts at `text` when a terminal may see it as it is, else 0. */
static size_t printable_size(const unsigned char *text)
{
    if (text[0] < 0x80)
        return text[0] >= 0x20 && text[0] != 0x7f;
    if (text[0] < 0xc2 || text[0] > 0xf4) /* begins no character */
        return 0;
    size_t size = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    uint32_t point = text[0] & (0xffU >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) /* the terminating NUL too */
            return 0;
        point = point << 6 | (text[i] & 0x3fU);
    }
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000}; /* 0x80 … 0x9f are control characters */
    bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
    return point >= least[size] && point <= 0x10ffff && !is_surrogate ? size : 0;
}

/* Copies with everything escaped that could steer a terminal or break a line; cuts at a character. */
static void escape(char *out, size_t out_size, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    char *end = out + out_size - 1;
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t size = printable_size(at);
        size_t needed = size ? size : 4;
        if ((size_t)(end - out) < needed)
            break;
        if (size)
            memcpy(out, at, size);
        else
            memcpy(out, (const char[]){'\\', 'x', hex[*at >> 4], hex[*at & 15]}, needed);
        out += needed;
        at += size ? size : 1;
    }
    *out = '\0';
}

int problem_set(struct problem *problem, enum error error, const char *format, ...)
{
    if (!problem)
        return -(int)error;
    char text[PROBLEM_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    problem->error = error;
    escape(problem->text, sizeof problem->text, text);
    return -(int)error;
}

bool problem_append(struct problem *problem, enum error error, const char *format, ...)
{
    if (!problem)
        return false;
    char text[PROBLEM_TEXT_SIZE], escaped[PROBLEM_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    escape(escaped, sizeof escaped, text);
    if (problem->error == ERR_NONE)
        return problem_set(problem, error, "%s", text), true;

    size_t used = strlen(problem->text);
    size_t needed = strlen("\n: ") + strlen(error_name(error)) + strlen(escaped);
    if (sizeof problem->text - used <= needed)
        return false;
    snprintf(problem->text + used, sizeof problem->text - used, "\n%s: %s", error_name(error), escaped);
    return true;
}

static enum error error_from_errno(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
        return ERR_IO_001;
    case EACCES:
    case EPERM:
        return ERR_IO_002;
    case EROFS:
    case EEXIST:
    case EISDIR:
        return ERR_IO_004;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_IO_005;
    case EMFILE:
    case ENFILE:
        return ERR_IO_006;
    default:
        return ERR_IO_003;
    }
}

int problem_from_errno(struct problem *problem, int errno_value, const char *what, const char *path)
{
    char memory[128];
    if (strerror_r(errno_value, memory, sizeof memory) != 0)
        snprintf(memory, sizeof memory, "error %d of the system", errno_value);
    return problem_set(problem, error_from_errno(errno_value), "%s %s: %s", what, path, memory);
}
