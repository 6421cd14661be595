/* How far a run is, on standard error: one line that changes on a terminal, one line a cell elsewhere. */
#include "experiments/progress.h"

#include <math.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "experiments/text.h"

#define REDRAW_NS (500 * NS_PER_MS)

void
progress_init(struct progress *progress, bool quiet, size_t total)
{
	*progress = (struct progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1, .total = total};
}

void
progress_end(struct progress *progress)
{
	if (progress->drawn_ns != 0)
		fputs("\r\033[K", stderr);
	progress->drawn_ns = 0;
}

void
progress_cell(struct progress *progress, const struct cell *cell)
{
	const struct result *result = &cell->result;
	char name[128];

	progress->done++;
	plan_cell_name(cell, name, sizeof(name));
	if (result->state == RESULT_FAILED) {
		progress_end(progress);
		fprintf(stderr, "lab: %s failed: %s\n", name, result->error);
	} else if (result->error[0] != '\0') {
		progress_end(progress);
		fprintf(stderr, "lab: the figures of %s are in doubt: %s\n", name, result->error);
	} else if (!progress->quiet && !progress->terminal) {
		fprintf(stderr, "[%2zu/%zu] %-36s %8.2f requests/s  (%.1f s)\n", progress->done, progress->total, name,
		    result->rps, result->duration_s);
	}
}

static int
terminal_width(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col - 1 : 79;
}

void
progress_tick(struct progress *progress, const struct scheduler *scheduler)
{
	uint64_t now = clock_now_ns();
	struct text line = {0};
	size_t running = 0;

	if (progress->quiet || !progress->terminal || (progress->drawn_ns != 0 && now < progress->drawn_ns + REDRAW_NS))
		return;
	text_add(&line, "[%zu/%zu]", progress->done, progress->total);
	if (scheduler->interrupted)
		text_add(&line, " stopping");
	else
		text_add(&line, " about %.0f s left; measuring", ceil(scheduler_time_left_s(scheduler)));
	for (size_t i = 0; i < scheduler->job_count && !scheduler->interrupted; i++) {
		const struct job *job = &scheduler->jobs[i];
		char name[128];

		if (job->state == JOB_LOADING)
			text_add(&line, "%s %s", running++ > 0 ? "," : "",
			    plan_cell_name(job->cells[job->next_cell], name, sizeof(name)));
	}
	fprintf(stderr, "\r\033[K%.*s", terminal_width(), text_string(&line));
	fflush(stderr);
	progress->drawn_ns = now;
	text_deinit(&line);
}
