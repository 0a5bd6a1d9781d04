#include "cmd.h"

#include "config.h"
#include "options.h"
#include "own_files.h"
#include "tail.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FORMAT_TEXT, FORMAT_JSON };

struct check {
    const struct config *config;
    struct tail *tail;
};

static void config_freep(struct config **config)
{
    config_free(*config);
}

static void tail_freep(struct tail **tail)
{
    if (*tail)
        tail_free(*tail);
}

static void put_json(const char *text)
{
    size_t size = strlen(text);
    _cleanup_free_ char *escaped = malloc(size * JSON_ESCAPE_GROWTH_MAX + 1);
    if (!escaped)
        return;
    const char *end = json_escape(escaped, slice_from(text, size));
    putchar('"');
    fwrite(escaped, 1, (size_t)(end - escaped), stdout);
    putchar('"');
}

static void put_member(const char *before, const char *key, const char *value)
{
    printf("%s\"%s\":", before, key);
    if (value)
        put_json(value);
    else
        fputs("null", stdout);
}

static const char *type_text(const struct config_output *output)
{
    return output->type == OUTPUT_KAFKA ? "kafka" : "stdout";
}

static void guarantee_text(const struct config_output *output, char *out, size_t size)
{
    if (output->type == OUTPUT_KAFKA)
        snprintf(out, size,
                 "at least once: nothing is lost, and after a kill at most %" PRIu64
                 " records in flight come twice",
                 output->in_flight_max);
    else
        snprintf(out, size,
                 "at least once: nothing is lost, and after a kill some come twice; after a clean stop "
                 "exactly once");
}

/* The files of an input: calls `put` for each and returns how many there were. */
static int each_file(const struct check *check, const struct config_input *input,
                     void (*put)(const struct source *source, int index))
{
    int count = 0;
    for (struct source *source = tail_next(check->tail, NULL); source;
         source = tail_next(check->tail, source))
        if (source->input == input)
            put(source, count++);
    return count;
}

static void put_file_text(const struct source *source, int index)
{
    (void)index;
    struct problem escaped = {0}; /* a file name may hold anything */
    problem_set(&escaped, ERR_NONE, "%s", source->record.path);
    printf("#   %s (%" PRIu64 " bytes%s)\n", escaped.text, source->record.evidence.size,
           source->record.evidence.compressed ? ", compressed" : "");
}

static void put_file_json(const struct source *source, int index)
{
    put_member(index ? ",{" : "{", "path", source->record.path);
    printf(",\"size_bytes\":%" PRIu64 ",\"compressed\":%s}", source->record.evidence.size,
           source->record.evidence.compressed ? "true" : "false");
}

static void put_nothing(const struct source *source, int index)
{
    (void)source;
    (void)index;
}

/* The answer is YAML, with what is not configuration in comments: it can be kept as a file. */
static void print_text(const struct check *check)
{
    const struct config *config = check->config;
    printf("# %s is valid; this is what is in force:\n",
           config->file ? config->file : "What the command line says");
    config_print(config, stdout);
    printf("# Database: %s\n", config->database_file);
    for (int i = 0; i < config->input_count; i++) {
        printf("# Files that inputs[%d] matches now: %d\n", i,
               each_file(check, &config->inputs[i], put_nothing));
        each_file(check, &config->inputs[i], put_file_text);
    }
    for (int i = 0; i < config->output_count; i++) {
        char guarantee[256];
        guarantee_text(&config->outputs[i], guarantee, sizeof guarantee);
        printf("# Output %s (%s), %s\n", config->outputs[i].name, type_text(&config->outputs[i]), guarantee);
    }
}

static void print_inputs_json(const struct check *check)
{
    for (int i = 0; i < check->config->input_count; i++) {
        const struct config_input *input = &check->config->inputs[i];
        fputs(i ? ",{\"paths\":[" : "{\"paths\":[", stdout);
        for (int j = 0; j < input->path_count; j++) {
            fputs(j ? "," : "", stdout);
            put_json(input->paths[j]);
        }
        fputs("],\"files\":[", stdout);
        each_file(check, input, put_file_json);
        fputs("]}", stdout);
    }
}

static void print_outputs_json(const struct config *config)
{
    for (int i = 0; i < config->output_count; i++) {
        char guarantee[256];
        guarantee_text(&config->outputs[i], guarantee, sizeof guarantee);
        put_member(i ? ",{" : "{", "name", config->outputs[i].name);
        put_member(",", "type", type_text(&config->outputs[i]));
        put_member(",", "delivery", "at_least_once");
        put_member(",", "guarantee", guarantee);
        putchar('}');
    }
}

static void print_json(const struct check *check)
{
    _cleanup_free_ char *yaml = NULL;
    size_t size;
    FILE *out = open_memstream(&yaml, &size);
    if (out) {
        config_print(check->config, out);
        fclose(out);
    }
    put_member("{\"valid\":true,", "file", check->config->file);
    put_member(",", "database", check->config->database_file);
    put_member(",", "configuration", yaml);
    fputs(",\"inputs\":[", stdout);
    print_inputs_json(check);
    fputs("],\"outputs\":[", stdout);
    print_outputs_json(check->config);
    puts("]}");
}

static void print_invalid_json(const struct problem *problem)
{
    put_member("{\"valid\":false,", "code", error_name(problem->error));
    put_member(",", "text", problem->text);
    puts("}");
}

static void tell_unreadable(void *context, const struct problem *problem)
{
    (void)context;
    cmd_fail(problem);
}

/* A pattern of a configuration may well match nothing yet; one on the command line is meant for files that
 * are there. */
static enum exit_code tell_unmatched(const struct check *check)
{
    enum exit_code code = EXIT_OK_;
    for (int i = 0; i < check->config->input_count; i++) {
        const struct config_input *input = &check->config->inputs[i];
        if (each_file(check, input, put_nothing) > 0)
            continue;
        struct problem problem = {0};
        problem_set(&problem, ERR_IO_001, "inputs[%d] matches no file now: %s%s", i, input->paths[0],
                    input->path_count > 1 ? " and others" : "");
        enum exit_code one = cmd_fail(&problem);
        if (input->exact)
            code = one;
    }
    return code;
}

/* `own` outlives the tail: its paths are borrowed. */
static int look(const struct config *config, const struct own_files *own, struct tail **ret_tail,
                struct problem *ret_problem)
{
    const struct tail_options options = {.inputs = config->inputs,
                                         .input_count = config->input_count,
                                         .once = true,
                                         .own_files = own->path,
                                         .own_file_count = own->count};
    _cleanup_(tail_freep) struct tail *tail = NULL;
    int r = tail_new(&options, ret_problem, &tail);
    if (r < 0)
        return r;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    r = tail_look(tail, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec, tell_unreadable, NULL);
    if (r < 0)
        return problem_set(ret_problem, (enum error) - r, "cannot look for files");
    *ret_tail = take_pointer(tail);
    return 0;
}

static enum exit_code check_files(const struct config *config, int format)
{
    struct problem problem = {0};
    _cleanup_(own_files_release) struct own_files own;
    _cleanup_(tail_freep) struct tail *tail = NULL;
    if (own_files_init(&own, config) < 0)
        problem_set(&problem, ERR_INT_002, "no memory is left to look for files");
    if (problem.error || look(config, &own, &tail, &problem) < 0)
        return cmd_fail(&problem);
    const struct check check = {.config = config, .tail = tail};
    (format == FORMAT_JSON ? print_json : print_text)(&check);
    enum exit_code unmatched = tell_unmatched(&check);
    enum exit_code unreadable = EXIT_OK_;
    return cmd_finish(tail_unreadable(tail, &unreadable) > 0 ? unreadable : unmatched);
}

static enum exit_code check_all(const struct config_flags *flags, int format)
{
    struct problem problem = {0};
    _cleanup_(config_freep) struct config *config = NULL;
    if (!flags->file && flags->path_count == 0)
        problem_set(&problem, ERR_USE_001,
                    "there is nothing to check; give -c FILE, or the paths of log files");
    else
        config_load(flags, &problem, &config);
    if (config)
        return check_files(config, format);
    if (format == FORMAT_JSON)
        print_invalid_json(&problem);
    cmd_finish(EXIT_OK_);
    return cmd_fail(&problem);
}

enum exit_code cmd_check(int argc, char **argv)
{
    struct config_flags flags = {0};
    int format = FORMAT_TEXT;
    bool example = false;
    const struct option options[] = {
        {.letter = 'c',
         .name = "config",
         .argument = "FILE",
         .help = "The configuration.",
         .kind = OPTION_TEXT,
         .to.text = &flags.file},
        {.name = "db",
         .argument = "FILE",
         .help = "The database, instead of the one in state_dir.",
         .kind = OPTION_TEXT,
         .to.text = &flags.database_file},
        {.name = "format",
         .argument = "text|json",
         .help = "How the answer is written.",
         .kind = OPTION_CHOICE,
         .to.choice = &format},
        {.name = "example",
         .help = "Print an example of a configuration with every setting, and end.",
         .kind = OPTION_FLAG,
         .to.flag = &example},
    };
    const struct option_set set = {.command = "check",
                                   .arguments = "[PATH…]",
                                   .summary =
                                       "Checks the configuration, and shows what is in force, which files it "
                                       "matches now\nand what each output promises.",
                                   .options = options,
                                   .option_count = OPTION_COUNT(options),
                                   .argument_count_max = -1};
    struct arguments arguments;
    struct problem problem = {0};
    int r = options_parse(&set, argc, argv, &arguments, &problem);
    if (r != 0)
        return options_end(r, &problem);
    if (example) {
        config_example(stdout);
        return cmd_finish(EXIT_OK_);
    }
    flags.paths = arguments.values;
    flags.path_count = arguments.count;
    return check_all(&flags, format);
}
