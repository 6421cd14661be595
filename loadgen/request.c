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

#define CHUNK_HEAD_MAX 16                        /* "10000\r\n", or "0\r\n\r\n", and the end of a string */
#define CHUNK_FRAMED (REQUEST_SMALL_MAX + 5 + 4) /* a full chunk as it goes on the wire */
#define LAST_CHUNK "0\r\n\r\n"

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

int
request_open_body(struct request_spec *spec, const char *path)
{
	struct stat status;
	int fd, result = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is refused, not waited for */
	if (fd < 0)
		return errno == ENOENT && strcmp(path, "-") == 0 ? -EINVAL : -errno;
	if (fstat(fd, &status) != 0)
		result = -errno;
	else if (S_ISDIR(status.st_mode))
		result = -EISDIR;
	else if (!S_ISREG(status.st_mode))
		result = -EINVAL;
	if (result != 0) {
		close(fd);
		return result;
	}
	spec->body_file = path;
	spec->body_fd = fd;
	spec->body_len = (uint64_t)status.st_size;
	return 0;
}

const char *
request_body_error(int result)
{
	return result == -EINVAL ? "it must be a regular file, for each request reads it anew" : strerror(-result);
}

void
request_close_body(struct request_spec *spec)
{
	if (spec->body_file != NULL)
		close(spec->body_fd);
	spec->body_file = NULL;
	spec->body_fd = -1;
}

const char *
request_method_name(const struct request_spec *spec)
{
	if (spec->method != NULL)
		return spec->method;
	if (spec->head)
		return "HEAD";
	if (!request_has_body(spec))
		return "GET";
	return spec->put ? "PUT" : "POST";
}

void
request_print_credentials(FILE *out, const char *user_password)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *text = user_password;
	size_t len = strlen(text);

	fputs("Basic ", out);
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
print_authorization(FILE *out, const struct request_spec *spec, const char *name, const char *credentials)
{
	if (credentials == NULL || user_sets(spec, name))
		return;
	fprintf(out, "%s: ", name);
	request_print_credentials(out, credentials);
	fputs("\r\n", out);
}

static void
print_framing(FILE *out, const struct request_spec *spec)
{
	if (spec->chunked)
		print_field(out, spec, "Transfer-Encoding", "chunked");
	else if (!user_sets(spec, "Content-Length") && !user_sets(spec, "Transfer-Encoding"))
		fprintf(out, "Content-Length: %llu\r\n", (unsigned long long)spec->body_len);
}

static void
print_head(FILE *out, const struct request_spec *spec, const struct target *target, const char *path)
{
	bool tunnel = spec->proxied && target->tls;

	if (spec->proxied && !tunnel && strcmp(path, "*") == 0)
		path = ""; /* RFC 9112, 3.2.4: the last proxy makes it "*" again */
	fprintf(out, "%s %s%s%s HTTP/1.1\r\n", request_method_name(spec), spec->proxied && !tunnel ? "http://" : "",
	    spec->proxied && !tunnel ? target->field : "", path);
	print_field(out, spec, "Connection", spec->keep_alive ? "Keep-Alive" : "close");
	print_cookies(out, spec);
	print_authorization(out, spec, "Authorization", spec->credentials);
	if (!tunnel)
		print_authorization(out, spec, "Proxy-Authorization", spec->proxy_credentials);
	if (request_has_body(spec)) {
		print_framing(out, spec);
		print_field(out, spec, "Content-Type", spec->content_type != NULL ? spec->content_type : "text/plain");
	}
	print_field(out, spec, "Host", target->field);
	print_field(out, spec, "User-Agent", "loadgen/" LOOPFORK_VERSION);
	print_field(out, spec, "Accept", "*/*");
	for (size_t i = 0; i < spec->fields_len; i++)
		fprintf(out, "%s\r\n", spec->fields[i]);
	fputs("\r\n", out);
}

/* framed_len: how many bytes a body of LEN bytes is on the wire. */
static uint64_t
framed_len(uint64_t len, bool chunked)
{
	uint64_t rest = len % REQUEST_SMALL_MAX;
	char head[CHUNK_HEAD_MAX];

	if (!chunked)
		return len;
	if (rest > 0)
		rest += (uint64_t)snprintf(head, sizeof(head), "%llx\r\n", (unsigned long long)rest) + 2;
	return len / REQUEST_SMALL_MAX * CHUNK_FRAMED + rest + strlen(LAST_CHUNK);
}

/* read_body copies what the file of the body has at AT: at least 1 byte, at most SIZE. Returns how many, or -errno. */
static ssize_t
read_body(const struct request *request, uint64_t at, char *buf, size_t size)
{
	ssize_t got;

	do
		got = pread(request->body_fd, buf, size, (off_t)at);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return got > 0 ? got : -EIO;
}

/*
 * read_chunk copies some of the chunked body at AT, which counts the framing, too.  All chunks but the last two (the rest
 * and the empty one) are of one size, so that the place of each is known.
 */
static ssize_t
read_chunk(const struct request *request, uint64_t at, char *buf, size_t size)
{
	uint64_t index = at / CHUNK_FRAMED, full = request->body_len / REQUEST_SMALL_MAX, begin, data, left;
	char head[CHUNK_HEAD_MAX];
	const char *frame = head;
	uint64_t head_len;

	if (index > full)
		index = full;
	at -= index * CHUNK_FRAMED;
	begin = index * REQUEST_SMALL_MAX;
	data = request->body_len - begin < REQUEST_SMALL_MAX ? request->body_len - begin : REQUEST_SMALL_MAX;
	head_len = data == 0 ? 0 : (uint64_t)snprintf(head, sizeof(head), "%llx\r\n", (unsigned long long)data);
	if (data > 0 && at < head_len) {
		left = head_len - at;
	} else if (at < head_len + data) {
		at -= head_len;
		return read_body(request, begin + at, buf, data - at < size ? (size_t)(data - at) : size);
	} else { /* behind the data: its line end and, after the last data, the last chunk */
		frame = data > 0 ? "\r\n" LAST_CHUNK : LAST_CHUNK;
		at -= head_len + data;
		left = (index < full ? 2 : strlen(frame)) - at;
	}
	if (left > size)
		left = size;
	memcpy(buf, frame + at, (size_t)left);
	return (ssize_t)left;
}

ssize_t
request_read(const struct request *request, uint64_t offset, char *buf, size_t size)
{
	size_t done = 0;

	while (done < size && offset + done < request->len) {
		uint64_t at = offset + done - request->bytes_len;
		size_t left =
		    request->len - offset - done < size - done ? (size_t)(request->len - offset - done) : size - done;
		ssize_t got = request->chunked ? read_chunk(request, at, buf + done, left)
					       : read_body(request, at, buf + done, left);

		if (got < 0)
			return got;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* print_memory_body writes the body that SPEC has in memory. */
static void
print_memory_body(FILE *out, const struct request_spec *spec)
{
	uint64_t size = spec->chunked ? REQUEST_SMALL_MAX : spec->body_len, len;

	for (uint64_t at = 0; at < spec->body_len; at += len) {
		len = spec->body_len - at < size ? spec->body_len - at : size;
		if (spec->chunked)
			fprintf(out, "%llx\r\n", (unsigned long long)len);
		fwrite(spec->body + at, 1, (size_t)len, out);
		if (spec->chunked)
			fputs("\r\n", out);
	}
	if (spec->chunked)
		fputs(LAST_CHUNK, out);
}

/* take_small_body moves a body that is small from its file to the bytes in memory. Returns 0 or -errno. */
static int
take_small_body(struct request *request)
{
	size_t left = (size_t)(request->len - request->bytes_len);
	char *bytes = realloc(request->bytes, (size_t)request->len + 1);
	ssize_t got;

	if (bytes == NULL)
		return -ENOMEM;
	request->bytes = bytes;
	got = left > 0 ? request_read(request, request->bytes_len, bytes + request->bytes_len, left) : 0;
	if (got < 0)
		return (int)got;
	request->bytes_len += (size_t)got;
	bytes[request->bytes_len] = '\0';
	request->body_fd = -1;
	return 0;
}

int
request_build(struct request *request, const struct request_spec *spec, const struct target *target, const char *path)
{
	bool failed, from_file = spec->body == NULL && spec->body_file != NULL;
	int result = 0;
	FILE *out;

	*request = (struct request){
	    .body_fd = from_file ? spec->body_fd : -1,
	    .body_len = request_has_body(spec) ? spec->body_len : 0,
	    .chunked = spec->chunked,
	    .head = strcmp(request_method_name(spec), "HEAD") == 0,
	    .method = request_method_name(spec),
	    .path = strdup(path),
	};
	out = open_memstream(&request->bytes, &request->bytes_len);
	if (out == NULL) {
		request_deinit(request);
		return -ENOMEM;
	}
	print_head(out, spec, target, path);
	if (spec->body != NULL)
		print_memory_body(out, spec);
	failed = ferror(out) != 0;
	failed |= fclose(out) != 0;
	if (failed || request->path == NULL)
		result = -ENOMEM;
	request->len = request->bytes_len + (from_file ? framed_len(spec->body_len, spec->chunked) : 0);
	if (result == 0 && from_file && spec->body_len <= REQUEST_SMALL_MAX)
		result = take_small_body(request);
	if (result != 0)
		request_deinit(request);
	return result;
}

void
request_deinit(struct request *request)
{
	free(request->bytes);
	free(request->path);
	*request = (struct request){.body_fd = -1};
}
