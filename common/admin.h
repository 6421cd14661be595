/* The admin address: settings, metrics and health, answered off the worker path while every worker or the loop sleeps. */
#ifndef COMMON_ADMIN_H
#define COMMON_ADMIN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/metrics.h"
#include "common/settings.h"

/*
 * What the admin address shows.  Everything outlives admin_serve.  It is the
 * same for both servers, so it lives here: async_server runs it in a thread of its own,
 * prefork_server in a process of its own.
 */
struct admin {
	int listen_fd; /* from listener_open; stays the caller's */
	int stop_fd;   /* becomes readable, or is closed at the other end, when it is time to return */
	struct settings *settings;
	enum metrics_of metrics_of;
	/* Adds up what all writers have counted, for /metrics. */
	void (*sum_metrics)(const void *context, struct metrics_totals *totals);
	/* Appends the program's own metrics to BUF at USED; returns the new length. NULL: none. */
	size_t (*write_metrics)(const void *context, char *buf, size_t used, size_t size);
	/* Tells whether the server can serve: /healthz answers 200 `ok`, else 503 with the sentence in WHY. NULL: always. */
	bool (*is_healthy)(const void *context, char *why, size_t why_size);
	const void *context;
	/* Called at least once a second. NULL: not. */
	void (*beat)(void);
};

/*
 * admin_serve answers on admin->listen_fd until stop_fd becomes readable:
 *
 *   GET /settings   200 {"sleep": 0.1, "cpu": 0, "mode": "async", "blocking_share": 0}: seconds, milliseconds,
 *                   percent; the share only where settings_has_share
 *   PUT /settings   a form, as `curl -X PUT -d 'sleep=0.2&mode=blocking'` sends it (settings_parse): 200 with the new settings, or 400 and why
 *   GET /metrics    200 Prometheus text
 *   GET /healthz    200 "ok", or 503 and why
 *
 * One request a connection, at most ADMIN_CONNECTIONS at a time (more wait in
 * the backlog), each with ADMIN_DEADLINE_MS from accept to the last byte, so that no client
 * can hold it.  Returns 0, or -errno when poll itself fails.
 */
#define ADMIN_CONNECTIONS 32
#define ADMIN_DEADLINE_MS 5000
int admin_serve(const struct admin *admin);

#endif
