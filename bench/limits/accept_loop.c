/*
 * The least that a blocking server can do for a connection: accept, read, write, close. The limit for prefork_server.
 * usage: accept_loop [PORT [COUNTER]]
 * It prints its port. COUNTER: see counter.h.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "counter.h"
#include "listener.h"

/* As long as prefork_server's answer. */
static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: text/plain; charset=utf-8\r\n"
			     "Content-Length: 16\r\n"
			     "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
			     "Server: accept_loop/00.1.0\r\n"
			     "Connection: close\r\n"
			     "\r\n"
			     "Hello, Anonymous";

int
main(int argc, char **argv)
{
	int listener = listener_open(argc > 1 ? argv[1] : NULL, 0);
	struct counter *counter = counter_open(argc > 2 ? argv[2] : NULL);

	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		char request[16384];
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		if (read(fd, request, sizeof(request)) > 0 && write(fd, answer, sizeof(answer) - 1) < 0)
			perror("accept_loop: write");
		counter->answered++;
		close(fd);
	}
}
