#include "config.h"

#include "config_expand.h"
#include "config_read.h"
#include "config_special.h"

#include "liblog/base/cleanup.h"

#include <stdlib.h>
#include <string.h>

void config_free(struct config *config)
{
    if (!config)
        return;
    section_release(&config_section, config);
    config_secrets_clear(&config->secrets);
    free(config->file);
    free(config->database_file);
    free(config);
}

static void config_freep(struct config **config)
{
    config_free(*config);
}

static int copy_text(const char *text, char **target, struct problem *ret_problem)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return problem_set(ret_problem, ERR_INT_001, "out of memory");
    free(*target);
    *target = copy;
    return 0;
}

static const struct setting *find_top(const char *name)
{
    const struct setting *setting = config_section.settings;
    while (strcmp(setting->name, name) != 0)
        setting++;
    return setting;
}

static void element_defaults(const char *list, void *element)
{
    const struct section *section = find_top(list)->section;
    memset(element, 0, section->element_size);
    section_defaults(section, element);
}

static void release_paths(struct config_input *input)
{
    for (int i = 0; i < input->path_count; i++)
        free(input->paths[i]);
    for (int i = 0; i < input->exclude_count; i++)
        free(input->exclude[i]);
    input->path_count = input->exclude_count = 0;
}

static void release_inputs(struct config *config)
{
    for (int i = 0; i < config->input_count; i++)
        section_release(find_top("inputs")->section, &config->inputs[i]);
    config->input_count = 0;
}

/* A shell may have expanded a pattern to many files: what one input cannot hold goes on in the next. */
static int add_path(struct config *config, const char *path, struct problem *ret_problem)
{
    struct config_input *input = &config->inputs[config->input_count - 1];
    if (input->path_count == CONFIG_PATHS_MAX) {
        struct config_input *next = &config->inputs[config->input_count];
        *next = *input;
        next->path_count = 0;
        next->service = next->multiline.start = NULL;
        config->input_count++;
        int r = copy_text(input->service, &next->service, ret_problem);
        if (r == 0)
            r = copy_text(input->multiline.start, &next->multiline.start, ret_problem);
        if (r < 0)
            return r;
        input = next;
    }
    input->paths[input->path_count] = NULL;
    int r = copy_text(path, &input->paths[input->path_count], ret_problem);
    if (r == 0)
        input->path_count++;
    return r;
}

/*
 * The arguments become the only input. With one input in the file they are read in its way (format, keys), so
 * that a configuration can be tried on a file at hand; with several it would be a guess which, so they are
 * read by the defaults.
 */
static int use_paths(struct config *config, const struct config_flags *flags, struct problem *ret_problem)
{
    if (config->input_count != 1) {
        release_inputs(config);
        element_defaults("inputs", &config->inputs[0]);
        config->input_count = 1;
    }
    release_paths(&config->inputs[0]);
    config->inputs[0].exact = true;
    config->inputs[0].rotated = false;
    for (int i = 0; i < flags->path_count; i++) {
        int r = add_path(config, flags->paths[i], ret_problem);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Without a file: all there is goes to the standard output. */
static int use_stdout(struct config *config, struct problem *ret_problem)
{
    struct config_output *output = &config->outputs[0];
    element_defaults("outputs", output);
    config->output_count = 1;
    output->type = OUTPUT_STDOUT;
    output->start_at_beginning = true;
    return copy_text("stdout", &output->name, ret_problem);
}

static int resolve_database(struct config *config, const struct config_flags *flags,
                            struct problem *ret_problem)
{
    if (flags->database_file)
        return copy_text(flags->database_file, &config->database_file, ret_problem);
    if (!config->state_dir)
        return copy_text("./shipper.db", &config->database_file, ret_problem);
    char path[4096];
    if (snprintf(path, sizeof path, "%s/shipper.db", config->state_dir) >= (int)sizeof path)
        return problem_set(ret_problem, ERR_CFG_004, "state_dir is longer than a path may be");
    return copy_text(path, &config->database_file, ret_problem);
}

static int read_all_sources(struct config *config, const struct config_flags *flags,
                            struct problem *ret_problem)
{
    struct report report = {0};
    struct place place = {.file = flags->file};
    if (flags->file)
        config_read(flags->file, config, &report);
    config_read_environment(config, &report);
    if (flags->file && report.count == 0 && config->input_count == 0 && flags->path_count == 0)
        report_add(&report, ERR_CFG_007, &place, "`inputs` is missing: the files to follow");
    check_config(config, flags->file, &report);
    return report_end(&report, ret_problem);
}

static int apply_flags(struct config *config, const struct config_flags *flags, struct problem *ret_problem)
{
    int r = flags->path_count > 0 ? use_paths(config, flags, ret_problem) : 0;
    if (r == 0 && !flags->file)
        r = use_stdout(config, ret_problem);
    if (r == 0)
        r = resolve_database(config, flags, ret_problem);
    return r;
}

int config_load(const struct config_flags *flags, struct problem *ret_problem, struct config **ret_config)
{
    enum { PATHS_MAX = CONFIG_PATHS_MAX * CONFIG_INPUTS_MAX };
    if (flags->path_count > PATHS_MAX)
        return problem_set(
            ret_problem, ERR_USE_001,
            "%d paths are too many, %d would do; quote the pattern, and shipper expands it itself",
            flags->path_count, PATHS_MAX);
    _cleanup_(config_freep) struct config *config = calloc(1, sizeof *config);
    if (!config)
        return problem_set(ret_problem, ERR_INT_001, "out of memory");
    section_defaults(&config_section, config);
    int r = copy_text(flags->file, &config->file, ret_problem);
    if (r == 0 && !flags->file)
        copy_text(NULL, &config->state_dir, NULL); /* the folder at hand, unless the environment names one */
    if (r == 0)
        r = read_all_sources(config, flags, ret_problem);
    if (r == 0)
        r = apply_flags(config, flags, ret_problem);
    if (r == 0)
        *ret_config = take_pointer(config);
    return r;
}
