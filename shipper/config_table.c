#include "config_table.h"

#include "config_special.h"

#include <stddef.h>

#define IN_INPUT(member)  offsetof(struct config_input, member)
#define IN_OUTPUT(member) offsetof(struct config_output, member)
#define IN_CONFIG(member) offsetof(struct config, member)
#define COUNT(array)      ((int)(sizeof(array) / sizeof(array)[0]))

const char *const config_level_words[LEVEL_COUNT + 1] = {
    [LEVEL_TRACE] = "TRACE",     [LEVEL_DEBUG] = "DEBUG", [LEVEL_INFO] = "INFO",
    [LEVEL_WARNING] = "WARNING", [LEVEL_ERROR] = "ERROR", [LEVEL_CRITICAL] = "CRITICAL",
    [LEVEL_UNKNOWN] = "UNKNOWN",
};

const char *const config_key_words[EVENT_KEY_COUNT + 1] = {
    [EVENT_TIMESTAMP] = "timestamp",
    [EVENT_LEVEL] = "level",
    [EVENT_SERVICE] = "service",
    [EVENT_ENVIRONMENT] = "environment",
    [EVENT_LOGGER] = "logger",
    [EVENT_MESSAGE] = "message",
    [EVENT_RUN_ID] = "run_id",
    [EVENT_PARENT_RUN_ID] = "parent_run_id",
    [EVENT_SEQ] = "seq",
    [EVENT_MARK] = "mark",
    [EVENT_DROPPED_COUNT] = "dropped.count",
    [EVENT_DROPPED_REASON] = "dropped.reason",
    [EVENT_DROPPED_LEVEL] = "dropped.level",
    [EVENT_REQUEST_ID] = "request_id",
    [EVENT_TRACE_ID] = "trace_id",
    [EVENT_SPAN_ID] = "span_id",
    [EVENT_ENDPOINT] = "endpoint",
    [EVENT_USER] = "user",
    [EVENT_EXCEPTION_TYPE] = "exception.type",
    [EVENT_EXCEPTION_MESSAGE] = "exception.message",
    [EVENT_EXCEPTION_CODE] = "exception.code",
    [EVENT_EXCEPTION_FINGERPRINT] = "exception.fingerprint",
    [EVENT_EXCEPTION_TRACEBACK] = "exception.traceback",
    [EVENT_PID] = "pid",
    [EVENT_TID] = "tid",
    [EVENT_TRUNCATED] = "truncated",
    [EVENT_COPY] = "copy",
};

const char *config_key_name(enum event_key key)
{
    return config_key_words[key];
}

static const char *const format_words[] = {"liblog", "ecs",       "otel",    "zap",   "zerolog",
                                           "pino",   "structlog", "logback", "plain", NULL};
static const char *const start_words[] = {"beginning", "end", NULL};
static const char *const invalid_words[] = {"reject", "forward", NULL};
static const char *const copies_words[] = {"skip", "count", NULL};

static const struct setting multiline_settings[] = {
    {.name = "start",
     .type = SETTING_TEXT,
     .offset = IN_INPUT(multiline.start),
     .help = "The pattern of a line that begins an event; lines that it does not match go on with the event "
             "before "
             "them. Without it, every line is an event.",
     .example = {NULL, "'^\\d{4}-\\d\\d-\\d\\d'"}},
    {.name = "timeout",
     .type = SETTING_DURATION,
     .offset = IN_INPUT(multiline.timeout_ns),
     .initial = "2s",
     .minimum = 100000000,
     .maximum = 3600000000000,
     .help = "An event at the end of a file has ended when so long nothing was added."},
    {.name = "max_lines",
     .type = SETTING_NUMBER,
     .offset = IN_INPUT(multiline.lines_max),
     .initial = "1000",
     .minimum = 1,
     .maximum = 1000000,
     .help = "With so many lines an event ends; what follows is an event of its own."},
    {.name = "max_bytes",
     .type = SETTING_SIZE,
     .offset = IN_INPUT(multiline.bytes_max),
     .initial = "256KiB",
     .minimum = 1024,
     .maximum = 64 << 20,
     .help = "The same for so many bytes. At most max_line counts."},
};

static const struct section multiline_section = {.settings = multiline_settings,
                                                 .count = COUNT(multiline_settings)};

static const struct setting input_settings[] = {
    {.name = "paths",
     .is_required = true,
     .type = SETTING_TEXTS,
     .offset = IN_INPUT(paths),
     .count_offset = IN_INPUT(path_count),
     .help = "Patterns of files to follow. At least one.",
     .example = {"[/var/log/checkout/*.log]", "[/var/log/nginx/access.json]"}},
    {.name = "exclude",
     .type = SETTING_TEXTS,
     .offset = IN_INPUT(exclude),
     .count_offset = IN_INPUT(exclude_count),
     .help = "Patterns of file names to leave out.",
     .example = {"[\"*.tmp\"]"}},
    {.name = "rotated",
     .type = SETTING_FLAG,
     .offset = IN_INPUT(rotated),
     .initial = "true",
     .help = "Also read the older generations of these files: app.log.1, app.log.2.gz, app.log-20251019."},
    {.name = "service",
     .type = SETTING_TEXT,
     .offset = IN_INPUT(service),
     .help = "The service of records that name none.",
     .example = {NULL, "nginx"}},
    {.name = "format",
     .type = SETTING_FORMAT,
     .offset = IN_INPUT(scan.format),
     .initial = "liblog",
     .words = format_words,
     .help = "Which program's records these are."},
    {.name = "keys",
     .type = SETTING_SPECIAL,
     .functions = &keys_functions,
     .help =
         "Where keys of the record are found in other programs' JSON: the record's key, then theirs; a dot "
         "leads into an object. In text (`format: plain`), then a pattern, whose first group is the value. "
         "`level` may be a table from values (or ranges of numbers) to levels.",
     .example =
         {NULL,
          "{ timestamp: ts, message: request, endpoint: uri,\n"
          "level: { from: status, map: { \"500-599\": ERROR, \"400-499\": WARNING }, default: INFO } }"}},
    {.name = "multiline",
     .type = SETTING_SECTION,
     .section = &multiline_section,
     .is_text = true,
     .help = "Events of several lines, with `format: plain`."},
    {.name = "start_at",
     .type = SETTING_FLAG_WORDS,
     .offset = IN_INPUT(start_at_end),
     .initial = "beginning",
     .words = start_words,
     .help = "Where a file that was never seen is begun."},
    {.name = "max_line",
     .type = SETTING_SIZE,
     .offset = IN_INPUT(line_bytes_max),
     .initial = "1MiB",
     .minimum = 1024,
     .maximum = 64 << 20,
     .help = "Longer lines are rejected and counted."},
    {.name = "invalid",
     .type = SETTING_FLAG_WORDS,
     .offset = IN_INPUT(invalid_forward),
     .initial = "reject",
     .words = invalid_words,
     .help = "What becomes of lines that are no records; they are counted either way."},
    {.name = "copies",
     .type = SETTING_FLAG_WORDS,
     .offset = IN_INPUT(copies_count),
     .initial = "skip",
     .words = copies_words,
     .help = "Records with \"copy\":true stand in another file, too. Count them where only the errors file "
             "is followed."},
    {.name = "follow_symlinks",
     .type = SETTING_FLAG,
     .offset = IN_INPUT(follow_symlinks),
     .initial = "false",
     .help = "Follow also links that lead out of the folder to a file of another owner."},
};

static const struct section input_section = {.settings = input_settings,
                                             .count = COUNT(input_settings),
                                             .element_size = sizeof(struct config_input),
                                             .element_max = CONFIG_INPUTS_MAX,
                                             .check = check_input};

static const char *const type_words[] = {[OUTPUT_STDOUT] = "stdout", [OUTPUT_KAFKA] = "kafka", NULL};
static const char *const type_later[] = {"sentry", "otlp", NULL};
static const char *const output_start_words[] = {"statistics", "beginning", NULL};
static const char *const delivery_words[] = {[DELIVERY_AT_LEAST_ONCE] = "at_least_once", NULL};
static const char *const delivery_later[] = {"exactly_once", NULL};
static const char *const timestamp_words[] = {[TIMESTAMP_EVENT] = "event", [TIMESTAMP_READ] = "read", NULL};

static const struct setting output_settings[] = {
    {.name = "name",
     .is_required = true,
     .type = SETTING_TEXT,
     .offset = IN_OUTPUT(name),
     .help = "The name under which the database keeps the output's positions. Required.",
     .example = {"out", "lake"}},
    {.name = "type",
     .is_required = true,
     .type = SETTING_CHOICE,
     .offset = IN_OUTPUT(type),
     .words = type_words,
     .later = type_later,
     .help = "Where records go. Required.",
     .example = {"stdout", "kafka"}},
    {.name = "levels",
     .type = SETTING_LEVELS,
     .offset = IN_OUTPUT(levels),
     .words = config_level_words,
     .help = "Only records of these levels. Default: all.",
     .example = {"[WARNING, ERROR, CRITICAL]"}},
    {.name = "start_at",
     .type = SETTING_FLAG_WORDS,
     .offset = IN_OUTPUT(start_at_beginning),
     .initial = "statistics",
     .words = output_start_words,
     .help = "Where a new output begins: where the statistics stand, or with all there is in the files."},
    {.name = "brokers",
     .is_required = true,
     .type = SETTING_TEXT,
     .offset = IN_OUTPUT(brokers),
     .is_kafka = true,
     .help = "Kafka's bootstrap servers. Required.",
     .example = {NULL, "localhost:9092"}},
    {.name = "topic",
     .is_required = true,
     .type = SETTING_SPECIAL,
     .functions = &topic_functions,
     .is_kafka = true,
     .help = "The topic, or a table: { from: level, map: { ERROR: errors }, default: logs }, where `from` is "
             "level or "
             "service. Required.",
     .example = {NULL, "logs"}},
    {.name = "key",
     .type = SETTING_KEY,
     .offset = IN_OUTPUT(key),
     .words = config_key_words,
     .is_kafka = true,
     .help = "The key of the record whose value becomes Kafka's key. Default: none.",
     .example = {NULL, "request_id"}},
    {.name = "delivery",
     .type = SETTING_CHOICE,
     .offset = IN_OUTPUT(delivery),
     .initial = "at_least_once",
     .words = delivery_words,
     .later = delivery_later,
     .is_kafka = true,
     .help = "What is promised: nothing lost, and after a kill at most the records in flight twice."},
    {.name = "timestamp",
     .type = SETTING_CHOICE,
     .offset = IN_OUTPUT(timestamp),
     .initial = "event",
     .words = timestamp_words,
     .is_kafka = true,
     .help = "Kafka's timestamp: the record's own, or the time of reading."},
    {.name = "in_flight",
     .type = SETTING_NUMBER,
     .offset = IN_OUTPUT(in_flight_max),
     .initial = "65536",
     .minimum = 1,
     .maximum = 1000000,
     .is_kafka = true,
     .help = "At most so many records are handed over and not yet acknowledged."},
    {.name = "properties",
     .type = SETTING_SPECIAL,
     .functions = &properties_functions,
     .is_kafka = true,
     .help = "librdkafka's own settings, passed on as they are.",
     .example = {NULL, "{ compression.type: lz4 }"}},
};

static const struct section output_section = {.settings = output_settings,
                                              .count = COUNT(output_settings),
                                              .element_size = sizeof(struct config_output),
                                              .element_max = CONFIG_OUTPUTS_MAX,
                                              .check = check_output};

#define MINUTE_NS (60ULL * 1000000000)
#define DAY_NS    (24 * 60 * MINUTE_NS)
#define RETENTION(index, name_, initial_, help_)                                                             \
    {                                                                                                        \
        .name = name_, .type = SETTING_DURATION, .offset = IN_CONFIG(retention_ns[index]),                   \
        .initial = initial_, .minimum = MINUTE_NS, .maximum = 36500 * DAY_NS, .help = help_                  \
    }

static const struct setting retention_settings[] = {
    RETENTION(0, "10s", "2d", "How long windows of ten seconds are kept."),
    RETENTION(1, "1m", "14d", "How long windows of a minute are kept."),
    RETENTION(2, "1h", "400d", "How long windows of an hour are kept."),
    RETENTION(3, "1d", "3650d", "How long windows of a day are kept."),
};

static const struct section retention_section = {.settings = retention_settings,
                                                 .count = COUNT(retention_settings)};

static const struct setting stats_settings[] = {
    {.name = "max_series",
     .type = SETTING_NUMBER,
     .offset = IN_CONFIG(series_max),
     .initial = "10000",
     .minimum = 1,
     .maximum = 10000000,
     .help = "At most so many combinations of service, level, type … are counted one by one; the rest is "
             "counted together."},
    {.name = "retention",
     .type = SETTING_SECTION,
     .section = &retention_section,
     .help = "How long windows are kept in the database."},
};

static const struct section stats_section = {.settings = stats_settings, .count = COUNT(stats_settings)};

static const struct setting deleted_settings[] = {
    {.name = "max_bytes",
     .type = SETTING_SIZE,
     .offset = IN_CONFIG(deleted_bytes_max),
     .initial = "10GiB",
     .minimum = 1024,
     .maximum = 1ULL << 50,
     .help =
         "At most so much space on disks is held in all; beyond it the file that was deleted first goes."},
    {.name = "max_time",
     .type = SETTING_DURATION,
     .offset = IN_CONFIG(deleted_ns_max),
     .initial = "24h",
     .minimum = 1000000000,
     .maximum = 3650 * DAY_NS,
     .help = "At most so long a file is held."},
};

static const struct section deleted_section = {.settings = deleted_settings,
                                               .count = COUNT(deleted_settings)};

static const struct setting top_settings[] = {
    {.name = "environment",
     .type = SETTING_TEXT,
     .offset = IN_CONFIG(environment),
     .initial = "development",
     .help = "Where this runs. With `production`, what is unsafe there is refused.",
     .example = {"${APP_ENV:-development}"}},
    {.name = "instance",
     .type = SETTING_TEXT,
     .offset = IN_CONFIG(instance),
     .help = "The name of this shipper. Default: a UUID that is kept in the database.",
     .example = {NULL, "${HOSTNAME}"}},
    {.name = "state_dir",
     .type = SETTING_TEXT,
     .offset = IN_CONFIG(state_dir),
     .initial = "/var/lib/shipper",
     .help = "The folder of shipper.db."},
    {.name = "inputs",
     .type = SETTING_LIST,
     .offset = IN_CONFIG(inputs),
     .count_offset = IN_CONFIG(input_count),
     .section = &input_section,
     .help = "The files to follow. At least one input."},
    {.name = "outputs",
     .type = SETTING_LIST,
     .offset = IN_CONFIG(outputs),
     .count_offset = IN_CONFIG(output_count),
     .section = &output_section,
     .help = "Where records go. Without outputs, there are only the statistics."},
    {.name = "stats", .type = SETTING_SECTION, .section = &stats_section, .help = "The error statistics."},
    {.name = "deleted",
     .type = SETTING_SECTION,
     .section = &deleted_section,
     .help =
         "Deleted files that an output has not read yet are held open. What is let go is counted as lost."},
};

const struct section config_section = {.settings = top_settings, .count = COUNT(top_settings)};
