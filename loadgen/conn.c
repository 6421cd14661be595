/* One connection's state machine on its thread's event base: connect, send, receive, and again. */
#include "loadgen/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/trace.h"
#include "loadgen/worker.h"

#define READS_MAX 16 /* full reads in a row; then the other connections have their turn */
#define SEGMENT 1400 /* a request longer than about a segment must not wait for Nagle's algorithm */

static void on_ready(evutil_socket_t fd, short what, void *arg);

void
conn_init(struct conn *conn, struct worker *worker, char *server, struct trace *trace)
{
	*conn = (struct conn){.worker = worker, .fd = -1, .trace = trace};
	response_init(&conn->response, worker->cell->request->head, &worker->memo, server);
}

void
conn_close(struct conn *conn)
{
	if (conn->fd == -1)
		return;
	event_del(&conn->event);
	close(conn->fd);
	conn->fd = -1;
	conn->state = CONN_CLOSED;
}

/* try_connect opens a socket and starts its handshake. Returns 0 or the errno value. */
static int
try_connect(struct conn *conn)
{
	struct worker *worker = conn->worker;
	const struct addrinfo *address = worker->address;
	const int on = 1;

	conn->address = address;
	conn->error = 0;
	conn->reused = false;
	conn->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
	if (conn->fd == -1)
		return errno;
	if (worker->cell->request->len > SEGMENT)
		setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(conn->fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS && errno != EINTR) {
		int error = errno;

		close(conn->fd);
		conn->fd = -1;
		return error;
	}
	/* Both directions at once and edge-triggered: one epoll_ctl for the life of the socket. */
	if (event_assign(
		&conn->event, worker->base, conn->fd, EV_READ | EV_WRITE | EV_ET | EV_PERSIST, on_ready, conn) != 0 ||
	    event_add(&conn->event, NULL) != 0) {
		close(conn->fd);
		conn->fd = -1;
		return ENOMEM;
	}
	conn->state = CONN_CONNECTING;
	return 0;
}

/* note_connected: the server took the connection, and the first bytes leave at NOW_NS. */
static void
note_connected(struct conn *conn, uint64_t now_ns)
{
	struct worker *worker = conn->worker;

	worker->reached = true;
	worker->connect_failures = 0;
	conn->timing.connected_ns = now_ns;
}

/* conn_send sends what is left of the request. NOW_NS is the present time. Returns 0 or the errno value. */
static int
conn_send(struct conn *conn, uint64_t now_ns)
{
	struct worker *worker = conn->worker;
	const struct request *request = worker->cell->request;
	ssize_t len;

	do
		len = send(conn->fd, request->bytes + conn->sent, request->len - conn->sent, MSG_NOSIGNAL);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == EAGAIN ? 0 : errno;
	if (conn->state == CONN_CONNECTING)
		note_connected(conn, now_ns);
	conn->timing.sent_ns = now_ns;
	conn->sent += (size_t)len;
	worker->stats.bytes_sent += (uint64_t)len;
	conn->state = conn->sent < request->len ? CONN_SENDING : CONN_WAITING;
	return 0;
}

/*
 * start_sending sends what it can at once.  A failure waits for the event
 * loop: handled here it would end the request and start the next, which may fail the same way, ever deeper.
 */
static void
start_sending(struct conn *conn, uint64_t now_ns)
{
	conn->error = conn_send(conn, now_ns);
	if (conn->error != 0)
		event_active(&conn->event, EV_WRITE, 0);
}

static bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* may_retry judges a connect that failed with ERROR: another attempt, or the end of the cell (false). */
static bool
may_retry(struct conn *conn, int error)
{
	struct worker *worker = conn->worker;

	if (is_shortage(error)) {
		worker_abort(worker, CELL_RESOURCES, error);
		return false;
	}
	if (!worker->reached) {
		/* A name may have several addresses ("localhost": ::1, 127.0.0.1), and the server listen on one of them. */
		if (conn->address == worker->address)
			worker->address = worker->address->ai_next;
		if (worker->address != NULL)
			return true;
		worker_abort(worker, CELL_UNREACHABLE, error);
		return false;
	}
	worker->stats.failures[FAILURE_CONNECT]++;
	if (++worker->connect_failures < CONNECT_FAILURES_MAX)
		return true;
	worker_abort(worker, CELL_CONNECT, error);
	return false;
}

/* start_again dates the request to now, after a failed connect: as in ab, its time is that of the attempt that succeeds. */
static void
start_again(struct conn *conn)
{
	struct worker *worker = conn->worker;

	TAILQ_REMOVE(&worker->pending, conn, pending);
	TAILQ_INSERT_TAIL(&worker->pending, conn, pending);
	conn->timing.start_ns = clock_now_ns();
}

/*
 * conn_open connects, as often as it may, and tries to send at once: on
 * loopback the handshake is over when connect returns, although it says
 * EINPROGRESS.  Without that, a burst of answers becomes a burst of connects,
 * and no request leaves before the last of them (task 7 at c = 40: 2 ms a round).
 */
static void
conn_open(struct conn *conn)
{
	int error;

	while ((error = try_connect(conn)) != 0) {
		if (!may_retry(conn, error))
			return;
		start_again(conn);
	}
	start_sending(conn, clock_now_ns());
}

static void
on_connect_failed(struct conn *conn, int error)
{
	conn_close(conn);
	if (!may_retry(conn, error))
		return;
	start_again(conn);
	conn_open(conn);
}

/* judge_length compares the body with the first one of the cell. */
static enum failure
judge_length(struct worker *worker, int64_t len)
{
	if (worker->document_len < 0) {
		int64_t none = -1;

		if (atomic_compare_exchange_strong(&worker->shared->document_len, &none, len))
			worker->document_len = len;
		else
			worker->document_len = none;
	}
	return len == worker->document_len || worker->cell->config->variable_length ? FAILURE_NONE : FAILURE_LENGTH;
}

/* finish ends the request under way: counts it, and goes on to the next one. */
static void
finish(struct conn *conn, enum failure failure)
{
	struct worker *worker = conn->worker;
	const struct response_facts *facts = &conn->response.facts;
	struct timing *timing = &conn->timing;
	bool keep = false;

	if (timing->first_ns == 0)
		timing->first_ns = timing->end_ns;
	if (failure == FAILURE_NONE) {
		failure = judge_length(worker, (int64_t)facts->body_len);
		keep = worker->cell->config->spec.keep_alive && facts->keep_alive &&
		       conn->sent == worker->cell->request->len;
		worker->stats.kept_alive += keep;
	}
	worker->stats.non_2xx += facts->head_done && facts->status / 100 != 2;
	worker->stats.bytes_body += facts->body_len;
	if (worker->samples != NULL)
		worker->samples[worker->stats.complete] = (struct sample){
		    .start_ns = timing->start_ns,
		    .connect_ns = timing->connected_ns - timing->start_ns,
		    .total_ns = timing->end_ns - timing->start_ns,
		    .waiting_ns = timing->first_ns > timing->sent_ns ? timing->first_ns - timing->sent_ns : 0,
		};
	stats_record(&worker->stats, timing, failure);
	worker->stats.end_ns = timing->end_ns;
	atomic_store_explicit(&worker->complete, worker->stats.complete, memory_order_relaxed);
	TAILQ_REMOVE(&worker->pending, conn, pending);
	if (conn->trace != NULL)
		trace_end(conn->trace, facts, worker->cell->config->verbosity);
	if (keep)
		conn->reused = true;
	else
		conn_close(conn);
	worker_next(worker, conn);
}

/*
 * on_broken handles the end of a connection in the middle of a request: ERROR is an errno value, or 0 when the server
 * closed.  A server may close an idle connection at any time (RFC 9112, 9.5): a request that met that is sent again.
 */
static void
on_broken(struct conn *conn, int error)
{
	struct worker *worker = conn->worker;

	if (conn->reused && !conn->response.started) {
		conn_close(conn);
		conn->sent = 0;
		conn_open(conn);
		return;
	}
	conn->timing.end_ns = clock_now_ns();
	if (error != 0) {
		if (!worker->cell->config->go_on)
			worker_abort(worker, CELL_RECEIVE, error);
		finish(conn, FAILURE_RECEIVE);
		return;
	}
	switch (response_end(&conn->response)) {
	case RESPONSE_COMPLETE:
		finish(conn, FAILURE_NONE);
		return;
	case RESPONSE_MORE:
	case RESPONSE_INVALID:
	case RESPONSE_CUT:
		finish(conn, conn->response.facts.head_done ? FAILURE_LENGTH : FAILURE_RECEIVE);
	}
}

/* conn_receive reads until the response is complete or the socket empty: with edges there is no second call. */
static void
conn_receive(struct conn *conn)
{
	struct worker *worker = conn->worker;

	for (int reads = 0; reads < READS_MAX; reads++) {
		ssize_t len = recv(conn->fd, worker->buf, sizeof(worker->buf), 0);

		if (len < 0) {
			if (errno == EAGAIN)
				return;
			if (errno == EINTR)
				continue;
		}
		if (len <= 0) {
			on_broken(conn, len < 0 ? errno : 0);
			return;
		}
		conn->timing.end_ns = clock_now_ns();
		if (conn->timing.first_ns == 0)
			conn->timing.first_ns = conn->timing.end_ns;
		worker->stats.bytes_received += (uint64_t)len;
		if (conn->trace != NULL)
			trace_received(conn->trace, worker->buf, (size_t)len, worker->cell->config->verbosity);
		switch (response_read(&conn->response, worker->buf, (size_t)len)) {
		case RESPONSE_MORE:
			continue;
		case RESPONSE_COMPLETE:
			finish(conn, FAILURE_NONE);
			return;
		case RESPONSE_INVALID:
		case RESPONSE_CUT:
			finish(conn, FAILURE_EXCEPTION);
			return;
		}
	}
	event_active(&conn->event, EV_READ, 0);
}

/* on_send_failed is only called from the event loop: what it leads to may start the next request. */
static void
on_send_failed(struct conn *conn, int error)
{
	uint64_t now = clock_now_ns();

	if (conn->state == CONN_CONNECTING) {
		/* The handshake's error comes with the first send: no getsockopt needed. */
		if (error != ECONNRESET && error != EPIPE) {
			on_connect_failed(conn, error);
			return;
		}
		/* A handshake that fails is refused: this one was over, and the server reset the connection behind it. */
		note_connected(conn, now);
		conn->timing.sent_ns = now;
		on_broken(conn, error);
		return;
	}
	/* It closed or reset: perhaps after an answer that says why (413, 408), which recv still finds. */
	conn->timing.sent_ns = now;
	conn->state = CONN_WAITING;
	if (!conn->reused)
		conn->worker->stats.write_errors++;
	conn_receive(conn);
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	int error = conn->error;

	(void)fd;
	conn->error = 0;
	if (error == 0 && (what & EV_WRITE) != 0 && (conn->state == CONN_CONNECTING || conn->state == CONN_SENDING))
		error = conn_send(conn, clock_now_ns());
	if (error != 0)
		on_send_failed(conn, error);
	/* Also while the request is still leaving: an early answer's edge comes only once. */
	else if ((what & EV_READ) != 0 && conn->state >= CONN_SENDING)
		conn_receive(conn);
}

void
conn_begin(struct conn *conn)
{
	struct worker *worker = conn->worker;

	conn->sent = 0;
	conn->timing = (struct timing){.start_ns = clock_now_ns()};
	response_reset(&conn->response);
	TAILQ_INSERT_TAIL(&worker->pending, conn, pending);
	if (conn->fd == -1) {
		conn_open(conn);
		return;
	}
	conn->timing.connected_ns = conn->timing.start_ns;
	start_sending(conn, conn->timing.start_ns);
}

void
conn_expire(struct conn *conn, uint64_t now_ns)
{
	struct worker *worker = conn->worker;
	struct timing *timing = &conn->timing;

	timing->end_ns = now_ns;
	if (timing->connected_ns == 0)
		timing->connected_ns = now_ns;
	if (timing->sent_ns == 0)
		timing->sent_ns = now_ns;
	if (conn->state == CONN_CONNECTING && ++worker->connect_failures >= CONNECT_FAILURES_MAX)
		worker_abort(worker, CELL_CONNECT, ETIMEDOUT);
	conn_close(conn);
	finish(conn, FAILURE_TIMEOUT);
}
