/* What a handler does: it computes, and then it sleeps, in the thread that called it. */
#include "prefork_server/handler.h"

#include "common/access_log.h"
#include "common/clock.h"
#include "common/cpu_work.h"
#include "common/metrics.h"
#include "prefork_server/signals.h"

/* compute keeps this thread busy, and lets signals act as in a sleep: nothing in there minds a handler. */
static void
compute(struct worker *worker, uint64_t cpu_ns)
{
	metrics_add(&worker->metrics->computes_begun, 1);
	access_log_flush(worker->access_log);
	signals_wait_begin();
	(void)cpu_work_run(cpu_work_units(cpu_ns), NULL);
	signals_wait_end();
	metrics_add(&worker->metrics->computed_ns, cpu_ns);
	metrics_add(&worker->metrics->computes_ended, 1);
}

static void
sleep_until(struct worker *worker, uint64_t due_ns)
{
	metrics_add(&worker->metrics->sleeps_begun, 1);
	access_log_flush(worker->access_log);
	signals_wait_begin();
	clock_sleep_until_ns(due_ns);
	signals_wait_end();
	metrics_add(&worker->metrics->sleeps_ended, 1);
}

void
handler_work(struct worker *worker, const struct settings_values *wait)
{
	if (wait->cpu_ns > 0)
		compute(worker, wait->cpu_ns);
	if (wait->sleep_ns > 0)
		sleep_until(worker, clock_now_ns() + wait->sleep_ns);
}
