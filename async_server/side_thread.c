/* A thread beside the loop that does not slow down the loop's system calls. */
#include "async_server/side_thread.h"

#include <sched.h>
#include <semaphore.h>

/* On the stack of side_thread_start until the thread says that it is ready. */
struct start {
	void *(*run)(void *argument);
	void *argument;
	sem_t ready;
};

static _Thread_local bool has_own_files;

static bool
leave_shared_files(void)
{
#ifdef __SANITIZE_THREAD__
	/* ThreadSanitizer takes descriptors of one number for one file: let it be so. */
	return false;
#else
	return unshare(CLONE_FILES) == 0;
#endif
}

static void *
begin(void *argument)
{
	struct start *start = argument;
	void *(*run)(void *) = start->run;
	void *run_argument = start->argument;

	has_own_files = leave_shared_files();
	sem_post(&start->ready);
	return run(run_argument);
}

int
side_thread_start(pthread_t *thread, void *(*run)(void *argument), void *argument)
{
	struct start start = {.run = run, .argument = argument};
	int error;

	sem_init(&start.ready, 0, 0);
	error = pthread_create(thread, NULL, begin, &start);
	if (error == 0)
		while (sem_wait(&start.ready) != 0)
			; /* interrupted by a signal */
	sem_destroy(&start.ready);
	return -error;
}

bool
side_thread_has_own_files(void)
{
	return has_own_files;
}
