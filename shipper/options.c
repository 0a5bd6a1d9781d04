#include "options.h"

#include "cmd.h"
#include "suggest.h"

#include "liblog/base/number.h"
#include "liblog/base/time_text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The parser's place in argv. Arguments are gathered at its front, so that one array serves both. */
struct cursor {
    const struct option_set *set;
    int argc;
    char **argv;
    int next;
    int kept; /* argv[1 … kept] are arguments */
    bool help;
    struct problem *problem;
};

static const struct option help_option = {.letter = 'h', .name = "help", .help = "Print this help and end."};

/* "table|json|csv" -> "table, json or csv" */
static void choice_list(const char *words, char *out, size_t size)
{
    size_t used = 0;
    for (const char *at = words; *at && used + 5 < size; at++) {
        bool is_last = !strchr(at + 1, '|');
        const char *text = *at != '|' ? (const char[]){*at, '\0'} : is_last ? " or " : ", ";
        used += (size_t)snprintf(out + used, size - used, "%s", text);
    }
}

static int choice_count(const char *words)
{
    int count = 1;
    for (const char *at = words; (at = strchr(at, '|')); at++)
        count++;
    return count;
}

static struct slice choice_at(const char *words, int index)
{
    while (index-- > 0)
        words = strchr(words, '|') + 1;
    return slice_from(words, strcspn(words, "|"));
}

static int refuse_value(const struct cursor *cursor, const struct option *option, const char *text,
                        const char *wanted)
{
    return problem_set(cursor->problem, ERR_VAL_001, "--%s: found \"%s\"; %s would do", option->name, text,
                       wanted);
}

static int set_number(const struct cursor *cursor, const struct option *option, const char *text)
{
    uint64_t value;
    uint64_t maximum = option->maximum ? option->maximum : UINT64_MAX;
    if (number_to_u64(slice_of(text), &value) < 0 || value < option->minimum || value > maximum) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, "a whole number from %llu to %llu",
                 (unsigned long long)option->minimum, (unsigned long long)maximum);
        return refuse_value(cursor, option, text, wanted);
    }
    *option->to.number = value;
    return 0;
}

static int set_duration(const struct cursor *cursor, const struct option *option, const char *text)
{
    int64_t value;
    if (number_to_duration_ns(slice_of(text), &value) < 0 || value <= 0)
        return refuse_value(cursor, option, text, "a span of time such as 90s, 1h30m or 30d");
    *option->to.duration_ns = value;
    return 0;
}

static int set_moment(const struct cursor *cursor, const struct option *option, const char *text)
{
    struct option_moment moment = {.is_given = true};
    moment.is_span = number_to_duration_ns(slice_of(text), &moment.ns) == 0;
    if (!moment.is_span && time_from_text(slice_of(text), &moment.ns) < 0)
        return refuse_value(cursor, option, text,
                            "a time such as 2025-10-19T14:30:00Z, or a span such as 2h or 30d");
    *option->to.moment = moment;
    return 0;
}

static int set_choice(const struct cursor *cursor, const struct option *option, const char *text)
{
    int count = choice_count(option->argument);
    for (int i = 0; i < count; i++) {
        if (slice_is(choice_at(option->argument, i), text)) {
            *option->to.choice = i;
            return 0;
        }
    }
    char wanted[256];
    choice_list(option->argument, wanted, sizeof wanted);
    return refuse_value(cursor, option, text, wanted);
}

static int set_value(const struct cursor *cursor, const struct option *option, const char *text)
{
    switch (option->kind) {
    case OPTION_NUMBER:
        return set_number(cursor, option, text);
    case OPTION_DURATION:
        return set_duration(cursor, option, text);
    case OPTION_MOMENT:
        return set_moment(cursor, option, text);
    case OPTION_CHOICE:
        return set_choice(cursor, option, text);
    case OPTION_TEXT:
        *option->to.text = text;
        return 0;
    case OPTION_FLAG:
        *option->to.flag = true;
        return 0;
    }
    return problem_set(cursor->problem, ERR_INT_001, "--%s has no kind", option->name);
}

static const struct option *find_name(const struct option_set *set, struct slice name)
{
    for (int i = 0; i < set->option_count; i++)
        if (slice_is(name, set->options[i].name))
            return &set->options[i];
    return slice_is(name, help_option.name) ? &help_option : NULL;
}

static const struct option *find_letter(const struct option_set *set, char letter)
{
    for (int i = 0; i < set->option_count; i++)
        if (set->options[i].letter == letter)
            return &set->options[i];
    return letter == help_option.letter ? &help_option : NULL;
}

static int refuse_name(const struct cursor *cursor, struct slice name)
{
    struct suggestion suggestion = {0};
    for (int i = 0; i < cursor->set->option_count; i++)
        suggest(&suggestion, name, cursor->set->options[i].name);
    suggest(&suggestion, name, help_option.name);
    const char *word = suggestion.word;
    return problem_set(cursor->problem, ERR_USE_001,
                       "there is no option --%.*s%s%s%s; `shipper %s --help` lists them", (int)name.size,
                       name.data, word ? "; did you mean --" : "", word ? word : "", word ? "?" : "",
                       cursor->set->command);
}

/* The option with the value that stands in the same word (`attached`) or in the next one. */
static int take_option(struct cursor *cursor, const struct option *option, const char *attached)
{
    if (option == &help_option) {
        cursor->help = true;
        return 0;
    }
    if (option->kind == OPTION_FLAG)
        return set_value(cursor, option, "");
    if (!attached && cursor->next >= cursor->argc)
        return problem_set(cursor->problem, ERR_USE_001, "--%s needs a value: %s", option->name,
                           option->argument);
    return set_value(cursor, option, attached ? attached : cursor->argv[cursor->next++]);
}

static int take_name(struct cursor *cursor, const char *word)
{
    struct slice name = slice_from(word, strcspn(word, "="));
    const char *attached = word[name.size] ? word + name.size + 1 : NULL;
    const struct option *option = find_name(cursor->set, name);
    if (!option)
        return refuse_name(cursor, name);
    if (attached && option->kind == OPTION_FLAG)
        return problem_set(cursor->problem, ERR_USE_001, "--%s takes no value", option->name);
    return take_option(cursor, option, attached);
}

static int take_letters(struct cursor *cursor, const char *letters)
{
    for (; *letters; letters++) {
        const struct option *option = find_letter(cursor->set, *letters);
        if (!option)
            return problem_set(cursor->problem, ERR_USE_001,
                               "there is no option -%c; `shipper %s --help` lists them", *letters,
                               cursor->set->command);
        bool is_flag = option->kind == OPTION_FLAG;
        int r = take_option(cursor, option, !is_flag && letters[1] ? letters + 1 : NULL);
        if (r < 0 || !is_flag)
            return r;
    }
    return 0;
}

static int take_word(struct cursor *cursor, bool *only_arguments)
{
    char *word = cursor->argv[cursor->next++];
    if (*only_arguments || word[0] != '-' || !word[1]) {
        cursor->argv[++cursor->kept] = word;
        return 0;
    }
    if (strcmp(word, "--") == 0) {
        *only_arguments = true;
        return 0;
    }
    return word[1] == '-' ? take_name(cursor, word + 2) : take_letters(cursor, word + 1);
}

static int check_count(const struct cursor *cursor)
{
    const struct option_set *set = cursor->set;
    if (cursor->kept < set->argument_count_min)
        return problem_set(cursor->problem, ERR_USE_001, "shipper %s needs %s", set->command, set->arguments);
    if (set->argument_count_max >= 0 && cursor->kept > set->argument_count_max)
        return problem_set(cursor->problem, ERR_USE_001, "shipper %s: \"%s\" is one argument too many",
                           set->command, cursor->argv[set->argument_count_max + 1]);
    return 0;
}

int options_parse(const struct option_set *set, int argc, char **argv, struct arguments *ret_arguments,
                  struct problem *ret_problem)
{
    struct cursor cursor = {.set = set, .argc = argc, .argv = argv, .next = 1, .problem = ret_problem};
    bool only_arguments = false;
    while (cursor.next < argc && !cursor.help) {
        int r = take_word(&cursor, &only_arguments);
        if (r < 0)
            return r;
    }
    if (cursor.help) {
        options_help(set, stdout);
        return OPTIONS_HELP;
    }
    int r = check_count(&cursor);
    if (r == 0)
        *ret_arguments = (struct arguments){.values = argv + 1, .count = cursor.kept};
    return r;
}

enum exit_code options_end(int result, const struct problem *problem)
{
    return result == OPTIONS_HELP ? cmd_finish(EXIT_OK_) : cmd_fail(problem);
}

static void help_line(const struct option *option, FILE *out)
{
    char left[64];
    snprintf(left, sizeof left, "%s%c%s--%s%s%s", option->letter ? "-" : " ",
             option->letter ? option->letter : ' ', option->letter ? ", " : "  ", option->name,
             option->argument ? " " : "", option->argument ? option->argument : "");
    enum { WIDTH = 30 };
    if (strlen(left) > WIDTH)
        fprintf(out, "  %s\n  %*s  %s\n", left, WIDTH, "", option->help);
    else
        fprintf(out, "  %-*s  %s\n", WIDTH, left, option->help);
}

void options_help(const struct option_set *set, FILE *out)
{
    fprintf(out, "Usage: shipper %s [OPTION…]%s%s\n\n%s\n\nOptions:\n", set->command,
            set->arguments ? " " : "", set->arguments ? set->arguments : "", set->summary);
    for (int i = 0; i < set->option_count; i++)
        help_line(&set->options[i], out);
    help_line(&help_option, out);
    if (set->details)
        fprintf(out, "\n%s", set->details);
}

int64_t option_moment_ns(const struct option_moment *moment, int64_t reference_ns)
{
    return moment->is_span ? reference_ns - moment->ns : moment->ns;
}

bool may_colour(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    return (!no_colour || !*no_colour) && isatty(fileno(out));
}
