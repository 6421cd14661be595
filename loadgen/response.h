/* Bytes of a connection -> one response at a time, the client's side of llhttp (RFC 9112). */
#ifndef LOADGEN_RESPONSE_H
#define LOADGEN_RESPONSE_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#define RESPONSE_SERVER_MAX 128 /* room for the Server field, cut when longer */
#define RESPONSE_MEMO_MAX 1024  /* a whole response longer than this is parsed each time */

enum response_event {
	RESPONSE_MORE,     /* all bytes were taken; the response goes on */
	RESPONSE_COMPLETE, /* it ended; anything behind it would be a fault of the server */
	RESPONSE_INVALID,  /* not HTTP/1, or bytes behind its end: nothing after it can be trusted */
	RESPONSE_CUT,      /* the peer closed in the middle: of the header while head_done is false, else of the body */
};

/* What a response says; valid from RESPONSE_COMPLETE on, and status and head_done from the end of its header. */
struct response_facts {
	uint64_t body_len; /* bytes of the body, without chunk framing */
	uint16_t status;
	bool head_done;
	bool keep_alive; /* the connection takes another request */
};

/*
 * The last whole response of this thread that came in one read.  A server
 * answers a load with the same bytes over and over (but for the Date, once a second); equal
 * bytes mean equal facts, and comparing costs a tenth of parsing.
 */
struct response_memo {
	size_t len; /* 0: none yet */
	struct response_facts facts;
	char bytes[RESPONSE_MEMO_MAX];
};

struct response {
	llhttp_t parser;
	struct response_facts facts;
	struct response_memo *memo; /* shared by the connections of a thread */
	char *server;               /* where the Server field goes until a response is complete; NULL: not wanted */
	size_t field_len;           /* how much of "Server" the field name matches so far */
	bool in_server;             /* the value that comes is the Server field's */
	bool head;                  /* it answers HEAD: no body whatever the header says */
	bool started;               /* a byte of it has come */
	bool complete;
};

/*
 * response_init makes RESPONSE ready for the first connection.  The first
 * complete response's Server field goes to SERVER (RESPONSE_SERVER_MAX bytes,
 * printable, terminated) unless it is NULL.  MEMO and SERVER must outlive it.
 */
void response_init(struct response *response, bool head, struct response_memo *memo, char *server);

/* response_reset makes ready for the next response, on the same connection or on a new one. */
void response_reset(struct response *response);

/*
 * response_read takes DATA[0..LEN), LEN > 0, the next bytes of the connection, all of them.  However a
 * response is cut into calls, the facts are the same.  Interim responses (1xx) are passed over.
 * Returns RESPONSE_MORE, _COMPLETE or _INVALID.
 */
MUST_CHECK enum response_event response_read(struct response *response, const char *data, size_t len);

/* response_end says that the peer closed: RESPONSE_COMPLETE for a body that lasts until then, else RESPONSE_CUT. */
MUST_CHECK enum response_event response_end(struct response *response);

#endif
