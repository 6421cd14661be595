/* The admin address: settings, metrics and health, answered off the worker path while every worker or the loop sleeps. */
#ifndef COMMON_ADMIN_H
#define COMMON_ADMIN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/metrics.h"
#include "common/settings.h"

/* Where an answer that is written piece by piece has come to. It begins zeroed, and is the route's own but for `end`. */
struct admin_cursor {
	bool end;           /* all has been written */
	bool begun, nested; /* something of the row, or of the item, stands before */
	size_t row, item;
};

/* One more path, which a program answers itself: with GET, by JSON, or by text where `?text` or Accept asks for it. */
struct admin_route {
	const char *path; /* "/scoreboard" */
	/*
	 * Writes the piece at CURSOR, at most ADMIN_PIECE_MAX bytes, to BUF, moves
	 * CURSOR on, and returns the length.  So the whole can be of any length, and
	 * is never in memory as a whole.
	 */
	size_t (*write)(const void *context, bool as_text, struct admin_cursor *cursor, char *buf);
};

#define ADMIN_PIECE_MAX 16384

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
	const struct admin_route *routes; /* the last one has no path; NULL: none */
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
 *   GET of a route  200 and what the route writes: in one piece where it is short, else in chunks
 *
 * One request a connection, at most ADMIN_CONNECTIONS at a time (more wait in
 * the backlog), each with ADMIN_DEADLINE_MS from accept to the last byte, so that no client
 * can hold it.  Returns 0, or -errno when poll itself fails.
 */
#define ADMIN_CONNECTIONS 32
#define ADMIN_DEADLINE_MS 5000
int admin_serve(const struct admin *admin);

#endif
