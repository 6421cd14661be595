/*
 * Makes loadgen ill, through LD_PRELOAD, in the way that $AILMENT names, so
 * that its checks of itself have something to find:
 *
 *	busy	each thread's CPU clock runs as fast as the time: it never had a moment to spare
 *	even	random gaps are all the same, because the logarithm of any number is -1
 *	slow	each look at the clock takes 3 ms, of which some fall between an answer and the next request
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool
ails_from(const char *ailment)
{
	const char *named = getenv("AILMENT");

	return named != NULL && strcmp(named, ailment) == 0;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	const struct timespec pause = {.tv_nsec = 3000000};

	if (clock == CLOCK_MONOTONIC && ails_from("slow"))
		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, NULL);
	if (clock == CLOCK_THREAD_CPUTIME_ID && ails_from("busy"))
		clock = CLOCK_MONOTONIC;
	return (int)syscall(SYS_clock_gettime, clock, now);
}

double
log(double number)
{
	static double (*real)(double);

	if (ails_from("even"))
		return -1;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "log");
	return real(number);
}
