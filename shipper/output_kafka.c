/*
 * Kafka, at least once. Each record taken is a flight: its bytes and what is needed to send it again. All
 * flights stand in one list in the order they came in; a record leaves it when the broker has it, or the
 * dead-letter file.
 *
 *              produce                 delivered
 *      AGAIN ----------->  OUT  ---------------------->  gone, position moves
 *        ^                  |
 *        |  a state of the  |  refused, in a batch with others     refused, alone
 *        +--world (denied,--+-----------> SUSPECT ---> OUT alone ---------------> REFUSED --> dead-letter
 * file, gone unknown topic,  | producer failed)
 *
 * A broker refuses a batch as a whole for one bad record in it, so a refused record is sent once more alone
 * before it is given up. While anything waits in AGAIN, SUSPECT or REFUSED nothing new is taken, which keeps
 * the order and bounds the memory: in_flight_max records and IN_FLIGHT_BYTES_MAX.
 *
 * A producer that failed for good is closed and its flights that were out become AGAIN: nothing needs to be
 * read anew.
 */
#include "output_class.h"
#include "output_dead.h"
#include "output_kafka_client.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/number.h"
#include "liblog/base/time_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    KEY_BYTES_MAX = 4096,
    SERVICE_BYTES_MAX = 200,
    HOST_BYTES_MAX = 256,
    INSTANCE_BYTES_MAX = 128,
    IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024,
    REASON_BYTES_MAX = 512,
};

enum flight_state { FLIGHT_OUT, FLIGHT_AGAIN, FLIGHT_SUSPECT, FLIGHT_REFUSED, FLIGHT_STATE_COUNT };

struct flight {
    struct flight *next, *previous;
    struct output_stream *stream;
    uint64_t ticket;
    uint64_t offset;
    int64_t time_ns; /* of the event; 0 for a line that is no record */
    int64_t read_ms; /* unix, when it was taken */
    int topic;
    enum flight_state state;
    rd_kafka_resp_err_t error; /* why it was refused */
    bool alone;                /* nothing else was out when it was sent */
    bool has_key;
    bool is_json;
    uint32_t key_size, service_size, value_size;
    char bytes[]; /* key, service, value */
};

struct output_kafka {
    struct output base;
    struct kafka_client client;
    struct kafka_callbacks callbacks;
    struct dead_letters dead;
    char instance[INSTANCE_BYTES_MAX];
    char host[HOST_BYTES_MAX];
    struct flight *first, *last;
    uint64_t flights[FLIGHT_STATE_COUNT];
    uint64_t flight_bytes;
    bool failed_for_good; /* the producer, that is: it is to be built anew */
};

static struct output_kafka *self_of(struct output *output)
{
    return (struct output_kafka *)output;
}

static int64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- the list ---- */

static uint64_t flight_count(const struct output_kafka *self)
{
    uint64_t count = 0;
    for (int state = 0; state < FLIGHT_STATE_COUNT; state++)
        count += self->flights[state];
    return count;
}

static size_t flight_size(const struct flight *flight)
{
    return sizeof(*flight) + flight->key_size + flight->service_size + flight->value_size;
}

static void flight_set_state(struct output_kafka *self, struct flight *flight, enum flight_state state)
{
    self->flights[flight->state]--;
    flight->state = state;
    self->flights[state]++;
}

static void flight_link(struct output_kafka *self, struct flight *flight)
{
    flight->previous = self->last;
    if (self->last)
        self->last->next = flight;
    else
        self->first = flight;
    self->last = flight;
    self->flights[flight->state]++;
    self->flight_bytes += flight_size(flight);
}

static void flight_unlink(struct output_kafka *self, struct flight *flight)
{
    if (flight->previous)
        flight->previous->next = flight->next;
    else
        self->first = flight->next;
    if (flight->next)
        flight->next->previous = flight->previous;
    else
        self->last = flight->previous;
    self->flights[flight->state]--;
    self->flight_bytes -= flight_size(flight);
}

/* The broker or the dead-letter file has it. */
static void flight_land(struct output_kafka *self, struct flight *flight)
{
    ack_done(&flight->stream->ack, flight->ticket);
    flight_unlink(self, flight);
    free(flight);
}

static struct slice flight_key(const struct flight *flight)
{
    return slice_from(flight->bytes, flight->key_size);
}

static struct slice flight_service(const struct flight *flight)
{
    return slice_from(flight->bytes + flight->key_size, flight->service_size);
}

static struct slice flight_value(const struct flight *flight)
{
    return slice_from(flight->bytes + flight->key_size + flight->service_size, flight->value_size);
}

/* ---- making one ---- */

static struct slice line_without_newline(struct slice line)
{
    if (line.size && line.data[line.size - 1] == '\n')
        line.size--;
    return line;
}

static struct slice record_key(const struct output_kafka *self, const struct event *event, char *memory,
                               size_t size)
{
    int key = self->base.config->key;
    if (key < 0 || !event || event->value[key].kind == VALUE_ABSENT || event->value[key].kind == VALUE_NULL)
        return (struct slice){NULL, 0};
    return value_text(&event->value[key], memory, size);
}

static struct slice record_service(const struct output_record *record, char *memory, size_t size)
{
    if (record->event && record->event->value[EVENT_SERVICE].kind == VALUE_STRING)
        return value_text(&record->event->value[EVENT_SERVICE], memory, size);
    const struct config_input *input = record->source->input;
    return slice_of(input ? input->service : NULL);
}

static void put(char **at, struct slice bytes)
{
    if (bytes.size)
        memcpy(*at, bytes.data, bytes.size);
    *at += bytes.size;
}

static struct flight *flight_new(const struct output_kafka *self, struct output_stream *stream,
                                 const struct output_record *record)
{
    char key_memory[KEY_BYTES_MAX], service_memory[SERVICE_BYTES_MAX];
    struct slice key = record_key(self, record->event, key_memory, sizeof(key_memory));
    struct slice service = record_service(record, service_memory, sizeof(service_memory));
    struct slice value = line_without_newline(record->line);
    struct flight *flight = malloc(sizeof(*flight) + key.size + service.size + value.size);
    if (!flight)
        return NULL;
    *flight = (struct flight){
        .stream = stream,
        .offset = record->offset,
        .time_ns = record->event ? record->event->time_ns : 0,
        .read_ms = wall_ns() / 1000000,
        .topic = kafka_client_topic_of(&self->client, record->event),
        .state = FLIGHT_OUT,
        .has_key = key.data != NULL,
        .is_json = record->event != NULL,
        .key_size = (uint32_t)key.size,
        .service_size = (uint32_t)service.size,
        .value_size = (uint32_t)value.size,
    };
    char *at = flight->bytes;
    put(&at, key);
    put(&at, service);
    put(&at, value);
    return flight;
}

/* ---- sending ---- */

/* Kafka deletes what is older than the topic keeps: such a record goes out with the time of reading. */
static bool is_aged(const struct output_kafka *self, const struct flight *flight)
{
    int64_t retention_ms = self->client.topic[flight->topic].retention_ms;
    return flight->time_ns && retention_ms >= 0 && flight->time_ns / 1000000 < flight->read_ms - retention_ms;
}

static int64_t flight_timestamp_ms(const struct output_kafka *self, const struct flight *flight)
{
    bool is_read_time =
        self->base.config->timestamp == TIMESTAMP_READ || !flight->time_ns || is_aged(self, flight);
    return is_read_time ? flight->read_ms : flight->time_ns / 1000000;
}

static void add_header(rd_kafka_headers_t *headers, const char *name, struct slice value)
{
    rd_kafka_header_add(headers, name, -1, value.data ? value.data : "", (ssize_t)value.size);
}

static rd_kafka_headers_t *flight_headers(const struct output_kafka *self, const struct flight *flight)
{
    char offset[NUMBER_U64_CHARS_MAX], event_time[TIME_TEXT_SIZE];
    rd_kafka_headers_t *headers = rd_kafka_headers_new(6);
    add_header(headers, "content-type", flight->is_json ? SLICE("application/json") : SLICE("text/plain"));
    add_header(headers, "service", flight_service(flight));
    add_header(headers, "host", slice_of(self->host));
    add_header(headers, "file", slice_of(flight->stream->source->record.path));
    size_t size = (size_t)(number_from_u64(offset, flight->offset) - offset);
    add_header(headers, "offset", slice_from(offset, size));
    if (self->base.config->timestamp == TIMESTAMP_EVENT && is_aged(self, flight)) {
        time_to_text(event_time, flight->time_ns);
        add_header(headers, "event_time", slice_from(event_time, sizeof(event_time)));
    }
    return headers;
}

/* The producer borrows the bytes until it reports: the flight outlives it. */
static rd_kafka_resp_err_t flight_produce(struct output_kafka *self, struct flight *flight)
{
    struct slice key = flight_key(flight), value = flight_value(flight);
    rd_kafka_headers_t *headers = flight_headers(self, flight);
    rd_kafka_resp_err_t error =
        rd_kafka_producev(self->client.producer, RD_KAFKA_V_RKT(self->client.topic[flight->topic].handle),
                          RD_KAFKA_V_MSGFLAGS(0), RD_KAFKA_V_KEY(flight->has_key ? key.data : NULL, key.size),
                          RD_KAFKA_V_VALUE((void *)value.data, value.size),
                          RD_KAFKA_V_TIMESTAMP(flight_timestamp_ms(self, flight)),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(flight), RD_KAFKA_V_END);
    if (error)
        rd_kafka_headers_destroy(headers);
    return error;
}

/* ---- what an answer means ---- */

enum verdict {
    VERDICT_DELIVERED,
    VERDICT_FULL,
    VERDICT_REFUSED,
    VERDICT_DENIED,
    VERDICT_FATAL,
    VERDICT_AWAY
};

static enum verdict verdict_of(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return VERDICT_DELIVERED;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return VERDICT_FULL;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
        return VERDICT_REFUSED;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
        return VERDICT_DENIED;
    case RD_KAFKA_RESP_ERR__FATAL:
        return VERDICT_FATAL;
    default:
        return VERDICT_AWAY;
    }
}

static void hold_for(struct output_kafka *self, const struct flight *flight, rd_kafka_resp_err_t error)
{
    const char *topic = self->client.topic[flight->topic].name;
    if (verdict_of(error) == VERDICT_DENIED)
        output_hold(&self->base, ERR_KAF_002, "topic %s: %s; it is tried again", topic,
                    rd_kafka_err2str(error));
    else
        output_hold(&self->base, ERR_KAF_001, "topic %s: %s; it is tried again", topic,
                    rd_kafka_err2str(error));
}

/* A flight came back. */
static void flight_returned(struct output_kafka *self, struct flight *flight, rd_kafka_resp_err_t error)
{
    flight->error = error;
    switch (verdict_of(error)) {
    case VERDICT_DELIVERED:
        self->base.counters.acknowledged++;
        output_well(&self->base);
        flight_land(self, flight);
        return;
    case VERDICT_REFUSED:
        flight_set_state(self, flight, flight->alone ? FLIGHT_REFUSED : FLIGHT_SUSPECT);
        return;
    case VERDICT_FATAL:
        self->failed_for_good = true;
        flight_set_state(self, flight, FLIGHT_AGAIN);
        return;
    case VERDICT_FULL:
    case VERDICT_DENIED:
    case VERDICT_AWAY:
        hold_for(self, flight, error);
        flight_set_state(self, flight, flight->alone ? FLIGHT_SUSPECT : FLIGHT_AGAIN);
        return;
    }
}

static void on_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *context)
{
    (void)producer;
    flight_returned(context, message->_private, message->err);
}

static void on_failed(rd_kafka_t *producer, int error, const char *reason, void *context)
{
    (void)producer;
    struct output_kafka *self = context;
    switch (error) {
    case RD_KAFKA_RESP_ERR__FATAL:
        self->failed_for_good = true;
        return;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__RESOLVE:
        output_warn(&self->base, ERR_KAF_001, "%s", reason);
        return;
    default: /* one connection that librdkafka opens again by itself */
        return;
    }
}

/* ---- sending again ---- */

/* Puts one that waited on its way. False: not now. */
static bool flight_resend(struct output_kafka *self, struct flight *flight)
{
    flight->alone = flight->state == FLIGHT_SUSPECT;
    rd_kafka_resp_err_t error = flight_produce(self, flight);
    switch (verdict_of(error)) {
    case VERDICT_DELIVERED:
        self->base.counters.retried++;
        flight_set_state(self, flight, FLIGHT_OUT);
        return true;
    case VERDICT_REFUSED:
        flight->error = error;
        flight_set_state(self, flight, FLIGHT_REFUSED);
        return true;
    case VERDICT_FATAL:
        self->failed_for_good = true;
        return false;
    case VERDICT_FULL:
        return false;
    case VERDICT_DENIED:
    case VERDICT_AWAY:
        break;
    }
    hold_for(self, flight, error);
    return false;
}

static struct flight *flight_find(const struct output_kafka *self, enum flight_state state)
{
    struct flight *flight = self->flights[state] ? self->first : NULL;
    while (flight && flight->state != state)
        flight = flight->next;
    return flight;
}

/* All that wait go out in their order; suspects one by one, when nothing else is out. */
static void resend(struct output_kafka *self)
{
    bool goes_on = true;
    struct flight *next;
    for (struct flight *flight = flight_find(self, FLIGHT_AGAIN); flight && goes_on; flight = next) {
        next = flight->next;
        if (flight->state == FLIGHT_AGAIN)
            goes_on = flight_resend(self, flight);
    }
    struct flight *suspect = flight_find(self, FLIGHT_SUSPECT);
    if (suspect && !self->flights[FLIGHT_OUT] && !self->flights[FLIGHT_AGAIN])
        flight_resend(self, suspect);
}

/* ---- dead letters ---- */

static bool bury(struct output_kafka *self, struct flight *flight)
{
    struct dead_letter letter = {
        .time_ns = wall_ns(),
        .output = self->base.config->name,
        .reason = rd_kafka_err2str(flight->error),
        .topic = self->client.topic[flight->topic].name,
        .file = flight->stream->source->record.path,
        .offset = flight->offset,
        .line = flight_value(flight),
    };
    struct problem problem;
    if (dead_write(&self->dead, &letter, &problem) < 0) {
        output_hold(&self->base, problem.error, "%s", problem.text);
        return false;
    }
    output_warn(&self->base, ERR_KAF_003, "%s: %s at %llu, of %zu bytes, is in %s", letter.reason,
                letter.file, (unsigned long long)letter.offset, letter.line.size, self->dead.path);
    self->base.counters.refused++;
    flight_land(self, flight);
    return true;
}

static void bury_refused(struct output_kafka *self)
{
    struct flight *flight;
    while ((flight = flight_find(self, FLIGHT_REFUSED)) && bury(self, flight))
        continue;
}

/* ---- a producer that failed for good ---- */

static void recall_flights(struct output_kafka *self)
{
    for (struct flight *flight = self->first; flight; flight = flight->next) {
        if (flight->state == FLIGHT_OUT)
            flight_set_state(self, flight, flight->alone ? FLIGHT_SUSPECT : FLIGHT_AGAIN);
    }
}

static void drop_producer(struct output_kafka *self)
{
    char reason[REASON_BYTES_MAX] = "";
    rd_kafka_fatal_error(self->client.producer, reason, sizeof(reason));
    kafka_client_close(&self->client);
    recall_flights(self);
    self->failed_for_good = false;
    output_hold(&self->base, ERR_KAF_005, "%s; a new producer is built, and %llu records are sent again",
                reason, (unsigned long long)flight_count(self));
}

static bool has_producer(struct output_kafka *self)
{
    struct problem problem;
    if (self->client.producer)
        return true;
    if (!output_holds(&self->base) &&
        kafka_client_open(&self->client, self->instance, &self->callbacks, &problem) < 0)
        output_hold(&self->base, problem.error, "%s", problem.text);
    return self->client.producer != NULL;
}

/* ---- the class ---- */

static bool kafka_has_room(const struct output *output)
{
    const struct output_kafka *self = (const struct output_kafka *)output;
    return self->client.knows_retention && self->flights[FLIGHT_OUT] == flight_count(self) &&
           self->flights[FLIGHT_OUT] < self->base.config->in_flight_max &&
           self->flight_bytes < IN_FLIGHT_BYTES_MAX;
}

static enum output_result kafka_take(struct output_kafka *self, struct flight *flight, uint64_t end)
{
    flight->ticket = ack_sent(&flight->stream->ack, end);
    flight_link(self, flight);
    if (self->base.config->timestamp == TIMESTAMP_EVENT && is_aged(self, flight))
        self->base.counters.aged++;
    return OUTPUT_TAKEN;
}

static enum output_result kafka_send(struct output *output, struct output_stream *stream,
                                     const struct output_record *record)
{
    struct output_kafka *self = self_of(output);
    if (!self->client.producer || !kafka_has_room(output))
        return OUTPUT_FULL;
    _cleanup_free_ struct flight *flight = flight_new(self, stream, record);
    if (!flight)
        return OUTPUT_FULL;
    rd_kafka_resp_err_t error = flight_produce(self, flight);
    switch (verdict_of(error)) {
    case VERDICT_DELIVERED:
        return kafka_take(self, take_pointer(flight), record->end);
    case VERDICT_REFUSED:
        flight->state = FLIGHT_REFUSED;
        flight->error = error;
        return kafka_take(self, take_pointer(flight), record->end);
    case VERDICT_FULL:
        return OUTPUT_FULL;
    case VERDICT_FATAL:
        self->failed_for_good = true;
        return OUTPUT_FAILED;
    case VERDICT_DENIED:
    case VERDICT_AWAY:
        break;
    }
    hold_for(self, flight, error);
    return OUTPUT_FAILED;
}

/* Flights own their bytes: nothing is borrowed. */
static void kafka_settle(struct output *output)
{
    (void)output;
}

static void kafka_pump(struct output *output, int timeout_ms)
{
    struct output_kafka *self = self_of(output);
    if (!has_producer(self)) {
        poll(NULL, 0, timeout_ms);
        return;
    }
    kafka_client_poll(&self->client, timeout_ms);
    if (self->failed_for_good)
        drop_producer(self);
    else if (!output_holds(output))
        resend(self);
    if (!output_holds(output))
        bury_refused(self);
}

static uint64_t kafka_in_flight(const struct output *output)
{
    return flight_count((const struct output_kafka *)output);
}

static struct pollfd kafka_interest(const struct output *output)
{
    const struct output_kafka *self = (const struct output_kafka *)output;
    return (struct pollfd){self->client.wake_fd, POLLIN, 0};
}

static void kafka_close(struct output *output)
{
    struct output_kafka *self = self_of(output);
    kafka_client_release(&self->client);
    dead_release(&self->dead);
    for (struct flight *flight = self->first, *next; flight; flight = next) {
        next = flight->next;
        free(flight);
    }
    free(self);
}

static const struct output_class kafka_class = {
    .send = kafka_send,
    .settle = kafka_settle,
    .pump = kafka_pump,
    .has_room = kafka_has_room,
    .in_flight = kafka_in_flight,
    .interest = kafka_interest,
    .close = kafka_close,
};

static void free_kafka(struct output_kafka **self)
{
    free(*self);
}

int output_kafka_open(const struct config_output *config, const struct output_environment *environment,
                      struct problem *ret_problem, struct output **ret_output)
{
    _cleanup_(free_kafka) struct output_kafka *self = calloc(1, sizeof(*self));
    if (!self)
        return problem_set(ret_problem, ERR_INT_002, "output \"%s\": no memory", config->name);
    self->base.class = &kafka_class;
    self->base.config = config;
    self->callbacks = (struct kafka_callbacks){self, on_delivered, on_failed};
    snprintf(self->instance, sizeof(self->instance), "%s",
             environment->instance ? environment->instance : "");
    snprintf(self->host, sizeof(self->host), "%s", environment->host ? environment->host : "");
    dead_init(&self->dead, environment->state_dir, config->name);
    int result = kafka_client_init(&self->client, config, ret_problem);
    if (result < 0)
        return result;
    result = kafka_client_open(&self->client, self->instance, &self->callbacks, ret_problem);
    if (result < 0) {
        kafka_client_release(&self->client);
        return result;
    }
    *ret_output = &take_pointer(self)->base;
    return 0;
}
