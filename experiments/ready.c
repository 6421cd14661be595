/* Is the server ready? One connection, or one request, asked again until it answers. */
#include "experiments/ready.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define ASK_AGAIN_NS (10 * NS_PER_MS)

int
ready_init(struct ready *ready, const struct server *server, const char *host, int port)
{
	*ready = (struct ready){
	    .state = READY_WAITING,
	    .fd = -1,
	    .address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)},
	    .server = server,
	};
	return inet_pton(AF_INET, host, &ready->address.sin_addr) == 1 ? 0 : -EINVAL;
}

void
ready_deinit(struct ready *ready)
{
	if (ready->fd >= 0)
		close(ready->fd);
	ready->fd = -1;
}

/* ask_again gives up this connection: nobody listens yet, or not in earnest. */
static void
ask_again(struct ready *ready)
{
	ready_deinit(ready);
	ready->state = READY_WAITING;
	ready->next_ns = clock_now_ns() + ASK_AGAIN_NS;
	ready->head_len = 0;
}

static void
connect_now(struct ready *ready)
{
	ready->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ready->fd >= 0 && (connect(ready->fd, (struct sockaddr *)&ready->address, sizeof(ready->address)) == 0 ||
				  errno == EINPROGRESS))
		ready->state = READY_CONNECTING;
	else
		ask_again(ready);
}

static void
send_request(struct ready *ready)
{
	struct pollfd writable = {.fd = ready->fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	char request[256];
	int error = 0, len;

	if (poll(&writable, 1, 0) == 0)
		return;
	if (getsockopt(ready->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
		ask_again(ready);
		return;
	}
	if (ready->server->ready_path == NULL) {
		ready->state = READY_YES;
		return;
	}
	len = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n",
	    ready->server->ready_path, ntohs(ready->address.sin_port));
	/* A new connection's buffer always has room for so little. */
	if (send(ready->fd, request, (size_t)len, MSG_NOSIGNAL) == len)
		ready->state = READY_READING;
	else
		ask_again(ready);
}

/* judge looks at a whole answer. */
static void
judge(struct ready *ready, char *error)
{
	int status = 0;

	ready->head[ready->head_len] = '\0';
	if (sscanf(ready->head, "HTTP/1.%*d %d", &status) == 1 && status == ready->server->ready_status) {
		ready->state = READY_YES;
		return;
	}
	ready->state = READY_FAILED;
	if (status > 0)
		snprintf(error, READY_ERROR_MAX, "it answers %d to GET %s, where its definition says %d", status,
		    ready->server->ready_path, ready->server->ready_status);
	else
		snprintf(error, READY_ERROR_MAX, "what answers GET %s does not speak HTTP", ready->server->ready_path);
}

static void
read_answer(struct ready *ready, char *error)
{
	char part[1024];
	ssize_t got;

	while ((got = recv(ready->fd, part, sizeof(part), 0)) > 0) {
		size_t room = sizeof(ready->head) - 1 - ready->head_len;
		size_t take = (size_t)got < room ? (size_t)got : room;

		memcpy(ready->head + ready->head_len, part, take);
		ready->head_len += take;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (ready->head_len > 0)
		judge(ready, error);
	else
		ask_again(ready);
}

enum ready_state
ready_step(struct ready *ready, char *error)
{
	if (ready->state == READY_WAITING && clock_now_ns() >= ready->next_ns)
		connect_now(ready);
	if (ready->state == READY_CONNECTING)
		send_request(ready);
	if (ready->state == READY_READING)
		read_answer(ready, error);
	if (ready->state == READY_YES || ready->state == READY_FAILED)
		ready_deinit(ready);
	return ready->state;
}

short
ready_events(const struct ready *ready)
{
	return ready->state == READY_CONNECTING ? POLLOUT : POLLIN;
}
