/* The same connection, served by prefork_server. */
#include "tests/fuzz/connection/prefork.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "prefork_server/exchange.h"
#include "tests/fuzz/connection/check.h"

#define PATIENCE_NS (60 * NS_PER_SEC)

static struct exchange exchange;
static int peer = -1;

/* keep: the client may always send another request. */
static bool
keep(const void *keeper)
{
	(void)keeper;
	return true;
}

void
prefork_begin(const struct prefork_with *with)
{
	static const struct config config = {
	    .header_timeout_ns = PATIENCE_NS,
	    .body_timeout_ns = PATIENCE_NS,
	    .drain_timeout_ns = PATIENCE_NS,
	    .keep_alive_ns = PATIENCE_NS,
	};
	static struct lane lane;
	static struct worker worker;
	int pair[2];

	worker = (struct worker){
	    .config = &config,
	    .settings = with->settings,
	    .access_log = with->access_log,
	    .limits = *with->limits,
	    .lane = &lane,
	    .metrics = &lane.metrics,
	};
	/* A packet is a piece: each read gets one of them, and none has to wait for another. */
	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0, "there are sockets");
	peer = pair[0];
	check(exchange_init(&exchange, &worker) == 0, "there is memory");
	exchange.keeps = keep;
	exchange_attach(&exchange, pair[1], clock_now_ns());
}

bool
prefork_send(const char *data, size_t len)
{
	return send(peer, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* receive adds what has come to the USED bytes in OUT. Returns how many there are then. */
static size_t
receive(char *out, size_t used, size_t size)
{
	ssize_t got;

	while ((got = recv(peer, out + used, size - used, 0)) > 0)
		used += (size_t)got;
	check(used < size, "answers are not endless");
	return used;
}

size_t
prefork_serve(char *out, size_t size)
{
	enum exchange_end end;
	uint64_t begun_ns = clock_now_ns();
	size_t used = 0;

	shutdown(peer, SHUT_WR);
	do {
		end = exchange_next(&exchange, begun_ns + PATIENCE_NS);
		used = receive(out, used, size);
	} while (end == EXCHANGE_KEEP);
	check(end != EXCHANGE_MORE, "who waits for a header gets it, or an end");
	client_close(&exchange.client, end == EXCHANGE_LINGER ? PATIENCE_NS : 0);
	check(clock_now_ns() - begun_ns < PATIENCE_NS / 8, "a connection whose client has sent everything ends");
	used = receive(out, used, size);
	exchange_deinit(&exchange);
	close(peer);
	return used;
}
