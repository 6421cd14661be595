/* The admin address in a thread of its own: it answers while the loop is blocked. */
#include "async_server/admin_thread.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "async_server/side_thread.h"
#include "common/listener.h"
#include "common/log.h"

static void *
run(void *argument)
{
	struct admin_thread *thread = argument;
	int error = admin_serve(&thread->admin);

	if (error != 0)
		log_error("The admin address stopped: %s", strerror(-error));
	return NULL;
}

int
admin_thread_start(struct admin_thread *thread)
{
	int error;

	thread->admin.stop_fd = eventfd(0, EFD_CLOEXEC);
	error = thread->admin.stop_fd < 0 ? -errno : side_thread_start(&thread->thread, run, thread);
	if (error != 0) {
		if (thread->admin.stop_fd >= 0)
			close(thread->admin.stop_fd);
		listener_close(thread->admin.listen_fd);
	}
	return error;
}

void
admin_thread_end(struct admin_thread *thread)
{
	(void)eventfd_write(thread->admin.stop_fd, 1);
	pthread_join(thread->thread, NULL);
	close(thread->admin.stop_fd);
	listener_close(thread->admin.listen_fd);
}
