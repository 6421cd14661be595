/* The arbiter's workers: born, watched, replaced, ended. */
#ifndef PREFORK_SERVER_CREW_H
#define PREFORK_SERVER_CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "prefork_server/heartbeat.h"
#include "prefork_server/scoreboard.h"
#include "prefork_server/worker.h"

/* How often the arbiter looks at the heartbeats. */
#define CREW_LOOK_NS 1000000000ULL

/* A worker that dies sooner after its birth died early. */
#define CREW_EARLY_NS 1000000000ULL

/* How fast workers that came to serve and died early all the same are replaced, once as many as there shall be were at once. */
#define CREW_PACE_NS 10000000ULL

struct crew_member {
	pid_t pid;           /* 0: the slot is free */
	unsigned generation; /* each reload begins a new one */
	uint64_t age;        /* the how-manieth worker this is */
	uint64_t born_ns;
	uint64_t timeout_ns; /* by the configuration at its birth */
	bool ending;         /* was sent TERM because another takes its place, or none shall */
	bool aborted;        /* was overdue at the last look, and sent ABRT */
	uint64_t first_beat; /* the counter at its birth: where it still stands there, the worker never came to serve */
	struct heartbeat_watch watch;
};

struct crew {
	const struct worker_class *class;
	struct worker worker; /* what a child starts with, but for its slot */
	struct scoreboard *board;
	void (*in_child)(void *context); /* closes in a new worker what only the arbiter needs */
	void *context;

	unsigned target;         /* how many workers there shall be */
	unsigned generation;     /* of the workers that stay */
	uint64_t born;           /* workers so far */
	unsigned early;          /* deaths in a row that came early, and before the worker could serve */
	uint64_t pace_ns;        /* when the other early deaths so far are over, at one every CREW_PACE_NS */
	uint64_t spawn_due_ns;   /* no fork before */
	uint64_t looked_ns;      /* when the heartbeats were last looked at */
	unsigned outgrown;       /* looks in a row at which workers were larger than --max-rss soon after their birth */
	uint64_t recycle_due_ns; /* none is recycled by size before */
	bool hold;               /* the old generation stays for now: reload.h */
	bool stopping;           /* crew_stop */
	unsigned slots;          /* members[slots..] were never used */
	struct crew_member members[SCOREBOARD_SLOTS];
};

/* crew_manage starts missing workers and ends those that are too many, oldest first. (gunicorn: manage_workers) */
void crew_manage(struct crew *crew);

/* crew_reload lets the next crew_manage replace every worker by one of a new generation. */
void crew_reload(struct crew *crew);

/*
 * crew_murder ends overdue workers, once every CREW_LOOK_NS: ABRT at first,
 * KILL at the next look. (gunicorn: murder_workers)
 */
void crew_murder(struct crew *crew);

/*
 * crew_reaped is told that child PID ended with STATUS of waitpid(2), and logs
 * how.  Returns its exit status, WORKER_BOOT_ERROR or WORKER_APP_LOAD_ERROR, for a worker that could not begin, else 0;
 * a PID that is no worker's is passed over.
 */
int crew_reaped(struct crew *crew, pid_t pid, int status);

/* crew_kill sends SIGNAL to every worker. */
void crew_kill(const struct crew *crew, int signal);

/* crew_stop does so too, and expects them to end by it. No crew_manage after it. */
void crew_stop(struct crew *crew, int signal);

/* crew_count returns how many worker processes there are, ending ones included. */
unsigned crew_count(const struct crew *crew);

/* crew_due_ns returns when crew_manage or crew_murder next has something to do (CLOCK_MONOTONIC). */
uint64_t crew_due_ns(const struct crew *crew);

#endif
