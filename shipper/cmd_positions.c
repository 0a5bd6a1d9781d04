/* shipper positions: where each output stands; asked of the shipper that runs, or read from the database. */
#include "cmd.h"

#include "config.h"
#include "control.h"
#include "discover.h"
#include "options.h"
#include "positions.h"
#include "report_source.h"
#include "store_positions.h"

#include "liblog/base/cleanup.h"

#include <fnmatch.h>
#include <sys/stat.h>
#include <time.h>

static const char *const format_words[] = {[POSITIONS_TABLE] = "table", [POSITIONS_JSON] = "json"};

struct positions_arguments {
    struct config_flags flags;
    int format;
    bool all;
    const char *path; /* of reset */
    int to;
};

static void config_freep(struct config **config)
{
    config_free(*config);
}

static void store_closep(struct store **store)
{
    store_close(*store);
}

static int64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- out of the database ---- */

struct reading {
    const struct config *config;
    struct scanner *scanner[CONFIG_INPUTS_MAX];
    struct positions_printer printer;
};

static void release_reading(struct reading *reading)
{
    for (int i = 0; i < CONFIG_INPUTS_MAX; i++)
        scanner_free(reading->scanner[i]);
}

/* Also when it is an older generation of what the pattern matches. */
static bool input_matches(const struct config_input *input, const char *path)
{
    char live[FAMILY_NAME_MAX], family[4096];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    generation_of(slice_of(name), live);
    snprintf(family, sizeof(family), "%.*s%s", (int)(name - path), path, live);
    for (int i = 0; i < input->path_count; i++)
        if (fnmatch(input->paths[i], path, 0) == 0 || fnmatch(input->paths[i], family, 0) == 0)
            return true;
    return false;
}

/* The scanner of the input that reads this file. NULL when none is known to. */
static struct scanner *scanner_of(const struct reading *reading, const char *path)
{
    for (int i = 0; i < reading->config->input_count; i++)
        if (input_matches(&reading->config->inputs[i], path))
            return reading->scanner[i];
    return NULL;
}

/* What the evidence of the last commit does not know yet. */
static uint64_t size_now(const struct position_row *row, const char *path)
{
    struct stat status;
    bool is_it = stat(path, &status) == 0 && status.st_dev == row->device && status.st_ino == row->inode;
    return is_it ? (uint64_t)status.st_size : row->size;
}

static uint64_t lag_bytes(const struct position_row *row, const struct source_evidence *evidence)
{
    if (row->compressed)
        return evidence->finished && row->offset >= evidence->offset ? 0 : row->size;
    return row->size > row->offset ? row->size - row->offset : 0;
}

static int take_row(void *context, const struct store_position_row *from)
{
    struct reading *reading = context;
    char path[4096];
    snprintf(path, sizeof(path), "%.*s", (int)from->path.size, from->path.data);
    struct position_row row = {
        .source_id = from->source_id,
        .path = from->path,
        .output = from->output,
        .offset = from->offset,
        .size = from->evidence.size,
        .compressed = from->evidence.compressed,
        .finished = from->evidence.finished,
        .device = from->evidence.device,
        .inode = from->evidence.inode,
        .modified_ns = from->evidence.modified_ns,
        .fd = -1,
    };
    row.size = size_now(&row, path);
    row.lag_bytes = lag_bytes(&row, &from->evidence);
    positions_add(&reading->printer, &row, position_lag_s(&row, scanner_of(reading, path), wall_ns()));
    return 0;
}

static int read_database(const struct config *config, const struct positions_arguments *arguments,
                         struct problem *ret_problem)
{
    _cleanup_(release_reading) struct reading reading = {.config = config};
    _cleanup_(report_closep) struct store_reader *reader = NULL;
    int r = store_reader_open(config->database_file, ret_problem, &reader);
    for (int i = 0; r == 0 && i < config->input_count; i++)
        r = scanner_new(&config->inputs[i].scan, ret_problem, &reading.scanner[i]);
    if (r < 0)
        return r;
    positions_begin(&reading.printer, (enum positions_format)arguments->format, stdout);
    r = store_read_positions(reader, arguments->all, take_row, &reading, ret_problem);
    if (r == 0)
        positions_end(&reading.printer);
    return r;
}

/* ---- show ---- */

/* The answer of the shipper that runs, printed when it is whole. False when there is none. */
static bool ask_running(const char *folder, const struct positions_arguments *arguments)
{
    char request[64];
    _cleanup_free_ char *answer = NULL;
    size_t size;
    FILE *out = open_memstream(&answer, &size);
    if (!out)
        return false;
    snprintf(request, sizeof(request), "positions %s", format_words[arguments->format]);
    int r = control_ask(folder, request, out, NULL);
    if (fclose(out) != 0 || r < 0)
        return false;
    fwrite(answer, 1, size, stdout);
    return true;
}

/* Only a shipper that runs knows what it has done since its last commit. */
static int show(const struct config *config, const struct positions_arguments *arguments,
                struct problem *ret_problem)
{
    char folder[STORE_FOLDER_SIZE];
    int r = store_folder(config->database_file, folder, ret_problem);
    if (r < 0 || (!arguments->all && ask_running(folder, arguments)))
        return r;
    return read_database(config, arguments, ret_problem);
}

/* ---- reset ---- */

static int reset(const struct config *config, const struct positions_arguments *arguments, const char *output,
                 struct problem *ret_problem)
{
    static const char *const to_words[] = {"the beginning", "where the statistics stand"};
    struct stat status;
    _cleanup_(store_closep) struct store *store = NULL;
    uint64_t count;
    if (stat(config->database_file, &status) < 0)
        return problem_set(ret_problem, ERR_DB_006, "there is no database at %s", config->database_file);
    int r = store_open(config, ret_problem, &store);
    if (r == 0)
        r = store_reset_positions(store, output, arguments->path, (enum store_reset)arguments->to, &count,
                                  ret_problem);
    if (r == 0)
        fprintf(stderr, "shipper: output \"%s\" goes on at %s in %llu files\n", output,
                to_words[arguments->to], (unsigned long long)count);
    return r;
}

/* ---- the command ---- */

static const char details[] =
    "Without more, shows where each output stands in each file, as the shipper that runs "
    "knows it,\nor else the database. `reset OUTPUT` moves an output, while no shipper "
    "runs: it forwards the\nfiles that are still there again, or leaves out what it has "
    "not forwarded.\n";

static int parse(int argc, char **argv, struct positions_arguments *positions, struct arguments *arguments,
                 struct problem *ret_problem)
{
    const struct option options[] = {
        {.letter = 'c',
         .name = "config",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &positions->flags.file,
         .help = "The configuration that names the database and the format of each file."},
        {.name = "db",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &positions->flags.database_file,
         .help = "The database. Default: that of -c, else ./shipper.db."},
        {.name = "format",
         .argument = "table|json",
         .kind = OPTION_CHOICE,
         .to.choice = &positions->format,
         .help = "How the answer is written. Default: table."},
        {.name = "all",
         .kind = OPTION_FLAG,
         .to.flag = &positions->all,
         .help = "From the database, also files that everybody has read to their end."},
        {.name = "to",
         .argument = "beginning|statistics",
         .kind = OPTION_CHOICE,
         .to.choice = &positions->to,
         .help = "With reset: where the output goes on. Default: beginning."},
        {.name = "path",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &positions->path,
         .help = "With reset: only in this file, as `positions` names it."},
    };
    const struct option_set set = {
        .command = "positions",
        .arguments = "[reset OUTPUT]",
        .summary = "Shows where each output stands in each file and how far it lags, in bytes and seconds.",
        .details = details,
        .options = options,
        .option_count = OPTION_COUNT(options),
        .argument_count_max = 2,
    };
    return options_parse(&set, argc, argv, arguments, ret_problem);
}

static int check_words(const struct arguments *arguments, struct problem *ret_problem)
{
    if (arguments->count == 0 || (arguments->count == 2 && strcmp(arguments->values[0], "reset") == 0))
        return 0;
    return problem_set(ret_problem, ERR_USE_001, "`shipper positions` takes nothing, or `reset OUTPUT`");
}

/* Without a configuration, any file may be liblog's. */
static int load(const struct positions_arguments *positions, struct problem *ret_problem,
                struct config **ret_config)
{
    static char *any[] = {"*"};
    struct config_flags flags = positions->flags;
    if (!flags.file) {
        flags.paths = any;
        flags.path_count = 1;
    }
    return config_load(&flags, ret_problem, ret_config);
}

enum exit_code cmd_positions(int argc, char **argv)
{
    struct positions_arguments positions = {.format = POSITIONS_TABLE, .to = STORE_RESET_BEGINNING};
    struct arguments arguments;
    struct problem problem = {0};
    _cleanup_(config_freep) struct config *config = NULL;
    int r = parse(argc, argv, &positions, &arguments, &problem);
    if (r != 0)
        return options_end(r, &problem);
    r = check_words(&arguments, &problem);
    if (r == 0)
        r = load(&positions, &problem, &config);
    if (r == 0)
        r = arguments.count ? reset(config, &positions, arguments.values[1], &problem)
                            : show(config, &positions, &problem);
    return r < 0 ? cmd_fail(&problem) : cmd_finish(EXIT_OK_);
}
