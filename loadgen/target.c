/* A URL -> host, port, path, and the addresses to connect to, resolved once before the run. */
#include "loadgen/target.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "loadgen/refuse.h"

#define PORT_HTTP 80
#define PORT_HTTPS 443

/* The parts of a URL, still inside its text. */
struct parts {
	const char *host, *port; /* port: NULL where there is none */
	const char *path;        /* and all behind it */
	size_t host_len, port_len;
	bool brackets;
};

/* An address of a Unix socket, as target->addresses. */
struct unix_address {
	struct addrinfo info;
	struct sockaddr_un address;
};

/* lacks_slashes tells whether TEXT is a URL without its "//", as in "http:host"; but "http:8088" is a host of that name. */
static bool
lacks_slashes(const char *text)
{
	size_t scheme = strncasecmp(text, "http:", 5) == 0 ? 5 : strncasecmp(text, "https:", 6) == 0 ? 6 : 0;
	size_t digits = strspn(text + scheme, "0123456789");

	return scheme > 0 && (digits == 0 || strcspn(text + scheme, "/?#") > digits);
}

/* skip_scheme moves *TEXT behind "http://" or "https://", which may be missing; no other scheme is spoken. */
static int
skip_scheme(const char **text, bool *tls, char *error, size_t error_size)
{
	const char *mark = strstr(*text, "://");
	size_t before = strcspn(*text, "/?#");

	if (mark == NULL || (size_t)(mark - *text) > before) {
		if (!lacks_slashes(*text))
			return 0;
		return refuse(error, error_size, "two slashes must follow the scheme, as in http://127.0.0.1:8088/");
	}
	*tls = strncasecmp(*text, "https://", 8) == 0;
	if (!*tls && strncasecmp(*text, "http://", 7) != 0)
		return refuse(error, error_size, "only http://, https:// and unix:/path/of.sock:/ are supported");
	*text = mark + 3;
	return 0;
}

/* split_authority finds host and port in AUTHORITY[0..LEN): "host", "host:port", "[v6]", "[v6]:port". */
static int
split_authority(struct parts *parts, const char *authority, size_t len, char *error, size_t error_size)
{
	const char *colon;

	if (len > 0 && authority[0] == '[') {
		const char *end = memchr(authority, ']', len);

		if (end == NULL)
			return refuse(
			    error, error_size, "the IPv6 address lacks its closing bracket, as in http://[::1]:8088/");
		parts->brackets = true;
		parts->host = authority + 1;
		parts->host_len = (size_t)(end - parts->host);
		len -= (size_t)(end + 1 - authority);
		authority = end + 1;
		if (len > 0 && authority[0] != ':')
			return refuse(error, error_size, "only :port may follow the bracket, as in http://[::1]:8088/");
		colon = len > 0 ? authority : NULL;
	} else {
		colon = memchr(authority, ':', len);
		parts->host = authority;
		parts->host_len = colon != NULL ? (size_t)(colon - authority) : len;
	}
	if (!parts->brackets && colon != NULL && memchr(colon + 1, ':', len - (size_t)(colon + 1 - authority)) != NULL)
		return refuse(error, error_size, "an IPv6 address needs brackets, as in http://[::1]:8088/");
	if (parts->host_len == 0)
		return refuse(error, error_size, "the URL has no host; use one like http://127.0.0.1:8088/");
	if (colon != NULL) {
		parts->port = colon + 1;
		parts->port_len = len - (size_t)(parts->port - authority);
	}
	return 0;
}

/* parse_port leaves *PORT as it is where there is none. */
static int
parse_port(const struct parts *parts, uint16_t *port, char *error, size_t error_size)
{
	unsigned number = 0;

	if (parts->port == NULL)
		return 0;
	for (size_t i = 0; i < parts->port_len && number <= UINT16_MAX; i++) {
		if (parts->port[i] < '0' || parts->port[i] > '9')
			number = UINT16_MAX;
		number = number * 10 + (unsigned)(parts->port[i] - '0');
	}
	if (number == 0 || number > UINT16_MAX)
		return refuse(error, error_size, "the port must be a whole number from 1 to 65535");
	*port = (uint16_t)number;
	return 0;
}

static int
copy_path(struct target *target, const char *text)
{
	const char *slash = text[0] == '/' ? "" : "/";

	return asprintf(&target->path, "%s%.*s", slash, (int)strcspn(text, "#"), text) < 0 ? -ENOMEM : 0;
}

/* copy_host: a zone stands behind "%25" in a URL (RFC 6874), and behind a plain "%" where people type it. */
static char *
copy_host(const struct parts *parts)
{
	char *host = strndup(parts->host, parts->host_len), *zone = host != NULL ? strstr(host, "%25") : NULL;

	if (parts->brackets && zone != NULL && zone[3] != '\0')
		memmove(zone + 1, zone + 3, strlen(zone + 3) + 1);
	return host;
}

/* fill copies the parts into strings of TARGET's own. */
static int
fill(struct target *target, const struct parts *parts)
{
	const char *left = parts->brackets ? "[" : "", *right = parts->brackets ? "]" : "";
	size_t shown = strcspn(parts->host, "%"); /* a zone is our affair, not the server's */
	bool usual = target->port == (target->tls ? PORT_HTTPS : PORT_HTTP);
	char port[8];

	if (shown > parts->host_len)
		shown = parts->host_len;
	snprintf(port, sizeof(port), ":%u", target->port);
	target->host = copy_host(parts);
	if (target->host == NULL ||
	    asprintf(&target->field, "%s%.*s%s%s", left, (int)shown, parts->host, right, usual ? "" : port) < 0)
		return -ENOMEM;
	if (copy_path(target, parts->path) != 0 ||
	    asprintf(&target->url, "http%s://%s%s%s%s%s", target->tls ? "s" : "", left, target->host, right,
		parts->port != NULL ? port : "", target->path) < 0)
		return -ENOMEM;
	return 0;
}

static int
parse_tcp(struct target *target, const char *text, char *error, size_t error_size)
{
	struct parts parts = {0};
	size_t len;
	int result;

	result = skip_scheme(&text, &target->tls, error, error_size);
	if (result != 0)
		return result;
	len = strcspn(text, "/?#");
	parts.path = text + len;
	target->port = target->tls ? PORT_HTTPS : PORT_HTTP;
	if (memchr(text, '@', len) != NULL)
		return refuse(error, error_size, "user and password do not belong in the URL; use -A user:password");
	result = split_authority(&parts, text, len, error, error_size);
	if (result == 0)
		result = parse_port(&parts, &target->port, error, error_size);
	return result == 0 ? fill(target, &parts) : result;
}

/* parse_unix reads what follows "unix:": the path of the socket, and behind a colon that of the request. */
static int
parse_unix(struct target *target, const char *text, char *error, size_t error_size)
{
	size_t len = strcspn(text, ":");
	const char *path = text + len + (text[len] == ':');

	if (text[0] != '/')
		return refuse(
		    error, error_size, "the path of a Unix socket begins with a slash, as in unix:/run/app.sock:/");
	if (len >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return refuse(error, error_size, "the path of a Unix socket has at most %zu characters",
		    sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	target->socket = strndup(text, len);
	target->host = strdup("localhost");
	target->field = strdup("localhost");
	if (target->socket == NULL || target->host == NULL || target->field == NULL || copy_path(target, path) != 0 ||
	    asprintf(&target->url, "unix:%s:%s", target->socket, target->path) < 0)
		return -ENOMEM;
	return 0;
}

int
target_parse(struct target *target, const char *text, char *error, size_t error_size)
{
	int result;

	*target = (struct target){0};
	for (const char *c = text; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			return refuse(
			    error, error_size, "blanks and other than ASCII characters must be percent-encoded");
	/* "unix:8088" is a host of that name. */
	if (strncasecmp(text, "unix:", 5) == 0 && (text[5] < '0' || text[5] > '9'))
		result = parse_unix(target, text + 5, error, error_size);
	else
		result = parse_tcp(target, text, error, error_size);
	if (result == -ENOMEM)
		snprintf(error, error_size, "%s", strerror(ENOMEM));
	if (result != 0)
		target_deinit(target);
	return result;
}

int
target_set_proxy(struct target *target, const char *text, char *error, size_t error_size)
{
	struct parts parts = {0};
	uint16_t port = PORT_HTTP;
	int result;

	if (target->socket != NULL)
		return refuse(
		    error, error_size, "a proxy does not reach a Unix socket; leave -X out for %s", target->url);
	if (strchr(text, '@') != NULL)
		return refuse(error, error_size, "user and password do not belong here; use -P user:password");
	if (text[0] == '\0' || (text[0] == ':' && text[1] != ':'))
		return refuse(error, error_size, "the proxy has no host; use host:port");
	if (strpbrk(text, "/?# ") != NULL)
		return refuse(error, error_size, "a proxy is host:port alone, and is spoken to in plain HTTP");
	result = split_authority(&parts, text, strlen(text), error, error_size);
	if (result == 0)
		result = parse_port(&parts, &port, error, error_size);
	if (result != 0)
		return result;
	target->proxy = copy_host(&parts);
	target->proxy_port = port;
	if (target->proxy != NULL)
		return 0;
	snprintf(error, error_size, "%s", strerror(ENOMEM));
	return -ENOMEM;
}

static int
resolve_unix(struct target *target, char *error, size_t error_size)
{
	struct unix_address *made = calloc(1, sizeof(*made));

	if (made == NULL) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return -1;
	}
	made->address.sun_family = AF_UNIX;
	memcpy(made->address.sun_path, target->socket, strlen(target->socket));
	made->info = (struct addrinfo){
	    .ai_family = AF_UNIX,
	    .ai_socktype = SOCK_STREAM,
	    .ai_addr = (struct sockaddr *)&made->address,
	    .ai_addrlen = sizeof(made->address),
	};
	target->addresses = &made->info;
	return 0;
}

int
target_resolve(struct target *target, int family, char *error, size_t error_size)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	char port[8];
	int result;

	if (target->socket != NULL)
		return resolve_unix(target, error, error_size);
	snprintf(port, sizeof(port), "%d", target->proxy != NULL ? target->proxy_port : target->port);
	result = getaddrinfo(target->proxy != NULL ? target->proxy : target->host, port, &hints, &target->addresses);
	if (result == 0)
		return 0;
	target->addresses = NULL;
	snprintf(error, error_size, "%s", result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
	return -1;
}

void
target_deinit(struct target *target)
{
	if (target->addresses != NULL && target->socket != NULL)
		free(target->addresses); /* the first member of a struct unix_address */
	else if (target->addresses != NULL)
		freeaddrinfo(target->addresses);
	free(target->url);
	free(target->host);
	free(target->field);
	free(target->path);
	free(target->socket);
	free(target->proxy);
	free(target->tunnel);
	free(target->server_name);
	*target = (struct target){0};
}
