/* How requests leave on a connection. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/clock.h"
#include "loadgen/conn_parts.h"
#include "loadgen/tls.h"
#include "loadgen/worker.h"

#define PARTS_MAX 64 /* requests in one send */
#define SENDS_MAX 16 /* in a row; then the other connections have their turn */

/* put sends BYTES. Returns how many left, or -errno. */
static ssize_t
put(struct conn *conn, const char *bytes, size_t len)
{
	ssize_t sent;

	if (conn->tls != NULL)
		return tls_send(conn->tls, bytes, len);
	sent = send(conn->fd, bytes, len, MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

/* put_file sends of what REQUEST has in a file, from OFFSET on. Returns as put. */
static ssize_t
put_file(struct conn *conn, const struct request *request, uint64_t offset)
{
	struct worker *worker = conn->worker;
	ssize_t got = request_read(request, offset, worker->buf, sizeof(worker->buf));

	if (got < 0) {
		worker_abort(worker, CELL_BODY, (int)-got);
		return got;
	}
	return put(conn, worker->buf, (size_t)got);
}

/* put_together sends the requests that have not left, up to the first that has a part in a file. Returns as put. */
static ssize_t
put_together(struct conn *conn)
{
	struct iovec parts[PARTS_MAX];
	struct msghdr message = {.msg_iov = parts};
	uint64_t offset = conn->sent;
	ssize_t sent;

	for (uint32_t i = conn->sent_flights; i < conn->len && message.msg_iovlen < PARTS_MAX; i++) {
		const struct request *request = conn_request(conn, conn_flight(conn, i));

		parts[message.msg_iovlen++] = (struct iovec){request->bytes + offset, request->bytes_len - offset};
		if (request->bytes_len < request->len)
			break;
		offset = 0;
	}
	sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

/* send_some sends what one call takes of the requests that have not left. Returns how many bytes left, or -errno. */
static ssize_t
send_some(struct conn *conn)
{
	const struct request *request = conn_request(conn, conn_flight(conn, conn->sent_flights));

	if (conn->sent >= request->bytes_len)
		return put_file(conn, request, conn->sent);
	if (conn->len - conn->sent_flights > 1 && request->bytes_len == request->len && conn->tls == NULL)
		return put_together(conn);
	return put(conn, request->bytes + conn->sent, request->bytes_len - conn->sent);
}

/* note_sent: LEN bytes left at NOW_NS. */
static void
note_sent(struct conn *conn, uint64_t len, uint64_t now_ns)
{
	conn->worker->stats.bytes_sent += len;
	while (len > 0) {
		struct flight *flight = conn_flight(conn, conn->sent_flights);
		uint64_t rest = conn_request(conn, flight)->len - conn->sent;
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

int
conn_send(struct conn *conn, uint64_t now_ns)
{
	if (conn->state < CONN_READY && conn->worker->shared->tls != NULL) {
		int error = conn_secure(conn);

		if (error != 0 || conn->state < CONN_READY)
			return error;
		now_ns = clock_now_ns();
	}
	for (int sends = 0; conn->sent_flights < conn->len; sends++) {
		ssize_t len;

		if (sends == SENDS_MAX) {
			conn_call_again(conn);
			break;
		}
		if (sends > 0) /* the one before took its time */
			now_ns = clock_now_ns();
		len = send_some(conn);
		if (len == -EINTR)
			continue;
		if (len < 0)
			return len == -EAGAIN ? 0 : (int)-len;
		if (conn->state == CONN_CONNECTING) {
			conn_note_connected(conn, now_ns, CONN_READY);
			conn_note_ready(conn, now_ns);
		}
		note_sent(conn, (uint64_t)len, now_ns);
	}
	return 0;
}
