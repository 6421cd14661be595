/* The lab's answer by libevent's HTTP server. evhttp PORT */
#include <err.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

static void
on_request(struct evhttp_request *request, void *context)
{
	static const char body[] = "Hello, Anonymous";

	(void)context;
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "text/plain; charset=utf-8");
	evbuffer_add_reference(evhttp_request_get_output_buffer(request), body, sizeof(body) - 1, NULL, NULL);
	evhttp_send_reply(request, HTTP_OK, "OK", NULL);
}

int
main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;

	signal(SIGPIPE, SIG_IGN);
	if (http == NULL || evhttp_set_cb(http, "/", on_request, NULL) != 0 ||
	    evhttp_bind_socket(http, "127.0.0.1", (uint16_t)atoi(argc > 1 ? argv[1] : "0")) != 0)
		errx(1, "cannot start");
	return event_base_dispatch(base);
}
