#include "shipper/config.h"
#include "shipper/config_expand.h"

#include "liblog/base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_config_XXXXXX";
static char file[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(file, sizeof file, "%s/c.yaml", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(folder);
}

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* What the loader says to `text`: 0 and a configuration that the caller frees, or an error with its words. */
static int load(const char *text, struct problem *problem, struct config **config)
{
    write_file(file, text);
    *problem = (struct problem){0};
    return config_load(&(struct config_flags){.file = file}, problem, config);
}

static struct config *load_valid(const char *text)
{
    struct problem problem;
    struct config *config = NULL;
    if (load(text, &problem, &config) != 0)
        fail_msg("%s", problem.text);
    return config;
}

/* `%F` in `expected` stands for the file's name. */
static void assert_refused(const char *text, enum error error, const char *expected)
{
    struct problem problem;
    struct config *config = NULL;
    assert_int_equal(load(text, &problem, &config), -(int)error);
    assert_null(config);
    char whole[PROBLEM_TEXT_SIZE] = "";
    for (const char *at = expected; *at;) {
        size_t used = strlen(whole);
        bool is_file = strncmp(at, "%F", 2) == 0;
        snprintf(whole + used, sizeof whole - used, "%.*s", is_file ? (int)strlen(file) : 1,
                 is_file ? file : at);
        at += is_file ? 2 : 1;
    }
    assert_string_equal(problem.text, whole);
    assert_int_equal(problem.error, error);
}

static char *print(const struct config *config)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    config_print(config, out);
    fclose(out);
    return text;
}

#define INPUT  "inputs: [{ paths: a.log }]\n"
#define KAFKA  INPUT "outputs:\n  - { name: lake, type: kafka, brokers: b:1, topic: logs"
#define STDOUT INPUT "outputs:\n  - { name: out, type: stdout"

static void defaults_are_those_of_the_manual(void **state)
{
    (void)state;
    struct config *config =
        load_valid(INPUT "outputs: [{ name: lake, type: kafka, brokers: 'b:1', topic: logs }]\n");
    assert_string_equal(config->environment, "development");
    assert_null(config->instance);
    assert_string_equal(config->state_dir, "/var/lib/shipper");
    assert_string_equal(config->database_file, "/var/lib/shipper/shipper.db");
    assert_int_equal(config->series_max, 10000);
    assert_true(config->deleted_bytes_max == UINT64_C(10) << 30);
    assert_int_equal(config->deleted_ns_max, 86400000000000);
    const int64_t day_ns = 86400000000000;
    const int64_t days[] = {2, 14, 400, 3650};
    for (int i = 0; i < 4; i++)
        assert_int_equal(config->retention_ns[i], days[i] * day_ns);

    const struct config_input *input = &config->inputs[0];
    assert_int_equal(config->input_count, 1);
    assert_int_equal(input->path_count, 1);
    assert_string_equal(input->paths[0], "a.log");
    assert_true(input->rotated);
    assert_false(input->exact || input->start_at_end || input->invalid_forward || input->copies_count ||
                 input->follow_symlinks);
    assert_int_equal(input->line_bytes_max, 1 << 20);
    assert_string_equal(input->scan.format, "liblog");

    const struct config_output *output = &config->outputs[0];
    assert_int_equal(config->output_count, 1);
    assert_int_equal(output->type, OUTPUT_KAFKA);
    assert_int_equal(output->levels, (1U << LEVEL_COUNT) - 1);
    assert_false(output->start_at_beginning);
    assert_int_equal(output->key, -1);
    assert_int_equal(output->timestamp, TIMESTAMP_EVENT);
    assert_int_equal(output->in_flight_max, 65536);
    config_free(config);
}

static void every_setting_arrives_where_it_belongs(void **state)
{
    (void)state;
    struct config *config =
        load_valid("environment: staging\n"
                   "instance: pod-7\n"
                   "state_dir: /srv/s\n"
                   "inputs:\n"
                   "  - paths: [a/*.log, b.log]\n"
                   "    exclude: '*.tmp'\n"
                   "    rotated: false\n"
                   "    service: shop\n"
                   "    start_at: end\n"
                   "    max_line: 64KiB\n"
                   "    invalid: forward\n"
                   "    copies: count\n"
                   "    follow_symlinks: true\n"
                   "outputs:\n"
                   "  - { name: out, type: stdout, levels: [error, CRITICAL], start_at: beginning }\n"
                   "  - name: lake\n"
                   "    type: kafka\n"
                   "    brokers: 'a:1,b:2'\n"
                   "    topic: { from: service, map: { nginx: web }, default: rest }\n"
                   "    key: exception.type\n"
                   "    delivery: at_least_once\n"
                   "    timestamp: read\n"
                   "    in_flight: 100\n"
                   "    properties: { linger.ms: 5, compression.type: lz4 }\n"
                   "stats: { max_series: 7, retention: { 1m: 36h } }\n"
                   "deleted: { max_bytes: 3GiB, max_time: 90m }\n");
    const struct config_input *input = &config->inputs[0];
    assert_string_equal(config->environment, "staging");
    assert_string_equal(config->instance, "pod-7");
    assert_string_equal(config->database_file, "/srv/s/shipper.db");
    assert_int_equal(input->path_count, 2);
    assert_string_equal(input->paths[1], "b.log");
    assert_int_equal(input->exclude_count, 1);
    assert_string_equal(input->exclude[0], "*.tmp");
    assert_string_equal(input->service, "shop");
    assert_true(!input->rotated && input->start_at_end && input->invalid_forward && input->copies_count &&
                input->follow_symlinks);
    assert_int_equal(input->line_bytes_max, 65536);

    assert_int_equal(config->outputs[0].type, OUTPUT_STDOUT);
    assert_int_equal(config->outputs[0].levels, 1U << LEVEL_ERROR | 1U << LEVEL_CRITICAL);
    assert_true(config->outputs[0].start_at_beginning);
    const struct config_output *lake = &config->outputs[1];
    assert_string_equal(lake->brokers, "a:1,b:2");
    assert_string_equal(lake->topic, "rest");
    assert_string_equal(lake->topic_from, "service");
    assert_int_equal(lake->route_count, 1);
    assert_string_equal(lake->route[0].value, "nginx");
    assert_string_equal(lake->route[0].topic, "web");
    assert_int_equal(lake->key, EVENT_EXCEPTION_TYPE);
    assert_int_equal(lake->timestamp, TIMESTAMP_READ);
    assert_int_equal(lake->in_flight_max, 100);
    assert_int_equal(lake->property_count, 2);
    assert_string_equal(lake->property[0].name, "linger.ms");
    assert_string_equal(lake->property[0].value, "5");
    assert_int_equal(config->series_max, 7);
    assert_int_equal(config->retention_ns[1], 36 * 3600000000000);
    assert_true(config->deleted_bytes_max == UINT64_C(3) << 30);
    assert_int_equal(config->deleted_ns_max, 90 * 60000000000);
    assert_int_equal(config->retention_ns[0], 2 * 86400000000000);
    config_free(config);
}

static void keys_map_names_and_ranges_of_values_to_the_record(void **state)
{
    (void)state;
    struct config *config = load_valid(
        "inputs:\n"
        "  - paths: [x]\n"
        "    format: zap\n"
        "    keys: { message: msg, exception.type: err.kind,\n"
        "            level: { from: status, map: { \"500-599\": ERROR, \"404\": WARNING, bad: CRITICAL },\n"
        "                     default: INFO } }\n");
    const struct scan_config *scan = &config->inputs[0].scan;
    assert_string_equal(scan->format, "zap");
    assert_int_equal(scan->mapping_count, 3);
    assert_int_equal(scan->mapping[0].key, EVENT_MESSAGE);
    assert_string_equal(scan->mapping[0].path, "msg");
    assert_int_equal(scan->mapping[1].key, EVENT_EXCEPTION_TYPE);
    assert_string_equal(scan->mapping[1].path, "err.kind");
    assert_int_equal(scan->mapping[2].key, EVENT_LEVEL);
    assert_string_equal(scan->mapping[2].path, "status");
    assert_int_equal(scan->level_rule_count, 3);
    assert_int_equal(scan->level_rule[0].from, 500);
    assert_int_equal(scan->level_rule[0].to, 599);
    assert_int_equal(scan->level_rule[0].level, LEVEL_ERROR);
    assert_string_equal(scan->level_rule[0].text, "");
    assert_int_equal(scan->level_rule[1].from, 404);
    assert_int_equal(scan->level_rule[1].to, 404);
    assert_string_equal(scan->level_rule[2].text, "bad");
    assert_int_equal(scan->level_rule[2].level, LEVEL_CRITICAL);
    assert_int_equal(scan->level_default, LEVEL_INFO);
    config_free(config);
}

static void an_unknown_key_is_named_with_its_line_and_the_nearest_one(void **state)
{
    (void)state;
    assert_refused(INPUT "stat_dir: /x\n", ERR_CFG_003,
                   "%F:2: stat_dir: there is no such key; did you mean \"state_dir\"?");
    assert_refused("inputs:\n  - paths: a\n    pahts: b\n", ERR_CFG_003,
                   "%F:3: inputs[0].pahts: there is no such key; did you mean \"paths\"?");
    assert_refused(INPUT "stats: { xyz: 1 }\n", ERR_CFG_003,
                   "%F:2: stats.xyz: there is no such key; known here: max_series, retention");
    assert_refused("inputs: [{ paths: a, keys: { mesage: msg } }]\n", ERR_CFG_003,
                   "%F:1: inputs[0].keys.mesage: the record has no such key; did you mean \"message\"?");
}

static void an_impossible_value_is_named_with_what_would_do(void **state)
{
    (void)state;
    assert_refused("inputs:\n  - paths: a\n    max_line: 1 meg\n", ERR_CFG_004,
                   "%F:3: inputs[0].max_line: found \"1 meg\"; a size such as 64KiB or 1MiB, from 1KiB to "
                   "64MiB would do");
    assert_refused(
        "inputs:\n  - paths: a\n    max_line: 12\n", ERR_CFG_004,
        "%F:3: inputs[0].max_line: found \"12\"; a size such as 64KiB or 1MiB, from 1KiB to 64MiB would do");
    assert_refused("inputs:\n  - paths: a\n    rotated: maybe\n", ERR_CFG_004,
                   "%F:3: inputs[0].rotated: found \"maybe\"; true or false would do");
    assert_refused("inputs:\n  - paths: a\n    start_at: begining\n", ERR_CFG_004,
                   "%F:3: inputs[0].start_at: found \"begining\"; beginning or end would do; did you mean "
                   "\"beginning\"?");
    assert_refused(INPUT "deleted: { max_bytes: 100 }\n", ERR_CFG_004,
                   "%F:2: deleted.max_bytes: found \"100\"; a size such as 64KiB or 1MiB, from 1KiB to "
                   "1048576GiB would do");
    assert_refused(INPUT "deleted: { max_time: 0s }\n", ERR_CFG_004,
                   "%F:2: deleted.max_time: found \"0s\"; a span of time such as 10m, 2h or 30d, from 1s to "
                   "3650d would do");
    assert_refused(INPUT "stats: { max_series: 0 }\n", ERR_CFG_004,
                   "%F:2: stats.max_series: found \"0\"; a whole number from 1 to 10000000 would do");
    assert_refused(INPUT "stats: { retention: { 1h: 5 } }\n", ERR_CFG_004,
                   "%F:2: stats.retention.1h: found \"5\"; a span of time such as 10m, 2h or 30d, from 1m to "
                   "36500d would "
                   "do");
    assert_refused(
        STDOUT ", levels: [WARN, ERROR] }\n", ERR_CFG_004,
        "%F:3: outputs[0].levels[0]: found \"WARN\"; TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL or UNKNOWN "
        "would do");
    assert_refused(
        KAFKA ", key: request }\n", ERR_CFG_004,
        "%F:3: outputs[0].key: found \"request\"; timestamp, level, service, environment, logger, message, "
        "run_id, "
        "parent_run_id, seq, mark, dropped.count, dropped.reason, dropped.level, request_id, trace_id, "
        "span_id, "
        "endpoint, user, exception.type, exception.message, exception.code, exception.fingerprint, "
        "exception.traceback, pid, tid, "
        "truncated or copy would do");
    assert_refused("inputs:\n  - paths: a\n    keys: { level: { from: s, map: { \"9-1\": ERROR } } }\n",
                   ERR_CFG_004,
                   "%F:3: inputs[0].keys.level.map.9-1: found \"9-1\"; a range from the smaller number to "
                   "the larger would do");
}

static void a_wrong_type_is_named_with_what_would_do(void **state)
{
    (void)state;
    assert_refused("inputs: a.log\n", ERR_CFG_004,
                   "%F:1: inputs: found a text; a list (each element begins with \"- \") would do");
    assert_refused(INPUT "state_dir: [a]\n", ERR_CFG_004, "%F:2: state_dir: found a list; a text would do");
    assert_refused(INPUT "state_dir:\n", ERR_CFG_004, "%F:2: state_dir: found nothing; a text would do");
    assert_refused("inputs: [a.log]\n", ERR_CFG_004,
                   "%F:1: inputs[0]: found a text; a mapping (name: value) would do");
    assert_refused(INPUT "state_dir: a\nstate_dir: b\n", ERR_CFG_004,
                   "%F:3: state_dir: the key is there twice; remove one of them");
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_refused("state_dir: /x\n", ERR_CFG_007, "%F: `inputs` is missing: the files to follow");
    assert_refused("inputs:\n  - rotated: true\n", ERR_CFG_007,
                   "%F:2: inputs[0]: `paths` is missing: the patterns of files to follow");
    assert_refused("inputs:\n  - paths: []\n", ERR_CFG_007,
                   "%F:2: inputs[0]: `paths` is empty; at least one pattern would do");
    assert_refused(INPUT "outputs: [{ type: kafka }]\n", ERR_CFG_007,
                   "%F:2: outputs[0]: `name` is missing: the database keeps the output's positions under it\n"
                   "CFG_007: %F:2: outputs[0]: `brokers` is missing: such as localhost:9092\n"
                   "CFG_007: %F:2: outputs[0]: `topic` is missing: where records go");
    assert_refused(
        INPUT "outputs: [{ name: a, type: kafka, brokers: '', topic: { from: level } }]\n", ERR_CFG_004,
        "%F:2: outputs[0].brokers: found nothing; a text would do\n"
        "CFG_007: %F:2: outputs[0].topic: `default` is missing: the topic of what the table does not name");
}

static void all_problems_are_told_at_once(void **state)
{
    (void)state;
    assert_refused("enviroment: x\n"
                   "inputs:\n"
                   "  - paths: a\n"
                   "    max_line: huge\n"
                   "outputs:\n"
                   "  - { name: stats, type: stdout }\n"
                   "  - { name: lake, type: kafka, brokers: b, topic: 'a topic', properties: { acks: 1 } }\n",
                   ERR_CFG_003,
                   "%F:1: enviroment: there is no such key; did you mean \"environment\"?\n"
                   "CFG_004: %F:4: inputs[0].max_line: found \"huge\"; a size such as 64KiB or 1MiB, from "
                   "1KiB to 64MiB would "
                   "do\n"
                   "CFG_004: %F:6: outputs[0].name: \"stats\" is how the statistics' own positions are "
                   "called; any other "
                   "name would do\n"
                   "CFG_004: %F:7: outputs[1].topic: found \"a topic\"; a name of up to 249 letters, digits, "
                   "dots, hyphens and "
                   "underscores would do\n"
                   "CFG_006: %F:7: outputs[1].properties.acks: this is set by shipper, since its promises "
                   "hang on it; remove "
                   "it");
}

static void what_does_not_fit_into_the_text_is_counted(void **state)
{
    (void)state;
    char text[8192] = INPUT;
    for (int i = 0; i < 200; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "no_such_key_%d: 1\n", i);
    struct problem problem;
    struct config *config = NULL;
    assert_int_equal(load(text, &problem, &config), -ERR_CFG_003);
    int told = 1;
    for (const char *at = problem.text; (at = strchr(at, '\n')); at++)
        told++;
    int left_out = 0;
    assert_int_equal(sscanf(strrchr(problem.text, '\n'), "\nCFG_003: and %d more", &left_out), 1);
    assert_int_equal(told - 1 + left_out, 200);
    assert_true(told > 20);
}

static void what_a_later_version_will_do_is_said_to_be_later(void **state)
{
    (void)state;
    assert_refused(
        KAFKA ", delivery: exactly_once }\n", ERR_CFG_004,
        "%F:3: outputs[0].delivery: \"exactly_once\" is not in this version; at_least_once would do");
    assert_refused(INPUT "outputs: [{ name: t, type: sentry }]\n", ERR_CFG_004,
                   "%F:2: outputs[0].type: \"sentry\" is not in this version; stdout or kafka would do");
}

static void properties_on_which_promises_hang_are_refused(void **state)
{
    (void)state;
    static const char *const owned[] = {"acks",
                                        "request.required.acks",
                                        "enable.idempotence",
                                        "transactional.id",
                                        "max.in.flight",
                                        "max.in.flight.requests.per.connection",
                                        "message.timeout.ms",
                                        "delivery.timeout.ms",
                                        "plugin.library.paths",
                                        "bootstrap.servers"};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, KAFKA ", properties: { %s: 1 } }\n", owned[i]);
        struct problem problem;
        struct config *config = NULL;
        assert_int_equal(load(text, &problem, &config), -ERR_CFG_006);
        assert_non_null(strstr(problem.text, owned[i]));
    }
}

static void keys_of_kafka_are_refused_on_stdout_and_names_twice(void **state)
{
    (void)state;
    assert_refused(STDOUT ", topic: logs }\n", ERR_CFG_003,
                   "%F:3: outputs[0].topic: only an output of type kafka has this key; remove it");
    assert_refused(STDOUT " }\n  - { name: out, type: stdout }\n", ERR_CFG_004,
                   "%F: outputs[1]: the name \"out\" is that of outputs[0], too; another would do");
}

static void production_refuses_passwords_in_clear(void **state)
{
    (void)state;
    const char *sasl = KAFKA ", properties: { security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN } }\n";
    config_free(load_valid(sasl));
    char text[512];
    snprintf(text, sizeof text, "environment: production\n%s", sasl);
    assert_refused(
        text, ERR_CFG_004,
        "%F: outputs[0].properties.security.protocol: found sasl_plaintext with PLAIN, which is unsafe in "
        "production; sasl_ssl would do");
}

static void broken_yaml_is_named_with_its_line(void **state)
{
    (void)state;
    struct problem problem;
    struct config *config = NULL;
    char begin[128];
    assert_int_equal(load("inputs:\n  - paths: [a\nstate_dir: x\n", &problem, &config), -ERR_CFG_002);
    snprintf(begin, sizeof begin, "%s:3: not valid YAML: ", file);
    assert_int_equal(strncmp(problem.text, begin, strlen(begin)), 0);
    assert_int_equal(load("inputs:\n\t- paths: a\n", &problem, &config), -ERR_CFG_002);
    snprintf(begin, sizeof begin, "%s:2: not valid YAML: ", file);
    assert_int_equal(strncmp(problem.text, begin, strlen(begin)), 0);
    assert_refused("", ERR_CFG_002,
                   "%F: the file is empty; conf/shipper.example.yaml shows what could stand in it");
    assert_refused(INPUT "---\nstate_dir: x\n", ERR_CFG_002, "%F:3: found a second document; one would do");
    assert_refused("&a [*a]\n", ERR_CFG_004, "%F: found a list; a mapping (name: value) would do");
    assert_int_equal(load("a: &a { b: *a }\n", &problem, &config), -ERR_CFG_003);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct config *config = NULL;
    assert_int_equal(config_load(&(struct config_flags){.file = "/no/such.yaml"}, &problem, &config),
                     -ERR_CFG_001);
    assert_string_equal(problem.text, "/no/such.yaml: cannot be read: No such file or directory");
    assert_int_equal(config_load(&(struct config_flags){.file = folder}, &problem, &config), -ERR_CFG_001);
    assert_int_equal(config_load(&(struct config_flags){.file = folder}, NULL, &config), -ERR_CFG_001);
}

static void variables_are_expanded_inside_values_and_never_as_yaml(void **state)
{
    (void)state;
    setenv("TC_NAME", "a, b: [c", 1);
    setenv("TC_EMPTY", "", 1);
    unsetenv("TC_NONE");
    struct config *config = load_valid("environment: ${TC_NONE:-stag}ing\n"
                                       "instance: ${TC_EMPTY:-}\n"
                                       "state_dir: /x/${TC_NAME}/$${y}\n" INPUT);
    assert_string_equal(config->environment, "staging");
    assert_null(config->instance);
    assert_string_equal(config->state_dir, "/x/a, b: [c/${y}");
    config_free(config);
    assert_refused("state_dir: ${TC_NONE}\n" INPUT, ERR_CFG_005,
                   "%F:1: state_dir: the variable TC_NONE is not set; set it, or write ${TC_NONE:-default}");
    assert_refused("state_dir: a${TC\n" INPUT, ERR_CFG_004,
                   "%F:1: state_dir: found ${ without a closing brace; $${ stands for the characters");
    assert_refused("state_dir: ${A:-${B}}\n" INPUT, ERR_CFG_004,
                   "%F:1: state_dir: found ${ inside of ${…}; only plain text can be the default");
    assert_refused("state_dir: ${}\n" INPUT, ERR_CFG_004, "%F:1: state_dir: found ${…} without a name in it");
}

static void secrets_come_from_files_and_are_never_shown(void **state)
{
    (void)state;
    char secret_file[64], text[1024];
    snprintf(secret_file, sizeof secret_file, "%s/secret", folder);
    write_file(secret_file, "hunter-2\n");
    setenv("TC_PASS_FILE", secret_file, 1);
    unsetenv("TC_PASS");
    snprintf(text, sizeof text,
             KAFKA ", properties: { a.b: '${file:%s}', c.d: 'x${TC_PASS}y', sasl.password: open,\n"
                   "    ssl.key.location: /k, e.f: '${file:/no/such/file:-none}' } }\n",
             secret_file);
    struct config *config = load_valid(text);
    const struct config_property *property = config->outputs[0].property;
    assert_string_equal(property[0].value, "hunter-2");
    assert_string_equal(property[1].value, "xhunter-2y");
    assert_string_equal(property[4].value, "none");
    _cleanup_free_ char *printed = print(config);
    assert_null(strstr(printed, "hunter"));
    assert_null(strstr(printed, "open"));
    assert_non_null(strstr(printed, "sasl.password: \"********\"\n"));
    assert_non_null(strstr(printed, "a.b: \"********\"\n"));
    assert_non_null(strstr(printed, "e.f: none\n"));
    config_free(config);
    unlink(secret_file);
    struct problem problem;
    assert_int_equal(load(text, &problem, &config), -ERR_CFG_005);
    assert_non_null(strstr(problem.text, "there is no such file"));
}

static void the_environment_wins_over_the_file(void **state)
{
    (void)state;
    setenv("SHIPPER_STATE_DIR", "/from/env", 1);
    setenv("SHIPPER_STATS_MAX_SERIES", "42", 1);
    setenv("SHIPPER_STATS_RETENTION_10S", "1h", 1);
    setenv("SHIPPER_DELETED_MAX_BYTES", "1MiB", 1);
    struct config *config = load_valid("state_dir: /from/file\nstats: { max_series: 7 }\n" INPUT);
    assert_string_equal(config->state_dir, "/from/env");
    assert_int_equal(config->series_max, 42);
    assert_int_equal(config->retention_ns[0], 3600000000000);
    assert_int_equal(config->deleted_bytes_max, 1 << 20);
    config_free(config);
    setenv("SHIPPER_STATS_MAX_SERIES", "many", 1);
    assert_refused(INPUT, ERR_CFG_004,
                   "SHIPPER_STATS_MAX_SERIES: found \"many\"; a whole number from 1 to 10000000 would do");
    unsetenv("SHIPPER_STATE_DIR");
    unsetenv("SHIPPER_STATS_MAX_SERIES");
    unsetenv("SHIPPER_STATS_RETENTION_10S");
    unsetenv("SHIPPER_DELETED_MAX_BYTES");
}

static void without_a_file_paths_go_to_stdout_and_the_database_is_here(void **state)
{
    (void)state;
    char *paths[] = {"logs/a.log*", "b.log"};
    struct config *config = NULL;
    const struct config_flags flags = {.paths = paths, .path_count = 2};
    assert_int_equal(config_load(&flags, NULL, &config), 0);
    assert_null(config->file);
    assert_null(config->state_dir);
    assert_string_equal(config->database_file, "./shipper.db");
    assert_int_equal(config->input_count, 1);
    assert_true(config->inputs[0].exact);
    assert_int_equal(config->inputs[0].path_count, 2);
    assert_string_equal(config->inputs[0].paths[0], "logs/a.log*");
    assert_int_equal(config->output_count, 1);
    assert_string_equal(config->outputs[0].name, "stdout");
    assert_int_equal(config->outputs[0].type, OUTPUT_STDOUT);
    assert_int_equal(config->outputs[0].levels, (1U << LEVEL_COUNT) - 1);
    assert_true(config->outputs[0].start_at_beginning);
    config_free(config);
}

static void many_paths_of_a_shell_are_all_taken(void **state)
{
    (void)state;
    enum { COUNT = 3 * CONFIG_PATHS_MAX + 1 };
    char names[COUNT][16];
    char *paths[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "%d.log", i);
        paths[i] = names[i];
    }
    struct config *config = NULL;
    assert_int_equal(config_load(&(struct config_flags){.paths = paths, .path_count = COUNT}, NULL, &config),
                     0);
    assert_int_equal(config->input_count, 4);
    for (int i = 0; i < COUNT; i++) {
        const struct config_input *input = &config->inputs[i / CONFIG_PATHS_MAX];
        assert_true(input->exact);
        assert_string_equal(input->paths[i % CONFIG_PATHS_MAX], names[i]);
    }
    config_free(config);
}

static void paths_and_database_of_the_command_line_win(void **state)
{
    (void)state;
    write_file(file, "inputs: [{ paths: [a, b], exclude: c, service: nginx }]\n");
    char *paths[] = {"x.log"};
    struct config *config = NULL;
    const struct config_flags flags = {
        .file = file, .paths = paths, .path_count = 1, .database_file = "/d/b.db"};
    assert_int_equal(config_load(&flags, NULL, &config), 0);
    assert_int_equal(config->inputs[0].path_count, 1);
    assert_string_equal(config->inputs[0].paths[0], "x.log");
    assert_int_equal(config->inputs[0].exclude_count, 0);
    assert_string_equal(config->inputs[0].service, "nginx");
    assert_true(config->inputs[0].exact);
    assert_string_equal(config->database_file, "/d/b.db");
    assert_int_equal(config->output_count, 0);
    config_free(config);
}

/* What was printed, read again, prints the same: so nothing of it is lost. */
static void the_printed_configuration_means_the_same(void **state)
{
    (void)state;
    struct config *config = load_valid(
        "instance: 'a \"b\" $${c} ü \\'\n"
        "inputs:\n"
        "  - paths: ['*.log', '-x', 'null', 'a: b', ' c']\n"
        "    exclude: '#'\n"
        "    keys: { message: 'm s', level: { from: s, map: { '5-9': ERROR, '4': INFO, 'x y': TRACE } } }\n"
        "  - { paths: b, keys: { level: l }, max_line: 1000000 }\n"
        "outputs:\n"
        "  - { name: out, type: stdout, levels: ERROR }\n"
        "  - { name: k, type: kafka, brokers: 'a:1', topic: { from: level, map: { error: e }, default: d },\n"
        "      properties: { a.b: 'c d', e.f: \"g\\nh\" } }\n"
        "stats: { retention: { 10s: 90m } }\n"
        "deleted: { max_bytes: 5MiB }\n");
    assert_string_equal(config->instance, "a \"b\" ${c} ü \\");
    _cleanup_free_ char *first = print(config);
    struct config *again = load_valid(first);
    _cleanup_free_ char *second = print(again);
    assert_string_equal(first, second);
    assert_string_equal(again->instance, config->instance);
    assert_string_equal(again->outputs[1].property[1].value, "g\nh");
    assert_int_equal(again->inputs[0].scan.level_rule_count, 3);
    assert_int_equal(again->outputs[0].levels, 1U << LEVEL_ERROR);
    assert_int_equal(again->retention_ns[0], 5400000000000);
    assert_int_equal(again->deleted_bytes_max, 5 << 20);
    assert_int_equal(again->deleted_ns_max, 86400000000000);
    for (int i = 0; i < 5; i++)
        assert_string_equal(again->inputs[0].paths[i], config->inputs[0].paths[i]);
    config_free(config);
    config_free(again);
}

static void repository_path(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s/%s", PROJECT_FOLDER, name);
}

static void the_configurations_in_conf_are_valid(void **state)
{
    (void)state;
    static const struct {
        const char *name, *environment;
        int outputs;
    } files[] = {{"conf/shipper.example.yaml", "development", 2},
                 {"conf/development.yaml", "development", 1},
                 {"conf/staging.yaml", "staging", 1},
                 {"conf/nginx.yaml", "development", 1},
                 {"conf/formats.yaml", "development", 1},
                 {"conf/text.yaml", "development", 1}};
    unsetenv("APP_ENV");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[4096];
        repository_path(path, sizeof path, files[i].name);
        struct problem problem = {0};
        struct config *config = NULL;
        if (config_load(&(struct config_flags){.file = path}, &problem, &config) != 0)
            fail_msg("%s", problem.text);
        assert_string_equal(config->environment, files[i].environment);
        assert_int_equal(config->output_count, files[i].outputs);
        config_free(config);
    }
}

static void the_production_configuration_is_valid_once_its_secret_is_there(void **state)
{
    (void)state;
    char path[4096], secret_file[64];
    repository_path(path, sizeof path, "conf/production.yaml");
    snprintf(secret_file, sizeof secret_file, "%s/secret", folder);
    write_file(secret_file, "geheim");
    _cleanup_free_ char *text = NULL;
    assert_int_equal(config_read_file(path, CONFIG_FILE_BYTES_MAX, &text), 0);
    const char *reference = strstr(text, "/run/secrets/kafka_password");
    assert_non_null(reference);
    char here[8192];
    snprintf(here, sizeof here, "%.*s%s%s", (int)(reference - text), text, secret_file,
             reference + strlen("/run/secrets/kafka_password"));
    struct config *config = load_valid(here);
    assert_string_equal(config->environment, "production");
    assert_string_equal(config->outputs[0].property[4].value, "geheim");
    config_free(config);
    unlink(secret_file);
}

static void nginx_is_read_by_a_table_of_its_status(void **state)
{
    (void)state;
    char path[4096];
    repository_path(path, sizeof path, "conf/nginx.yaml");
    struct config *config = NULL;
    assert_int_equal(config_load(&(struct config_flags){.file = path}, NULL, &config), 0);
    const struct scan_config *scan = &config->inputs[0].scan;
    assert_string_equal(config->inputs[0].service, "nginx");
    assert_int_equal(scan->mapping_count, 4);
    assert_int_equal(scan->level_rule_count, 2);
    assert_int_equal(scan->level_rule[0].from, 500);
    assert_int_equal(scan->level_rule[0].to, 599);
    assert_int_equal(scan->level_rule[0].level, LEVEL_ERROR);
    assert_int_equal(scan->level_default, LEVEL_INFO);
    config_free(config);
}

static void assert_generated(const char *name, void (*generate)(FILE *out))
{
    char path[4096];
    repository_path(path, sizeof path, name);
    _cleanup_free_ char *there = NULL, *generated = NULL;
    size_t size;
    FILE *out = open_memstream(&generated, &size);
    generate(out);
    fclose(out);
    /* To make the files anew after a change of the table: LIBLOG_REGENERATE=1 test_config */
    if (getenv("LIBLOG_REGENERATE"))
        write_file(path, generated);
    assert_int_equal(config_read_file(path, CONFIG_FILE_BYTES_MAX, &there), 0);
    assert_string_equal(there, generated);
}

static void the_example_and_the_manual_are_made_from_the_table(void **state)
{
    (void)state;
    assert_generated("conf/shipper.example.yaml", config_example);
    assert_generated("docs/shipper.yaml.md", config_manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_and_the_manual_are_made_from_the_table),
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(every_setting_arrives_where_it_belongs),
        cmocka_unit_test(keys_map_names_and_ranges_of_values_to_the_record),
        cmocka_unit_test(an_unknown_key_is_named_with_its_line_and_the_nearest_one),
        cmocka_unit_test(an_impossible_value_is_named_with_what_would_do),
        cmocka_unit_test(a_wrong_type_is_named_with_what_would_do),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(all_problems_are_told_at_once),
        cmocka_unit_test(what_does_not_fit_into_the_text_is_counted),
        cmocka_unit_test(what_a_later_version_will_do_is_said_to_be_later),
        cmocka_unit_test(properties_on_which_promises_hang_are_refused),
        cmocka_unit_test(keys_of_kafka_are_refused_on_stdout_and_names_twice),
        cmocka_unit_test(production_refuses_passwords_in_clear),
        cmocka_unit_test(broken_yaml_is_named_with_its_line),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(variables_are_expanded_inside_values_and_never_as_yaml),
        cmocka_unit_test(secrets_come_from_files_and_are_never_shown),
        cmocka_unit_test(the_environment_wins_over_the_file),
        cmocka_unit_test(without_a_file_paths_go_to_stdout_and_the_database_is_here),
        cmocka_unit_test(many_paths_of_a_shell_are_all_taken),
        cmocka_unit_test(paths_and_database_of_the_command_line_win),
        cmocka_unit_test(the_printed_configuration_means_the_same),
        cmocka_unit_test(the_configurations_in_conf_are_valid),
        cmocka_unit_test(the_production_configuration_is_valid_once_its_secret_is_there),
        cmocka_unit_test(nginx_is_read_by_a_table_of_its_status),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
