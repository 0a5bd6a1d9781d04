#include "cmd.h"

#include "options.h"
#include "suggest.h"

#include "liblog/base/json.h"

#include <stdio.h>
#include <string.h>

enum { FORMAT_TEXT, FORMAT_JSON };

static void print_text(enum error error)
{
    printf("%s (%s, exit code %d)\n%s\n", error_name(error), error_severity(error),
           (int)error_exit_code(error), error_meaning(error));
    for (int i = 0; error_step(error, i); i++)
        printf("  %d. %s\n", i + 1, error_step(error, i));
}

static void add_member(struct bytes *b, const char *key, const char *text)
{
    json_add_key(b, slice_of(key));
    json_add_string(b, slice_of(text));
}

static void print_json(enum error error)
{
    char memory[4096];
    struct bytes b;
    bytes_init(&b, memory, sizeof memory);
    bytes_add_char(&b, '{');
    add_member(&b, "code", error_name(error));
    add_member(&b, "severity", error_severity(error));
    json_add_key(&b, SLICE("exit_code"));
    json_add_u64(&b, error_exit_code(error));
    add_member(&b, "meaning", error_meaning(error));
    json_add_key(&b, SLICE("steps"));
    bytes_add_char(&b, '[');
    for (int i = 0; error_step(error, i); i++) {
        if (i > 0)
            bytes_add_char(&b, ',');
        json_add_string(&b, slice_of(error_step(error, i)));
    }
    BYTES_LITERAL(&b, "]}");
    fwrite(b.data, 1, b.size, stdout);
}

static void print_all_text(void)
{
    printf("%-8s %-9s %4s  %s\n", "CODE", "SEVERITY", "EXIT", "MEANING");
    for (enum error error = ERR_NONE + 1; error < ERR_COUNT; error++)
        printf("%-8s %-9s %4d  %s\n", error_name(error), error_severity(error), (int)error_exit_code(error),
               error_meaning(error));
}

static void print_all_json(void)
{
    for (enum error error = ERR_NONE + 1; error < ERR_COUNT; error++) {
        fputs(error == ERR_NONE + 1 ? "[" : ",\n ", stdout);
        print_json(error);
    }
    puts("]");
}

static int refuse(const char *name, struct problem *ret_problem)
{
    struct suggestion suggestion = {0};
    for (enum error error = ERR_NONE + 1; error < ERR_COUNT; error++)
        suggest(&suggestion, slice_of(name), error_name(error));
    const char *word = suggestion.word;
    return problem_set(ret_problem, ERR_VAL_001,
                       "there is no code \"%s\"%s%s%s; `shipper explain` lists them", name,
                       word ? "; did you mean " : "", word ? word : "", word ? "?" : "");
}

enum exit_code cmd_explain(int argc, char **argv)
{
    int format = FORMAT_TEXT;
    const struct option options[] = {
        {.name = "format",
         .argument = "text|json",
         .help = "How the answer is written.",
         .kind = OPTION_CHOICE,
         .to.choice = &format},
    };
    const struct option_set set = {
        .command = "explain",
        .arguments = "[CODE]",
        .summary = "Explains an error code and how to recover; without one, lists them all.",
        .options = options,
        .option_count = OPTION_COUNT(options),
        .argument_count_max = 1};
    struct arguments arguments;
    struct problem problem = {0};
    int r = options_parse(&set, argc, argv, &arguments, &problem);
    if (r != 0)
        return options_end(r, &problem);
    if (arguments.count == 0) {
        (format == FORMAT_JSON ? print_all_json : print_all_text)();
        return cmd_finish(EXIT_OK_);
    }
    enum error error = error_from_name(arguments.values[0]);
    if (error == ERR_NONE) {
        refuse(arguments.values[0], &problem);
        return cmd_fail(&problem);
    }
    (format == FORMAT_JSON ? print_json : print_text)(error);
    if (format == FORMAT_JSON)
        putchar('\n');
    return cmd_finish(EXIT_OK_);
}
