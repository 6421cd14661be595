/* Whether a worker of several threads accepts: its listening sockets in and out of its epoll set. */
#include "prefork_server/gate.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

static int
add(struct gate *gate, size_t i)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u64 = gate->first_key + i};

	return epoll_ctl(gate->epoll_fd, EPOLL_CTL_ADD, gate->listeners->fds[i], &event) == 0 ? 0 : -errno;
}

static void
remove_first(struct gate *gate, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)epoll_ctl(gate->epoll_fd, EPOLL_CTL_DEL, gate->listeners->fds[i], NULL);
}

/* add_all adds all sockets or none. Returns 0 or -errno. */
static int
add_all(struct gate *gate)
{
	for (size_t i = 0; i < gate->listeners->count; i++) {
		int error = add(gate, i);

		if (error != 0) {
			remove_first(gate, i);
			return error;
		}
	}
	return 0;
}

/* settle makes the set as the bars want it. Where the kernel has no memory for it, the next change tries again. */
static void
settle(struct gate *gate)
{
	if (gate->open && gate->bars != 0) {
		remove_first(gate, gate->listeners->count);
		gate->open = false;
	} else if (!gate->open && gate->bars == 0) {
		gate->open = add_all(gate) == 0;
	}
}

int
gate_init(struct gate *gate, int epoll_fd, const struct listeners *listeners, uint64_t first_key)
{
	*gate = (struct gate){.epoll_fd = epoll_fd, .listeners = listeners, .first_key = first_key};
	return -pthread_mutex_init(&gate->lock, NULL);
}

int
gate_open(struct gate *gate)
{
	int error;

	pthread_mutex_lock(&gate->lock);
	error = add_all(gate);
	gate->open = error == 0;
	pthread_mutex_unlock(&gate->lock);
	return error;
}

void
gate_deinit(struct gate *gate)
{
	pthread_mutex_destroy(&gate->lock);
}

bool
gate_shut(struct gate *gate, enum gate_bar bar)
{
	bool news;

	pthread_mutex_lock(&gate->lock);
	news = (gate->bars & bar) == 0;
	gate->bars |= bar;
	settle(gate);
	pthread_mutex_unlock(&gate->lock);
	return news;
}

bool
gate_lift(struct gate *gate, enum gate_bar bar)
{
	bool news;

	pthread_mutex_lock(&gate->lock);
	news = (gate->bars & bar) != 0;
	gate->bars &= ~(unsigned)bar;
	settle(gate);
	pthread_mutex_unlock(&gate->lock);
	return news;
}

void
gate_check(struct gate *gate, bool (*is_full)(const void *context), const void *context)
{
	pthread_mutex_lock(&gate->lock);
	gate->bars &= ~(unsigned)GATE_FULL;
	if (is_full(context))
		gate->bars |= GATE_FULL;
	settle(gate);
	pthread_mutex_unlock(&gate->lock);
}

void
gate_go_last(struct gate *gate)
{
	/* Who waits for the lock here would only do the same. */
	if (pthread_mutex_trylock(&gate->lock) != 0)
		return;
	if (gate->open) {
		remove_first(gate, gate->listeners->count);
		gate->open = add_all(gate) == 0;
	}
	pthread_mutex_unlock(&gate->lock);
}
