/* GET /scoreboard?text: what the server does now, as a table for a terminal of 80 columns. */
#include "prefork_server/status_text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/line.h"
#include "common/log.h"
#include "common/version.h"

#define WIDTH 80
static_assert(
    CONFIG_BINDS_MAX * (4 * LISTENER_NAME_MAX + 64) + 2048 < ADMIN_PIECE_MAX, "all listening sockets fit into a piece");

const char *
status_text_time(char buf[STATUS_TEXT_TIME_MAX], uint64_t ns)
{
	uint64_t hundredths = ns / (NS_PER_SEC / 100);
	unsigned long long s = ns / NS_PER_SEC;

	if (s < 10)
		snprintf(buf, STATUS_TEXT_TIME_MAX, "%llu.%02llus", s, (unsigned long long)hundredths % 100);
	else if (s < 60)
		snprintf(buf, STATUS_TEXT_TIME_MAX, "%llu.%llus", s, (unsigned long long)hundredths / 10 % 10);
	else if (s < 3600)
		snprintf(buf, STATUS_TEXT_TIME_MAX, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, STATUS_TEXT_TIME_MAX, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, STATUS_TEXT_TIME_MAX, "%llud%02lluh", s / 86400, s / 3600 % 24);
	return buf;
}

/* put_listeners puts a line for each listening socket. */
static void
put_listeners(struct line *line, const struct status *status)
{
	for (size_t i = 0; i < status->listeners->count; i++) {
		char shown[4 * LISTENER_NAME_MAX];
		struct status_listener listener;

		status_listener(status, i, &listener);
		line_string(line, log_escape(shown, sizeof(shown), listener.name, strlen(listener.name)));
		if (listener.has_queue)
			line_format(line, ": %u of %u wait", listener.waiting, listener.at_most);
		line_string(line, "\n");
	}
}

static void
put_server(struct line *line, const struct status *status, uint64_t now_ns)
{
	const struct scoreboard_notice *notice = status->board->notice;
	char time[STATUS_TEXT_TIME_MAX];
	struct status_crew crew;
	const char *between = "Restarts:";

	status_crew(status, now_ns, &crew);
	line_string(line, "prefork_server " LOOPFORK_VERSION ", pid ");
	line_number(line, (uint64_t)status->arbiter);
	line_string(line, ", up ");
	line_string(line, status_text_time(time, now_ns - notice->started_ns));
	line_format(line, ", generation %u, ", atomic_load(&notice->generation));
	line_string(line, atomic_load(&notice->class_name));
	line_string(line, atomic_load(&notice->stopping) ? ", stopping\n" : "\n");
	put_listeners(line, status);
	line_format(line, "Workers: %llu", (unsigned long long)atomic_load(&notice->workers));
	line_format(line, " of %u", atomic_load(&notice->target));
	line_format(line, ", %llu idle", (unsigned long long)crew.workers_idle);
	line_format(line, ", %llu busy", (unsigned long long)crew.workers_busy);
	line_format(line, "; threads: %llu idle", (unsigned long long)crew.threads_idle);
	line_format(line, ", %llu busy\n", (unsigned long long)crew.threads_busy);
	for (int reason = 0; reason < SCOREBOARD_REASONS; reason++) {
		line_string(line, between);
		line_format(line, " %s", status_reason((enum scoreboard_reason)reason));
		line_format(line, " %llu", (unsigned long long)atomic_load(&notice->restarts[reason]));
		between = ",";
	}
	line_string(line, "\n\n    PID  GEN STATE      SINCE   REQUESTS     CPU    RSS  REQUEST\n");
}

/* put_request ends the line that begins at START with as much of the request as there is room for. */
static void
put_request(struct line *line, const char *start, const struct lane_view *view)
{
	char shown[4 * LANE_REQUEST_MAX + 1];
	size_t room = WIDTH - 2;

	room = (size_t)(line->at - start) < room ? room - (size_t)(line->at - start) : 0;
	if (view->has_request && room > 0) {
		line_string(line, "  ");
		line_string(line, log_escape(shown, room < sizeof(shown) ? room + 1 : sizeof(shown), view->request,
				      view->request_len));
	}
	line_string(line, "\n");
}

/* since is what the age of a line is about: the request, where there is one. */
static uint64_t
since(const struct lane_view *view)
{
	return view->has_request ? view->request_ns : view->state_ns;
}

static void
put_worker(struct line *line, const struct status_worker *worker)
{
	char state[16], time[STATUS_TEXT_TIME_MAX];
	const char *start = line->at;

	/* `*`: it was told to end. */
	snprintf(state, sizeof(state), "%s%s", status_worker_state(worker), worker->ending ? "*" : "");
	line_format(line, "%7d %4u ", (int)worker->pid, worker->generation);
	line_format(line, "%-9s ", state);
	line_format(line, "%6s ", status_text_time(time, since(&worker->lane)));
	line_format(line, "%10llu ", (unsigned long long)worker->requests);
	if (worker->there) {
		line_format(line, "%7s ", status_text_time(time, worker->cpu_ns));
		line_format(line, "%5.1fM", (double)worker->rss_kib / 1024);
	} else {
		line_string(line, "      -      -");
	}
	put_request(line, start, &worker->lane);
}

static void
put_thread(struct line *line, size_t thread, const struct lane_view *view)
{
	char time[STATUS_TEXT_TIME_MAX];
	const char *start = line->at;

	line_format(line, "  thread %3zu ", thread);
	line_format(line, "%-9s ", status_lane_state(view->state));
	line_format(line, "%6s ", status_text_time(time, since(view)));
	line_format(line, "%10llu ", (unsigned long long)view->requests);
	line_string(line, "              ");
	put_request(line, start, view);
}

static void
put_row(struct line *line, const struct status *status, struct admin_cursor *cursor, uint64_t now_ns)
{
	size_t slots = atomic_load(&status->board->notice->slots);
	struct status_worker worker;

	while (cursor->row <= slots && !status_worker(status, cursor->row - 1, now_ns, &worker))
		cursor->row++;
	if (cursor->row > slots) {
		cursor->end = true;
		return;
	}
	put_worker(line, &worker);
	/* Where a worker has one thread its line says all; of several, those are shown that have something to do. */
	if (worker.threads > 1 && worker.busy > 0)
		cursor->item = 1;
	else
		cursor->row++;
}

static void
put_item(struct line *line, const struct status *status, struct admin_cursor *cursor, uint64_t now_ns)
{
	size_t threads = atomic_load(&status->board->notice->threads);

	while (cursor->item <= threads) {
		struct lane_view view;
		size_t thread = cursor->item++ - 1;

		lane_look(&status->board->rows[cursor->row - 1].lanes[thread], &view, now_ns);
		if (view.state != LANE_NONE && view.state != LANE_IDLE) {
			put_thread(line, thread, &view);
			return;
		}
	}
	cursor->item = 0;
	cursor->row++;
}

/* The cursor is as in status_json.c. */
size_t
status_text_write(const struct status *status, struct admin_cursor *cursor, char *buf)
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
