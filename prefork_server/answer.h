/* What leaves for a client: the head and body of an answer, sent, counted and logged. */
#ifndef PREFORK_SERVER_ANSWER_H
#define PREFORK_SERVER_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"
#include "prefork_server/exchange.h"

/*
 * answer_send sends the answer of the exchange's plan, whole, and decides
 * whether another request may follow (exchange->keep): it always says
 * `Connection: keep-alive` or `close`, as gunicorn does.  Returns 0, or -errno when the
 * peer did not take it: -ETIMEDOUT (logged), -EPIPE, -ECONNRESET.
 */
MUST_CHECK int answer_send(struct exchange *exchange);

/*
 * answer_send_last does so where the process ends behind it: without a wait,
 * as far as the peer's answer finds room (client_write_last).  Returns whether all of it did.
 */
MUST_CHECK bool answer_send_last(struct exchange *exchange);

/*
 * answer_send_piece sends LEN bytes of the body that /echo gives back, or its
 * end when LEN is 0, behind the head if that has not left yet.  Errors as answer_send.
 */
MUST_CHECK int answer_send_piece(struct exchange *exchange, const char *data, size_t len);

/*
 * answer_invite_body sends 100 to a client that waits for it; one that has
 * begun with its body does not.  Returns false when the peer is gone.
 */
MUST_CHECK bool answer_invite_body(struct exchange *exchange);

/* answer_log adds the line of the answer that left, if any, to the access log. */
void answer_log(const struct exchange *exchange);

#endif
