/* Bytes of a connection -> one response at a time, the client's side of llhttp (RFC 9112). */
#ifndef LOADGEN_RESPONSE_H
#define LOADGEN_RESPONSE_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#define RESPONSE_SERVER_MAX 128 /* room for the Server field, cut when longer */
#define RESPONSE_MEMO_MAX 1024  /* a header longer than this is parsed each time */

enum response_event {
	RESPONSE_MORE,     /* all bytes were taken; the response goes on */
	RESPONSE_COMPLETE, /* it ended; bytes behind it were not taken */
	RESPONSE_INVALID,  /* not HTTP/1: nothing after it can be trusted */
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
 * The last response header of this thread that came in one read; of a chunked response, all of it.  A server
 * answers a load with the same bytes over and over (but for the Date, once a second); equal
 * bytes mean equal facts, and comparing costs a tenth of parsing.
 */
struct response_memo {
	size_t len;    /* 0: none yet */
	uint64_t left; /* bytes of body behind the remembered ones */
	bool head;     /* it answered HEAD, so it says nothing about other answers */
	struct response_facts facts;
	char bytes[RESPONSE_MEMO_MAX];
};

/* What a response that the memo knows does not touch, its parser, comes last: see conn.h. */
struct response {
	struct response_memo *memo; /* shared by the connections of a thread */
	struct response_facts facts;
	uint64_t left;    /* of the body, while `counting` */
	char *server;     /* where the Server field goes until a response is complete; NULL: not wanted */
	size_t field_len; /* how much of "Server" the field name matches so far */
	bool head;        /* it answers HEAD, so there is no body; false at first, the caller's to set before each */
	bool in_server;   /* the value that comes is the Server field's */
	bool started;     /* a byte of it has come */
	bool interim;     /* a header of an interim response has ended */
	bool counting;    /* a body of known length is under way: its bytes are counted, not parsed */
	bool until_close; /* the same, of a body that lasts until the connection ends */
	bool complete;
	llhttp_t parser;
};

/*
 * response_init makes RESPONSE ready for the first connection.  The first
 * complete response's Server field goes to SERVER (RESPONSE_SERVER_MAX bytes,
 * printable, terminated) unless it is NULL.  MEMO and SERVER must outlive it.
 */
void response_init(struct response *response, struct response_memo *memo, char *server);

/* response_reset makes ready for the next response, on the same connection or on a new one. */
void response_reset(struct response *response);

/*
 * response_read takes the next bytes of the connection, DATA[0..LEN), LEN > 0: all of them for
 * RESPONSE_MORE, and up to the end of the response for RESPONSE_COMPLETE; *TAKEN is how many (0 for
 * RESPONSE_INVALID).  However a response is cut into calls, the facts are the same.  Interim responses
 * (1xx but 101) are passed over.  Returns RESPONSE_MORE, _COMPLETE or _INVALID, after which only
 * response_reset may follow.
 */
MUST_CHECK enum response_event response_read(struct response *response, const char *data, size_t len, size_t *taken);

/*
 * response_left returns how many bytes of a body of known length are still to come, 0 when that is not known: so
 * many may be thrown away unseen, and told to response_skip (LEN at most response_left), which returns
 * RESPONSE_MORE or, with the last of them, RESPONSE_COMPLETE.
 */
static inline uint64_t
response_left(const struct response *response)
{
	return response->counting ? response->left : 0;
}
MUST_CHECK enum response_event response_skip(struct response *response, uint64_t len);

/* response_why says what was wrong after RESPONSE_INVALID. */
const char *response_why(const struct response *response);

/* response_end says that the peer closed: RESPONSE_COMPLETE for a body that lasts until then, else RESPONSE_CUT. */
MUST_CHECK enum response_event response_end(struct response *response);

#endif
