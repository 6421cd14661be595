/* The bytes of the request, built once for a cell and sent over and over. */
#ifndef LOADGEN_REQUEST_H
#define LOADGEN_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/compiler.h"
#include "loadgen/target.h"

#define REQUEST_FIELDS_MAX 100  /* -H, -C, and the fields of a line of --urls, each */
#define REQUEST_SMALL_MAX 65536 /* bytes of a body that are kept in memory, and of a chunk */
#define REQUEST_SEGMENT 1400    /* bytes: a request longer than about a segment must not wait for Nagle's algorithm */

/* What the options say about every request. Strings belong to the caller, and outlive the requests built from them. */
struct request_spec {
	const char *method;                      /* NULL: GET, or what follows from `head` and `body` */
	bool head;                               /* -i */
	bool put;                                /* the body came by -u, not by -p */
	bool keep_alive;                         /* -k */
	const char *credentials;                 /* -A: user:password; NULL: none */
	const char *proxy_credentials;           /* -P: the same, for the proxy */
	bool proxied;                            /* -X: http requests are for a proxy, in the absolute form */
	const char *content_type;                /* -T; NULL: text/plain */
	const char *cookies[REQUEST_FIELDS_MAX]; /* -C: name=value */
	size_t cookies_len;
	/* -H, and then those of --urls: field lines, which replace ours of the same name. */
	const char *fields[2 * REQUEST_FIELDS_MAX];
	size_t fields_len;
	bool chunked;          /* --chunked: the body goes without a length */
	const char *body;      /* a body in memory, of body_len bytes; NULL: none */
	const char *body_file; /* the same in a file, after request_open_body; NULL: none */
	int body_fd;           /* of body_file */
	uint64_t body_len;     /* bytes */
};

/*
 * What is sent.  A body of at most REQUEST_SMALL_MAX bytes is in `bytes`; a larger one stays in its file, of which
 * request_read finds any part.
 */
struct request {
	char *bytes; /* the head, and the body too where it is small */
	size_t bytes_len;
	uint64_t len;      /* all bytes on the wire; bytes_len where nothing is left in the file */
	int body_fd;       /* of the rest, borrowed; -1: there is none */
	uint64_t body_len; /* without framing */
	bool chunked;
	bool head;          /* the answer has no body */
	const char *method; /* for messages; borrowed */
	char *path;         /* as given, with the query */
};

/* The requests of a cell: connections send them in turn. */
struct request_list {
	struct request *items;
	size_t len;     /* at least 1 */
	bool long_ones; /* some have more than REQUEST_SEGMENT bytes */
};

/*
 * request_check_method, _check_field and _check_cookie return 0, or -EINVAL
 * with a sentence in ERROR that says what is wrong.
 */
MUST_CHECK int request_check_method(const char *method, char *error, size_t error_size);
MUST_CHECK int request_check_field(const char *line, char *error, size_t error_size);
MUST_CHECK int request_check_cookie(const char *cookie, char *error, size_t error_size);

/*
 * request_open_body opens the regular file PATH as SPEC's body, which
 * request_close_body closes.  Returns 0 or -errno: -EISDIR; -EINVAL for a pipe or a device, whose length is not known,
 * and for "-" where no file is called so.  request_body_error says what RESULT, one of these, means.
 */
MUST_CHECK int request_open_body(struct request_spec *spec, const char *path);
const char *request_body_error(int result);
void request_close_body(struct request_spec *spec);

/* request_has_body: with no bytes in it, too. */
static inline bool
request_has_body(const struct request_spec *spec)
{
	return spec->body != NULL || spec->body_file != NULL;
}

/* request_method_name returns the method that SPEC comes to. */
const char *request_method_name(const struct request_spec *spec);

/*
 * request_build writes the HTTP/1.1 request for PATH on TARGET.  The header has ab's
 * order; `Connection: close` unless keep_alive.  For a proxy, http targets are named in the absolute form (RFC 9112,
 * 3.2.2); those of https are reached through a tunnel, which alone sees the proxy's credentials.
 * SPEC's body_fd must stay open as long as the request.  Returns 0, -ENOMEM, or -errno of reading a small body.
 * request_deinit frees it.
 */
MUST_CHECK int request_build(
    struct request *request, const struct request_spec *spec, const struct target *target, const char *path);
void request_deinit(struct request *request);

/*
 * request_read copies bytes of REQUEST as they go on the wire, chunk framing
 * included, from OFFSET (bytes_len to len - 1) on to BUF.  Returns how many, at least 1 and at most SIZE (at least 1), or
 * -errno; -EIO when the file got shorter.  Any number of threads may read.
 */
MUST_CHECK ssize_t request_read(const struct request *request, uint64_t offset, char *buf, size_t size);

/* request_print_credentials writes USER_PASSWORD as the value of an Authorization or Proxy-Authorization field. */
void request_print_credentials(FILE *out, const char *user_password);

#endif
