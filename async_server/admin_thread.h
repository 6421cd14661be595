/* The admin address in a thread of its own: it answers while the loop is blocked. */
#ifndef ASYNC_SERVER_ADMIN_THREAD_H
#define ASYNC_SERVER_ADMIN_THREAD_H

#include <pthread.h>

#include "common/admin.h"
#include "common/compiler.h"

struct admin_thread {
	pthread_t thread;
	struct admin admin;
};

/*
 * admin_thread_start serves THREAD->admin, whose fields the caller has filled
 * but for stop_fd; listen_fd becomes the thread's.  Returns 0 or -errno (the
 * socket is then closed).
 */
MUST_CHECK int admin_thread_start(struct admin_thread *thread);

/* admin_thread_end ends it and closes its sockets. */
void admin_thread_end(struct admin_thread *thread);

#endif
