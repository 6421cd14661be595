/* One connection's state machine on its thread's event base: connect, send, receive, and again. */
#include "loadgen/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/dial.h"
#include "loadgen/handshake.h"
#include "loadgen/tls.h"
#include "loadgen/trace.h"
#include "loadgen/tunnel.h"
#include "loadgen/worker.h"

#define FIRST_READ 4096 /* bytes: enough for a header; the rest of a large body is then thrown away uncopied */
#define READS_MAX 16    /* full reads in a row; then the other connections have their turn */
#define SEGMENT 1400    /* a request longer than about a segment must not wait for Nagle's algorithm */
#define SKIP_MAX ((uint64_t)1 << 30) /* bytes of a body thrown away by one call */
#define PARTS_MAX 64                 /* requests in one send */

static void on_ready(evutil_socket_t fd, short what, void *arg);

void
conn_init(struct conn *conn, struct worker *worker, struct flight *flights, char *server, struct trace *trace)
{
	*conn = (struct conn){.worker = worker, .fd = -1, .flights = flights, .trace = trace};
	response_init(&conn->response, false, &worker->memo, server);
}

/* flight_at returns the request number I of those under way. */
static struct flight *
flight_at(const struct conn *conn, uint32_t i)
{
	uint32_t room = (uint32_t)conn->worker->cell->config->pipeline;
	uint32_t at = conn->first + i;

	return &conn->flights[at < room ? at : at - room];
}

void
conn_close(struct conn *conn)
{
	if (conn->fd == -1)
		return;
	if (conn->state > CONN_TUNNELING)
		worker_closed(conn->worker);
	event_del(&conn->event);
	tls_close(conn->tls);
	tunnel_close(conn->tunnel);
	close(conn->fd);
	conn->tls = NULL;
	conn->tunnel = NULL;
	conn->fd = -1;
	conn->state = CONN_CLOSED;
}

/* try_connect opens a socket and starts its handshake. Returns 0 or the errno value. */
static int
try_connect(struct conn *conn)
{
	struct worker *worker = conn->worker;
	const struct cell *cell = worker->cell;
	bool no_delay =
	    cell->config->pipeline > 1 || cell->target->tls || conn->flights[conn->first].request->len > SEGMENT;

	conn->address = worker->address;
	conn->error = 0;
	conn->reused = false;
	conn->sent_flights = 0;
	conn->sent = 0;
	response_reset(&conn->response);
	conn->fd = dial_open(cell->config, conn->address, worker->index + worker->count * worker->dialed++, no_delay);
	if (conn->fd < 0) {
		int error = -conn->fd;

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
note_connected(struct conn *conn, uint64_t now_ns, enum conn_state next)
{
	struct worker *worker = conn->worker;

	worker->reached = true;
	conn->state = next;
	worker_opened(worker);
	for (uint32_t i = 0; i < conn->len; i++) {
		struct timing *timing = &flight_at(conn, i)->timing;

		if (timing->connected_ns == 0)
			timing->connected_ns = now_ns;
	}
}

/* note_ready: requests can leave at NOW_NS. */
static void
note_ready(struct conn *conn, uint64_t now_ns)
{
	conn->state = CONN_READY;
	/* Over TLS the first answer tells: a server of TLS 1.3 may refuse the client after this. */
	if (conn->tls == NULL)
		conn->worker->connect_failures = 0;
	for (uint32_t i = 0; i < conn->len; i++) {
		struct timing *timing = &flight_at(conn, i)->timing;

		if (timing->secured_ns == 0)
			timing->secured_ns = now_ns;
	}
}

/* put sends PARTS. Returns how many bytes left, or -errno. */
static ssize_t
put(struct conn *conn, struct iovec *parts, size_t len)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = len};
	ssize_t sent;

	if (conn->tls != NULL)
		return tls_send(conn->tls, parts[0].iov_base, parts[0].iov_len);
	sent = len == 1 ? send(conn->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
			: sendmsg(conn->fd, &message, MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

/* send_some sends what one call takes of the requests that have not left. Returns how many bytes left, or -errno. */
static ssize_t
send_some(struct conn *conn)
{
	struct worker *worker = conn->worker;
	uint64_t offset = conn->sent;
	struct iovec parts[PARTS_MAX];
	size_t len = 0;

	for (uint32_t i = conn->sent_flights; i < conn->len && len < PARTS_MAX; i++) {
		const struct request *request = flight_at(conn, i)->request;

		if (offset < request->bytes_len)
			parts[len++] = (struct iovec){request->bytes + offset, request->bytes_len - offset};
		if (request->bytes_len < request->len)
			break; /* the rest is in a file */
		offset = 0;
	}
	if (len == 0) {
		const struct request *request = flight_at(conn, conn->sent_flights)->request;
		ssize_t got = request_read(request, offset, worker->buf, sizeof(worker->buf));

		if (got < 0) {
			worker_abort(worker, CELL_BODY, (int)-got);
			return got;
		}
		parts[len++] = (struct iovec){worker->buf, (size_t)got};
	}
	return put(conn, parts, len);
}

/* note_sent: LEN bytes left at NOW_NS. */
static void
note_sent(struct conn *conn, uint64_t len, uint64_t now_ns)
{
	conn->worker->stats.bytes_sent += len;
	while (len > 0) {
		struct flight *flight = flight_at(conn, conn->sent_flights);
		uint64_t rest = flight->request->len - conn->sent;
		uint64_t step = len < rest ? len : rest;

		len -= step;
		conn->sent += step;
		if (step == rest) {
			flight->timing.sent_ns = now_ns;
			conn->sent_flights++;
			conn->sent = 0;
		}
	}
}

/* secure goes on with all that comes before a request over TLS. Returns 0 when it is over or waits, or the errno value. */
static int
secure(struct conn *conn)
{
	int result = 0;

	if (conn->state < CONN_SECURING) {
		result = handshake_connect(conn);
		if (result == 0)
			note_connected(conn, clock_now_ns(), CONN_SECURING);
	}
	if (result == 0)
		result = handshake_secure(conn);
	if (result == 0)
		note_ready(conn, clock_now_ns());
	return result == -EAGAIN ? 0 : -result;
}

/*
 * conn_send sends what it can of the requests, after the handshakes.  NOW_NS is the present time.  Returns 0, also when it
 * waits for the socket, or the errno value.
 */
static int
conn_send(struct conn *conn, uint64_t now_ns)
{
	if (conn->state < CONN_READY && conn->worker->shared->tls != NULL) {
		int error = secure(conn);

		if (error != 0 || conn->state < CONN_READY)
			return error;
		now_ns = clock_now_ns();
	}
	while (conn->sent_flights < conn->len) {
		ssize_t len = send_some(conn);

		if (len == -EINTR)
			continue;
		if (len < 0)
			return len == -EAGAIN ? 0 : (int)-len;
		if (conn->state == CONN_CONNECTING) {
			note_connected(conn, now_ns, CONN_READY);
			note_ready(conn, now_ns);
		}
		note_sent(conn, (uint64_t)len, now_ns);
	}
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
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL;
}

/* may_retry judges a connect that failed with ERROR: another attempt, or the end of the cell (false). */
static bool
may_retry(struct conn *conn, int error, enum failure failure)
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
	worker->stats.failures[failure]++;
	if (++worker->connect_failures < CONNECT_FAILURES_MAX)
		return true;
	worker_abort(worker, failure == FAILURE_TLS ? CELL_TLS : CELL_CONNECT, error);
	return false;
}

/*
 * start_again dates the requests to now, after a failed connect: as in ab,
 * their time is that of the attempt that succeeds.  In an open loop they stay due when they were.
 */
static void
start_again(struct conn *conn)
{
	struct worker *worker = conn->worker;
	uint64_t now = clock_now_ns();

	for (uint32_t i = 0; i < conn->len; i++) {
		struct flight *flight = flight_at(conn, i);

		TAILQ_REMOVE(&worker->pending, flight, pending);
		TAILQ_INSERT_TAIL(&worker->pending, flight, pending);
		flight->timing = (struct timing){
		    .due_ns = worker->cell->open_loop ? flight->timing.due_ns : now,
		    .start_ns = now,
		};
	}
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
		if (!may_retry(conn, error, FAILURE_CONNECT))
			return;
		start_again(conn);
	}
	start_sending(conn, clock_now_ns());
}

static void
on_connect_failed(struct conn *conn, int error, enum failure failure)
{
	conn_close(conn);
	if (!may_retry(conn, error, failure))
		return;
	start_again(conn);
	conn_open(conn);
}

/* reopen sends the requests under way again, on a new connection; their time goes on. */
static void
reopen(struct conn *conn)
{
	conn_close(conn);
	conn_open(conn);
}

void
conn_go_on(struct conn *conn)
{
	struct worker *worker = conn->worker;
	uint32_t room = (uint32_t)worker->cell->config->pipeline, before = conn->len;
	uint64_t now = clock_now_ns();

	while (conn->len < room) {
		struct flight *flight = flight_at(conn, conn->len);

		if (!worker_take(worker, flight, now))
			break;
		flight->conn = conn;
		flight->timing.start_ns = now;
		if (conn->state == CONN_READY)
			flight->timing.connected_ns = flight->timing.secured_ns = now;
		TAILQ_INSERT_TAIL(&worker->pending, flight, pending);
		conn->len++;
	}
	if (conn->len == 0)
		worker_release(worker, conn, now);
	else if (conn->fd == -1)
		conn_open(conn);
	else if (conn->len > before)
		start_sending(conn, now);
}

/* finish ends the oldest request under way at its timing's end_ns, with BYTES received for it. */
static void
finish(struct conn *conn, enum failure failure, uint64_t bytes)
{
	struct worker *worker = conn->worker;
	struct flight *flight = flight_at(conn, 0);
	uint32_t room = (uint32_t)worker->cell->config->pipeline;

	if (conn->trace != NULL)
		trace_end(conn->trace, &conn->response.facts, worker->cell->config->verbosity);
	TAILQ_REMOVE(&worker->pending, flight, pending);
	worker_record(worker, flight, failure, bytes);
	conn->first = conn->first + 1 < room ? conn->first + 1 : 0;
	conn->len--;
	if (conn->sent_flights > 0)
		conn->sent_flights--;
	else
		conn->sent = 0; /* answered before it had left */
	response_reset(&conn->response);
	if (conn->len == 0)
		worker_freed(worker, flight->timing.end_ns);
}

/* fail ends the oldest request under way with FAILURE, and the connection with it. */
static void
fail(struct conn *conn, enum failure failure)
{
	flight_at(conn, 0)->timing.end_ns = clock_now_ns();
	conn_close(conn);
	finish(conn, failure, 0);
}

/* go_on_after continues when answers were read: with what is still under way, if the connection is gone, and with more. */
static void
go_on_after(struct conn *conn)
{
	if (conn->worker->end != CELL_DONE)
		return;
	if (conn->fd == -1 && conn->len > 0)
		conn_open(conn);
	conn_go_on(conn);
}

/* complete ends the oldest request, whose answer is whole, received at NOW_NS. SURPLUS: more bytes came than were asked for. */
static void
complete(struct conn *conn, uint64_t now_ns, uint64_t bytes, bool surplus)
{
	struct worker *worker = conn->worker;
	struct flight *flight = flight_at(conn, 0);
	const struct response_facts facts = conn->response.facts;
	bool whole = conn->sent_flights > 0; /* an answer may come before the request has left */
	bool keep = worker->cell->config->spec.keep_alive && facts.keep_alive && whole && !surplus;

	flight->timing.end_ns = now_ns;
	worker->connect_failures = 0;
	worker->stats.kept_alive += keep;
	if (!keep)
		conn_close(conn);
	conn->reused = keep;
	finish(conn, surplus ? FAILURE_MALFORMED : FAILURE_NONE, bytes);
}

/*
 * on_broken handles the end of a connection: ERROR is an errno value, or 0 when the server
 * closed.  A server may close an idle connection at any time (RFC 9112, 9.5): requests that met that are sent again.
 */
static void
on_broken(struct conn *conn, int error)
{
	struct worker *worker = conn->worker;

	if (conn->len == 0) {
		conn_close(conn); /* it was idle */
		return;
	}
	if (conn->reused && !conn->response.started) {
		reopen(conn);
		return;
	}
	if (error == EPROTO && !conn->reused && !conn->response.started) {
		/* "certificate required", for one: still the handshake's affair. */
		snprintf(worker->why, sizeof(worker->why), "%s", tls_why());
		on_connect_failed(conn, error, FAILURE_TLS);
		return;
	}
	if (error == EPROTO) {
		fail(conn, FAILURE_MALFORMED);
	} else if (error != 0) {
		if (!worker->cell->config->go_on)
			worker_abort(worker, CELL_RECEIVE, error);
		fail(conn, FAILURE_RESET);
	} else if (response_end(&conn->response) == RESPONSE_COMPLETE) {
		complete(conn, clock_now_ns(), 0, false);
	} else {
		fail(conn, FAILURE_TRUNCATED);
	}
	go_on_after(conn);
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
		struct flight *flight = flight_at(conn, 0);
		enum response_event event;
		size_t taken;

		if (flight->timing.first_ns == 0)
			flight->timing.first_ns = now_ns;
		conn->response.head = flight->request->head;
		event = response_read(&conn->response, data, len, &taken);
		if (event == RESPONSE_MORE) {
			if (conn->len < (uint32_t)worker->cell->config->pipeline)
				conn_go_on(conn); /* answers before this one were whole: their places are free */
			return true;
		}
		if (event != RESPONSE_COMPLETE) {
			fail(conn, FAILURE_MALFORMED);
			break;
		}
		data += taken;
		len -= taken;
		complete(conn, now_ns, taken, len > 0 && conn->len == 1);
		if (conn->fd == -1 || worker->end != CELL_DONE)
			break;
		if (len == 0 && conn->len > 0) {
			conn_go_on(conn);
			return true;
		}
	}
	go_on_after(conn);
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

/* conn_receive reads until all that was asked for has come or the socket is empty: with edges there is no second call. */
static void
conn_receive(struct conn *conn)
{
	struct worker *worker = conn->worker;
	/* Only TCP throws away what does not fit, and -v 4 wants to see it. */
	bool may_skip = conn->tls == NULL && conn->trace == NULL && conn->address->ai_family != AF_UNIX;

	for (int reads = 0; reads < READS_MAX; reads++) {
		bool skips = may_skip && response_left(&conn->response) > 0;
		ssize_t len = skips ? skip(conn) : get(conn);
		uint64_t now;

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
		now = clock_now_ns();
		worker->stats.bytes_received += (uint64_t)len;
		if (conn->len == 0) { /* an idle connection has nothing to say */
			conn_close(conn);
			return;
		}
		if (skips) {
			if (response_skip(&conn->response, (uint64_t)len) == RESPONSE_MORE)
				continue;
			complete(conn, now, (uint64_t)len, false);
			if (conn->fd == -1 || conn->len == 0) {
				go_on_after(conn);
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
	event_active(&conn->event, EV_READ, 0);
}

/* on_send_failed is only called from the event loop: what it leads to may start the next request. */
static void
on_send_failed(struct conn *conn, int error)
{
	if (conn->worker->end != CELL_DONE)
		return;
	if (conn->state == CONN_SECURING) {
		on_connect_failed(conn, error, FAILURE_TLS);
		return;
	}
	if (conn->state < CONN_READY) {
		/* The handshake's error comes with the first send: no getsockopt needed. */
		if (conn->worker->shared->tls != NULL || (error != ECONNRESET && error != EPIPE)) {
			on_connect_failed(conn, error, FAILURE_CONNECT);
			return;
		}
		/* A handshake that fails is refused: this one was over, and the server reset the connection behind it. */
		note_connected(conn, clock_now_ns(), CONN_READY);
		note_ready(conn, clock_now_ns());
		on_broken(conn, error);
		return;
	}
	/* It closed or reset: perhaps after an answer that says why (413, 408), which recv still finds. */
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
	/* Tunnels and TLS wait for either direction, whatever they are doing. */
	if (error == 0 && ((what & EV_WRITE) != 0 || conn->state == CONN_TUNNELING || conn->state == CONN_SECURING) &&
	    (conn->state < CONN_READY || conn->sent_flights < conn->len))
		error = conn_send(conn, clock_now_ns());
	if (error != 0)
		on_send_failed(conn, error);
	/* Also while the request is still leaving: an early answer's edge comes only once. */
	else if ((what & EV_READ) != 0 && conn->state == CONN_READY)
		conn_receive(conn);
}

void
conn_expire(struct conn *conn, uint64_t now_ns, uint64_t limit_ns)
{
	struct worker *worker = conn->worker;

	if (conn->state != CONN_CLOSED && conn->state < CONN_READY &&
	    ++worker->connect_failures >= CONNECT_FAILURES_MAX)
		worker_abort(worker, conn->state == CONN_SECURING ? CELL_TLS : CELL_CONNECT, ETIMEDOUT);
	conn_close(conn);
	while (conn->len > 0 && flight_at(conn, 0)->timing.start_ns + limit_ns <= now_ns) {
		flight_at(conn, 0)->timing.end_ns = now_ns;
		finish(conn, FAILURE_TIMEOUT, 0);
	}
	go_on_after(conn);
}
