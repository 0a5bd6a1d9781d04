/*
 * One producer of librdkafka with its topics: how it is configured, and how long each topic keeps its
 * records. When it has failed for good it is closed and a new one opened.
 */
#ifndef SHIPPER_OUTPUT_KAFKA_CLIENT_H
#define SHIPPER_OUTPUT_KAFKA_CLIENT_H

#include "output.h"

#include <librdkafka/rdkafka.h>

enum { KAFKA_TOPICS_MAX = CONFIG_ROUTES_MAX + 1 };

struct kafka_topic {
    const char *name; /* borrowed from the configuration */
    rd_kafka_topic_t *handle;
    int64_t retention_ms; /* -1: for ever */
};

struct kafka_client {
    const struct config_output *config;
    rd_kafka_t *producer;   /* NULL while closed */
    rd_kafka_queue_t *main; /* of delivery reports */
    rd_kafka_queue_t *answers;
    int wake_fd; /* an eventfd that librdkafka writes when a report waits */
    int topic_count;
    struct kafka_topic topic[KAFKA_TOPICS_MAX];
    bool knows_retention; /* the topics were asked, and have answered or will not */
    int64_t asked_at_ns;  /* monotonic */
};

struct kafka_callbacks {
    void *context; /* becomes the opaque of all three */
    void (*delivered)(rd_kafka_t *producer, const rd_kafka_message_t *message, void *context);
    void (*failed)(rd_kafka_t *producer, int error, const char *reason, void *context);
};

/* Lists the topics of the configuration; nothing is opened yet. 0 or a negative error. */
int kafka_client_init(struct kafka_client *client, const struct config_output *config,
                      struct problem *ret_problem);
void kafka_client_release(struct kafka_client *client);

int kafka_client_open(struct kafka_client *client, const char *instance,
                      const struct kafka_callbacks *callbacks, struct problem *ret_problem);

/* Ends the producer; what it still held is dropped without a report. */
void kafka_client_close(struct kafka_client *client);

/* Serves reports for up to `timeout_ms`, and keeps what is known of the topics fresh. */
void kafka_client_poll(struct kafka_client *client, int timeout_ms);

/* The index of the topic that the configuration chooses for a record; `event` may be NULL. */
int kafka_client_topic_of(const struct kafka_client *client, const struct event *event);

#endif
