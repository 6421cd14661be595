/* A URL -> host, port, path, and the addresses to connect to, resolved once before the run. */
#include "loadgen/target.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parts of a URL, still inside its text. */
struct parts {
	const char *host, *port, *path;
	size_t host_len, port_len, path_len;
	bool brackets;
};

static int refuse(char *error, size_t error_size, const char *format, ...) PRINTF_LIKE(3, 4);

static int
refuse(char *error, size_t error_size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, error_size, format, args);
	va_end(args);
	return -EINVAL;
}

/* skip_scheme moves *TEXT behind "http://", which may be missing; no other scheme is spoken. */
static int
skip_scheme(const char **text, char *error, size_t error_size)
{
	const char *mark = strstr(*text, "://");
	size_t before = strcspn(*text, "/?#");

	if (mark == NULL || (size_t)(mark - *text) > before)
		return 0;
	if (strncasecmp(*text, "https://", 8) == 0)
		return refuse(error, error_size, "https is not supported yet; use http://");
	if (strncasecmp(*text, "http://", 7) != 0)
		return refuse(error, error_size, "only http:// is supported");
	*text += 7;
	return 0;
}

/* split_authority finds host and port in AUTHORITY[0..LEN): "host", "host:port", "[v6]", "[v6]:port". */
static int
split_authority(struct parts *parts, const char *authority, size_t len, char *error, size_t error_size)
{
	const char *colon;

	if (memchr(authority, '@', len) != NULL)
		return refuse(error, error_size, "user and password do not belong in the URL; use -A user:password");
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

static int
parse_port(const struct parts *parts, uint16_t *port, char *error, size_t error_size)
{
	unsigned number = 0;

	*port = 80;
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

/* fill copies the parts into strings of TARGET's own. */
static int
fill(struct target *target, const struct parts *parts)
{
	const char *left = parts->brackets ? "[" : "", *right = parts->brackets ? "]" : "";
	size_t shown = strcspn(parts->host, "%"); /* a zone is our affair, not the server's */
	char port[8] = "";

	if (shown > parts->host_len)
		shown = parts->host_len;
	if (target->port != 80)
		snprintf(port, sizeof(port), ":%u", target->port);
	target->host = strndup(parts->host, parts->host_len);
	if (target->host == NULL ||
	    asprintf(&target->field, "%s%.*s%s%s", left, (int)shown, parts->host, right, port) < 0)
		return -ENOMEM;
	if (asprintf(&target->path, "%s%.*s", parts->path_len > 0 && parts->path[0] == '/' ? "" : "/",
		(int)parts->path_len, parts->path) < 0)
		return -ENOMEM;
	if (asprintf(&target->url, "http://%s%s%s%s%s", left, target->host, right,
		parts->port != NULL && port[0] == '\0' ? ":80" : port, target->path) < 0)
		return -ENOMEM;
	return 0;
}

int
target_parse(struct target *target, const char *text, char *error, size_t error_size)
{
	struct parts parts = {0};
	size_t len;
	int result;

	*target = (struct target){0};
	for (const char *c = text; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			return refuse(
			    error, error_size, "blanks and other than ASCII characters must be percent-encoded");
	result = skip_scheme(&text, error, error_size);
	if (result != 0)
		return result;
	len = strcspn(text, "/?#");
	result = split_authority(&parts, text, len, error, error_size);
	if (result == 0)
		result = parse_port(&parts, &target->port, error, error_size);
	if (result != 0)
		return result;
	parts.path = text + len;
	parts.path_len = strcspn(parts.path, "#");
	result = fill(target, &parts);
	if (result != 0) {
		snprintf(error, error_size, "%s", strerror(-result));
		target_deinit(target);
	}
	return result;
}

int
target_resolve(struct target *target, char *error, size_t error_size)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	char port[8];
	int result;

	snprintf(port, sizeof(port), "%u", target->port);
	result = getaddrinfo(target->host, port, &hints, &target->addresses);
	if (result == 0)
		return 0;
	target->addresses = NULL;
	snprintf(error, error_size, "%s", result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
	return -1;
}

void
target_deinit(struct target *target)
{
	if (target->addresses != NULL)
		freeaddrinfo(target->addresses);
	free(target->url);
	free(target->host);
	free(target->field);
	free(target->path);
	*target = (struct target){0};
}
