/* The door is closed, the queue is served: how a listening socket ends without a reset for anybody. */
#include "prefork_server/drain.h"

#include <errno.h>
#include <linux/filter.h>
#include <stddef.h>
#include <sys/socket.h>

#include "common/clock.h"

/* What the filter of a listening TCP socket sees begins with the TCP header: RFC 9293, 3.1. */
#define FLAGS_AT 13
#define FLAG_SYN 0x02
#define FLAG_ACK 0x10
#define DROP 0
#define PASS UINT32_MAX

/* hold_back drops the first packet of a handshake, and nothing else. */
static int
hold_back(int fd)
{
	struct sock_filter program[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FLAG_SYN | FLAG_ACK),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FLAG_SYN, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, DROP),
	    BPF_STMT(BPF_RET | BPF_K, PASS),
	};
	const struct sock_fprog filter = {.len = ARRAY_LEN(program), .filter = program};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0 ? 0 : -errno;
}

int
drain_begin(struct drain *drain, struct listeners *listeners)
{
	int error = 0;

	listeners_remove_files(listeners);
	for (size_t i = 0; i < listeners->count && error == 0; i++)
		if (listener_family(listeners->fds[i]) != AF_UNIX)
			error = hold_back(listeners->fds[i]);
	*drain = (struct drain){.listeners = listeners, .look_ns = clock_now_ns()};
	return error;
}

bool
drain_is_over(struct drain *drain)
{
	uint64_t now = clock_now_ns();

	if (now < drain->look_ns)
		return false;
	drain->look_ns = now + DRAIN_LOOK_NS;
	if (listeners_are_waited_at(drain->listeners))
		drain->empty_ns = 0;
	else if (drain->empty_ns == 0)
		drain->empty_ns = now;
	return drain->empty_ns != 0 && now - drain->empty_ns >= DRAIN_EMPTY_NS;
}
