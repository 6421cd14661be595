/*
 * The limit for loadgen: a bare epoll client.  An answer must be 200 and have
 * a Content-Length; of its header no more is read, of its body nothing: what
 * lies in the socket is counted where it is (MSG_TRUNC).  One write and one
 * read a request, and no epoll_ctl but when a connection opens.  No deadlines,
 * and it ends at the first thing that is not as expected: for bench/ only.
 *
 *   cc -D_GNU_SOURCE -O2 -o epoll_client bench/limits/epoll_client.c
 *   ./epoll_client [-1] [-l] [-c CONNECTIONS] [-d DEPTH] [-t SECONDS] PORT [TARGET]
 *
 *   -1  a connection for each request, closed when the answer is whole
 *   -d  so many requests in one write; the next ones when all are answered
 *   -l  take the time of each request, which costs two looks at the clock
 *
 * It asks 127.0.0.1:PORT, and prints a JSON object: requests, seconds, cpu_s,
 * bytes (of bodies), and with -l p50_ms and p99_ms.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 1024
#define HEAD_SIZE 4096 /* of a read that may have headers in it; 16 pipelined answers fit */
#define REQUEST_MAX 512
#define DEPTH_MAX 1000
#define TIMES_MAX (1u << 24)
#define NS_PER_SEC 1000000000u

struct conn {
	int fd;
	int awaited;        /* answers to what was sent */
	uint64_t body_left; /* of the answer under way */
	uint64_t sent_ns;   /* with -l */
};

static int connections = 1, depth = 1, seconds = 1;
static bool closing, timed;
static struct sockaddr_in address = {.sin_family = AF_INET};
static char *requests; /* as many as are sent at once */
static size_t requests_len;
static int epoll_fd;
static uint64_t answered, body_bytes;
static uint32_t *times_ns; /* with -l: of each request, up to 4 s */
static size_t times_len;

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

static void
ask(struct conn *conn)
{
	if (timed)
		conn->sent_ns = clock_ns(CLOCK_MONOTONIC);
	conn->awaited = depth;
	if (send(conn->fd, requests, requests_len, MSG_NOSIGNAL) != (ssize_t)requests_len)
		err(1, "send");
}

/* open_and_ask: on loopback the handshake is over when connect returns, though it says EINPROGRESS. */
static void
open_and_ask(struct conn *conn)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = conn};

	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (conn->fd < 0 ||
	    (connect(conn->fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS))
		err(1, "connect");
	ask(conn);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) != 0)
		err(1, "epoll_ctl");
}

static void
count(struct conn *conn)
{
	answered++;
	if (timed && times_len < TIMES_MAX)
		times_ns[times_len++] = (uint32_t)(clock_ns(CLOCK_MONOTONIC) - conn->sent_ns);
	if (--conn->awaited > 0)
		return;
	if (closing) {
		close(conn->fd);
		open_and_ask(conn);
	} else {
		ask(conn);
	}
}

/* read_head reads the header at AT, line by line. Returns where it ends, and the length of its body in *LENGTH. */
static const char *
read_head(const char *at, const char *end, uint64_t *length)
{
	static const char status[] = "HTTP/1.1 200 ", field[] = "Content-Length: ";
	bool has_length = false;

	if ((size_t)(end - at) < sizeof(status) || memcmp(at, status, sizeof(status) - 1) != 0)
		errx(1, "an answer is not 200: %.*s", (int)(end - at), at);
	for (;;) {
		const char *next = memchr(at, '\n', (size_t)(end - at));

		if (next++ == NULL)
			errx(1, "the header of an answer came in pieces");
		if (*at == '\r')
			break;
		if (*at == 'C' && (size_t)(next - at) > sizeof(field) && memcmp(at, field, sizeof(field) - 1) == 0) {
			*length = strtoull(at + sizeof(field) - 1, NULL, 10);
			has_length = true;
		}
		at = next;
	}
	if (!has_length)
		errx(1, "an answer has no length");
	body_bytes += *length;
	return at + 2;
}

/* take_answers goes through what was read; all but the last body is in it. */
static void
take_answers(struct conn *conn, const char *at, const char *end)
{
	while (at < end) {
		uint64_t length = 0;

		if (conn->awaited == 0)
			errx(1, "an answer to nothing");
		at = read_head(at, end, &length);
		if (length > (uint64_t)(end - at)) {
			conn->body_left = length - (uint64_t)(end - at);
			return;
		}
		at += length;
		count(conn);
	}
}

/*
 * on_readable reads until the socket is known to be empty: a read returned
 * less than it could have, or the only answer under way is whole.  ENDED: the
 * server has closed it, of which there is no other event.
 */
static void
on_readable(struct conn *conn, bool ended)
{
	static char head[HEAD_SIZE];
	uint64_t before = answered;
	bool more = true;

	while (more && !(closing && answered > before)) {
		bool in_body = conn->body_left > 0;
		size_t size = in_body ? conn->body_left : sizeof(head);
		ssize_t got = recv(conn->fd, in_body ? NULL : head, size, in_body ? MSG_TRUNC : 0);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0)
			errx(1, "a connection ended: %s", got < 0 ? strerror(errno) : "closed by the server");
		more = ended || (!in_body && (size_t)got == size);
		if (!in_body) {
			take_answers(conn, head, head + got);
		} else if ((conn->body_left -= (uint64_t)got) == 0) {
			more |= depth > 1;
			count(conn);
		}
	}
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* percentile_ms: the smallest time within which at least SHARE percent of the requests ended. */
static double
percentile_ms(size_t share)
{
	return times_len == 0 ? 0 : times_ns[(times_len * share + 99) / 100 - 1] / 1e6;
}

static void
print_result(uint64_t took_ns, uint64_t cpu_ns)
{
	printf("{\"requests\": %llu, \"seconds\": %.6f, \"cpu_s\": %.6f, \"bytes\": %llu", (unsigned long long)answered,
	    (double)took_ns / 1e9, (double)cpu_ns / 1e9, (unsigned long long)body_bytes);
	if (timed) {
		qsort(times_ns, times_len, sizeof(*times_ns), compare);
		printf(", \"p50_ms\": %.6f, \"p99_ms\": %.6f", percentile_ms(50), percentile_ms(99));
	}
	printf("}\n");
}

static void
prepare(const char *port, const char *target)
{
	char request[REQUEST_MAX];
	int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n%s\r\n", target, port,
	    closing ? "Connection: close\r\n" : "");

	if (len <= 0 || (size_t)len >= sizeof(request))
		errx(2, "too long: %s", target);
	address.sin_port = htons((uint16_t)atoi(port));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	requests_len = (size_t)len * (size_t)depth;
	requests = malloc(requests_len);
	times_ns = timed ? calloc(TIMES_MAX, sizeof(*times_ns)) : NULL;
	if (requests == NULL || (timed && times_ns == NULL))
		err(1, NULL);
	for (int i = 0; i < depth; i++)
		memcpy(requests + i * len, request, (size_t)len);
}

static void
parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "1lc:d:t:")) != -1) {
		switch (option) {
		case '1':
			closing = true;
			break;
		case 'l':
			timed = true;
			break;
		case 'c':
			connections = atoi(optarg);
			break;
		case 'd':
			depth = atoi(optarg);
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		default:
			exit(2);
		}
	}
	if (optind >= argc || connections < 1 || depth < 1 || depth > DEPTH_MAX || seconds < 1 ||
	    (closing && depth > 1))
		errx(2, "usage: epoll_client [-1] [-l] [-c CONNECTIONS] [-d DEPTH] [-t SECONDS] PORT [TARGET]");
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	struct conn *conns;
	uint64_t begin_ns, cpu_ns, now_ns;

	parse_options(argc, argv);
	prepare(argv[optind], optind + 1 < argc ? argv[optind + 1] : "/");
	conns = calloc((size_t)connections, sizeof(*conns));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (conns == NULL || epoll_fd < 0)
		err(1, NULL);
	begin_ns = clock_ns(CLOCK_MONOTONIC);
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < connections; i++)
		open_and_ask(&conns[i]);
	do {
		int ready = epoll_wait(epoll_fd, events, EVENTS, 1000);

		for (int i = 0; i < ready; i++)
			on_readable(events[i].data.ptr, (events[i].events & EPOLLRDHUP) != 0);
		now_ns = clock_ns(CLOCK_MONOTONIC);
	} while (now_ns - begin_ns < (uint64_t)seconds * NS_PER_SEC);
	print_result(now_ns - begin_ns, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns);
	return 0;
}
