/* How a connection comes about, and what a failure of these leads to. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/conn_parts.h"
#include "loadgen/dial.h"
#include "loadgen/handshake.h"
#include "loadgen/worker.h"

#define RECONNECT_PAUSE_US 10000 /* closed loop with -r: between two connects of a connection that fails */

/* try_connect opens a socket and starts its handshake. Returns 0 or the errno value. */
static int
try_connect(struct conn *conn)
{
	struct worker *worker = conn->worker;
	const struct cell *cell = worker->cell;
	bool no_delay = cell->config->pipeline > 1 || cell->target->tls || cell->requests->long_ones;

	conn->address = worker->address;
	conn->error = conn->lost = 0;
	conn->reused = conn->ended = false;
	conn->sent_flights = 0;
	conn->sent = 0;
	response_reset(&conn->response);
	conn->fd = dial_open(cell->config, conn->address, worker->index + worker->count * worker->dialed++, no_delay);
	if (conn->fd < 0) {
		int error = -conn->fd;

		conn->fd = -1;
		return error;
	}
	/* All directions at once and edge-triggered: one epoll_ctl for the life of the socket. */
	if (event_assign(&conn->event, worker->base, conn->fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
		conn_on_ready, conn) != 0 ||
	    event_add(&conn->event, NULL) != 0) {
		close(conn->fd);
		conn->fd = -1;
		return ENOMEM;
	}
	conn->state = CONN_CONNECTING;
	return 0;
}

void
conn_note_connected(struct conn *conn, uint64_t now_ns, enum conn_state next)
{
	struct worker *worker = conn->worker;

	if (!worker->reached) {
		worker->reached = true;
		atomic_store(&worker->shared->reached, true);
	}
	conn->state = next;
	worker_opened(worker);
	for (uint32_t i = 0; i < conn->len; i++) {
		struct timing *timing = &conn_flight(conn, i)->timing;

		if (timing->connected_ns == 0)
			timing->connected_ns = now_ns;
	}
}

void
conn_note_ready(struct conn *conn, uint64_t now_ns)
{
	conn->state = CONN_READY;
	conn->worker->success_ns = now_ns;
	/* Over TLS the first answer tells: a server of TLS 1.3 may refuse the client after this. */
	if (conn->tls == NULL)
		conn->worker->connect_failures = 0;
	for (uint32_t i = 0; i < conn->len; i++) {
		struct timing *timing = &conn_flight(conn, i)->timing;

		if (timing->secured_ns == 0)
			timing->secured_ns = now_ns;
	}
}

int
conn_secure(struct conn *conn)
{
	int result = 0;

	if (conn->state < CONN_SECURING) {
		result = handshake_connect(conn);
		if (result == 0)
			conn_note_connected(conn, clock_now_ns(), CONN_SECURING);
	}
	if (result == 0)
		result = handshake_secure(conn);
	if (result == 0)
		conn_note_ready(conn, clock_now_ns());
	return result == -EAGAIN ? 0 : -result;
}

static bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL;
}

/*
 * leave_address goes on to another address than CONN's, while none was ever reached.  A name may have several ("localhost":
 * ::1, 127.0.0.1), and the server listen on one of them.  Returns false when there is none.
 */
static bool
leave_address(const struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (worker->reached || conn->address->ai_next == NULL)
		return false;
	if (conn->address == worker->address)
		worker->address = conn->address->ai_next;
	return true;
}

/* goes_on tells whether a connect that fails so is, with -r, the end of its requests alone: the server was there before. */
static bool
goes_on(const struct worker *worker, enum failure failure)
{
	if (!worker->cell->config->go_on)
		return false;
	return failure == FAILURE_TLS ? worker->answered : atomic_load(&worker->shared->reached);
}

static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conn_go_on_after(arg);
}

/* rest lets a closed loop go on after a while: a server that is down refuses as fast as it is asked. */
static void
rest(struct conn *conn)
{
	const struct timeval pause = {.tv_usec = RECONNECT_PAUSE_US};

	if (evtimer_assign(&conn->event, conn->worker->base, on_rested, conn) != 0 ||
	    event_add(&conn->event, &pause) != 0)
		worker_abort(conn->worker, CELL_RESOURCES, ENOMEM);
}

/* why_not says why there is no connection: the errno value ERROR, or what TLS or the proxy said. */
static const char *
why_not(const struct worker *worker, int error)
{
	return error == EPROTO ? worker->why : strerrordesc_np(error);
}

/*
 * give_up ends the requests under way, for which there is no connection, with FAILURE for the errno value ERROR.  None is begun in their place from
 * here: it may fail the same way, ever deeper.
 */
static void
give_up(struct conn *conn, enum failure failure, int error)
{
	struct worker *worker = conn->worker;
	uint64_t now = clock_now_ns();

	if (!worker->reached)
		worker->address = worker->cell->target->addresses; /* from the first one again */
	while (conn->len > 0) {
		struct flight *flight = conn_flight(conn, 0);

		flight->timing.end_ns = now;
		flight->retried = true; /* what delayed it was not loadgen */
		conn_explain(conn, failure, why_not(worker, error));
		conn_finish(conn, failure);
	}
	if (worker->cell->open_loop)
		worker_release(worker, conn, now);
	else
		rest(conn);
}

/* may_retry judges a connect that failed with ERROR: another attempt, or the end of its requests or of the cell (false). */
static bool
may_retry(struct conn *conn, int error, enum failure failure)
{
	struct worker *worker = conn->worker;

	if (is_shortage(error)) {
		worker_abort(worker, CELL_RESOURCES, error);
		return false;
	}
	if (leave_address(conn))
		return true;
	if (goes_on(worker, failure)) {
		give_up(conn, failure, error);
		return false;
	}
	if (!worker->reached) {
		worker_abort(worker, CELL_UNREACHABLE, error);
		return false;
	}
	conn_explain(conn, failure, why_not(worker, error));
	worker->stats.failures[failure]++;
	worker->stats.errors++;
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
	uint64_t now = clock_now_ns();

	for (uint32_t i = 0; i < conn->len; i++) {
		struct flight *flight = conn_flight(conn, i);

		flight->timing = (struct timing){
		    .due_ns = conn->worker->cell->open_loop ? flight->timing.due_ns : now,
		    .start_ns = now,
		};
		flight->retried = true;
	}
}

void
conn_open(struct conn *conn)
{
	int error;

	while ((error = try_connect(conn)) != 0) {
		if (!may_retry(conn, error, FAILURE_CONNECT))
			return;
		start_again(conn);
	}
	conn_start_sending(conn, clock_now_ns());
}

void
conn_connect_failed(struct conn *conn, int error, enum failure failure)
{
	conn_close(conn);
	if (!may_retry(conn, error, failure))
		return;
	start_again(conn);
	conn_open(conn);
}

/* A slow server keeps many waiting at once, who give up together: only those count who came after it served somebody. */
void
conn_connect_expired(struct conn *conn)
{
	struct worker *worker = conn->worker;

	enum failure failure = conn->state == CONN_SECURING ? FAILURE_TLS : FAILURE_CONNECT;

	if (leave_address(conn) || conn_since(conn) <= worker->success_ns || goes_on(worker, failure))
		return;
	if (++worker->connect_failures >= CONNECT_FAILURES_MAX)
		worker_abort(worker, failure == FAILURE_TLS ? CELL_TLS : CELL_CONNECT, ETIMEDOUT);
}

void
conn_reopen(struct conn *conn)
{
	conn_close(conn);
	conn_open(conn);
}
