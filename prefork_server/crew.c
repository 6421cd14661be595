/* The arbiter's workers: born, watched, replaced, ended. */
#include "prefork_server/crew.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "prefork_server/recycle.h"

#define RETRY_NS NS_PER_SEC /* after fork failed */
#define BACKOFF_MIN_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (10 * NS_PER_SEC)

/* count returns the members that are to stay; of the present generation only, where FRESH is set. */
static unsigned
count(const struct crew *crew, bool fresh)
{
	unsigned found = 0;

	for (unsigned i = 0; i < crew->slots; i++) {
		const struct crew_member *member = &crew->members[i];

		if (member->pid != 0 && !member->ending && (!fresh || member->generation == crew->generation))
			found++;
	}
	return found;
}

unsigned
crew_count(const struct crew *crew)
{
	unsigned found = 0;

	for (unsigned i = 0; i < crew->slots; i++)
		found += crew->members[i].pid != 0;
	return found;
}

static struct crew_member *
find(struct crew *crew, pid_t pid)
{
	for (unsigned i = 0; i < crew->slots; i++)
		if (crew->members[i].pid == pid)
			return &crew->members[i];
	return NULL;
}

static struct crew_member *
find_free(struct crew *crew)
{
	struct crew_member *member = find(crew, 0);

	if (member == NULL && crew->slots < SCOREBOARD_SLOTS)
		member = &crew->members[crew->slots++];
	return member;
}

/* find_oldest returns the oldest member that is to stay. */
static struct crew_member *
find_oldest(struct crew *crew)
{
	struct crew_member *oldest = NULL;

	for (unsigned i = 0; i < crew->slots; i++) {
		struct crew_member *member = &crew->members[i];

		if (member->pid != 0 && !member->ending && (oldest == NULL || member->age < oldest->age))
			oldest = member;
	}
	return oldest;
}

/* be_worker is where a child leaves the arbiter's code. */
static _Noreturn void
be_worker(struct crew *crew, size_t slot, pid_t arbiter)
{
	crew->in_child(crew->context);
	scoreboard_protect(crew->board);
	scoreboard_begin(crew->board, slot);
	crew->worker.notice = crew->board->notice;
	crew->worker.heartbeat = &crew->board->rows[slot].heartbeat;
	crew->worker.retiring = &crew->board->rows[slot].retiring;
	crew->worker.lanes = crew->board->rows[slot].lanes;
	crew->worker.lane = crew->worker.lanes;
	crew->worker.metrics = &crew->worker.lane->metrics;
	crew->worker.arbiter = arbiter;
	worker_main(&crew->worker, crew->class);
}

/* spawn starts one worker. Returns 0 or -errno, after saying so and setting when to try again. */
static int
spawn(struct crew *crew)
{
	struct crew_member *member = find_free(crew);
	pid_t arbiter = getpid();
	uint64_t now = clock_now_ns();
	int error = EAGAIN;
	pid_t pid = -1;

	if (member != NULL) {
		size_t slot = (size_t)(member - crew->members);

		heartbeat_watch_begin(&member->watch, &crew->board->rows[slot].heartbeat);
		/* One more for the main thread, where that is none of them. */
		scoreboard_take(crew->board, slot, (size_t)crew->worker.config->threads + 1);
		pid = fork();
		error = errno;
		if (pid == 0)
			be_worker(crew, slot, arbiter);
		if (pid < 0)
			scoreboard_leave(crew->board, slot);
	}
	if (pid < 0) {
		log_error("Cannot start a worker: %s; trying again in 1 s", strerror(error));
		crew->spawn_due_ns = now + RETRY_NS;
		return -error;
	}
	member->pid = pid;
	member->generation = crew->generation;
	member->age = ++crew->born;
	member->born_ns = now;
	member->timeout_ns = crew->worker.config->timeout_ns;
	member->first_beat = member->watch.seen;
	member->ending = false;
	member->aborted = false;
	scoreboard_seat(crew->board, (size_t)(member - crew->members), pid, crew->generation);
	return 0;
}

void
crew_manage(struct crew *crew)
{
	struct crew_member *oldest;
	unsigned fresh, staying;

	recycle_retiring(crew);
	fresh = count(crew, true);
	while (fresh < crew->target && clock_now_ns() >= crew->spawn_due_ns && spawn(crew) == 0)
		fresh++;
	/* Where not all new ones could be started, as many old ones stay. */
	staying = count(crew, false);
	while (!crew->hold && staying > crew->target && (oldest = find_oldest(crew)) != NULL) {
		oldest->ending = true;
		scoreboard_end(crew->board, (size_t)(oldest - crew->members),
		    oldest->generation == crew->generation ? SCOREBOARD_TOO_MANY : SCOREBOARD_RELOAD);
		kill(oldest->pid, SIGTERM);
		staying--;
	}
	atomic_store(&crew->board->notice->class_name, crew->class->name);
	atomic_store(&crew->board->notice->target, crew->target);
	atomic_store(&crew->board->notice->generation, crew->generation);
	atomic_store(&crew->board->notice->workers, staying);
}

void
crew_reload(struct crew *crew)
{
	crew->generation++;
	crew->early = 0;
	crew->spawn_due_ns = 0;
}

static void
murder(struct crew *crew, struct crew_member *member)
{
	if (member->aborted) {
		kill(member->pid, SIGKILL);
		return;
	}
	log_critical("WORKER TIMEOUT (pid:%d)", (int)member->pid);
	atomic_fetch_add(&crew->board->notice->timeouts, 1);
	member->aborted = true;
	kill(member->pid, SIGABRT);
}

void
crew_murder(struct crew *crew)
{
	uint64_t now = clock_now_ns();
	uint64_t elapsed_ns = now - crew->looked_ns;

	if (elapsed_ns < CREW_LOOK_NS)
		return;
	crew->looked_ns = now;
	for (unsigned i = 0; i < crew->slots; i++) {
		struct crew_member *member = &crew->members[i];
		uint64_t silent_ns;

		if (member->pid == 0)
			continue;
		silent_ns = heartbeat_watch_look(&member->watch, &crew->board->rows[i].heartbeat, elapsed_ns);
		if (member->timeout_ns != 0 && silent_ns > member->timeout_ns)
			murder(crew, member);
	}
	recycle_large(crew);
}

/*
 * slow_down keeps a loop of deaths from being a tight one.  These workers had
 * come to serve: they died of what they were sent, or somebody killed them, and the
 * next ones are needed at once.  A worker can claim to be one of them by its
 * heartbeat, and wins a birth every CREW_PACE_NS by it.
 */
static void
slow_down(struct crew *crew, uint64_t now)
{
	uint64_t allowed_ns = crew->target * CREW_PACE_NS;

	crew->pace_ns = (crew->pace_ns > now ? crew->pace_ns : now) + CREW_PACE_NS;
	if (crew->pace_ns > now + allowed_ns && crew->spawn_due_ns < crew->pace_ns - allowed_ns)
		crew->spawn_due_ns = crew->pace_ns - allowed_ns;
}

/*
 * back_off says how soon a worker that died is replaced: at once, but where
 * workers die before they can serve, the next will hardly do better, and the wait doubles.
 */
static void
back_off(struct crew *crew, const struct crew_member *member)
{
	const struct heartbeat *heartbeat = &crew->board->rows[member - crew->members].heartbeat;
	uint64_t delay_ns = BACKOFF_MIN_NS;
	uint64_t now = clock_now_ns();
	bool early = now - member->born_ns < CREW_EARLY_NS;

	if (!early || atomic_load(&heartbeat->beats) != member->first_beat) {
		crew->early = 0;
		if (early)
			slow_down(crew, now);
		return;
	}
	crew->early++;
	if (crew->early <= crew->target)
		return;
	for (unsigned i = crew->target + 1; i < crew->early && delay_ns < BACKOFF_MAX_NS; i++)
		delay_ns *= 2;
	if (delay_ns > BACKOFF_MAX_NS)
		delay_ns = BACKOFF_MAX_NS;
	crew->spawn_due_ns = now + delay_ns;
	log_warning("Workers die as they start (%u in a row): the next one in %.1f s", crew->early,
	    (double)delay_ns / (double)NS_PER_SEC);
}

static void
log_end(pid_t pid, int status)
{
	if (WIFSIGNALED(status)) {
		const char *name = sigabbrev_np(WTERMSIG(status));

		log_error("Worker (pid:%d) was sent SIG%s!%s", (int)pid, name != NULL ? name : "?",
		    WTERMSIG(status) == SIGKILL ? " Perhaps out of memory?" : "");
	} else if (WEXITSTATUS(status) != 0) {
		log_error("Worker (pid:%d) exited with code %d", (int)pid, WEXITSTATUS(status));
	}
}

int
crew_reaped(struct crew *crew, pid_t pid, int status)
{
	struct crew_member *member = find(crew, pid);
	struct scoreboard_notice *notice = crew->board->notice;
	size_t slot;

	if (member == NULL)
		return 0;
	slot = (size_t)(member - crew->members);
	log_end(pid, status);
	if (!member->ending && !crew->stopping) {
		if (recycle_is_retiring(crew, member)) {
			scoreboard_end(crew->board, slot, SCOREBOARD_MAX_REQUESTS);
		} else {
			scoreboard_end(crew->board, slot, member->aborted ? SCOREBOARD_TIMEOUT : SCOREBOARD_CRASH);
			back_off(crew, member);
		}
	}
	member->pid = 0;
	scoreboard_leave(crew->board, slot);
	atomic_store(&notice->workers, count(crew, false));
	if (crew->worker.duty != NULL)
		duty_renew(crew->worker.duty);
	if (WIFEXITED(status) &&
	    (WEXITSTATUS(status) == WORKER_BOOT_ERROR || WEXITSTATUS(status) == WORKER_APP_LOAD_ERROR))
		return WEXITSTATUS(status);
	return 0;
}

void
crew_kill(const struct crew *crew, int signal)
{
	for (unsigned i = 0; i < crew->slots; i++)
		if (crew->members[i].pid != 0)
			kill(crew->members[i].pid, signal);
}

void
crew_stop(struct crew *crew, int signal)
{
	crew->stopping = true;
	crew_kill(crew, signal);
}

uint64_t
crew_due_ns(const struct crew *crew)
{
	uint64_t look_ns = crew->looked_ns + CREW_LOOK_NS;

	if (count(crew, true) < crew->target && crew->spawn_due_ns < look_ns)
		return crew->spawn_due_ns;
	return look_ns;
}
