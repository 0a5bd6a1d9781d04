#include "config_expand.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Like read(2), but it goes on until `size` bytes or the end: -errno, or how many there were. */
static ssize_t read_all(int fd, char *memory, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, memory + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int config_read_file(const char *path, size_t bytes_max, char **ret_text)
{
    /* Not blocking: a FIFO in the place of the file must not hold the program up. */
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    _cleanup_free_ char *text = malloc(bytes_max + 2);
    if (!text)
        return -ENOMEM;
    ssize_t size = read_all(fd, text, bytes_max + 1);
    if (size < 0)
        return (int)size;
    if ((size_t)size > bytes_max)
        return -EFBIG;
    text[size] = '\0';
    if (strlen(text) != (size_t)size)
        return -EILSEQ;
    *ret_text = take_pointer(text);
    return 0;
}

void config_secrets_clear(struct config_secrets *secrets)
{
    for (int i = 0; i < secrets->count; i++)
        free(secrets->values[i]);
    *secrets = (struct config_secrets){0};
}

bool config_secrets_in(const struct config_secrets *secrets, const char *value)
{
    for (int i = 0; i < secrets->count; i++)
        if (strstr(value, secrets->values[i]))
            return true;
    return false;
}

static int note_secret(struct config_secrets *secrets, const char *value, struct problem *ret_problem)
{
    if (!value[0] || config_secrets_in(secrets, value))
        return 0;
    if (secrets->count == CONFIG_SECRETS_MAX)
        return problem_set(ret_problem, ERR_CFG_004, "more than %d secrets in files", CONFIG_SECRETS_MAX);
    char *copy = strdup(value);
    if (!copy)
        return problem_set(ret_problem, ERR_INT_001, "out of memory");
    secrets->values[secrets->count++] = copy;
    return 0;
}

/* One `${…}` taken apart. */
struct reference {
    char name[4096]; /* of the variable, or the path of the file */
    bool is_file;
    const char *fallback; /* behind ":-", up to `end`; NULL when there is none */
    const char *end;      /* the closing brace */
};

/* `at` is behind the opening brace. */
static int parse_reference(const char *at, struct reference *ret_reference, struct problem *ret_problem)
{
    const char *end = strchr(at, '}');
    if (!end)
        return problem_set(ret_problem, ERR_CFG_004,
                           "found ${ without a closing brace; $${ stands for the characters");
    const char *inner = strstr(at, "${");
    if (inner && inner < end)
        return problem_set(ret_problem, ERR_CFG_004,
                           "found ${ inside of ${…}; only plain text can be the default");

    struct reference reference = {.is_file = strncmp(at, "file:", 5) == 0, .end = end};
    if (reference.is_file)
        at += 5;
    const char *separator = strstr(at, ":-");
    bool has_fallback = separator && separator < end;
    reference.fallback = has_fallback ? separator + 2 : NULL;
    size_t size = (size_t)((has_fallback ? separator : end) - at);
    if (size == 0 || size >= sizeof reference.name)
        return problem_set(ret_problem, ERR_CFG_004, "found ${…} without a name in it");
    memcpy(reference.name, at, size);
    reference.name[size] = '\0';
    *ret_reference = reference;
    return 0;
}

static void cut_newline(char *text)
{
    size_t size = strlen(text);
    if (size > 0 && text[size - 1] == '\n')
        text[--size] = '\0';
    if (size > 0 && text[size - 1] == '\r')
        text[--size] = '\0';
}

static const char *file_reason(int errno_value)
{
    switch (errno_value) {
    case EFBIG:
        return "it is larger than 64 KiB";
    case EILSEQ:
        return "there is a NUL byte in it";
    case ENOENT:
        return "there is no such file";
    case EACCES:
        return "permission denied";
    case EISDIR:
        return "it is a folder";
    default:
        return "it cannot be read";
    }
}

static int write_secret(FILE *out, const char *path, const struct reference *reference,
                        struct config_secrets *secrets, struct problem *ret_problem)
{
    _cleanup_free_ char *text = NULL;
    int r = config_read_file(path, SECRET_BYTES_MAX, &text);
    if (r == -ENOENT && reference->fallback) {
        fwrite(reference->fallback, 1, (size_t)(reference->end - reference->fallback), out);
        return 0;
    }
    if (r < 0)
        return problem_set(ret_problem, ERR_CFG_005, "cannot take the value from %s: %s", path,
                           file_reason(-r));
    cut_newline(text);
    fputs(text, out);
    return note_secret(secrets, text, ret_problem);
}

static int write_variable(FILE *out, const struct reference *reference, struct config_secrets *secrets,
                          struct problem *ret_problem)
{
    /* As in a shell, `:-` stands in for a variable that is empty, too. */
    const char *value = getenv(reference->name);
    if (value && (value[0] || !reference->fallback)) {
        fputs(value, out);
        return 0;
    }
    char file_variable[sizeof reference->name + 8];
    snprintf(file_variable, sizeof file_variable, "%s_FILE", reference->name);
    const char *path = getenv(file_variable);
    if (path && path[0])
        return write_secret(out, path, reference, secrets, ret_problem);
    if (!reference->fallback)
        return problem_set(ret_problem, ERR_CFG_005,
                           "the variable %s is not set; set it, or write ${%s:-default}", reference->name,
                           reference->name);
    fwrite(reference->fallback, 1, (size_t)(reference->end - reference->fallback), out);
    return 0;
}

static int write_expanded(FILE *out, const char *text, struct config_secrets *secrets,
                          struct problem *ret_problem)
{
    for (const char *at = text; *at;) {
        if (strncmp(at, "$${", 3) == 0) {
            fputs("${", out);
            at += 3;
            continue;
        }
        if (strncmp(at, "${", 2) != 0) {
            fputc(*at++, out);
            continue;
        }
        struct reference reference;
        int r = parse_reference(at + 2, &reference, ret_problem);
        if (r == 0)
            r = reference.is_file ? write_secret(out, reference.name, &reference, secrets, ret_problem)
                                  : write_variable(out, &reference, secrets, ret_problem);
        if (r < 0)
            return r;
        at = reference.end + 1;
    }
    return 0;
}

int config_expand(const char *text, struct config_secrets *secrets, char **ret_text,
                  struct problem *ret_problem)
{
    _cleanup_free_ char *expanded = NULL;
    size_t size;
    FILE *out = open_memstream(&expanded, &size);
    if (!out)
        return problem_set(ret_problem, ERR_INT_001, "out of memory");
    int r = write_expanded(out, text, secrets, ret_problem);
    if (fclose(out) != 0 && r == 0)
        r = problem_set(ret_problem, ERR_INT_001, "out of memory");
    if (r == 0)
        *ret_text = take_pointer(expanded);
    return r;
}
