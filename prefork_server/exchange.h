/* The requests of a connection, one after another: one in, its plan carried out by blocking, the answer out. */
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
#include "prefork_server/pace.h"
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
	/* Asked as the head of an answer is written: may another request follow it?  NULL: never. */
	bool (*keeps)(const void *keeper);
	const void *keeper;

	/* Of the connection. */
	struct client client;
	char peer[64];       /* its address, for the access log */
	bool emptied;        /* the last read took all that had come */
	size_t used, filled; /* in[used..filled) has been received and not yet parsed */

	/* Of the request. */
	struct pace body;    /* reading it */
	struct pace drain;   /* its answer */
	uint64_t since_ns;   /* when the wait for it began; for the first one, the connection was accepted */
	uint64_t begun_ns;   /* when the header was complete; 0: not so far */
	bool complete;       /* it has been read as a whole */
	bool slept;          /* time has passed since, in which more may have come */
	bool keep;           /* its answer said that another may follow */
	int status;          /* of the answer that left; 0: none yet */
	uint64_t body_bytes; /* of the answer that left, without its header */
	uint64_t sent_bytes; /* all of it */
	size_t head_len;     /* of `head`; 0: the access log does not ask for it */
	size_t start;        /* where in `in` it begins, or goes on */
	uint64_t received;   /* bytes of it before those in `in` */
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

/* How a connection goes on. */
enum exchange_end {
	EXCHANGE_MORE,   /* what has come is not yet a whole header, and all of it has been taken */
	EXCHANGE_KEEP,   /* a request has been answered, and another may follow */
	EXCHANGE_LINGER, /* no other follows, but the peer may still send: client_close lingers */
	EXCHANGE_CLOSE,  /* no other follows */
};

/*
 * What exchange_serve is made of, for connections that stay: exchange_attach
 * makes FD, accepted or quiet until SINCE_NS, the connection; exchange_next
 * answers its next request, after a wait until DUE_NS for the header, and
 * with CLIENT_NOW without one: only then may it return EXCHANGE_MORE.
 * After EXCHANGE_KEEP it is called again at once where exchange_has_more
 * says so, for what the client sent ahead.
 */
void exchange_attach(struct exchange *exchange, int fd, uint64_t since_ns);
MUST_CHECK enum exchange_end exchange_next(struct exchange *exchange, uint64_t due_ns);
bool exchange_has_more(const struct exchange *exchange);

/* exchange_expire answers 408 to the request whose header did not come in time, logs it, and returns how to close. */
MUST_CHECK enum exchange_end exchange_expire(struct exchange *exchange);

/* exchange_starve answers 503 to a request that has begun to come, and that there is no memory to wait for; as exchange_expire. */
MUST_CHECK enum exchange_end exchange_starve(struct exchange *exchange);

#endif
