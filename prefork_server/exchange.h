/* One connection from accept to close: a request in, its plan carried out by blocking, the answer out. */
#ifndef PREFORK_SERVER_EXCHANGE_H
#define PREFORK_SERVER_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/http_request.h"
#include "common/http_response.h"
#include "common/workload.h"
#include "prefork_server/client.h"
#include "prefork_server/worker.h"

/* What is read at a time, of a header or of a body. */
#define EXCHANGE_READ_BYTES 16384

/* How much of an unfinished request the log shows. */
#define EXCHANGE_CAME_BYTES 64

/* A plan's own fields and Connection, and the whole header section of an answer with them. */
#define ANSWER_FIELDS_MAX 128
#define ANSWER_HEAD_MAX (HTTP_RESPONSE_HEAD_MAX + ANSWER_FIELDS_MAX)

/* Of one thread that serves; used again for each of its connections. */
struct exchange {
	struct worker *worker;
	struct http_request request;
	struct workload_plan plan;
	struct client client;
	uint64_t accepted_ns;
	uint64_t begun_ns;   /* when the header was complete; 0: not so far, or the access log does not ask */
	bool complete;       /* the whole request has been read */
	bool slept;          /* time has passed since, in which more may have come */
	int status;          /* of the answer that left; 0: none yet */
	uint64_t body_bytes; /* of the answer that left, without its header */
	uint64_t sent_bytes; /* all of it */
	size_t head_len;     /* of `head`; 0: the access log does not ask for it */
	size_t used, filled; /* in[used..filled) has been received and not yet parsed */
	uint64_t received;   /* bytes of this connection before those in `in` */
	size_t came_len;
	char came[EXCHANGE_CAME_BYTES]; /* the first bytes of a request that came in pieces */
	char head[ANSWER_HEAD_MAX];     /* a copy of the answer's header section */
	char in[EXCHANGE_READ_BYTES];
};

/* exchange_init is for the thread that will serve. Returns 0 or -errno. exchange_deinit frees what it holds. */
MUST_CHECK int exchange_init(struct exchange *exchange, struct worker *worker);
void exchange_deinit(struct exchange *exchange);

/*
 * exchange_serve answers one request on FD, a non-blocking connection, and
 * closes it, whatever happens.  One request a connection, as in gunicorn's
 * sync worker.
 */
void exchange_serve(struct exchange *exchange, int fd);

#endif
