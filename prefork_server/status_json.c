/* GET /scoreboard: what the server does now, as JSON. */
#include "prefork_server/status_json.h"

#include <assert.h>
#include <string.h>

#include "common/clock.h"
#include "common/json_text.h"
#include "common/line.h"
#include "common/version.h"

/* A byte may become six. What else stands in a piece is numbers and names, and takes much less than half of it. */
#define ESCAPED_MAX (6 * LANE_REQUEST_MAX)
static_assert(ESCAPED_MAX < ADMIN_PIECE_MAX / 2, "a request fits into a piece");
static_assert(
    CONFIG_BINDS_MAX * (ESCAPED_MAX + 64) + 2048 < ADMIN_PIECE_MAX, "so do all listening sockets, and the rest");

static void
put_number(struct line *line, const char *key, uint64_t number)
{
	line_string(line, key);
	line_number(line, number);
}

static void
put_seconds(struct line *line, const char *key, uint64_t ns)
{
	line_string(line, key);
	line_format(line, "%.3f", (double)ns / (double)NS_PER_SEC);
}

static void
put_text(struct line *line, const char *key, const char *bytes, size_t len)
{
	char escaped[ESCAPED_MAX];

	line_string(line, key);
	line_string(line, "\"");
	line_put(line, escaped, json_escape(escaped, sizeof(escaped), bytes, len));
	line_string(line, "\"");
}

static void
put_bool(struct line *line, const char *key, bool value)
{
	line_string(line, key);
	line_string(line, value ? "true" : "false");
}

/* put_lane puts what a lane shows: its state by the NAME that it is given. */
static void
put_lane(struct line *line, const char *name, const struct lane_view *view)
{
	put_text(line, "\"state\": ", name, strlen(name));
	put_seconds(line, ", \"state_s\": ", view->state_ns);
	if (view->has_request) {
		put_text(line, ", \"request\": ", view->request, view->request_len);
		put_seconds(line, ", \"request_s\": ", view->request_ns);
	} else {
		line_string(line, ", \"request\": null, \"request_s\": null");
	}
}

static void
put_listeners(struct line *line, const struct status *status)
{
	line_string(line, ",\n  \"listen\": [");
	for (size_t i = 0; i < status->listeners->count; i++) {
		struct status_listener listener;

		status_listener(status, i, &listener);
		put_text(line, i > 0 ? ", {\"name\": " : "{\"name\": ", listener.name, strlen(listener.name));
		if (listener.has_queue) {
			put_number(line, ", \"queue\": ", listener.waiting);
			put_number(line, ", \"queue_limit\": ", listener.at_most);
			line_string(line, "}");
		} else {
			line_string(line, ", \"queue\": null, \"queue_limit\": null}");
		}
	}
	line_string(line, "]");
}

static void
put_server(struct line *line, const struct status *status, uint64_t now_ns)
{
	const struct scoreboard_notice *notice = status->board->notice;
	const char *class = atomic_load(&notice->class_name);
	struct status_crew crew;

	status_crew(status, now_ns, &crew);
	line_string(line, "{\"server\": {\"name\": \"prefork_server\", \"version\": \"" LOOPFORK_VERSION "\"");
	put_number(line, ", \"pid\": ", (uint64_t)status->arbiter);
	put_seconds(line, ", \"uptime_s\": ", now_ns - notice->started_ns);
	put_number(line, ", \"generation\": ", atomic_load(&notice->generation));
	put_bool(line, ", \"stopping\": ", atomic_load(&notice->stopping));
	put_text(line, ",\n  \"worker_class\": ", class, strlen(class));
	put_number(line, ", \"workers\": {\"target\": ", atomic_load(&notice->target));
	put_number(line, ", \"alive\": ", atomic_load(&notice->workers));
	put_number(line, ", \"idle\": ", crew.workers_idle);
	put_number(line, ", \"busy\": ", crew.workers_busy);
	put_number(line, "}, \"threads\": {\"idle\": ", crew.threads_idle);
	put_number(line, ", \"busy\": ", crew.threads_busy);
	line_string(line, "},\n  \"restarts\": {");
	for (int reason = 0; reason < SCOREBOARD_REASONS; reason++) {
		const char *name = status_reason((enum scoreboard_reason)reason);

		put_text(line, reason > 0 ? ", " : "", name, strlen(name));
		put_number(line, ": ", atomic_load(&notice->restarts[reason]));
	}
	line_string(line, "}");
	put_listeners(line, status);
	line_string(line, "},\n \"workers\": [");
}

static void
put_worker(struct line *line, size_t slot, const struct status_worker *worker)
{
	put_number(line, "{\"slot\": ", slot);
	put_number(line, ", \"pid\": ", (uint64_t)worker->pid);
	put_number(line, ", \"generation\": ", worker->generation);
	put_bool(line, ", \"ending\": ", worker->ending);
	put_seconds(line, ", \"uptime_s\": ", worker->age_ns);
	line_string(line, ", ");
	put_lane(line, status_worker_state(worker), &worker->lane);
	put_number(line, ", \"requests\": ", worker->requests);
	put_number(line, ", \"connections\": ", worker->connections);
	if (worker->there) {
		put_seconds(line, ", \"cpu_s\": ", worker->cpu_ns);
		put_number(line, ", \"rss_kib\": ", worker->rss_kib);
	} else {
		line_string(line, ", \"cpu_s\": null, \"rss_kib\": null");
	}
	line_string(line, ", \"threads\": [");
}

/* put_row puts the beginning of the next worker's object, or the end of it all. */
static void
put_row(struct line *line, const struct status *status, struct admin_cursor *cursor, uint64_t now_ns)
{
	size_t slots = atomic_load(&status->board->notice->slots);
	struct status_worker worker;

	while (cursor->row <= slots && !status_worker(status, cursor->row - 1, now_ns, &worker))
		cursor->row++;
	if (cursor->row > slots) {
		line_string(line, "]}\n");
		cursor->end = true;
		return;
	}
	line_string(line, cursor->begun ? ",\n  " : "\n  ");
	cursor->begun = true;
	put_worker(line, cursor->row - 1, &worker);
	/* The threads of one that is gone are, too. */
	cursor->item = worker.there ? 1 : SCOREBOARD_SLOTS + CONFIG_THREADS_MAX;
	cursor->nested = false;
}

/* put_item puts the next thread of the worker, or the end of them. */
static void
put_item(struct line *line, const struct status *status, struct admin_cursor *cursor, uint64_t now_ns)
{
	size_t threads = atomic_load(&status->board->notice->threads);
	struct lane_view view = {.state = LANE_NONE};

	for (; cursor->item <= threads && view.state == LANE_NONE; cursor->item++) {
		lane_look(&status->board->rows[cursor->row - 1].lanes[cursor->item - 1], &view, now_ns);
		if (view.state == LANE_NONE)
			continue;
		line_string(line, cursor->nested ? ", {" : "{");
		put_number(line, "\"thread\": ", cursor->item - 1);
		line_string(line, ", ");
		put_lane(line, status_lane_state(view.state), &view);
		put_number(line, ", \"requests\": ", view.requests);
		put_number(line, ", \"connections\": ", view.connections);
		line_string(line, "}");
		cursor->nested = true;
	}
	if (view.state == LANE_NONE) {
		line_string(line, "]}");
		cursor->item = 0;
		cursor->row++;
	}
}

/*
 * The cursor: row 0 is the beginning, row n the worker in slot n - 1; item 0 is
 * the beginning of a worker, item n its thread n - 1.
 */
size_t
status_json_write(const struct status *status, struct admin_cursor *cursor, char *buf)
{
	struct line line = {.at = buf, .end = buf + ADMIN_PIECE_MAX};
	uint64_t now_ns = clock_now_ns();

	if (cursor->row == 0) {
		put_server(&line, status, now_ns);
		cursor->row = 1;
	} else if (cursor->item == 0) {
		put_row(&line, status, cursor, now_ns);
	} else {
		put_item(&line, status, cursor, now_ns);
	}
	assert(!line.full);
	return (size_t)(line.at - buf);
}
