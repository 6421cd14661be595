/* The lab's answer by libmicrohttpd: one epoll thread of its own, one response for all requests. microhttpd PORT */
#include <arpa/inet.h>
#include <err.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_MAX 20000

static enum MHD_Result
on_request(void *response, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **context)
{
	(void)version;
	(void)upload;
	(void)upload_size;
	/* An answer at the first call, before the end of the request, would close the connection. */
	if (*context == NULL) {
		*context = response;
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 || strcmp(url, "/") != 0)
		return MHD_NO;
	return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

int
main(int argc, char **argv)
{
	static char body[] = "Hello, Anonymous";
	struct MHD_Response *response = MHD_create_response_from_buffer(sizeof(body) - 1, body, MHD_RESPMEM_PERSISTENT);
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "0"))};

	signal(SIGPIPE, SIG_IGN);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (response == NULL ||
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8") != MHD_YES ||
	    MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, response, MHD_OPTION_SOCK_ADDR,
		&address, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096,
		MHD_OPTION_END) == NULL)
		errx(1, "cannot start");
	for (;;)
		pause();
}
