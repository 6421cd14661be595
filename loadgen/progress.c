/* How far the run is, on standard error: ab's lines for one cell, one redrawn line for a sweep on a terminal. */
#include "loadgen/progress.h"

#include <inttypes.h>

#include "common/clock.h"

#define INTERVAL_MS 200
#define STEP_MIN 100 /* ab: a line every tenth of the requests, but not more often than this */

void
progress_init(struct progress *progress, enum progress_style style, FILE *out, size_t cells, uint64_t requests,
    uint64_t time_limit_ns)
{
	uint64_t step = requests / 10 < STEP_MIN ? STEP_MIN : requests / 10;

	*progress = (struct progress){
	    .style = style,
	    .out = out,
	    .cells = cells,
	    .requests = requests,
	    .time_limit_ns = time_limit_ns,
	    .step = step,
	    .next = step,
	    .start_ns = clock_now_ns(),
	};
}

int
progress_interval_ms(const struct progress *progress)
{
	return progress->style == PROGRESS_NONE ? -1 : INTERVAL_MS;
}

void
progress_cell_begin(struct progress *progress)
{
	progress->cell_start_ns = clock_now_ns();
	progress->next = progress->step;
}

/* fraction returns how much of the present cell is done: by requests or by time, whichever is nearer to its end. */
static double
fraction(const struct progress *progress, uint64_t complete, uint64_t now_ns)
{
	double by_requests = (double)complete / (double)progress->requests;
	double by_time = 0;

	if (progress->time_limit_ns > 0)
		by_time = (double)(now_ns - progress->cell_start_ns) / (double)progress->time_limit_ns;
	if (by_time > 1)
		by_time = 1;
	return by_time > by_requests ? by_time : by_requests;
}

static void
draw(struct progress *progress, uint64_t complete)
{
	uint64_t now = clock_now_ns();
	double done = ((double)progress->cells_done + fraction(progress, complete, now)) / (double)progress->cells;
	double elapsed = (double)(now - progress->start_ns) / (double)NS_PER_SEC;

	fprintf(progress->out, "\r%3.0f%%  cell %zu of %zu", done * 100, progress->cells_done + 1, progress->cells);
	if (done > 0.02)
		fprintf(progress->out, "  %.0f s left", elapsed * (1 - done) / done);
	fputs("\033[K", progress->out);
	fflush(progress->out);
	progress->drawn = true;
}

void
progress_update(struct progress *progress, uint64_t complete)
{
	if (progress->style == PROGRESS_BAR)
		draw(progress, complete);
	if (progress->style != PROGRESS_LINES)
		return;
	for (; progress->next <= complete; progress->next += progress->step)
		fprintf(progress->out, "Completed %" PRIu64 " requests\n", progress->next);
}

void
progress_cell_end(struct progress *progress)
{
	progress->cells_done++;
}

void
progress_clear(struct progress *progress)
{
	if (progress->drawn)
		fputs("\r\033[K", progress->out);
	progress->drawn = false;
}
