/* The bytes of the request, built once for a cell and sent over and over. */
#include "loadgen/request.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/version.h"

#define BODY_MAX (1LL << 30)

/* token_len returns how many characters of TEXT make a token (RFC 9110, 5.6.2). */
static size_t
token_len(const char *text)
{
	size_t len = 0;

	while (text[len] != '\0' && (isalnum((unsigned char)text[len]) || strchr("!#$%&'*+-.^_`|~", text[len]) != NULL))
		len++;
	return len;
}

/* has_control finds what would end a field line early. */
static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' && *text != '\t')
			return true;
	return false;
}

int
request_check_method(const char *method, char *error, size_t error_size)
{
	size_t len = token_len(method);

	if (len == 0 || method[len] != '\0')
		snprintf(error, error_size, "a method is a word like GET or PATCH");
	else if (strcmp(method, "CONNECT") == 0)
		snprintf(error, error_size, "CONNECT asks for a tunnel, not for a response; use another method");
	else
		return 0;
	return -EINVAL;
}

int
request_check_field(const char *line, char *error, size_t error_size)
{
	size_t len = token_len(line);

	if (len == 0 || line[len] != ':')
		snprintf(
		    error, error_size, "a header line is a name, a colon and a value, as in \"Accept: text/html\"");
	else if (has_control(line))
		snprintf(error, error_size, "a header line cannot hold line ends or control characters");
	else
		return 0;
	return -EINVAL;
}

int
request_check_cookie(const char *cookie, char *error, size_t error_size)
{
	size_t len = token_len(cookie);

	if (len == 0 || cookie[len] != '=' || has_control(cookie))
		snprintf(error, error_size, "a cookie is name=value on one line");
	else
		return 0;
	return -EINVAL;
}

/* read_whole fills DATA[0..LEN) from FD.  A file that got shorter meanwhile is -EIO. */
static int
read_whole(int fd, char *data, size_t len)
{
	while (len > 0) {
		ssize_t got = read(fd, data, len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		data += got;
		len -= (size_t)got;
	}
	return 0;
}

int
request_load_body(struct request_spec *spec, const char *path)
{
	struct stat status;
	int fd, result = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0)
		result = -errno;
	else if (S_ISDIR(status.st_mode))
		result = -EISDIR;
	else if (!S_ISREG(status.st_mode))
		result = -EINVAL;
	else if (status.st_size > BODY_MAX)
		result = -EFBIG;
	if (result == 0) {
		spec->body_len = (size_t)status.st_size;
		spec->body = malloc(spec->body_len + 1); /* never NULL for an empty file: it is a body, too */
		result = spec->body != NULL ? read_whole(fd, spec->body, spec->body_len) : -ENOMEM;
	}
	close(fd);
	return result;
}

const char *
request_method_name(const struct request_spec *spec)
{
	if (spec->method != NULL)
		return spec->method;
	if (spec->head)
		return "HEAD";
	if (spec->body == NULL)
		return "GET";
	return spec->put ? "PUT" : "POST";
}

static void
print_base64(FILE *out, const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i += 3) {
		unsigned bits = (unsigned)(unsigned char)text[i] << 16;

		bits |= i + 1 < len ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
		bits |= i + 2 < len ? (unsigned)(unsigned char)text[i + 2] : 0;
		fputc(digits[bits >> 18], out);
		fputc(digits[bits >> 12 & 63], out);
		fputc(i + 1 < len ? digits[bits >> 6 & 63] : '=', out);
		fputc(i + 2 < len ? digits[bits & 63] : '=', out);
	}
}

/* user_sets tells whether a -H line has NAME, and so takes the place of our own. */
static bool
user_sets(const struct request_spec *spec, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < spec->fields_len; i++)
		if (strncasecmp(spec->fields[i], name, len) == 0 && spec->fields[i][len] == ':')
			return true;
	return false;
}

static void
print_field(FILE *out, const struct request_spec *spec, const char *name, const char *value)
{
	if (!user_sets(spec, name))
		fprintf(out, "%s: %s\r\n", name, value);
}

static void
print_cookies(FILE *out, const struct request_spec *spec)
{
	if (spec->cookies_len == 0 || user_sets(spec, "Cookie"))
		return;
	for (size_t i = 0; i < spec->cookies_len; i++) /* RFC 6265, 5.4: one field, however many cookies */
		fprintf(out, "%s%s", i == 0 ? "Cookie: " : "; ", spec->cookies[i]);
	fputs("\r\n", out);
}

static void
print_request(FILE *out, const struct request_spec *spec, const struct target *target, const char *path)
{
	fprintf(out, "%s %s HTTP/1.1\r\n", request_method_name(spec), path);
	print_field(out, spec, "Connection", spec->keep_alive ? "Keep-Alive" : "close");
	print_cookies(out, spec);
	if (spec->credentials != NULL && !user_sets(spec, "Authorization")) {
		fputs("Authorization: Basic ", out);
		print_base64(out, spec->credentials);
		fputs("\r\n", out);
	}
	if (spec->body != NULL) {
		if (!user_sets(spec, "Content-Length") && !user_sets(spec, "Transfer-Encoding"))
			fprintf(out, "Content-Length: %zu\r\n", spec->body_len);
		print_field(out, spec, "Content-Type", spec->content_type != NULL ? spec->content_type : "text/plain");
	}
	print_field(out, spec, "Host", target->field);
	print_field(out, spec, "User-Agent", "loadgen/" LOOPFORK_VERSION);
	print_field(out, spec, "Accept", "*/*");
	for (size_t i = 0; i < spec->fields_len; i++)
		fprintf(out, "%s\r\n", spec->fields[i]);
	fputs("\r\n", out);
	if (spec->body != NULL)
		fwrite(spec->body, 1, spec->body_len, out);
}

int
request_build(struct request *request, const struct request_spec *spec, const struct target *target, const char *path)
{
	FILE *out;
	bool failed;

	*request = (struct request){.head = strcmp(request_method_name(spec), "HEAD") == 0};
	out = open_memstream(&request->bytes, &request->len);
	if (out == NULL)
		return -ENOMEM;
	print_request(out, spec, target, path);
	failed = ferror(out) != 0;
	failed |= fclose(out) != 0;
	if (!failed)
		return 0;
	request_deinit(request);
	return -ENOMEM;
}

void
request_deinit(struct request *request)
{
	free(request->bytes);
	*request = (struct request){0};
}
