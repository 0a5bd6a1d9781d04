#include "redact.h"

#include "problem.h"

#include <string.h>

static const char built_in[] = "password,passwd,pwd,passphrase,passwords,secret,secrets,token,authorization,"
                               "cookie,cookies,api_key,apikeys,private_key,access_key,credential,credentials";

static bool is_passed_over(char c)
{
    return c == '_' || c == '-' || c == '.' || c == ' ';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* One of 64 for a pair of letters. */
static uint64_t ending_bit(char before_last, char last)
{
    return UINT64_C(1) << ((7u * (unsigned char)lower(before_last) + (unsigned char)lower(last)) & 63);
}

static int refuse(ll_problem *problem, const char *list, const char *why)
{
    return problem_set(
        problem, LL_EINVAL,
        "LOG_REDACT is \"%.200s\", which cannot be: %s; use names of keys, separated by commas, "
        "for example iban,card_number",
        list, why);
}

static const char *add_name(struct redact *redact, const char *text, size_t text_size)
{
    if (redact->count == REDACT_NAMES_MAX)
        return "it has too many names";
    char *name = redact->name[redact->count];
    size_t size = 0;
    for (size_t i = 0; i < text_size; i++) {
        if (is_passed_over(text[i]))
            continue;
        if (size == REDACT_NAME_BYTES_MAX)
            return "a name in it has more than 64 characters";
        name[size++] = lower(text[i]);
    }
    if (size == 0)
        return "a name in it is empty";
    redact->endings |= size == 1 ? UINT64_MAX : ending_bit(name[size - 2], name[size - 1]);
    redact->size[redact->count++] = (uint8_t)size;
    return NULL;
}

static const char *add_names(struct redact *redact, const char *list)
{
    const char *fault = NULL;
    for (bool more = *list != '\0'; more && !fault;) {
        size_t size = strcspn(list, ",");
        fault = memchr(list, '/', size) ? "patterns are not in this version" : add_name(redact, list, size);
        more = list[size] == ',';
        list += size + more;
    }
    return fault;
}

int redact_init(struct redact *redact, const char *list, ll_problem *problem)
{
    redact->count = 0;
    redact->endings = 0;
    add_names(redact, built_in);
    const char *fault = add_names(redact, list);
    return fault ? refuse(problem, list, fault) : LL_OK;
}

/* From the end of both, for most keys differ in their last letter already. */
static bool ends_with(const char *key, size_t key_size, const char *name, size_t name_size)
{
    while (key_size > 0 && name_size > 0) {
        char c = key[--key_size];
        if (is_passed_over(c))
            continue;
        if (lower(c) != name[--name_size])
            return false;
    }
    return name_size == 0;
}

/* False for most keys, at the cost of two letters. */
static bool may_end_with_a_name(const struct redact *redact, const char *key, size_t size)
{
    if (size < 2 || is_passed_over(key[size - 1]) || is_passed_over(key[size - 2]))
        return true;
    return redact->endings & ending_bit(key[size - 2], key[size - 1]);
}

bool redact_has_key(const struct redact *redact, const char *key, size_t size)
{
    if (!redact || !may_end_with_a_name(redact, key, size))
        return false;
    for (uint32_t i = 0; i < redact->count; i++)
        if (ends_with(key, size, redact->name[i], redact->size[i]))
            return true;
    return false;
}

bool redact_has_field(const struct redact *redact, const ll_field *field)
{
    return redact && field->key && field->type < LL_TYPE_EXCEPTION_TYPE && field->type != LL_TYPE_END &&
           redact_has_key(redact, field->key, strnlen(field->key, REDACT_KEY_BYTES_MAX));
}
