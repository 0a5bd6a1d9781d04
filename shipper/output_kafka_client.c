#include "output_kafka_client.h"

#include "output_class.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETENTION_MS_DEFAULT (7 * 24 * 3600 * 1000LL) /* Kafka's own, for a topic that does not tell */
#define ASK_AGAIN_NS         (300 * 1000000000LL)

enum { REASON_SIZE = 512, ASK_TIMEOUT_MS_MAX = 5000 };

/* ---- topics ---- */

static void add_topic(struct kafka_client *client, const char *name)
{
    for (int i = 0; i < client->topic_count; i++) {
        if (strcmp(client->topic[i].name, name) == 0)
            return;
    }
    client->topic[client->topic_count++] =
        (struct kafka_topic){.name = name, .retention_ms = RETENTION_MS_DEFAULT};
}

static int topic_index(const struct kafka_client *client, const char *name)
{
    int i = 0;
    while (i < client->topic_count - 1 && strcmp(client->topic[i].name, name) != 0)
        i++;
    return i;
}

static struct slice route_value(const struct config_output *config, const struct event *event, char *memory,
                                size_t size)
{
    if (strcmp(config->topic_from, "level") == 0)
        return slice_of(level_name(event->level));
    return value_text(&event->value[EVENT_SERVICE], memory, size);
}

int kafka_client_topic_of(const struct kafka_client *client, const struct event *event)
{
    const struct config_output *config = client->config;
    if (!event || !config->topic_from)
        return 0;
    char memory[256];
    struct slice value = route_value(config, event, memory, sizeof(memory));
    for (int i = 0; i < config->route_count; i++) {
        if (slice_is(value, config->route[i].value))
            return topic_index(client, config->route[i].topic);
    }
    return 0;
}

int kafka_client_init(struct kafka_client *client, const struct config_output *config,
                      struct problem *ret_problem)
{
    *client = (struct kafka_client){.config = config};
    client->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (client->wake_fd < 0)
        return problem_set(ret_problem, ERR_IO_006, "output \"%s\": no descriptor is left", config->name);
    add_topic(client, config->topic);
    for (int i = 0; i < config->route_count; i++)
        add_topic(client, config->route[i].topic);
    return 0;
}

void kafka_client_release(struct kafka_client *client)
{
    kafka_client_close(client);
    close(client->wake_fd);
}

/* ---- configuration ---- */

static int set_property(rd_kafka_conf_t *conf, const struct config_output *config, const char *name,
                        const char *value, struct problem *ret_problem)
{
    char reason[REASON_SIZE];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof(reason)) == RD_KAFKA_CONF_OK)
        return 0;
    return problem_set(ret_problem, ERR_KAF_004, "output \"%s\": %s: %s", config->name, name, reason);
}

/*
 * What the guarantee needs is set after the user's properties, so that it holds whatever they say; what only
 * suits is set before them.
 */
static int set_all_properties(rd_kafka_conf_t *conf, const struct config_output *config, const char *instance,
                              struct problem *ret_problem)
{
    char client_id[256], in_flight[NUMBER_U64_CHARS_MAX + 1];
    snprintf(client_id, sizeof(client_id), "shipper-%s-%s", instance ? instance : "", config->name);
    *number_from_u64(in_flight, config->in_flight_max) = '\0';
    const struct config_property suits[] = {
        {"client.id", client_id},
        {"queue.buffering.max.kbytes", "65536"},
        {"topic.metadata.refresh.interval.ms", "10000"},
    };
    const struct config_property needed[] = {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"message.timeout.ms", "0"},
        {"queue.buffering.max.messages", in_flight},
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(suits) / sizeof(suits[0]); i++)
        result = set_property(conf, config, suits[i].name, suits[i].value, ret_problem);
    if (result == 0 && config->brokers)
        result = set_property(conf, config, "bootstrap.servers", config->brokers, ret_problem);
    for (int i = 0; result == 0 && i < config->property_count; i++)
        result = set_property(conf, config, config->property[i].name, config->property[i].value, ret_problem);
    for (size_t i = 0; result == 0 && i < sizeof(needed) / sizeof(needed[0]); i++)
        result = set_property(conf, config, needed[i].name, needed[i].value, ret_problem);
    return result;
}

/* librdkafka writes to stderr by itself unless it is told otherwise; what matters of it comes as errors, too.
 */
static void ignore_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
    (void)producer, (void)level, (void)facility, (void)text;
}

static void free_conf(rd_kafka_conf_t **conf)
{
    if (*conf)
        rd_kafka_conf_destroy(*conf);
}

static int make_producer(struct kafka_client *client, const char *instance,
                         const struct kafka_callbacks *callbacks, struct problem *ret_problem)
{
    _cleanup_(free_conf) rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int result = set_all_properties(conf, client->config, instance, ret_problem);
    if (result < 0)
        return result;
    rd_kafka_conf_set_opaque(conf, callbacks->context);
    rd_kafka_conf_set_dr_msg_cb(conf, callbacks->delivered);
    rd_kafka_conf_set_error_cb(conf, callbacks->failed);
    rd_kafka_conf_set_log_cb(conf, ignore_log);
    char reason[REASON_SIZE];
    client->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    if (!client->producer)
        return problem_set(ret_problem, ERR_KAF_004, "output \"%s\": %s", client->config->name, reason);
    conf = NULL; /* the producer has it now */
    return 0;
}

int kafka_client_open(struct kafka_client *client, const char *instance,
                      const struct kafka_callbacks *callbacks, struct problem *ret_problem)
{
    int result = make_producer(client, instance, callbacks, ret_problem);
    if (result < 0)
        return result;
    for (int i = 0; i < client->topic_count; i++)
        client->topic[i].handle = rd_kafka_topic_new(client->producer, client->topic[i].name, NULL);
    client->answers = rd_kafka_queue_new(client->producer);
    client->main = rd_kafka_queue_get_main(client->producer);
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(client->main, client->wake_fd, &one, sizeof(one));
    client->knows_retention = false;
    client->asked_at_ns = 0;
    return 0;
}

void kafka_client_close(struct kafka_client *client)
{
    if (!client->producer)
        return;
    rd_kafka_queue_io_event_enable(client->main, -1, NULL, 0);
    rd_kafka_queue_destroy(client->main);
    rd_kafka_queue_destroy(client->answers);
    for (int i = 0; i < client->topic_count; i++)
        rd_kafka_topic_destroy(client->topic[i].handle);
    rd_kafka_destroy(client->producer);
    client->producer = NULL;
}

/* ---- how long the topics keep ---- */

/* Records wait for the first answer, so it must not take long: a topic that cannot tell by then has the
 * default. */
static int ask_timeout_ms(const struct kafka_client *client)
{
    char value[NUMBER_U64_CHARS_MAX + 1] = "";
    size_t size = sizeof(value);
    rd_kafka_conf_get(rd_kafka_conf(client->producer), "socket.timeout.ms", value, &size);
    int timeout_ms = atoi(value);
    return timeout_ms > 0 && timeout_ms < ASK_TIMEOUT_MS_MAX ? timeout_ms : ASK_TIMEOUT_MS_MAX;
}

static void ask_topics(struct kafka_client *client)
{
    rd_kafka_ConfigResource_t *asked[KAFKA_TOPICS_MAX];
    for (int i = 0; i < client->topic_count; i++)
        asked[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, client->topic[i].name);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client->producer, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, ask_timeout_ms(client), NULL, 0);
    rd_kafka_DescribeConfigs(client->producer, asked, (size_t)client->topic_count, options, client->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy_array(asked, (size_t)client->topic_count);
    client->asked_at_ns = output_now_ns();
}

static void take_topic_answer(struct kafka_client *client, const rd_kafka_ConfigResource_t *answer)
{
    if (rd_kafka_ConfigResource_error(answer))
        return;
    struct kafka_topic *topic = &client->topic[topic_index(client, rd_kafka_ConfigResource_name(answer))];
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(answer, &count);
    for (size_t i = 0; i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value && strcmp(rd_kafka_ConfigEntry_name(entries[i]), "retention.ms") == 0)
            (void)number_to_i64(slice_of(value), &topic->retention_ms);
    }
}

/* A topic that does not tell (no permission, an old broker) is taken to keep what Kafka keeps by default. */
static void take_answer(struct kafka_client *client, rd_kafka_event_t *event)
{
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    client->knows_retention = true;
    if (!result || rd_kafka_event_error(event))
        return;
    size_t count;
    const rd_kafka_ConfigResource_t **answers = rd_kafka_DescribeConfigs_result_resources(result, &count);
    for (size_t i = 0; i < count; i++)
        take_topic_answer(client, answers[i]);
}

void kafka_client_poll(struct kafka_client *client, int timeout_ms)
{
    uint64_t wakes;
    (void)!read(client->wake_fd, &wakes, sizeof(wakes));
    rd_kafka_poll(client->producer, timeout_ms);
    if (!client->asked_at_ns || output_now_ns() - client->asked_at_ns > ASK_AGAIN_NS)
        ask_topics(client);
    rd_kafka_event_t *event = rd_kafka_queue_poll(client->answers, client->knows_retention ? 0 : timeout_ms);
    if (event)
        take_answer(client, event);
    if (event)
        rd_kafka_event_destroy(event);
}
