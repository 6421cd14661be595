/* What a handler does: it computes, and then it sleeps, in the thread that called it. */
#include "prefork_server/handler.h"

#include "common/access_log.h"
#include "common/clock.h"
#include "common/cpu_work.h"
#include "common/metrics.h"
#include "prefork_server/duty.h"
#include "prefork_server/signals.h"

#define SLICE_NS NS_PER_MS /* of computing, between two looks at the clock */

/* work_until does the work of CPU_NS, or as much of it as there is time for until DUE_NS. Returns how much it did. */
static uint64_t
work_until(uint64_t cpu_ns, uint64_t due_ns)
{
	uint64_t done_ns = 0;

	do {
		uint64_t left_ns = cpu_ns - done_ns;
		uint64_t slice_ns = left_ns < SLICE_NS ? left_ns : SLICE_NS;

		(void)cpu_work_run(cpu_work_units(slice_ns), NULL);
		done_ns += slice_ns;
	} while (done_ns < cpu_ns && clock_now_ns() < due_ns);
	return done_ns;
}

/*
 * compute keeps this thread busy, and lets signals act as in a sleep: nothing
 * in there minds a handler.  Returns whether all was done by DUE_NS.
 */
static bool
compute(struct worker *worker, uint64_t cpu_ns, uint64_t due_ns)
{
	uint64_t done_ns;

	metrics_add(&worker->metrics->computes_begun, 1);
	access_log_flush(worker->access_log);
	duty_leave();
	signals_wait_begin();
	done_ns = work_until(cpu_ns, due_ns);
	signals_wait_end();
	metrics_add(&worker->metrics->computed_ns, done_ns);
	metrics_add(&worker->metrics->computes_ended, 1);
	return done_ns == cpu_ns;
}

static void
sleep_until(struct worker *worker, uint64_t due_ns)
{
	metrics_add(&worker->metrics->sleeps_begun, 1);
	access_log_flush(worker->access_log);
	duty_leave();
	signals_wait_begin();
	clock_sleep_until_ns(due_ns);
	signals_wait_end();
	metrics_add(&worker->metrics->sleeps_ended, 1);
}

/* work does as WAIT says until DUE_NS. Returns whether there was time for all of it. */
static bool
work(struct worker *worker, const struct settings_values *wait, uint64_t due_ns)
{
	uint64_t awake_ns;

	if (wait->cpu_ns > 0 && !compute(worker, wait->cpu_ns, due_ns))
		return false;
	if (wait->sleep_ns == 0)
		return true;
	awake_ns = clock_now_ns() + wait->sleep_ns;
	sleep_until(worker, awake_ns < due_ns ? awake_ns : due_ns);
	return awake_ns <= due_ns;
}

bool
handler_work(struct worker *worker, const struct settings_values *wait)
{
	uint64_t timeout_ns = worker->config->handler_timeout_ns;

	if (work(worker, wait, timeout_ns == 0 ? UINT64_MAX : clock_now_ns() + timeout_ns))
		return true;
	metrics_add(&worker->metrics->handler_timeouts, 1);
	return false;
}
