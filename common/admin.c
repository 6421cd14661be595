/* The admin address: settings, metrics and health, answered off the worker path while every worker or the loop sleeps. */
#include "common/admin.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/admin_answer.h"
#include "common/clock.h"
#include "common/http_request.h"
#include "common/http_response.h"
#include "common/listener.h"
#include "common/log.h"

#define BEAT_MS 1000 /* the longest that beat has to wait */
#define PAUSE_MS 100 /* after accept ran out of descriptors */

static const char *const wanted[] = {[ADMIN_ACCEPT] = "accept", NULL};

static const struct http_limits limits = {
    .wanted = wanted,
    .request_line = 1024,
    .field_size = 4096,
    .fields = 64,
    .header_size = 8192,
};

/* What poll watches: the two descriptors of struct admin, then one for each connection. */
enum { POLL_STOP, POLL_LISTEN, POLL_CONNS };

static void
close_conn(struct admin_conn *conn)
{
	http_request_deinit(&conn->request);
	close(conn->fd);
	conn->fd = -1;
}

/* take_event follows the request; returns false when this connection has what it needs for its answer. */
static bool
take_event(struct admin_conn *conn, enum http_event event, const struct admin *admin)
{
	switch (event) {
	case HTTP_MORE:
		return true;
	case HTTP_HEAD:
		conn->has_head = true;
		/* The form is small: the client may send it at once, and need not be asked for it. */
		if (conn->request.expect == HTTP_EXPECT_CONTINUE)
			(void)!send(conn->fd, HTTP_CONTINUE, strlen(HTTP_CONTINUE), MSG_NOSIGNAL | MSG_DONTWAIT);
		return true;
	case HTTP_BODY:
		if (conn->request.body.len > sizeof(conn->body) - conn->body_len) {
			admin_answer_error(conn, 413, "settings are at most 1024 bytes");
			return false;
		}
		memcpy(conn->body + conn->body_len, conn->request.body.at, conn->request.body.len);
		conn->body_len += conn->request.body.len;
		return true;
	case HTTP_COMPLETE:
		admin_answer(conn, admin);
		return false;
	case HTTP_INVALID:
		admin_answer_error(conn, conn->request.status, conn->request.reason);
		return false;
	}
	return false;
}

static void
read_request(struct admin_conn *conn, const struct admin *admin)
{
	char data[4096];
	ssize_t got = recv(conn->fd, data, sizeof(data), MSG_DONTWAIT);
	enum http_event event;
	size_t at = 0;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		close_conn(conn);
		return;
	}
	do {
		size_t taken;

		event = http_request_read(&conn->request, data + at, (size_t)got - at, &taken);
		at += taken;
	} while (take_event(conn, event, admin) && event != HTTP_MORE);
}

static void
write_answer(struct admin_conn *conn, const struct admin *admin)
{
	ssize_t sent = send(conn->fd, conn->answer + conn->answer_sent, conn->answer_len - conn->answer_sent,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR)
			close_conn(conn);
		return;
	}
	conn->answer_sent += (size_t)sent;
	if (conn->answer_sent == conn->answer_len && !admin_answer_more(conn, admin)) {
		/* Closing at once would reset what the peer has not read yet, if it is still sending. */
		shutdown(conn->fd, SHUT_WR);
		conn->lingering = true;
	}
}

static void
drain(struct admin_conn *conn)
{
	char data[4096];
	ssize_t got = recv(conn->fd, data, sizeof(data), MSG_DONTWAIT);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		close_conn(conn);
}

static void
go_on(struct admin_conn *conn, const struct admin *admin)
{
	if (conn->lingering) {
		drain(conn);
		return;
	}
	if (conn->answer_len == 0)
		read_request(conn, admin);
	if (conn->fd >= 0 && conn->answer_len > 0)
		write_answer(conn, admin);
}

/* accept_conns fills the free places. Returns when accepting may be tried again: 0 at once. */
static uint64_t
accept_conns(struct admin_conn *conns, int listen_fd)
{
	for (struct admin_conn *conn = conns; conn < conns + ADMIN_CONNECTIONS; conn++) {
		int fd;

		if (conn->fd >= 0)
			continue;
		fd = listener_accept(listen_fd, true);
		if (fd < 0)
			return fd == -EAGAIN ? 0 : clock_now_ns() + PAUSE_MS * NS_PER_MS;
		memset(conn, 0, offsetof(struct admin_conn, body));
		conn->due_ns = clock_now_ns() + ADMIN_DEADLINE_MS * NS_PER_MS;
		conn->fd = fd;
		if (http_request_init(&conn->request, &limits) != 0) {
			close(fd);
			conn->fd = -1;
		}
	}
	return 0;
}

/*
 * fill_polls says what to wait for, up to the last place that is taken: poll
 * refuses more places than there may be descriptors.  Returns the nearest
 * deadline, UINT64_MAX where there is none.
 */
static uint64_t
fill_polls(struct pollfd *polls, nfds_t *count, const struct admin_conn *conns, const struct admin *admin,
    uint64_t paused_until)
{
	uint64_t nearest = paused_until > 0 ? paused_until : UINT64_MAX;
	bool has_room = false;

	*count = POLL_CONNS;
	for (int i = 0; i < ADMIN_CONNECTIONS; i++) {
		const struct admin_conn *conn = &conns[i];

		polls[POLL_CONNS + i].fd = conn->fd;
		polls[POLL_CONNS + i].events = conn->answer_len > 0 && !conn->lingering ? POLLOUT : POLLIN;
		if (conn->fd < 0) {
			has_room = true;
			continue;
		}
		*count = POLL_CONNS + (nfds_t)i + 1;
		if (conn->due_ns < nearest)
			nearest = conn->due_ns;
	}
	polls[POLL_STOP] = (struct pollfd){.fd = admin->stop_fd, .events = POLLIN};
	polls[POLL_LISTEN] = (struct pollfd){
	    .fd = has_room && paused_until == 0 ? admin->listen_fd : -1,
	    .events = POLLIN,
	};
	return nearest;
}

static int
serve_loop(struct admin_conn *conns, const struct admin *admin)
{
	struct pollfd polls[POLL_CONNS + ADMIN_CONNECTIONS];
	uint64_t paused_until = 0;

	for (;;) {
		nfds_t count;
		uint64_t nearest = fill_polls(polls, &count, conns, admin, paused_until);
		int wait_ms = nearest == UINT64_MAX ? -1 : clock_ms_until(nearest);
		int ready;

		if (admin->beat != NULL) {
			admin->beat();
			wait_ms = wait_ms < 0 || wait_ms > BEAT_MS ? BEAT_MS : wait_ms;
		}
		ready = poll(polls, count, wait_ms);
		if (ready < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (ready > 0 && polls[POLL_STOP].revents != 0)
			return 0;
		log_follow();
		for (int i = 0; ready > 0 && i < ADMIN_CONNECTIONS; i++)
			if (conns[i].fd >= 0 && polls[POLL_CONNS + i].revents != 0)
				go_on(&conns[i], admin);
		for (int i = 0; i < ADMIN_CONNECTIONS; i++)
			if (conns[i].fd >= 0 && conns[i].due_ns <= clock_now_ns())
				close_conn(&conns[i]);
		if (paused_until != 0 && clock_now_ns() >= paused_until)
			paused_until = 0;
		else if (ready > 0 && polls[POLL_LISTEN].revents != 0)
			paused_until = accept_conns(conns, admin->listen_fd);
	}
}

int
admin_serve(const struct admin *admin)
{
	/* Too large for a thread's stack, and there is one admin address in a process. */
	static struct admin_conn conns[ADMIN_CONNECTIONS];
	int result;

	for (int i = 0; i < ADMIN_CONNECTIONS; i++)
		conns[i].fd = -1;
	result = serve_loop(conns, admin);
	for (int i = 0; i < ADMIN_CONNECTIONS; i++)
		if (conns[i].fd >= 0)
			close_conn(&conns[i]);
	return result;
}
