#include "cmd.h"

#include "options.h"

#include "liblog/base/json.h"

#include <inttypes.h>
#include <liblog/other.h>
#include <stdio.h>

enum { FORMAT_TEXT, FORMAT_JSON };

static enum error error_of(int ll_error)
{
    switch (ll_error) {
    case LL_ENOENT:
        return ERR_IO_001;
    case LL_EACCES:
        return ERR_IO_002;
    case LL_EIO:
        return ERR_IO_003;
    case LL_EFORMAT:
        return ERR_LOG_001;
    case LL_EINVAL:
        return ERR_VAL_001;
    default:
        return ERR_INT_001;
    }
}

static void print_text(const char *path, const ll_recovered *done, bool dry_run)
{
    struct problem escaped = {0}; /* a file name may hold anything */
    problem_set(&escaped, ERR_NONE, "%s", path);
    printf("%s: %s %" PRIu32 " rings of dead programs, %" PRIu64 " records %s; left alone %" PRIu32
           " of living ones\n",
           escaped.text, dry_run ? "would finish" : "finished", done->finished, done->records,
           dry_run ? "to write" : "written", done->living);
}

static void add_count(struct bytes *b, const char *key, uint64_t value)
{
    json_add_key(b, slice_of(key));
    json_add_u64(b, value);
}

static void print_json(const char *path, const ll_recovered *done, const char *code)
{
    char memory[4096 * JSON_ESCAPE_GROWTH_MAX + 512];
    struct bytes b;
    bytes_init(&b, memory, sizeof memory);
    bytes_add_char(&b, '{');
    json_add_key(&b, SLICE("log"));
    json_add_string(&b, slice_of(path));
    add_count(&b, "finished", done->finished);
    add_count(&b, "living", done->living);
    add_count(&b, "damaged", done->damaged);
    add_count(&b, "records", done->records);
    add_count(&b, "lost_bytes", done->lost_bytes);
    json_add_key(&b, SLICE("error"));
    if (code)
        json_add_string(&b, slice_of(code));
    else
        BYTES_LITERAL(&b, "null");
    BYTES_LITERAL(&b, "}\n");
    fwrite(b.data, 1, b.size, stdout);
}

static enum exit_code recover(const char *path, const ll_recover_options *options, int format)
{
    ll_recovered done = {0};
    ll_problem reason = {0};
    struct problem problem = {0};
    int r = ll_recover(path, options, &done, &reason);
    if (r != LL_OK)
        problem_set(&problem, error_of(r), "%s: %s", path, reason.text[0] ? reason.text : ll_strerror(r));
    else if (done.lost_bytes > 0)
        problem_set(&problem, ERR_LOG_001,
                    "%s: %" PRIu64 " bytes in rings could not be believed and are lost", path,
                    done.lost_bytes);

    if (format == FORMAT_JSON)
        print_json(path, &done, problem.error ? error_name(problem.error) : NULL);
    else if (r == LL_OK)
        print_text(path, &done, options->dry_run);
    fflush(stdout);
    return problem.error ? cmd_fail(&problem) : EXIT_OK_;
}

enum exit_code cmd_recover(int argc, char **argv)
{
    ll_recover_options recover_options = {0};
    int format = FORMAT_TEXT;
    bool dry_run = false;
    const struct option options[] = {
        {.name = "ring-dir",
         .argument = "FOLDER",
         .help = "Where the program kept its rings (its LOG_RING_DIR).",
         .kind = OPTION_TEXT,
         .to.text = &recover_options.ring_dir},
        {.name = "error-file",
         .argument = "FILE",
         .help = "Where copies of errors go, too (its LOG_ERROR_FILE).",
         .kind = OPTION_TEXT,
         .to.text = &recover_options.error_file},
        {.letter = 'n',
         .name = "dry-run",
         .help = "Only look, and change nothing.",
         .kind = OPTION_FLAG,
         .to.flag = &dry_run},
        {.name = "format",
         .argument = "text|json",
         .help = "How the answer is written.",
         .kind = OPTION_CHOICE,
         .to.choice = &format},
    };
    const struct option_set set = {
        .command = "recover",
        .arguments = "LOGFILE…",
        .summary = "Appends to a log what dead programs had logged and not yet written, each "
                   "record once.",
        .options = options,
        .option_count = OPTION_COUNT(options),
        .argument_count_min = 1,
        .argument_count_max = -1};
    struct arguments arguments;
    struct problem problem = {0};
    int r = options_parse(&set, argc, argv, &arguments, &problem);
    if (r != 0)
        return options_end(r, &problem);
    recover_options.dry_run = dry_run;
    enum exit_code code = EXIT_OK_;
    for (int i = 0; i < arguments.count; i++) {
        enum exit_code one = recover(arguments.values[i], &recover_options, format);
        if (code == EXIT_OK_)
            code = one;
    }
    return cmd_finish(code);
}
