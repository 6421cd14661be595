/* Whose turn it is to accept: of many idle workers, as many as there are CPUs to run them. */
#include "prefork_server/duty.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "prefork_server/signals.h"

#define PASS_NS 50000   /* for who was woken to come */
#define RENEW_MOST 1024 /* turns that duty_renew takes out of the socket */

/* Of this process, a worker. */
static struct duty *held;   /* whose turn it has; NULL: none */
static uint64_t held_epoch; /* and of which epoch it is */
static unsigned served;     /* connections of this turn */
static uint64_t seen;       /* page->accepted when it began to wait for a turn */

int
duty_open(struct duty *duty, unsigned turns, const _Atomic uint64_t *workers, _Atomic uint64_t *epoch)
{
	void *page = mmap(NULL, sizeof(*duty->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[2];

	if (page == MAP_FAILED)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) != 0) {
		int error = -errno;

		munmap(page, sizeof(*duty->page));
		return error;
	}
	*duty = (struct duty){
	    .give_fd = fds[0],
	    .take_fd = fds[1],
	    .turns = turns,
	    .workers = workers,
	    .epoch = epoch,
	    .page = page,
	};
	duty_renew(duty);
	return 0;
}

void
duty_close(struct duty *duty)
{
	close(duty->give_fd);
	close(duty->take_fd);
	munmap(duty->page, sizeof(*duty->page));
}

unsigned
duty_default_turns(void)
{
	cpu_set_t set;
	int cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return cpus < 1 ? 1 : cpus > DUTY_TURNS_MAX ? DUTY_TURNS_MAX : (unsigned)cpus;
}

/* give never waits: where the socket is full, there are more turns than there should be. */
static void
give(const struct duty *duty, uint64_t epoch)
{
	(void)!send(duty->give_fd, &epoch, sizeof(epoch), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
duty_renew(struct duty *duty)
{
	uint64_t epoch = atomic_load(duty->epoch) + 1;
	uint64_t old;

	atomic_store(duty->epoch, epoch);
	/* Bounded: a worker could fill the socket as fast as it is emptied here. */
	for (unsigned i = 0; i < RENEW_MOST; i++)
		if (recv(duty->take_fd, &old, sizeof(old), MSG_DONTWAIT) < 0)
			break;
	for (unsigned i = 0; i < duty->turns; i++)
		give(duty, epoch);
}

int
duty_begin(struct duty *duty, int beat_ms)
{
	struct timeval beat = {.tv_sec = beat_ms / 1000, .tv_usec = beat_ms % 1000 * 1000};

	return setsockopt(duty->take_fd, SOL_SOCKET, SO_RCVTIMEO, &beat, sizeof(beat)) == 0 ? 0 : -errno;
}

static void
hold(struct duty *duty, uint64_t epoch)
{
	served = 0;
	held_epoch = epoch;
	held = duty;
}

/* wait_turn receives turns until one is of this epoch, and holds it. Returns as duty_take. */
static int
wait_turn(struct duty *duty)
{
	for (;;) {
		uint64_t epoch = 0;
		ssize_t got;
		int error;

		signals_wait_begin();
		got = recv(duty->take_fd, &epoch, sizeof(epoch), 0);
		error = errno;
		signals_wait_end();
		if (got < 0 && error != EINTR)
			return -error;
		if (got > 0 && epoch == atomic_load(duty->epoch)) {
			hold(duty, epoch);
			return 0;
		}
	}
}

/*
 * pass_on gives the turn away and lets somebody else have it: who is woken
 * needs some time to come, in which it could be taken back.
 */
static void
pass_on(const struct duty *duty)
{
	const struct timespec pause = {.tv_nsec = PASS_NS};

	duty_leave();
	if (atomic_load_explicit(&duty->page->waiting, memory_order_relaxed) == 0)
		return;
	signals_wait_begin();
	(void)nanosleep(&pause, NULL);
	signals_wait_end();
}

int
duty_take(struct duty *duty)
{
	int error;

	if (held != NULL && served < DUTY_ROUND)
		return 0;
	if (held != NULL)
		pass_on(duty);
	if (atomic_load_explicit(duty->workers, memory_order_relaxed) <= duty->turns)
		return 0;
	seen = atomic_load_explicit(&duty->page->accepted, memory_order_relaxed);
	atomic_fetch_add_explicit(&duty->page->waiting, 1, memory_order_relaxed);
	error = wait_turn(duty);
	atomic_fetch_sub_explicit(&duty->page->waiting, 1, memory_order_relaxed);
	return error;
}

void
duty_claim(struct duty *duty)
{
	if (atomic_load_explicit(&duty->page->accepted, memory_order_relaxed) == seen)
		hold(duty, atomic_load(duty->epoch));
}

void
duty_accepted(struct duty *duty)
{
	uint64_t accepted = atomic_load_explicit(&duty->page->accepted, memory_order_relaxed);

	atomic_store_explicit(&duty->page->accepted, accepted + 1, memory_order_relaxed);
	served++;
}

bool
duty_is_mine(void)
{
	return held != NULL;
}

void
duty_leave(void)
{
	const struct duty *duty = held;

	if (duty == NULL)
		return;
	held = NULL;
	if (held_epoch == atomic_load(duty->epoch))
		give(duty, held_epoch);
}
