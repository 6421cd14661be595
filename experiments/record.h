/* A run: what was measured, when, where and how it ended; what the store keeps and reports are made from. */
#ifndef EXPERIMENTS_RECORD_H
#define EXPERIMENTS_RECORD_H

#include <stdint.h>

#include "experiments/machine.h"
#include "experiments/plan.h"

#define RECORD_NAME_MAX 32

enum record_state {
	RECORD_RUNNING,  /* also what a lab that was killed leaves in the store */
	RECORD_COMPLETE, /* every cell has its result */
	RECORD_INTERRUPTED,
};
#define RECORD_STATES 3
extern const char *const record_state_names[RECORD_STATES];

struct record {
	int64_t id;                     /* in the store; 0: not stored yet */
	char name[RECORD_NAME_MAX];     /* "2026-11-21_10-00-00": the results folder's too */
	char started[RECORD_NAME_MAX];  /* RFC 3339 with the local offset */
	char finished[RECORD_NAME_MAX]; /* the same; "" while it runs */
	enum record_state state;
	int64_t jobs;
	char *command; /* as it was typed */
	struct facts facts;
	struct plan plan;
};

/* record_now writes the present local time to TEXT, in the form of a run's name, or of RFC 3339. */
void record_now_name(char *text);
void record_now_rfc3339(char *text);

/* record_count counts the plan's cells in STATE. */
size_t record_count(const struct record *record, enum result_state state);

void record_deinit(struct record *record);

#endif
