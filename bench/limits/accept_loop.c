/*
 * The least that a blocking server can do for a connection: accept, read, write, close. The limit for prefork_server.
 * usage: accept_loop PORT [COUNTER]
 * COUNTER: see counter.h.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "counter.h"

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
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(argc > 1 ? (uint16_t)atoi(argv[1]) : 0),
	};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	struct counter *counter = counter_open(argc > 2 ? argv[2] : NULL);

	signal(SIGPIPE, SIG_IGN);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 2048) != 0) {
		perror("accept_loop");
		return 1;
	}
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
