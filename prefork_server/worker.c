/* A worker process: what every class of worker has, whatever way it serves. */
#include "prefork_server/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "prefork_server/signals.h"
#include "prefork_server/worker_gthread.h"
#include "prefork_server/worker_sync.h"

const struct worker_class *const worker_classes[] = {&worker_sync, &worker_gthread};

int
worker_class_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(worker_classes); i++)
		if (strcmp(worker_classes[i]->name, name) == 0)
			return (int)i;
	return -1;
}

#define BEAT_MAX_MS 1000

/* Of this process, for quit. */
static struct worker *self;
static const struct worker_class *self_class;

static _Atomic uint64_t requests; /* of all threads; counted only where there is a most */

static void
say_goodbye(void)
{
	log_info("Worker exiting (pid: %d)", (int)getpid());
	access_log_flush(self->access_log);
}

/* signals.h says when quit and reopen_logs are called. */
static void
quit(int signal)
{
	self_class->quit(signal);
	say_goodbye();
	_exit(signal == SIGABRT ? 1 : 0);
}

static void
reopen_logs(void)
{
	int error = log_reopen();

	if (error != 0)
		log_error("Cannot open %s again: %s", self->config->error_log, strerror(-error));
	error = access_log_reopen(self->access_log);
	if (error != 0)
		log_error("Cannot open %s again: %s", self->config->access_log, strerror(-error));
}

/* draw returns a random number from 0 to MAX. */
static uint64_t
draw(uint64_t max)
{
	uint64_t number;

	/* Early in the life of a machine there may be nothing random yet: then what tells workers apart will do. */
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
		number = (clock_now_ns() ^ (uint64_t)getpid() << 32) * 0x9e3779b97f4a7c15 >> 16;
	return number % (max + 1);
}

/* boot_status: what will pass ends this worker; what will not, the server, as in gunicorn. */
static int
boot_status(int error)
{
	/* ENOSPC: epoll's watches, which all processes of the user share (epoll(7)). */
	bool passes = error == -ENFILE || error == -ENOMEM || error == -ENOBUFS || error == -ENOSPC;

	return passes ? EXIT_FAILURE : WORKER_BOOT_ERROR;
}

_Noreturn void
worker_main(struct worker *worker, const struct worker_class *class)
{
	int error;

	self = worker;
	self_class = class;
	if (worker->config->max_requests > 0)
		worker->requests_max =
		    (uint64_t)worker->config->max_requests + draw((uint64_t)worker->config->max_requests_jitter);
	/* TERM lets a request end that is under way; the arbiter may have died before this line as well as after. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	log_info("Booting worker with pid: %d", (int)getpid());
	signals_init(quit, reopen_logs);
	error = worker_has_parent(worker) ? class->run(worker) : 0;
	if (error != 0)
		log_error("Worker cannot begin: %s", strerror(-error));
	say_goodbye();
	access_log_free(worker->access_log);
	exit(error == 0 ? 0 : boot_status(error));
}

bool
worker_is_alive(struct worker *worker)
{
	signals_check();
	if (!signals_term())
		return true;
	(void)worker_has_parent(worker); /* its death sent TERM too: say which it was */
	return false;
}

bool
worker_count_request(struct worker *worker)
{
	uint64_t count;

	if (worker->requests_max == 0)
		return true;
	count = atomic_fetch_add(&requests, 1) + 1;
	if (count == worker->requests_max) {
		log_info("Autorestarting worker after current request.");
		atomic_store(worker->retiring, (int)getpid());
		/* It only wakes; where the worker has not the right to, the arbiter looks once a second. */
		if (worker_has_parent(worker))
			(void)kill(worker->arbiter, SIGCHLD);
		(void)kill(getpid(), SIGTERM);
	}
	return count < worker->requests_max;
}

bool
worker_has_parent(struct worker *worker)
{
	if (getppid() == worker->arbiter)
		return true;
	log_info("Parent changed, shutting down: <Worker %d>", (int)getpid());
	return false;
}

int
worker_beat_ms(const struct config *config)
{
	uint64_t half_ms = config->timeout_ns / 2 / NS_PER_MS;

	if (half_ms == 0)
		return config->timeout_ns == 0 ? BEAT_MAX_MS : 1;
	return half_ms < BEAT_MAX_MS ? (int)half_ms : BEAT_MAX_MS;
}

unsigned
worker_last_share(const struct worker *worker, int listen_fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	unsigned waiting = (unsigned)worker->config->backlog;
	unsigned workers = (unsigned)atomic_load(&worker->notice->workers);

	if (!atomic_load(&worker->notice->serve_last))
		return 0;
	/* Of a listening socket, tcpi_unacked is the length of its accept queue; a Unix socket does not tell. */
	if (getsockopt(listen_fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
		waiting = info.tcpi_unacked;
	return workers > 1 ? (waiting + workers - 1) / workers : waiting;
}
