/* What a handler does before it answers: computing and sleeping, in the loop, on a timer of it, or on a thread of the pool. */
#include "async_server/wait.h"

#include <errno.h>
#include <stdio.h>

#include "async_server/conn_run.h"
#include "async_server/handler.h"
#include "async_server/server.h"
#include "common/clock.h"
#include "common/cpu_work.h"
#include "common/log.h"

/* The golden ratio of 2^64: its multiples fill the range evenly, and never fall into step with a number of clients. */
#define WEYL_STEP 0x9E3779B97F4A7C15u

/* note_slow warns of a handler that held the loop for TOOK_NS, by its name and its request. */
static void
note_slow(struct conn *conn, uint64_t took_ns)
{
	const struct exchange *exchange = conn->exchange;
	char target[256], what[384];

	conn->server->named_ns += took_ns;
	if (took_ns < conn->server->config.slow_callback_ns)
		return;
	log_escape(target, sizeof(target), exchange->request.target.at, exchange->request.target.len);
	snprintf(what, sizeof(what), "handler %s, %s %s", exchange->plan.handler, exchange->request.method, target);
	server_note_slow(conn->server, what, took_ns);
}

/*
 * choose_mode picks those of the asynchronous sleeps that --blocking-share makes block.
 * Any number of connections may be readable in one round of the loop: none
 * of them is to block it once a stop is over, so that the loop gets to closing them.
 */
static enum wait_mode
choose_mode(struct server *server, const struct settings_values *wait, uint64_t now_ns)
{
	enum wait_mode mode = wait->mode;

	if (mode == WAIT_ASYNC && wait->blocking_share > 0) {
		server->share += WEYL_STEP;
		if (wait->blocking_share >= SETTINGS_SHARE_WHOLE ||
		    server->share < UINT64_MAX / SETTINGS_SHARE_WHOLE * wait->blocking_share)
			mode = WAIT_BLOCKING;
	}
	if (mode == WAIT_BLOCKING && server_stop_is_over(server, now_ns))
		mode = WAIT_ASYNC;
	return mode;
}

static void
count_begin(struct conn *conn, _Atomic uint64_t *begun, _Atomic uint64_t *ended)
{
	metrics_add(begun, 1);
	conn->exchange->ended = ended;
}

void
wait_count_end(struct conn *conn)
{
	if (conn->exchange->ended != NULL)
		metrics_add(conn->exchange->ended, 1);
	conn->exchange->ended = NULL;
}

static void
compute_in_loop(struct conn *conn, uint64_t cpu_ns)
{
	struct metrics *metrics = conn->server->metrics;

	metrics_add(&metrics->computes_begun, 1);
	cpu_work_run(cpu_work_units(cpu_ns), NULL);
	metrics_add(&metrics->computes_ended, 1);
	metrics_add(&metrics->computed_ns, cpu_ns);
}

/* work_in_loop computes, and with BLOCKS sleeps, in the loop's own thread: all others wait. Returns the time afterwards. */
static uint64_t
work_in_loop(struct conn *conn, const struct settings_values *wait, bool blocks, uint64_t begun_ns)
{
	struct metrics *metrics = conn->server->metrics;
	uint64_t now_ns;

	metrics_add(&metrics->blocking_requests, 1);
	if (wait->cpu_ns > 0 && !server_stop_is_over(conn->server, begun_ns))
		compute_in_loop(conn, wait->cpu_ns);
	if (blocks) {
		count_begin(conn, &metrics->sleeps_begun, &metrics->sleeps_ended);
		clock_sleep_until_ns(clock_now_ns() + wait->sleep_ns);
	}
	now_ns = clock_now_ns();
	conn->server->now_ns = now_ns;
	note_slow(conn, now_ns - begun_ns);
	return now_ns;
}

static void
sleep_on_timer(struct conn *conn, uint64_t sleep_ns, uint64_t now_ns, uint64_t limit_ns)
{
	struct metrics *metrics = conn->server->metrics;
	uint64_t due_ns = now_ns + sleep_ns;

	count_begin(conn, &metrics->sleeps_begun, &metrics->sleeps_ended);
	conn->exchange->limited = limit_ns < due_ns;
	deadline_set(&conn->server->deadlines, &conn->deadline, limit_ns < due_ns ? limit_ns : due_ns);
}

static void
on_pool_done(struct pool_job *job)
{
	struct exchange *exchange = CONTAINER_OF(job, struct exchange, job);
	struct conn *conn = exchange->conn;

	server_begin_round(conn->server);
	conn->server->jobs--;
	conn->in_pool = false;
	if (conn->state == CONN_CLOSED) {
		exchange_give(&conn->server->exchanges, exchange);
		conn_let_go(conn);
		return;
	}
	conn_let_go(conn);
	deadline_remove(&conn->deadline);
	if (!exchange->overdue)
		metrics_add(&conn->server->metrics->computed_ns, job->cpu_ns);
	conn_wake(conn);
}

/* refuse_full tells the client when to come again: when there should be room. */
static void
refuse_full(struct conn *conn)
{
	struct server *server = conn->server;
	uint64_t wait_s = pool_wait_estimate_ns(&server->pool) / NS_PER_SEC + 1;
	char fields[48];

	metrics_add(&server->metrics->queue_rejections, 1);
	snprintf(fields, sizeof(fields), "Retry-After: %llu\r\n", (unsigned long long)wait_s);
	handler_refuse_busy(conn, "the thread pool's queue is full", fields);
}

static void
run_in_pool(struct conn *conn, const struct settings_values *wait, uint64_t limit_ns)
{
	struct server *server = conn->server;
	struct metrics *metrics = server->metrics;
	int error = pool_run(&server->pool, &conn->exchange->job, wait->cpu_ns, wait->sleep_ns, on_pool_done);

	if (error == 0) {
		if (wait->sleep_ns > 0)
			count_begin(conn, &metrics->sleeps_begun, &metrics->sleeps_ended);
		else
			count_begin(conn, &metrics->computes_begun, &metrics->computes_ended);
		server->jobs++;
		conn->holds++;
		conn->in_pool = true;
		deadline_remove(&conn->deadline);
		deadline_set(&server->deadlines, &conn->deadline, limit_ns);
		return;
	}
	if (error == -EAGAIN)
		refuse_full(conn);
	else
		handler_refuse_busy(conn, "no thread could be started", NULL);
}

void
wait_begin(struct conn *conn)
{
	struct server *server = conn->server;
	const struct settings_values *wait = &conn->exchange->plan.wait;
	uint64_t now_ns = clock_now_ns();
	uint64_t limit_ns = now_ns + server->config.handler_timeout_ns;

	conn->state = CONN_WAITING;
	switch (choose_mode(server, wait, now_ns)) {
	case WAIT_ASYNC:
		if (wait->cpu_ns > 0)
			now_ns = work_in_loop(conn, wait, false, now_ns);
		if (wait->sleep_ns > 0)
			sleep_on_timer(conn, wait->sleep_ns, now_ns, limit_ns);
		else
			wait_end(conn);
		break;
	case WAIT_BLOCKING:
		work_in_loop(conn, wait, true, now_ns);
		wait_end(conn);
		break;
	case WAIT_THREADPOOL:
		run_in_pool(conn, wait, limit_ns);
		break;
	}
}

bool
wait_is_over(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;

	exchange->overdue = conn->in_pool || exchange->limited;
	if (conn->in_pool)
		pool_cancel(&conn->server->pool, &exchange->job);
	return !conn->in_pool;
}

void
wait_end(struct conn *conn)
{
	wait_count_end(conn);
	if (!conn->exchange->overdue) {
		handler_answer(conn);
		return;
	}
	metrics_add(&conn->server->metrics->handler_timeouts, 1);
	handler_refuse_busy(conn, "the handler took longer than --handler-timeout", NULL);
}
