/* The loops of the process: each a thread with its own listening sockets, buffers and counters; they share nothing while they serve. */
#include "async_server/loops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "async_server/side_thread.h"
#include "common/access_log.h"
#include "common/log.h"

/* share_of gives each loop its part of --max-connections; a config for each, as they have it for themselves. */
static struct config
share_of(const struct loop *loop, const struct config *config)
{
	struct config own = *config;
	int64_t count = (int64_t)loop->loops->count;
	int64_t index = (int64_t)loop->index;

	if (own.max_connections > 0)
		own.max_connections = own.max_connections / count + (index < own.max_connections % count ? 1 : 0);
	return own;
}

int
loops_init(struct loops *loops, const struct config *config, struct settings *settings, struct metrics *metrics,
    const int *inherited, size_t n)
{
	*loops = (struct loops){
	    .config = config,
	    .settings = settings,
	    .metrics = metrics,
	    .address = config->bind,
	    .shared_count = n,
	    .inherited = n > 0,
	};
	pthread_mutex_init(&loops->lock, NULL);
	if (n > 0)
		memcpy(loops->shared, inherited, n * sizeof(*inherited));
	loops->all = calloc((size_t)config->loops, sizeof(*loops->all));
	if (loops->all == NULL)
		return -ENOMEM;
	for (; loops->count < (size_t)config->loops; loops->count++) {
		struct loop *loop = &loops->all[loops->count];

		loop->loops = loops;
		loop->index = loops->count;
		loop->server = aligned_alloc(64, (sizeof(*loop->server) + 63) / 64 * 64);
		if (loop->server == NULL)
			return -ENOMEM;
		/* The admin address may look before the loop is prepared. */
		memset(loop->server, 0, offsetof(struct server, in));
		sem_init(&loop->go, 0, 0);
		sem_init(&loop->ready, 0, 0);
		loop->notice_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (loop->notice_fd < 0)
			return -errno;
	}
	return 0;
}

void
loops_deinit(struct loops *loops)
{
	for (size_t i = 0; i < loops->count; i++) {
		sem_destroy(&loops->all[i].go);
		sem_destroy(&loops->all[i].ready);
		close(loops->all[i].notice_fd);
		free(loops->all[i].server);
	}
	free(loops->all);
	pthread_mutex_destroy(&loops->lock);
}

/* wait_for waits for a thread that has no way of hanging. */
static void
wait_for(sem_t *sem)
{
	while (sem_wait(sem) != 0)
		; /* interrupted by a signal */
}

static int
fail(struct loop *loop, int status, const char *what, int error)
{
	loop->status = status;
	snprintf(loop->why, sizeof(loop->why), "%s: %s", what, strerror(-error));
	return status;
}

static int
fail_listener(struct loop *loop, int error)
{
	loop->status = listener_exit_status(error);
	listener_error(error, loop->loops->address, "--bind", loop->why, sizeof(loop->why));
	return loop->status;
}

/* own_copy returns a descriptor of the socket FD that this loop alone closes, or -errno. */
static int
own_copy(const struct loop *loop, int fd)
{
	if (loop->index == 0 || side_thread_has_own_files())
		return fd;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* open_sockets gives LOOP what it accepts from: its own socket, or its copies of those that all loops have. */
static int
open_sockets(struct loop *loop)
{
	const struct loops *loops = loop->loops;
	int error = 0, fd;

	if (loops->shared_count == 0) {
		fd = listener_open(loops->address, (int)loops->config->backlog, loops->count > 1);
		if (fd < 0)
			return fail_listener(loop, fd);
		error = server_listen(loop->server, fd, true);
	}
	for (size_t i = 0; i < loops->shared_count && error == 0; i++) {
		fd = own_copy(loop, loops->shared[i]);
		error = fd < 0 ? fd : server_listen(loop->server, fd, loop->index == 0 && !loops->inherited);
	}
	return error == 0 ? 0 : fail(loop, 1, "cannot accept connections", error);
}

/* open_loop prepares LOOP, in its own thread and with that thread's table of descriptors. */
static int
open_loop(struct loop *loop)
{
	const struct loops *loops = loop->loops;
	struct config own = share_of(loop, loops->config);
	char what[300];
	int error;

	snprintf(what, sizeof(what), "--access-logfile %.256s", own.access_logfile);
	error = access_log_new(&loop->access_log, own.access_logfile,
	    own.log_json ? ACCESS_LOG_JSON : ACCESS_LOG_AIOHTTP, own.access_log_format);
	if (error != 0)
		return fail(loop, 1, what, error);
	error = server_init(
	    loop->server, &own, loops->settings, &loops->metrics[loop->index], loop->access_log, loop->notice_fd);
	if (error != 0)
		return fail(loop, 1, "cannot start the event loop", error);
	return open_sockets(loop);
}

static void
close_loop(struct loop *loop)
{
	pthread_mutex_lock(&loop->loops->lock);
	loop->open = false;
	pthread_mutex_unlock(&loop->loops->lock);
	server_deinit(loop->server);
	access_log_free(loop->access_log);
}

static void *
run_loop(void *argument)
{
	struct loop *loop = argument;
	int status;

	wait_for(&loop->go);
	status = open_loop(loop);
	sem_post(&loop->ready);
	if (status != 0)
		return NULL; /* and the process ends */
	server_run(loop->server);
	close_loop(loop);
	return NULL;
}

/*
 * claim_address makes sure that nobody else has --bind: with SO_REUSEPORT, a
 * second server of the same user would get half of the connections and neither
 * would notice.  A port of 0 is chosen here, once for all loops.
 */
static int
claim_address(struct loops *loops)
{
	const char *colon = strrchr(loops->address, ':');
	const char *port = colon != NULL ? colon + 1 : loops->address;
	int fd = listener_open(loops->address, (int)loops->config->backlog, false);

	if (fd < 0)
		return fd;
	listener_name(fd, loops->name);
	listener_close(fd);
	if (strspn(port, "0") == strlen(port))
		loops->address = loops->name + strlen("http://");
	return 0;
}

/* open_shared does what is to be done once for several loops: a Unix socket cannot be opened twice. */
static int
open_shared(struct loops *loops)
{
	int fd;

	if (loops->count == 1 || loops->shared_count > 0)
		return 0;
	if (!listener_is_unix(loops->address))
		return claim_address(loops);
	fd = listener_open(loops->address, (int)loops->config->backlog, false);
	if (fd < 0)
		return fd;
	loops->shared[loops->shared_count++] = fd;
	return 0;
}

/* configure hands on what loops_configure was called with; the caller holds the lock. */
static void
configure(struct loop *loop)
{
	struct config own = share_of(loop, &loop->loops->next);

	server_configure(loop->server, &own);
}

/* begin_serving lets through what was asked for while the loops were being prepared. */
static void
begin_serving(struct loops *loops)
{
	pthread_mutex_lock(&loops->lock);
	for (size_t i = 0; i < loops->count; i++) {
		loops->all[i].open = true;
		if (loops->has_next)
			configure(&loops->all[i]);
		if (loops->stop_asked)
			server_stop(loops->all[i].server);
	}
	pthread_mutex_unlock(&loops->lock);
}

/* tell_failed returns the status of the first loop that could not be opened, with its message in WHY; 0: none. */
static int
tell_failed(struct loops *loops, char *why, size_t why_size)
{
	int status = 0;

	for (size_t i = loops->count; i-- > 0;) {
		struct loop *loop = &loops->all[i];

		if (loop->status == 0)
			continue;
		status = loop->status;
		snprintf(why, why_size, "%s", loop->why);
		if (i > 0)
			pthread_join(loop->thread, NULL);
	}
	return status;
}

/* open_all is loops_open; but what it opened for all loops stays open where it fails. */
static int
open_all(struct loops *loops, char *why, size_t why_size)
{
	struct loop *first = &loops->all[0];
	int error;

	error = open_shared(loops);
	if (error < 0) {
		listener_error(error, loops->address, "--bind", why, why_size);
		return listener_exit_status(error);
	}
	/* All threads first, each with a table of its own, and then the sockets: each in one table alone. */
	for (size_t i = 1; i < loops->count; i++) {
		error = side_thread_start(&loops->all[i].thread, run_loop, &loops->all[i]);
		if (error != 0) {
			snprintf(why, why_size, "cannot start a thread for loop %zu of %zu: %s", i + 1, loops->count,
			    strerror(-error));
			return 1;
		}
	}
	open_loop(first);
	for (size_t i = 1; i < loops->count; i++)
		sem_post(&loops->all[i].go);
	for (size_t i = 1; i < loops->count; i++)
		wait_for(&loops->all[i].ready);
	error = tell_failed(loops, why, why_size);
	if (error != 0)
		return error;
	listener_name(first->server->acceptors[0].fd, loops->name);
	begin_serving(loops);
	return 0;
}

int
loops_open(struct loops *loops, char *why, size_t why_size)
{
	int status = open_all(loops, why, why_size);

	if (status != 0 && !loops->inherited && loops->shared_count > 0)
		listener_close(loops->shared[0]);
	return status;
}

void
loops_run(struct loops *loops)
{
	server_run(loops->all[0].server);
	close_loop(&loops->all[0]);
	for (size_t i = 1; i < loops->count; i++)
		pthread_join(loops->all[i].thread, NULL);
}

void
loops_stop(struct loops *loops)
{
	pthread_mutex_lock(&loops->lock);
	loops->stop_asked = true;
	for (size_t i = 0; i < loops->count; i++)
		if (loops->all[i].open)
			server_stop(loops->all[i].server);
	pthread_mutex_unlock(&loops->lock);
}

void
loops_configure(struct loops *loops, const struct config *config)
{
	pthread_mutex_lock(&loops->lock);
	loops->next = *config;
	loops->has_next = true;
	for (size_t i = 0; i < loops->count; i++)
		if (loops->all[i].open)
			configure(&loops->all[i]);
	pthread_mutex_unlock(&loops->lock);
}

static double
seconds(const _Atomic uint64_t *ns)
{
	return (double)atomic_load_explicit(ns, memory_order_relaxed) / (double)NS_PER_SEC;
}

static double
lag(const struct loop *loop)
{
	return (double)server_lag_ns(loop->server) / (double)NS_PER_SEC;
}

static double
lag_max(const struct loop *loop)
{
	double last = lag(loop), max = seconds(&loop->server->round_max_ns);

	return last > max ? last : max;
}

static double
busy(const struct loop *loop)
{
	return seconds(&loop->server->busy_ns);
}

static double
late(const struct loop *loop)
{
	return seconds(&loop->server->late_ns);
}

static double
open_connections(const struct loop *loop)
{
	const struct metrics *metrics = &loop->loops->metrics[loop->index];
	/* In this order: see metrics_sum. */
	uint64_t closed = atomic_load(&metrics->connections_closed);

	return (double)(atomic_load(&metrics->connections_accepted) - closed);
}

static double
pool_queue(const struct loop *loop)
{
	return (double)pool_waiting(&loop->server->pool);
}

void
loops_sum_metrics(const void *context, struct metrics_totals *totals)
{
	const struct loops *loops = context;

	metrics_sum(totals, loops->metrics, loops->count);
}

size_t
loops_write_metrics(const void *context, char *buf, size_t used, size_t size)
{
	static const struct {
		const char *name, *type, *help;
		double (*value)(const struct loop *loop);
	} rows[] = {
	    {"loopfork_loop_lag_seconds", "gauge",
		"How long the loop took for its latest round of events, or has taken for the one under way.", lag},
	    {"loopfork_loop_lag_max_seconds", "gauge", "The longest round since the start.", lag_max},
	    {"loopfork_loop_busy_seconds_total", "counter",
		"Time that the loop did not wait for events; its rate is the utilisation of the loop.", busy},
	    {"loopfork_loop_timer_late_seconds", "gauge", "How late the latest deadlines were handed out.", late},
	    {"loopfork_loop_connections_open", "gauge", "Connections that the loop has open now.", open_connections},
	    {"loopfork_loop_pool_queue", "gauge", "Requests that wait for a thread of the loop's pool.", pool_queue},
	};
	const struct loops *loops = context;

	for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
		used = metrics_write_head(buf, used, size, rows[row].name, rows[row].type, rows[row].help);
		for (size_t i = 0; i < loops->count; i++) {
			char which[24];

			snprintf(which, sizeof(which), "%zu", i);
			used = metrics_write_value(
			    buf, used, size, rows[row].name, "loop", which, rows[row].value(&loops->all[i]));
		}
	}
	return used;
}
