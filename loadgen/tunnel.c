/* A tunnel through an HTTP proxy: CONNECT, and the proxy's answer (RFC 9110, 9.3.6). */
#include "loadgen/tunnel.h"

#include <ctype.h>
#include <errno.h>
#include <llhttp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/version.h"
#include "loadgen/request.h"

#define ANSWER_MAX 65536 /* bytes of the proxy's answers, interim ones included */
#define REASON_MAX 64    /* what is shown of the reason phrase */

struct tunnel {
	const char *request;
	size_t left; /* bytes of the request that have not been sent */
	int fd;
	size_t received; /* bytes of the answer */
	bool answered;
	llhttp_t parser;
	size_t reason_len;
	char reason[REASON_MAX + 1];
};

static _Thread_local char why[128];

const char *
tunnel_why(void)
{
	return why;
}

static int
refused(const char *text)
{
	snprintf(why, sizeof(why), "%s", text);
	return -EPROTO;
}

char *
tunnel_request(const struct target *target, const char *credentials)
{
	bool v6 = strchr(target->host, ':') != NULL;
	int shown = (int)strcspn(target->host, "%"); /* a zone is our affair, not the proxy's */
	char *authority, *text = NULL;
	size_t len;
	FILE *out;
	bool failed;

	if (asprintf(&authority, "%s%.*s%s:%u", v6 ? "[" : "", shown, target->host, v6 ? "]" : "", target->port) < 0)
		return NULL;
	out = open_memstream(&text, &len);
	if (out == NULL) {
		free(authority);
		return NULL;
	}
	fprintf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: loadgen/" LOOPFORK_VERSION "\r\n", authority,
	    authority);
	free(authority);
	if (credentials != NULL) {
		fputs("Proxy-Authorization: ", out);
		request_print_credentials(out, credentials);
		fputs("\r\n", out);
	}
	fputs("\r\n", out);
	failed = ferror(out) != 0;
	failed |= fclose(out) != 0;
	if (!failed)
		return text;
	free(text);
	return NULL;
}

static int
on_status(llhttp_t *parser, const char *at, size_t len)
{
	struct tunnel *tunnel = parser->data;

	for (size_t i = 0; i < len && tunnel->reason_len < REASON_MAX; i++)
		tunnel->reason[tunnel->reason_len++] = (char)(isprint((unsigned char)at[i]) ? at[i] : '?');
	tunnel->reason[tunnel->reason_len] = '\0';
	return 0;
}

/* An answer to CONNECT has no body that matters: behind 2xx comes the server, and of others the status says enough. */
static int
on_headers_complete(llhttp_t *parser)
{
	return parser->http_major == 1 ? 1 : -1;
}

static int
on_message_complete(llhttp_t *parser)
{
	struct tunnel *tunnel = parser->data;

	if (parser->status_code / 100 == 1) {
		tunnel->reason_len = 0;
		tunnel->reason[0] = '\0';
		return 0;
	}
	tunnel->answered = true;
	return HPE_PAUSED; /* so that bytes behind the end show */
}

static const llhttp_settings_t settings = {
    .on_status = on_status,
    .on_headers_complete = on_headers_complete,
    .on_message_complete = on_message_complete,
};

struct tunnel *
tunnel_open(int fd, const char *request)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));

	if (tunnel == NULL)
		return NULL;
	tunnel->fd = fd;
	tunnel->request = request;
	tunnel->left = strlen(request);
	llhttp_init(&tunnel->parser, HTTP_RESPONSE, &settings);
	tunnel->parser.data = tunnel;
	return tunnel;
}

void
tunnel_close(struct tunnel *tunnel)
{
	free(tunnel);
}

static int
ask(struct tunnel *tunnel)
{
	while (tunnel->left > 0) {
		ssize_t len = send(tunnel->fd, tunnel->request, tunnel->left, MSG_NOSIGNAL);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		tunnel->request += len;
		tunnel->left -= (size_t)len;
	}
	return 0;
}

/* judge reads DATA[0..LEN) of the answer. Returns 0 when it was the last piece of a good one, -EAGAIN for more. */
static int
judge(struct tunnel *tunnel, const char *data, size_t len)
{
	llhttp_errno_t error = llhttp_execute(&tunnel->parser, data, len);

	tunnel->received += len;
	if (!tunnel->answered) {
		if (error != HPE_OK)
			return refused("the proxy's answer to CONNECT is not HTTP/1");
		return tunnel->received < ANSWER_MAX ? -EAGAIN : refused("the proxy's answer to CONNECT does not end");
	}
	if (tunnel->parser.status_code / 100 != 2) {
		bool forbidden = tunnel->parser.status_code == 407;

		snprintf(why, sizeof(why), "the proxy answered CONNECT with %d%s%s%s", tunnel->parser.status_code,
		    tunnel->reason_len > 0 ? " " : "", tunnel->reason, forbidden ? "; use -P user:password" : "");
		return -EPROTO;
	}
	if (llhttp_get_error_pos(&tunnel->parser) != data + len)
		return refused("the proxy sent more than its answer to CONNECT");
	return 0;
}

int
tunnel_go_on(struct tunnel *tunnel)
{
	char data[4096];
	int result = ask(tunnel);

	if (result != 0 && result != -EAGAIN)
		return result;
	for (;;) { /* also while the request is still leaving: it may be refused before its end */
		ssize_t len = recv(tunnel->fd, data, sizeof(data), 0);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return len < 0 ? -errno : -ECONNRESET;
		result = judge(tunnel, data, (size_t)len);
		if (result != -EAGAIN)
			return result;
	}
}
