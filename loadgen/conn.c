/* One connection's state machine on its thread's event base: what its events lead to. */
#include "loadgen/conn.h"

#include <errno.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/conn_parts.h"
#include "loadgen/tls.h"
#include "loadgen/tunnel.h"
#include "loadgen/worker.h"

void
conn_init(struct conn *conn, struct worker *worker, struct flight *flights, char *server, struct trace *trace)
{
	*conn = (struct conn){.worker = worker, .fd = -1, .flights = flights, .trace = trace};
	response_init(&conn->response, &worker->memo, server);
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

void
conn_go_on(struct conn *conn)
{
	struct worker *worker = conn->worker;
	uint32_t room = (uint32_t)worker->cell->config->pipeline, before = conn->len;
	/* Looked at anew, and not when the answer came: what loadgen does in between is no time of the server's. */
	uint64_t now = clock_now_ns();

	while (conn->len < room) {
		struct flight *flight = conn_flight(conn, conn->len);

		if (!worker_take(worker, flight, now))
			break;
		flight->timing.start_ns = now;
		if (conn->state == CONN_READY)
			flight->timing.connected_ns = flight->timing.secured_ns = now;
		conn->len++;
	}
	if (conn->len == 0)
		worker_release(worker, conn, now);
	else if (conn->fd == -1)
		conn_open(conn);
	else if (conn->len > before)
		conn_start_sending(conn, now);
}

void
conn_go_on_after(struct conn *conn)
{
	if (conn->worker->end == CELL_DONE)
		conn_go_on(conn);
}

uint64_t
conn_since(const struct conn *conn)
{
	return conn->len > 0 ? conn_flight(conn, 0)->timing.start_ns : UINT64_MAX;
}

void
conn_start_sending(struct conn *conn, uint64_t now_ns)
{
	conn->error = conn_send(conn, now_ns);
	if (conn->error != 0)
		event_active(&conn->event, EV_WRITE, 0);
}

void
conn_call_again(struct conn *conn)
{
	const struct timeval at_once = {0};

	if (event_add(&conn->event, &at_once) != 0)
		worker_abort(conn->worker, CELL_RESOURCES, ENOMEM);
}

/* called_again: libevent takes an event whose timer has fired off its socket. */
static void
called_again(struct conn *conn)
{
	if (event_add(&conn->event, NULL) != 0)
		worker_abort(conn->worker, CELL_RESOURCES, ENOMEM);
}

/*
 * on_reset: the connection ended with ERROR before anything was sent.  A handshake of TCP that fails is refused: this one was
 * over, and the server reset the connection behind it.
 */
static void
on_reset(struct conn *conn, int error)
{
	uint64_t now = clock_now_ns();
	bool tls = conn->worker->shared->tls != NULL;

	conn_note_connected(conn, now, tls ? CONN_SECURING : CONN_READY);
	if (tls) {
		conn_connect_failed(conn, error, FAILURE_TLS);
	} else {
		conn_note_ready(conn, now);
		conn_broken(conn, error);
	}
}

/* on_send_failed is only called from the event loop: what it leads to may start the next request. */
static void
on_send_failed(struct conn *conn, int error)
{
	if (conn->worker->end != CELL_DONE)
		return;
	if (conn->state == CONN_SECURING) {
		conn_connect_failed(conn, error, FAILURE_TLS);
		return;
	}
	if (conn->state < CONN_READY) {
		/* The handshake's error comes with the first send: no getsockopt needed. */
		if ((error == ECONNRESET || error == EPIPE) && conn->worker->cell->target->tunnel == NULL)
			on_reset(conn, error);
		else
			conn_connect_failed(conn, error, FAILURE_CONNECT);
		return;
	}
	/* It closed or reset: perhaps after an answer that says why (413, 408), which recv still finds. */
	if (!conn->reused)
		conn->worker->stats.write_errors++;
	if (error != EPIPE) /* the socket tells its error once: behind the answer recv would find no more than an end */
		conn->lost = error;
	conn_receive(conn);
}

void
conn_on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	int error = conn->error;

	(void)fd;
	conn->error = 0;
	if ((what & EV_TIMEOUT) != 0)
		called_again(conn);
	if ((what & EV_CLOSED) != 0)
		conn->ended = true;
	/* Tunnels and TLS wait for either direction, whatever they are doing. */
	if (error == 0 &&
	    ((what & (EV_WRITE | EV_TIMEOUT)) != 0 || conn->tls != NULL || conn->state == CONN_TUNNELING) &&
	    (conn->state < CONN_READY || conn->sent_flights < conn->len))
		error = conn_send(conn, clock_now_ns());
	if (error != 0)
		on_send_failed(conn, error);
	/* Also while the request is still leaving: an early answer's edge comes only once. TLS may have to write to read. */
	else if (((what & (EV_READ | EV_TIMEOUT)) != 0 || conn->tls != NULL) && conn->state == CONN_READY)
		conn_receive(conn);
}

void
conn_expire(struct conn *conn, uint64_t now_ns, uint64_t limit_ns)
{
	const char *why = conn->state < CONN_READY ? "no connection in time" : "no whole answer in time";

	if (conn->state != CONN_CLOSED && conn->state < CONN_READY)
		conn_connect_expired(conn);
	else if (conn->state == CONN_READY && !conn->response.started)
		why = "no answer in time";
	conn_close(conn);
	while (conn->len > 0 && conn_flight(conn, 0)->timing.start_ns + limit_ns <= now_ns) {
		conn_flight(conn, 0)->timing.end_ns = now_ns;
		conn_explain(conn, FAILURE_TIMEOUT, why);
		conn_finish(conn, FAILURE_TIMEOUT);
	}
	conn_go_on_after(conn);
}
