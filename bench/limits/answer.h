/* The lab's 16 bytes, as the bare event loops answer them. */
#ifndef BENCH_LIMITS_ANSWER_H
#define BENCH_LIMITS_ANSWER_H

#ifdef KEEP_ALIVE_TOLD /* ab asks in HTTP/1.0: unless it is told, it waits for the end of the connection */
#define KEEP_ALIVE "Connection: keep-alive\r\n"
#else
#define KEEP_ALIVE
#endif

static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: text/plain; charset=utf-8\r\n"
			     "Content-Length: 16\r\n"
			     "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
			     "Server: epoll_server/0.1.0\r\n" KEEP_ALIVE "\r\n"
			     "Hello, Anonymous";
#define ANSWER_LEN (sizeof(answer) - 1)

#endif
