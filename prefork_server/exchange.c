/* The requests of a connection, one after another: one in, its plan carried out by blocking, the answer out. */
#include "prefork_server/exchange.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/metrics.h"
#include "prefork_server/answer.h"
#include "prefork_server/handler.h"
#include "prefork_server/request_line.h"

int
exchange_init(struct exchange *exchange, struct worker *worker)
{
	/* All but `in`, whose pages cost nothing before they are used. */
	memset(exchange, 0, offsetof(struct exchange, in));
	exchange->worker = worker;
	exchange->client.fd = -1;
	return http_request_init(&exchange->request, &worker->limits);
}

void
exchange_deinit(struct exchange *exchange)
{
	http_request_deinit(&exchange->request);
}

/* remember keeps the first bytes of a request that comes in pieces, before the next piece overwrites them. */
static void
remember(struct exchange *exchange)
{
	size_t room = sizeof(exchange->came) - exchange->came_len;
	size_t fresh = exchange->filled - exchange->start;
	size_t len = fresh < room ? fresh : room;

	memcpy(exchange->came + exchange->came_len, exchange->in + exchange->start, len);
	exchange->came_len += len;
	exchange->received += fresh;
}

/*
 * next_event reads until the request's next event.  Returns an enum http_event
 * (but HTTP_MORE), -ECONNRESET when the peer has ended its side, or -errno: see client_read.
 */
static int
next_event(struct exchange *exchange, uint64_t due_ns)
{
	for (;;) {
		size_t taken = 0;
		enum http_event event = http_request_read(
		    &exchange->request, exchange->in + exchange->used, exchange->filled - exchange->used, &taken);
		ssize_t got;

		exchange->used += taken;
		if (event != HTTP_MORE)
			return (int)event;
		remember(exchange);
		exchange->used = exchange->filled = exchange->start = 0;
		got = client_read(&exchange->client, exchange->in, sizeof(exchange->in), due_ns);
		exchange->emptied = got < (ssize_t)sizeof(exchange->in);
		if (got <= 0)
			return got < 0 ? (int)got : -ECONNRESET;
		exchange->filled = (size_t)got;
		metrics_add(&exchange->worker->metrics->received_bytes, (uint64_t)got);
	}
}

/* came returns how many bytes have come since the request began. */
static uint64_t
came(const struct exchange *exchange)
{
	return exchange->received + exchange->filled - exchange->start;
}

/* begin_body is for who reads the body: it begins now, and the client is to keep to the pace. Returns false when it is gone. */
static bool
begin_body(struct exchange *exchange)
{
	const struct config *config = exchange->worker->config;

	pace_begin(&exchange->body, config->body_timeout_ns, config->min_rate);
	return answer_invite_body(exchange);
}

/* next_of_body does as next_event, and waits as long as the pace allows. */
static int
next_of_body(struct exchange *exchange)
{
	uint64_t waited_ns = exchange->client.waited_ns;
	uint64_t before = came(exchange);
	int event = next_event(exchange, clock_now_ns() + exchange->body.left_ns);

	pace_spend(&exchange->body, exchange->client.waited_ns - waited_ns, came(exchange) - before);
	return event;
}

/* refuse changes the plan: this is what the request gets instead. */
static void
refuse(struct exchange *exchange, int status, const char *reason)
{
	workload_plan_error(&exchange->plan, status, reason);
}

/* refuse_for_want logs a request that there was no memory for; it gets 503, and may come again. */
static void
refuse_for_want(struct exchange *exchange)
{
	char peer[64];

	log_error(
	    "No memory for a request from %s, of which %llu bytes came (are the limits too small, or --workers or "
	    "--limit-request-line too large?)",
	    listener_peer_name(exchange->client.fd, peer, sizeof(peer)), (unsigned long long)came(exchange));
	refuse(exchange, 503, "there is no memory for the request");
	exchange->plan.fields = "Retry-After: 1\r\n";
}

/* refuse_late logs a request that did not come in time, and what came of it; its answer is 408. */
static void
refuse_late(struct exchange *exchange)
{
	double took_s = (double)(clock_now_ns() - exchange->since_ns) / (double)NS_PER_SEC;
	unsigned long long bytes = came(exchange);
	char shown[4 * EXCHANGE_CAME_BYTES + 1];
	char line[REQUEST_LINE_MAX];
	char peer[64];

	metrics_add(&exchange->worker->metrics->timeouts, 1);
	listener_peer_name(exchange->client.fd, peer, sizeof(peer));
	if (exchange->request.method != NULL)
		log_warning("Body of %s from %s timed out after %.3g s: %llu bytes came (--body-timeout, --min-rate, "
			    "--timeout)",
		    request_line_quote(&exchange->request, line), peer, took_s, bytes);
	else
		log_warning("Request from %s timed out after %.3g s: %llu bytes came, \"%s\"", peer, took_s, bytes,
		    log_escape(shown, sizeof(shown), exchange->came, exchange->came_len));
	refuse(exchange, 408, "the request did not come in time");
}

/* refuse_overdue logs a request whose handler took too long; its answer is 504, and the connection may go on. */
static void
refuse_overdue(struct exchange *exchange)
{
	char line[REQUEST_LINE_MAX];
	char peer[64];

	log_warning("Handler of %s from %s timed out after %.3g s (--handler-timeout)",
	    request_line_quote(&exchange->request, line), listener_peer_name(exchange->client.fd, peer, sizeof(peer)),
	    (double)exchange->worker->config->handler_timeout_ns / (double)NS_PER_SEC);
	refuse(exchange, 504, "the handler took longer than --handler-timeout");
	exchange->plan.close = false;
}

/*
 * refuse_event: what a request gets that ended in EVENT, an error, where more
 * of it was due.  Returns false when the peer is gone and there is nobody to answer.
 */
static bool
refuse_event(struct exchange *exchange, int event)
{
	if (event == HTTP_INVALID && exchange->request.status == 503)
		refuse_for_want(exchange);
	else if (event == HTTP_INVALID)
		refuse(exchange, exchange->request.status, exchange->request.reason);
	else if (event == -ETIMEDOUT)
		refuse_late(exchange);
	else
		return false;
	return true;
}

/* drop_body reads a body that the handler does not want. Returns false when the peer is gone. */
static bool
drop_body(struct exchange *exchange)
{
	uint64_t dropped = 0;

	if (!begin_body(exchange))
		return false;
	for (;;) {
		int event = next_of_body(exchange);

		if (event == HTTP_COMPLETE) {
			exchange->complete = true;
			return true;
		}
		if (event != HTTP_BODY)
			return refuse_event(exchange, event);
		dropped += exchange->request.body.len;
		if (dropped > WORKLOAD_BODY_MAX) {
			refuse(exchange, 413, WORKLOAD_BODY_REASON);
			return true;
		}
	}
}

/* skip_buffered looks whether a request that is refused had come whole: then the end needs no lingering. */
static void
skip_buffered(struct exchange *exchange)
{
	enum http_event event;

	do {
		size_t taken = 0;

		event = http_request_read(
		    &exchange->request, exchange->in + exchange->used, exchange->filled - exchange->used, &taken);
		exchange->used += taken;
	} while (event == HTTP_BODY);
	exchange->complete = event == HTTP_COMPLETE;
}

/* answer works as the plan says and sends what it says. Returns whether the answer left. */
static bool
answer(struct exchange *exchange)
{
	if (exchange->plan.status != 200)
		skip_buffered(exchange);
	else if (!drop_body(exchange))
		return false;
	if (exchange->plan.status == 200) {
		exchange->slept = exchange->plan.wait.cpu_ns > 0 || exchange->plan.wait.sleep_ns > 0;
		if (!handler_work(exchange->worker, &exchange->plan.wait))
			refuse_overdue(exchange);
	}
	return answer_send(exchange) == 0;
}

/* echo sends the request's body back as it comes. Returns whether the peer got all of an answer. */
static bool
echo(struct exchange *exchange)
{
	if (!begin_body(exchange))
		return false;
	for (;;) {
		int event = next_of_body(exchange);

		if (event == HTTP_BODY) {
			if (answer_send_piece(exchange, exchange->request.body.at, exchange->request.body.len) != 0)
				return false;
		} else if (event == HTTP_COMPLETE) {
			exchange->complete = true;
			exchange->slept = true; /* as a peer that takes its answer slowly makes us */
			return answer_send_piece(exchange, NULL, 0) == 0;
		} else {
			/* Once the head has left, only an answer cut short can tell the peer. */
			return refuse_event(exchange, event) && exchange->status == 0 && answer_send(exchange) == 0;
		}
	}
}

/* respond carries out the request whose header is complete. Returns whether the peer got its answer. */
static bool
respond(struct exchange *exchange)
{
	struct metrics *metrics = exchange->worker->metrics;
	bool answered;

	exchange->begun_ns = clock_now_ns();
	metrics_add(&metrics->requests_begun, 1);
	lane_work(exchange->worker->lane, exchange->request.method, exchange->request.target, exchange->begun_ns);
	workload_plan(&exchange->plan, &exchange->request, exchange->worker->settings);
	if (!worker_count_request(exchange->worker))
		exchange->plan.close = true;
	answered =
	    exchange->plan.kind == WORKLOAD_ECHO && exchange->plan.status == 200 ? echo(exchange) : answer(exchange);
	metrics_add(&metrics->requests_ended, 1);
	return answered;
}

/* begin_request makes ready for the next request of the connection. */
static void
begin_request(struct exchange *exchange, uint64_t now_ns)
{
	uint64_t timeout_ns = exchange->worker->config->timeout_ns;

	exchange->since_ns = now_ns;
	/* A peer that is slow on purpose ends here, a little before the arbiter would end the worker for it. */
	exchange->client.expires_ns = timeout_ns == 0 ? UINT64_MAX : now_ns + timeout_ns / 8 * 7;
	exchange->complete = false;
	exchange->slept = false;
	exchange->keep = false;
	exchange->status = 0;
	exchange->body_bytes = exchange->sent_bytes = 0;
	exchange->begun_ns = 0;
	exchange->head_len = 0;
	exchange->start = exchange->used;
	exchange->received = 0;
	exchange->came_len = 0;
}

void
exchange_attach(struct exchange *exchange, int fd, uint64_t since_ns)
{
	exchange->client.fd = fd;
	exchange->emptied = false;
	exchange->used = exchange->filled = 0;
	begin_request(exchange, since_ns);
}

/* has_rest tells whether the peer sent, or was to send, more than has been read. */
static bool
has_rest(const struct exchange *exchange)
{
	return !exchange->complete || exchange->used < exchange->filled ||
	       ((exchange->slept || !exchange->emptied) && client_has_unread(&exchange->client));
}

/*
 * end_request is behind every request, ANSWERED or not: where nothing can
 * follow, the connection closes, and lingers only where an answer could be lost.
 */
static enum exchange_end
end_request(struct exchange *exchange, bool answered)
{
	enum exchange_end end = EXCHANGE_CLOSE;

	answer_log(exchange);
	if (answered && exchange->keep)
		end = EXCHANGE_KEEP;
	else if (answered && has_rest(exchange))
		end = EXCHANGE_LINGER;
	http_request_reset(&exchange->request);
	if (end == EXCHANGE_KEEP)
		begin_request(exchange, clock_now_ns());
	return end;
}

/* note_peer: who has an answer may be gone before the log has a line about it, and then has no address any more. */
static void
note_peer(struct exchange *exchange)
{
	if (exchange->worker->access_log != NULL)
		(void)listener_peer_name(exchange->client.fd, exchange->peer, sizeof(exchange->peer));
}

enum exchange_end
exchange_next(struct exchange *exchange, uint64_t due_ns)
{
	bool answered;
	int event;

	lane_enter(exchange->worker->lane, LANE_READING, exchange->since_ns);
	event = next_event(exchange, due_ns);
	if (event == -EAGAIN)
		return EXCHANGE_MORE;
	note_peer(exchange);
	if (event == HTTP_HEAD)
		answered = respond(exchange);
	else
		answered = refuse_event(exchange, event) && answer_send(exchange) == 0;
	return end_request(exchange, answered);
}

bool
exchange_has_more(const struct exchange *exchange)
{
	return exchange->used < exchange->filled || !exchange->emptied;
}

enum exchange_end
exchange_expire(struct exchange *exchange)
{
	note_peer(exchange);
	refuse_late(exchange);
	return end_request(exchange, answer_send(exchange) == 0);
}

enum exchange_end
exchange_starve(struct exchange *exchange)
{
	note_peer(exchange);
	refuse_for_want(exchange);
	return end_request(exchange, answer_send(exchange) == 0);
}

void
exchange_serve(struct exchange *exchange, int fd)
{
	struct metrics *metrics = exchange->worker->metrics;
	uint64_t now_ns = clock_now_ns();
	enum exchange_end end;

	metrics_add(&metrics->connections_accepted, 1);
	exchange_attach(exchange, fd, now_ns);
	end = exchange_next(exchange, now_ns + exchange->worker->config->header_timeout_ns);
	if (end == EXCHANGE_LINGER)
		lane_enter(exchange->worker->lane, LANE_CLOSING, clock_now_ns());
	client_close(&exchange->client, end == EXCHANGE_LINGER ? exchange->worker->config->drain_timeout_ns : 0);
	metrics_add(&metrics->connections_closed, 1);
	lane_enter(exchange->worker->lane, LANE_IDLE, clock_now_ns());
}
