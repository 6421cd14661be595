/* How answers come in on a connection, and how requests end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/conn_parts.h"
#include "loadgen/tls.h"
#include "loadgen/trace.h"
#include "loadgen/worker.h"

#define FIRST_READ 4096 /* bytes: enough for a header; the rest of a large body is then thrown away uncopied */
#define READS_MAX 16    /* full reads in a row; then the other connections have their turn */
#define SKIP_MAX ((uint64_t)1 << 30) /* bytes of a body thrown away by one call */

void
conn_explain(struct conn *conn, enum failure failure, const char *why)
{
	struct worker *worker = conn->worker;

	stats_explain(&worker->stats, failure, why);
	if (conn->trace != NULL && worker->cell->config->verbosity >= TRACE_PACKETS)
		trace_failure(conn->trace, failure_name(failure), why);
}

void
conn_finish(struct conn *conn, enum failure failure)
{
	struct worker *worker = conn->worker;
	struct flight *flight = conn_flight(conn, 0);
	uint32_t room = (uint32_t)worker->cell->config->pipeline;

	if (conn->trace != NULL)
		trace_end(conn->trace, &conn->response.facts, worker->cell->config->verbosity);
	worker_record(worker, flight, &conn->response.facts, failure);
	if (++conn->first == room)
		conn->first = 0;
	conn->len--;
	if (conn->sent_flights > 0)
		conn->sent_flights--;
	else
		conn->sent = 0; /* answered before it had left */
	response_reset(&conn->response);
	if (conn->len == 0)
		worker_freed(worker, flight->timing.end_ns);
}

/* fail ends the oldest request under way with FAILURE, WHY that is, and the connection with it. */
static void
fail(struct conn *conn, enum failure failure, const char *why)
{
	conn_explain(conn, failure, why);
	conn_flight(conn, 0)->timing.end_ns = clock_now_ns();
	conn_close(conn);
	conn_finish(conn, failure);
}

/* complete ends the oldest request, whose answer is whole, received at NOW_NS. SURPLUS: more bytes came than were asked for. */
static void
complete(struct conn *conn, uint64_t now_ns, bool surplus)
{
	struct worker *worker = conn->worker;
	struct flight *flight = conn_flight(conn, 0);
	const struct response_facts facts = conn->response.facts;
	bool whole = conn->sent_flights > 0; /* an answer may come before the request has left */
	bool keep = worker->cell->config->spec.keep_alive && facts.keep_alive && whole && !surplus;

	flight->timing.end_ns = now_ns;
	worker->connect_failures = 0;
	worker->answered = true;
	worker->success_ns = now_ns;
	worker->stats.kept_alive += keep;
	/* The edge that brought the last answer was also that of the end behind it: of that no other one tells. */
	if (conn->ended && conn->len == 1)
		keep = false;
	if (!keep)
		conn_close(conn);
	conn->reused = keep;
	if (surplus)
		conn_explain(conn, FAILURE_MALFORMED, "more came behind the end of the answer");
	conn_finish(conn, surplus ? FAILURE_MALFORMED : FAILURE_NONE);
}

/* where_cut says how far an answer has come that the server closes in the midst of. */
static const char *
where_cut(const struct response *response)
{
	if (!response->started)
		return "closed without an answer";
	return response->facts.head_done ? "closed within the body" : "closed within the header";
}

void
conn_broken(struct conn *conn, int error)
{
	struct worker *worker = conn->worker;

	if (conn->len == 0) {
		conn_close(conn); /* it was idle */
		return;
	}
	if (conn->reused && !conn->response.started) {
		conn_reopen(conn);
		return;
	}
	if (error == EPROTO && !conn->reused && !conn->response.started) {
		/* "certificate required", for one: still the handshake's affair. */
		snprintf(worker->why, sizeof(worker->why), "%s", tls_why());
		conn_connect_failed(conn, error, FAILURE_TLS);
		return;
	}
	if (error == EPROTO) {
		fail(conn, FAILURE_MALFORMED, tls_why());
	} else if (error != 0) {
		if (!worker->cell->config->go_on)
			worker_abort(worker, CELL_RECEIVE, error);
		fail(conn, FAILURE_RESET, strerrordesc_np(error));
	} else if (response_end(&conn->response) == RESPONSE_COMPLETE && (conn->tls == NULL || !tls_cut(conn->tls))) {
		complete(conn, clock_now_ns(), false);
	} else {
		fail(conn, FAILURE_TRUNCATED, where_cut(&conn->response));
	}
	conn_go_on_after(conn);
}

/*
 * read_answers takes DATA[0..LEN), received at NOW_NS.  Returns whether the connection still waits for the rest of what was
 * asked; else it has gone on, or is closed.
 */
static bool
read_answers(struct conn *conn, const char *data, size_t len, uint64_t now_ns)
{
	struct worker *worker = conn->worker;

	while (conn->len > 0) {
		struct flight *flight = conn_flight(conn, 0);
		enum response_event event;
		size_t taken;

		if (flight->timing.first_ns == 0)
			flight->timing.first_ns = now_ns;
		conn->response.head = conn_request(conn, flight)->head;
		event = response_read(&conn->response, data, len, &taken);
		if (event == RESPONSE_MORE) {
			if (conn->len < (uint32_t)worker->cell->config->pipeline)
				conn_go_on(conn); /* of answers before this one the places are free */
			return true;
		}
		if (event != RESPONSE_COMPLETE) {
			fail(conn, FAILURE_MALFORMED, response_why(&conn->response));
			break;
		}
		data += taken;
		len -= taken;
		complete(conn, now_ns, len > 0 && conn->len == 1);
		if (conn->fd == -1 || worker->end != CELL_DONE)
			break;
		if (len == 0 && conn->len > 0) {
			conn_go_on(conn);
			return true;
		}
	}
	conn_go_on_after(conn);
	return false;
}

/*
 * skip throws away what has come of a body of known length.  Returns how many bytes, 0 at the end, -1 with errno.  With
 * MSG_TRUNC nothing is written anywhere (tcp(7)), which the sanitizers' recv() does not know: hence the bare call.
 */
static ssize_t
skip(struct conn *conn)
{
	uint64_t left = response_left(&conn->response);

	return syscall(SYS_recvfrom, conn->fd, NULL, left < SKIP_MAX ? left : SKIP_MAX, MSG_TRUNC, NULL, NULL);
}

/* may_skip: only TCP throws away what does not fit, and -v 4 wants to see it. */
static bool
may_skip(const struct conn *conn)
{
	return conn->tls == NULL && conn->trace == NULL && conn->address->ai_family != AF_UNIX;
}

static ssize_t
get(struct conn *conn)
{
	struct worker *worker = conn->worker;
	bool first = !conn->response.started && worker->cell->config->pipeline == 1;
	ssize_t len;

	if (conn->tls != NULL) {
		len = tls_recv(conn->tls, worker->buf, sizeof(worker->buf));
		if (len >= 0)
			return len;
		errno = (int)-len;
		return -1;
	}
	return recv(conn->fd, worker->buf, first ? FIRST_READ : sizeof(worker->buf), 0);
}

void
conn_receive(struct conn *conn)
{
	struct worker *worker = conn->worker;
	for (int reads = 0; reads < READS_MAX; reads++) {
		bool skips = response_left(&conn->response) > 0 && may_skip(conn);
		ssize_t len = skips ? skip(conn) : get(conn);
		uint64_t now;

		if (len < 0) {
			if (errno == EAGAIN)
				return;
			if (errno == EINTR)
				continue;
		}
		if (len <= 0) {
			conn_broken(conn, len < 0 ? errno : conn->lost);
			return;
		}
		now = clock_now_ns();
		worker->stats.bytes_received += (uint64_t)len;
		if (conn->len == 0) { /* an idle connection has nothing to say */
			conn_close(conn);
			return;
		}
		if (skips) {
			if (response_skip(&conn->response, (uint64_t)len) == RESPONSE_MORE)
				continue;
			complete(conn, now, false);
			if (conn->fd == -1 || conn->len == 0) {
				conn_go_on_after(conn);
				return;
			}
			conn_go_on(conn);
			continue;
		}
		if (conn->trace != NULL)
			trace_received(conn->trace, worker->buf, (size_t)len, worker->cell->config->verbosity);
		if (!read_answers(conn, worker->buf, (size_t)len, now))
			return;
	}
	conn_call_again(conn);
}
