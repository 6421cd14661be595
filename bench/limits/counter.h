/*
 * How many requests a bare server has answered, and when they came, where the
 * benchmark can read it meanwhile: a file that both map.  A number of 64 bits,
 * then a ring of the times of the latest requests, for a server that notes
 * them.
 */
#ifndef BENCH_LIMITS_COUNTER_H
#define BENCH_LIMITS_COUNTER_H

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

#define COUNTER_TIMES 262144

struct counter {
	volatile uint64_t answered;
	volatile uint64_t times_ns[COUNTER_TIMES]; /* CLOCK_MONOTONIC; of request N at N % COUNTER_TIMES */
};

/* counter_open maps PATH, a file of that size; with NULL nobody else reads what is counted. Never unmapped. */
static inline struct counter *
counter_open(const char *path)
{
	static struct counter own;
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *page;

	if (path == NULL)
		return &own;
	page = mmap(NULL, sizeof(own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		err(1, "cannot map %s", path);
	return page;
}

#endif
