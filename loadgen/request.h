/* The bytes of the request, built once for a cell and sent over and over. */
#ifndef LOADGEN_REQUEST_H
#define LOADGEN_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"
#include "loadgen/target.h"

#define REQUEST_FIELDS_MAX 100 /* -H and -C, each */

/* What the options say about every request. */
struct request_spec {
	const char *method;                      /* NULL: GET, or what follows from `head` and `body` */
	bool head;                               /* -i */
	bool put;                                /* the body came by -u, not by -p */
	bool keep_alive;                         /* -k */
	const char *credentials;                 /* -A: user:password; NULL: none */
	const char *content_type;                /* -T; NULL: text/plain */
	const char *cookies[REQUEST_FIELDS_MAX]; /* -C: name=value */
	size_t cookies_len;
	const char *fields[REQUEST_FIELDS_MAX]; /* -H: field lines, which replace ours of the same name */
	size_t fields_len;
	char *body; /* after request_load_body; NULL: no body */
	size_t body_len;
};

struct request {
	char *bytes;
	size_t len;
	bool head; /* the answer has no body */
};

/*
 * request_check_method, _check_field and _check_cookie return 0, or -EINVAL
 * with a sentence in ERROR that says what is wrong.
 */
MUST_CHECK int request_check_method(const char *method, char *error, size_t error_size);
MUST_CHECK int request_check_field(const char *line, char *error, size_t error_size);
MUST_CHECK int request_check_cookie(const char *cookie, char *error, size_t error_size);

/*
 * request_load_body reads the file PATH into SPEC, whose owner frees `body`
 * (also after a failure).  Returns 0 or -errno; -EFBIG above 1 GiB.
 */
MUST_CHECK int request_load_body(struct request_spec *spec, const char *path);

/* request_method_name returns the method that SPEC comes to. */
const char *request_method_name(const struct request_spec *spec);

/*
 * request_build writes the HTTP/1.1 request for PATH on TARGET.  The header has ab's
 * order; `Connection: close` unless keep_alive.  Returns 0 or -ENOMEM.
 * request_deinit frees it.
 */
MUST_CHECK int request_build(
    struct request *request, const struct request_spec *spec, const struct target *target, const char *path);
void request_deinit(struct request *request);

#endif
