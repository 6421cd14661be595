/*
 * What a plain use of async_server's two libraries costs: libuv's streams
 * and llhttp, one read buffer for the loop, one uv_try_write for all answers
 * to one read.  No deadlines, no limits, and whatever is not GET is answered
 * all the same: for bench/ only.
 *
 *   libuv_llhttp [PORT]
 */
#include <err.h>
#include <llhttp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define IN_SIZE 65536

static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: text/plain; charset=utf-8\r\n"
			     "Content-Length: 16\r\n"
			     "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
			     "Server: libuv_llhttp/0.1.0\r\n"
			     "\r\n"
			     "Hello, Anonymous";
#define ANSWER_LEN (sizeof(answer) - 1)

struct conn {
	uv_tcp_t tcp;
	llhttp_t parser;
	unsigned complete; /* requests that ended in the present read */
};

static char in[IN_SIZE];
/* As many answers as requests (of 18 bytes or more) that fit one read. */
static char answers[IN_SIZE / 18 * ANSWER_LEN];
static llhttp_settings_t settings;

static int
on_complete(llhttp_t *parser)
{
	struct conn *conn = parser->data;

	conn->complete++;
	return 0;
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(in, sizeof(in));
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct conn *conn = stream->data;

	if (got == 0)
		return;
	conn->complete = 0;
	if (got > 0 && llhttp_execute(&conn->parser, buf->base, (size_t)got) == HPE_OK) {
		uv_buf_t out = uv_buf_init(answers, (unsigned)(conn->complete * ANSWER_LEN));

		if (conn->complete == 0 || uv_try_write(stream, &out, 1) == (int)out.len)
			return;
	}
	uv_close((uv_handle_t *)stream, on_closed);
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct conn *conn = malloc(sizeof(*conn));

	if (status < 0 || conn == NULL)
		errx(1, "cannot accept");
	uv_tcp_init(listener->loop, &conn->tcp);
	conn->tcp.data = conn;
	llhttp_init(&conn->parser, HTTP_REQUEST, &settings);
	conn->parser.data = conn;
	if (uv_accept(listener, (uv_stream_t *)&conn->tcp) != 0 || uv_tcp_nodelay(&conn->tcp, 1) != 0 ||
	    uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0)
		uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

int
main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	struct sockaddr_in address;
	uv_tcp_t listener;

	for (size_t i = 0; i < sizeof(answers) / ANSWER_LEN; i++)
		memcpy(answers + i * ANSWER_LEN, answer, ANSWER_LEN);
	llhttp_settings_init(&settings);
	settings.on_message_complete = on_complete;
	if (uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0, &address) != 0 ||
	    uv_tcp_init(loop, &listener) != 0 || uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) != 0 ||
	    uv_listen((uv_stream_t *)&listener, 4096, on_connection) != 0)
		errx(1, "cannot listen");
	return uv_run(loop, UV_RUN_DEFAULT);
}
