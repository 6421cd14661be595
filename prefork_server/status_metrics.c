/* GET /metrics: what only an arbiter and its workers have. */
#include "prefork_server/status_metrics.h"

#include <string.h>

#include "common/clock.h"
#include "common/compiler.h"
#include "common/metrics.h"

/* Where they write: the answer so far. */
struct page {
	char *buf;
	size_t used, size;
};

static void
put_one(struct page *page, const char *name, const char *type, const char *help, double value)
{
	page->used = metrics_write_one(page->buf, page->used, page->size, name, type, help, value);
}

static void
put_head(struct page *page, const char *name, const char *type, const char *help)
{
	page->used = metrics_write_head(page->buf, page->used, page->size, name, type, help);
}

static void
put_value(struct page *page, const char *name, const char *label, const char *which, double value)
{
	page->used = metrics_write_value(page->buf, page->used, page->size, name, label, which, value);
}

/* make_label takes from the path of a Unix socket what a label could not hold. */
static void
make_label(char *name)
{
	for (; *name != '\0'; name++)
		if (*name < ' ' || *name == '"' || *name == '\\' || *name == 0x7f)
			*name = '?';
}

static void
put_queues(struct page *page, const struct status *status)
{
	static const char waiting[] = "loopfork_accept_queue", at_most[] = "loopfork_accept_queue_limit";
	struct status_listener listeners[CONFIG_BINDS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < status->listeners->count; i++) {
		status_listener(status, i, &listeners[count]);
		make_label(listeners[count].name);
		count += listeners[count].has_queue;
	}
	if (count == 0)
		return;
	put_head(page, waiting, "gauge", "Connections that wait to be accepted.");
	for (size_t i = 0; i < count; i++)
		put_value(page, waiting, "listener", listeners[i].name, listeners[i].waiting);
	put_head(page, at_most, "gauge", "How many connections can wait.");
	for (size_t i = 0; i < count; i++)
		put_value(page, at_most, "listener", listeners[i].name, listeners[i].at_most);
}

size_t
status_metrics_write(const struct status *status, char *buf, size_t used, size_t size)
{
	static const char restarts[] = "loopfork_worker_restarts_total";
	const struct scoreboard_notice *notice = status->board->notice;
	struct page page = {.buf = buf, .used = used, .size = size};
	uint64_t now_ns = clock_now_ns();
	struct status_crew crew;

	status_crew(status, now_ns, &crew);
	put_one(
	    &page, "loopfork_workers", "gauge", "Worker processes that serve.", (double)atomic_load(&notice->workers));
	put_one(&page, "loopfork_workers_target", "gauge", "Worker processes that there shall be.",
	    atomic_load(&notice->target));
	put_one(&page, "loopfork_workers_idle", "gauge", "Worker processes with no thread at work.",
	    (double)crew.workers_idle);
	put_one(&page, "loopfork_workers_busy", "gauge", "Worker processes with a thread at work.",
	    (double)crew.workers_busy);
	put_one(&page, "loopfork_threads_idle", "gauge", "Threads of all workers that wait for something to do.",
	    (double)crew.threads_idle);
	put_one(&page, "loopfork_threads_busy", "gauge", "Threads of all workers at work.", (double)crew.threads_busy);
	put_one(&page, "loopfork_request_age_max_seconds", "gauge", "Age of the oldest request under way; 0: none is.",
	    (double)crew.request_ns / (double)NS_PER_SEC);
	put_one(&page, "loopfork_workers_resident_memory_bytes", "gauge",
	    "Resident memory of all workers; what they share counts for each.", (double)crew.rss_kib * 1024);
	put_head(&page, restarts, "counter", "Workers replaced, by why they ended.");
	for (int reason = 0; reason < SCOREBOARD_REASONS; reason++)
		put_value(&page, restarts, "reason", status_reason((enum scoreboard_reason)reason),
		    (double)atomic_load(&notice->restarts[reason]));
	put_one(&page, "loopfork_worker_timeouts_total", "counter", "Workers that were overdue and killed.",
	    (double)atomic_load(&notice->timeouts));
	put_queues(&page, status);
	return page.used;
}
