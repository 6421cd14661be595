/* Workers that end while nothing is wrong with them: --max-requests and --max-rss. */
#include "prefork_server/recycle.h"

#include <signal.h>

#include "common/clock.h"
#include "common/log.h"
#include "prefork_server/process_use.h"

#define KIB_PER_MIB 1024

bool
recycle_is_retiring(const struct crew *crew, const struct crew_member *member)
{
	return crew->worker.config->max_requests > 0 &&
	       atomic_load(&crew->board->rows[member - crew->members].retiring) == member->pid;
}

static void
replace(struct crew *crew, struct crew_member *member, enum scoreboard_reason reason)
{
	member->ending = true;
	scoreboard_end(crew->board, (size_t)(member - crew->members), reason);
}

void
recycle_retiring(struct crew *crew)
{
	for (unsigned i = 0; i < crew->slots; i++) {
		struct crew_member *member = &crew->members[i];

		if (member->pid == 0 || member->ending || !recycle_is_retiring(crew, member))
			continue;
		replace(crew, member, SCOREBOARD_MAX_REQUESTS);
		/* It has sent itself TERM, or says so: what it wrote must not make two workers of one. */
		kill(member->pid, SIGTERM);
	}
}

/* wait_longer: workers outgrow the limit as they start. They are recycled all the same, but not in a tight loop. */
static void
wait_longer(struct crew *crew, uint64_t now)
{
	uint64_t wait_ns = CREW_LOOK_NS;

	if (crew->outgrown++ == 0)
		log_warning("Workers outgrow --max-rss %lld within %llu s of their start: they will be replaced less "
			    "and less often; raise it",
		    (long long)crew->worker.config->max_rss_mib, RECYCLE_EARLY_NS / NS_PER_SEC);
	for (unsigned i = 0; i < crew->outgrown && wait_ns < RECYCLE_WAIT_MAX_NS; i++)
		wait_ns *= 2;
	crew->recycle_due_ns = now + (wait_ns < RECYCLE_WAIT_MAX_NS ? wait_ns : RECYCLE_WAIT_MAX_NS);
}

void
recycle_large(struct crew *crew)
{
	uint64_t limit_kib = (uint64_t)crew->worker.config->max_rss_mib * KIB_PER_MIB;
	uint64_t now = clock_now_ns();
	bool early = false, late = false;

	if (limit_kib == 0 || now < crew->recycle_due_ns)
		return;
	for (unsigned i = 0; i < crew->slots; i++) {
		struct crew_member *member = &crew->members[i];
		struct process_use use;

		/* One whose size cannot be told is left in peace: it may just have ended. */
		if (member->pid == 0 || member->ending || process_use_read(member->pid, &use) != 0 ||
		    use.rss_kib <= limit_kib)
			continue;
		log_info("Worker (pid:%d) has %.1f MiB resident, more than --max-rss %lld: it ends after its current "
			 "request",
		    (int)member->pid, (double)use.rss_kib / KIB_PER_MIB, (long long)crew->worker.config->max_rss_mib);
		replace(crew, member, SCOREBOARD_MAX_RSS);
		kill(member->pid, SIGTERM);
		if (now - member->born_ns < RECYCLE_EARLY_NS)
			early = true;
		else
			late = true;
	}
	if (early)
		wait_longer(crew, now);
	else if (late)
		crew->outgrown = 0;
}
