/* How far the run is, on standard error: ab's lines for one cell, or a block of lines on a terminal, redrawn in place. */
#include "loadgen/progress.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/block.h"
#include "loadgen/sparkline.h"
#include "loadgen/trace.h"

#define INTERVAL_MS 200
#define STEP_MIN 100              /* ab: a line every tenth of the requests, but not more often than this */
#define EARLY_NS (NS_PER_SEC / 5) /* before that, a rate would be a guess */
#define BAR_MIN 10                /* columns */
#define BAR_MAX 40
#define BESIDE_BAR 40        /* columns for what stands behind it: percent, time left, cell */
#define BESIDE_REPETITION 20 /* and the repetition */
#define BESIDE_SPARKLINE 20

enum progress_style
progress_choose(const struct config *config, bool ab)
{
	if (config->quiet)
		return PROGRESS_NONE;
	if (screen_usable(STDERR_FILENO) && config->verbosity < TRACE_HEADERS)
		return PROGRESS_BLOCK;
	if (!ab || config->requests == CONFIG_UNLIMITED)
		return PROGRESS_NONE;
	return config->requests > PROGRESS_AB_QUIET ? PROGRESS_LINES : PROGRESS_NONE;
}

void
progress_init(
    struct progress *progress, enum progress_style style, FILE *out, const struct config *config, size_t cells)
{
	uint64_t step = (uint64_t)config->requests / 10 < STEP_MIN ? STEP_MIN : (uint64_t)config->requests / 10;

	*progress = (struct progress){
	    .style = style,
	    .out = out,
	    .config = config,
	    .cells = cells,
	    .step = step,
	    .next = step,
	    .start_ns = clock_now_ns(),
	};
	if (style == PROGRESS_BLOCK)
		screen_init(&progress->screen, out);
}

int
progress_interval_ms(const struct progress *progress)
{
	return progress->style == PROGRESS_NONE ? -1 : INTERVAL_MS;
}

void
progress_cell_begin(struct progress *progress, const struct cell *cell)
{
	progress->cell = cell;
	progress->cell_start_ns = clock_now_ns();
	progress->next = progress->step;
	progress->last = (struct series_figures){0};
	progress->rps = 0;
	progress->seconds = 0;
	if (progress->cells == 0)
		progress->shown = 0;
}

static double
seconds(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (double)(to_ns - from_ns) / (double)NS_PER_SEC : 0;
}

static size_t
history_len(const struct progress *progress)
{
	return progress->seconds < PROGRESS_HISTORY ? progress->seconds : PROGRESS_HISTORY;
}

static void
look_at_second(struct progress *progress, const struct progress_now *now, size_t second)
{
	series_figures(now->series, now->series_len, second, 1, &progress->last);
	progress->rps = (double)progress->last.complete;
}

static void
remember(struct progress *progress, double rps)
{
	size_t len = history_len(progress);

	if (len == PROGRESS_HISTORY)
		memmove(progress->history, progress->history + 1, --len * sizeof(progress->history[0]));
	progress->history[len] = rps;
	progress->seconds++;
}

/* look_back takes in the seconds that have become whole since the last time. */
static void
look_back(struct progress *progress, const struct progress_now *now, uint64_t now_ns)
{
	size_t whole = now_ns > now->begin_ns ? (size_t)((now_ns - now->begin_ns) / SERIES_INTERVAL_NS) : 0;

	if (whole == 0) {
		look_at_second(progress, now, 0);
		progress->rps = now_ns > now->begin_ns + EARLY_NS ? progress->rps / seconds(now->begin_ns, now_ns) : 0;
		return;
	}
	if (whole - progress->seconds > PROGRESS_HISTORY)
		progress->seconds = whole - PROGRESS_HISTORY; /* the process stood still, and so did the display */
	while (progress->seconds < whole) {
		look_at_second(progress, now, progress->seconds);
		remember(progress, progress->rps);
	}
}

/* cell_left estimates how many seconds the cell still takes: by requests or by time, whichever ends it. */
static double
cell_left(const struct progress *progress, const struct progress_now *now, uint64_t now_ns)
{
	const struct config *config = progress->config;
	double left = INFINITY, requests_left;

	if (config->time_limit_ns > 0)
		left = seconds(now_ns, now->begin_ns + config->time_limit_ns);
	if (config->requests == CONFIG_UNLIMITED || now->complete == 0 || now_ns <= now->begin_ns)
		return left;
	requests_left = fmax((double)config->requests - (double)now->complete, 0);
	return fmin(left, requests_left * seconds(now->begin_ns, now_ns) / (double)now->complete);
}

/* run_left adds the cells to come, each as long as those before it were on average. */
static double
run_left(const struct progress *progress, double left, uint64_t now_ns)
{
	size_t cells = progress->cells * (size_t)progress->config->repeats;
	double each = left + seconds(progress->cell_start_ns, now_ns);

	if (cells <= progress->cells_done + 1)
		return left;
	if (progress->cells_done > 0)
		each = seconds(progress->start_ns, progress->cell_start_ns) / (double)progress->cells_done;
	return left + each * (double)(cells - progress->cells_done - 1);
}

static void
draw_bar(struct block *block, bool utf8, double done, size_t beside)
{
	char text[BLOCK_FIELD_BYTES] = "";
	size_t width = block->columns > beside + BAR_MIN ? block->columns - beside : BAR_MIN;
	size_t filled;

	if (width > BAR_MAX)
		width = BAR_MAX;
	filled = (size_t)(done * (double)width);
	for (size_t i = 0; i < width; i++)
		strcat(text, i < filled ? (utf8 ? "█" : "#") : (utf8 ? "░" : "-"));
	block_field(block, BLOCK_BAR, width, text);
}

/* draw_left: "12 s left", "3 min 20 s left", "1 h 12 min left". */
static void
draw_left(struct block *block, double left, const char *of_what)
{
	uint64_t whole = isfinite(left) ? (uint64_t)ceil(left) : 0;

	if (!isfinite(left))
		return;
	if (whole < 100)
		block_text(block, BLOCK_PLAIN, "%" PRIu64 " s left%s", whole, of_what);
	else if (whole < 3600)
		block_text(block, BLOCK_PLAIN, "%" PRIu64 " min %" PRIu64 " s left%s", whole / 60, whole % 60, of_what);
	else
		block_text(
		    block, BLOCK_PLAIN, "%" PRIu64 " h %" PRIu64 " min left%s", whole / 3600, whole / 60 % 60, of_what);
}

static void
draw_how_far(struct progress *progress, struct block *block, const struct progress_now *now, uint64_t now_ns)
{
	bool known = progress->cells > 0;
	uint64_t begin_ns = known ? progress->start_ns : progress->cell_start_ns;
	double left = cell_left(progress, now, now_ns);
	double elapsed = seconds(begin_ns, now_ns);

	if (known)
		left = run_left(progress, left, now_ns);
	if (isfinite(left) && elapsed + left > 0)
		progress->shown = fmax(progress->shown, elapsed / (elapsed + left));
	draw_bar(block, progress->screen.utf8, progress->shown,
	    BESIDE_BAR + (progress->config->repeats > 1 ? BESIDE_REPETITION : 0));
	block_text(block, BLOCK_PLAIN, "%3.0f%%", floor(progress->shown * 100));
	draw_left(block, left, known ? "" : " in this cell");
	if (known)
		block_text(
		    block, BLOCK_PLAIN, "cell %zu of %zu", progress->cells_done % progress->cells + 1, progress->cells);
	else
		block_text(block, BLOCK_PLAIN, "cell %zu", progress->cells_done + 1);
	if (known && progress->config->repeats > 1)
		block_text(block, BLOCK_PLAIN, "repetition %zu of %" PRIi64, progress->cells_done / progress->cells + 1,
		    progress->config->repeats);
	block_break(block);
}

static void
draw_cell(struct block *block, const struct cell *cell)
{
	block_text(block, BLOCK_PLAIN, "%s", cell->target->url);
	block_text(block, BLOCK_PLAIN, "c=%" PRIu32, cell->concurrency);
	if (cell->has_sleep)
		block_text(block, BLOCK_PLAIN, "sleep=%.9g", (double)cell->sleep_ns / (double)NS_PER_SEC);
	if (cell->open_loop && cell->ramp.duration_ns > 0 && cell->ramp.from != cell->ramp.to)
		block_text(block, BLOCK_PLAIN, "ramp=%.9g:%.9g:%.9g", cell->ramp.from, cell->ramp.to,
		    (double)cell->ramp.duration_ns / (double)NS_PER_SEC);
	else if (cell->open_loop)
		block_text(block, BLOCK_PLAIN, "rate=%.9g", cell->ramp.to);
	block_break(block);
}

static void
draw_time(struct block *block, const char *name, uint64_t ns)
{
	double ms = (double)ns / (double)NS_PER_MS;

	block_text(block, BLOCK_PLAIN, "%s %.*f ms", name, ms < 10 ? 3 : ms < 1000 ? 1 : 0, ms);
}

static void
draw_figures(const struct progress *progress, struct block *block, const struct progress_now *now, uint64_t now_ns)
{
	double overall = (double)now->complete / fmax(seconds(now->begin_ns, now_ns), 1e-9);

	if (now_ns < now->begin_ns) {
		block_text(block, BLOCK_PLAIN, "warming up, %.0f s left", ceil(seconds(now_ns, now->begin_ns)));
	} else if (now_ns > now->begin_ns + EARLY_NS) {
		block_text(block, BLOCK_PLAIN, "%.*f rps (%.*f overall)", progress->rps < 100, progress->rps,
		    overall < 100, overall);
		if (progress->last.complete > 0) {
			draw_time(block, "p50", progress->last.p50_ns);
			draw_time(block, "p99", progress->last.p99_ns);
		}
	}
	block_text(block, now->errors > 0 ? BLOCK_ALARM : BLOCK_PLAIN, "%" PRIu64 " error%s", now->errors,
	    now->errors == 1 ? "" : "s");
	block_text(block, BLOCK_PLAIN, "%" PRIu32 " open", now->open);
	block_break(block);
}

/* draw_history: as many of the last seconds as fit, each as a column. */
static void
draw_history(const struct progress *progress, struct block *block)
{
	char text[PROGRESS_HISTORY * SPARKLINE_BYTES + 1];
	size_t len = history_len(progress);
	size_t room = block->columns > 2 * BESIDE_SPARKLINE ? block->columns - BESIDE_SPARKLINE : block->columns;
	size_t shown = len < room ? len : room;
	double highest;

	if (shown < 2)
		return;
	highest = sparkline_write(text, progress->history + len - shown, shown, progress->screen.utf8);
	block_field(block, BLOCK_BAR, shown, text);
	block_text(block, BLOCK_PLAIN, "highest %.0f rps", highest);
	block_break(block);
}

static void
draw(struct progress *progress, const struct progress_now *now)
{
	uint64_t now_ns = clock_now_ns();
	size_t columns, rows;
	struct block block;

	if (now->series_len > 0 && now_ns > now->begin_ns)
		look_back(progress, now, now_ns);
	screen_size(&progress->screen, &columns, &rows);
	block_init(&block, columns, rows, progress->screen.colors);
	draw_how_far(progress, &block, now, now_ns);
	draw_cell(&block, progress->cell);
	draw_figures(progress, &block, now, now_ns);
	draw_history(progress, &block);
	screen_draw(&progress->screen, block.text);
}

static void
draw_awaited(struct progress *progress)
{
	double waited = seconds(progress->awaited_since_ns, clock_now_ns());
	size_t columns, rows;
	struct block block;

	if (waited < INTERVAL_MS / 1000.0)
		return;
	screen_size(&progress->screen, &columns, &rows);
	block_init(&block, columns, rows, progress->screen.colors);
	block_text(&block, BLOCK_PLAIN, "%s", progress->awaited);
	block_break(&block);
	block_text(&block, BLOCK_PLAIN, "waiting for what the last cell left in the server's queue, %.0f s", waited);
	block_break(&block);
	screen_draw(&progress->screen, block.text);
}

void
progress_await(struct progress *progress, const char *url)
{
	progress->awaited = url;
	progress->awaited_since_ns = clock_now_ns();
}

void
progress_update(struct progress *progress, const struct progress_now *now)
{
	if (progress->style == PROGRESS_BLOCK && progress->awaited != NULL)
		draw_awaited(progress);
	else if (progress->style == PROGRESS_BLOCK)
		draw(progress, now);
	if (progress->style != PROGRESS_LINES)
		return;
	for (; progress->next <= now->complete; progress->next += progress->step)
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
	if (progress->style == PROGRESS_BLOCK)
		screen_clear(&progress->screen);
}

void
progress_end(struct progress *progress)
{
	progress_clear(progress);
	progress->style = PROGRESS_NONE;
}
