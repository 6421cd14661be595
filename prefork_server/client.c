/* One connection, served by blocking: every read and write has a deadline, and the end loses no answer. */
#include "prefork_server/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "prefork_server/duty.h"
#include "prefork_server/signals.h"

/* How long a worker keeps its turn to accept (duty.h) while it waits: for a client that is about to send, much. */
#define BRIEF_NS 200000

/* poll_until is poll(2) for one descriptor; the turn to accept goes to another worker when it takes longer. */
static int
poll_until(struct pollfd *poller, uint64_t due_ns)
{
	const struct timespec brief = {.tv_nsec = BRIEF_NS};

	if (duty_is_mine()) {
		int ready = ppoll(poller, 1, &brief, NULL);

		if (ready != 0)
			return ready;
		duty_leave();
	}
	return poll(poller, 1, clock_ms_until(due_ns));
}

/* wait_for waits for EVENTS. Returns 0 when it is worth trying again, -ETIMEDOUT after DUE_NS. */
static int
wait_for(struct client *client, short events, uint64_t due_ns)
{
	struct pollfd poller = {.fd = client->fd, .events = events};
	uint64_t begun_ns = clock_now_ns();
	uint64_t ended_ns;
	int ready, error;

	if (due_ns > client->expires_ns)
		due_ns = client->expires_ns;
	signals_wait_begin();
	ready = poll_until(&poller, due_ns);
	error = errno;
	signals_wait_end();
	ended_ns = clock_now_ns();
	client->waited_ns += ended_ns - begun_ns;
	if (ready < 0 && error != EINTR && error != EAGAIN)
		return -error;
	/* A signal may have ended the wait: the deadline decides. */
	return ready <= 0 && ended_ns >= due_ns ? -ETIMEDOUT : 0;
}

ssize_t
client_read(struct client *client, char *buf, size_t size, uint64_t due_ns)
{
	signals_check();
	for (;;) {
		ssize_t got = recv(client->fd, buf, size, 0);
		int error;

		/* Who sends without a pause is never waited for, and has to end all the same. */
		if (got == (ssize_t)size && clock_now_ns() >= client->expires_ns)
			return -ETIMEDOUT;
		if (got >= 0)
			return got;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || due_ns == CLIENT_NOW)
			return -errno;
		error = wait_for(client, POLLIN, due_ns);
		if (error != 0)
			return error;
	}
}

/* What is read at a time, only to be dropped, and how often where that may not take long. */
#define DROP_BYTES 4096
#define DROP_TIMES 16

/* skip_sent takes the first SENT bytes off PARTS; returns how many parts are used up. */
static int
skip_sent(struct iovec *parts, int count, size_t sent)
{
	int done = 0;

	while (done < count && sent >= parts[done].iov_len)
		sent -= parts[done++].iov_len;
	if (done < count) {
		parts[done].iov_base = (char *)parts[done].iov_base + sent;
		parts[done].iov_len -= sent;
	}
	return done;
}

/* write_all is client_write with FLAGS for sendmsg. */
static int
write_all(struct client *client, struct iovec *parts, int count, uint64_t due_ns, int flags)
{
	int done = 0;

	for (;;) {
		struct msghdr message = {.msg_iov = parts + done, .msg_iovlen = (size_t)(count - done)};
		ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL | flags);
		int error;

		if (sent >= 0) {
			done += skip_sent(parts + done, count - done, (size_t)sent);
			if (done == count)
				return 0;
		} else if (errno == EAGAIN) {
			error = wait_for(client, POLLOUT, due_ns);
			if (error != 0)
				return error;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

int
client_write(struct client *client, struct iovec *parts, int count, uint64_t due_ns)
{
	return write_all(client, parts, count, due_ns, 0);
}

int
client_write_end(struct client *client, struct iovec *parts, int count, uint64_t due_ns)
{
	/* The kernel keeps the last segment back for what follows. close(2) alone would drop it where something is unread. */
	int error = write_all(client, parts, count, due_ns, MSG_MORE);

	if (error == 0)
		(void)client_end(client);
	return error;
}

bool
client_write_last(struct client *client, struct iovec *parts, int count)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
	ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	char dropped[DROP_BYTES];

	/* What is unread when the process ends would reset the connection, and with it what was sent. */
	if (shutdown(client->fd, SHUT_WR) == 0)
		for (int i = 0; i < DROP_TIMES; i++)
			if (recv(client->fd, dropped, sizeof(dropped), MSG_DONTWAIT) <= 0)
				break;
	return sent >= 0 && skip_sent(parts, count, (size_t)sent) == count;
}

bool
client_has_unread(const struct client *client)
{
	int unread = 0;

	return ioctl(client->fd, FIONREAD, &unread) == 0 && unread > 0;
}

bool
client_end(struct client *client)
{
	return shutdown(client->fd, SHUT_WR) == 0;
}

bool
client_drop(struct client *client, uint64_t due_ns)
{
	char dropped[DROP_BYTES];
	ssize_t got;

	do
		got = client_read(client, dropped, sizeof(dropped), CLIENT_NOW);
	while (got > 0 && clock_now_ns() < due_ns);
	return got == -EAGAIN;
}

void
client_close(struct client *client, uint64_t linger_ns)
{
	if (linger_ns > 0 && client_end(client)) {
		uint64_t most_ns = CLIENT_LINGER_MS * NS_PER_MS;
		uint64_t due_ns = clock_now_ns() + (linger_ns < most_ns ? linger_ns : most_ns);
		char dropped[DROP_BYTES];

		while (clock_now_ns() < due_ns && client_read(client, dropped, sizeof(dropped), due_ns) > 0)
			;
	}
	close(client->fd);
	client->fd = -1;
}
