/* How many requests a bare server has answered, where the benchmark can read it meanwhile: a file that both map. */
#ifndef BENCH_LIMITS_COUNTER_H
#define BENCH_LIMITS_COUNTER_H

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

/* counter_open maps PATH, a file of 8 bytes or more; with NULL nobody else reads what is counted. Never unmapped. */
static inline volatile uint64_t *
counter_open(const char *path)
{
	static uint64_t own;
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
