/*
 * The Unix socket `control` in the state folder, through which commands ask a running shipper
 * (docs/internals/control.md). One connection is one request: a line of words, the first of them a command;
 * then the answer, whose first line is `ok`, or `error CODE text`, and whose end is the connection's.
 *
 * Only the user that shipper runs as, and root, are heard. Everything is bounded: requests, connections, the
 * time a peer may take; nothing here ever blocks the server.
 */
#ifndef SHIPPER_CONTROL_H
#define SHIPPER_CONTROL_H

#include "problem.h"

#include "liblog/base/slice.h"

#include <stdio.h>

enum {
    CONTROL_REQUEST_BYTES_MAX = 4096,
    CONTROL_CONNECTIONS_MAX = 8,
    CONTROL_ANSWER_BYTES_MAX = 64 << 20,
    CONTROL_PEER_MS_MAX = 5000,
};

/* ---- the server ---- */

struct control_command {
    const char *name;
    /* Writes the answer behind its first line, or returns a negative error with ret_problem filled: what was
     * written is dropped then. `arguments` are the words behind the command. */
    int (*run)(void *context, struct slice arguments, FILE *answer, struct problem *ret_problem);
};

struct control;

/*
 * Listens in `folder`, whose lock the caller holds: a socket that is there is a dead shipper's, and is
 * replaced. `commands` ends with a nameless one; it and `context` are borrowed. 0, or a negative error.
 */
int control_open(const char *folder, const struct control_command *commands, void *context,
                 struct problem *ret_problem, struct control **ret_control);
void control_close(struct control *control); /* NULL is allowed */

/* Becomes readable when control_turn() has something to do. -1 for NULL. */
int control_fd(const struct control *control);

/* Whether somebody is connected, who may take too long. False for NULL. */
bool control_is_asked(const struct control *control);

/* Takes in requests, answers them, drops peers that take too long. NULL is allowed. */
void control_turn(struct control *control);

/* ---- a client ---- */

/*
 * Asks the shipper that runs in `folder`, and writes its answer to `answer`. 0; -ERR_NET_002 when none
 * listens there; or a negative error, which may be one that the shipper answered.
 */
int control_ask(const char *folder, const char *request, FILE *answer, struct problem *ret_problem);

#endif
