/* The format of the access log's lines, in aiohttp's words or gunicorn's -> a list of items to print one after another. */
#ifndef COMMON_ACCESS_LOG_FORMAT_H
#define COMMON_ACCESS_LOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"
#include "common/http_request.h"

/* Whose atoms a format has, and whose format is the default. */
enum access_log_style {
	ACCESS_LOG_AIOHTTP,  /* %a %t "%r" %s %b "%{Referer}i" "%{User-Agent}i" */
	ACCESS_LOG_GUNICORN, /* %(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" */
	ACCESS_LOG_JSON,     /* no atoms: an object with the keys of access_log_json.h */
};

/* What an item prints; in brackets the atoms of aiohttp and of gunicorn. Whatever is not there prints as `-`. */
enum access_log_kind {
	ACCESS_LOG_TEXT,            /* `text`, as it stands in the format */
	ACCESS_LOG_PEER,            /* the client's address (%a, h) */
	ACCESS_LOG_DASH,            /* `-`: the name that identd would tell (l) */
	ACCESS_LOG_USER,            /* the user of HTTP's Basic authentication (u) */
	ACCESS_LOG_TIME_BEGUN,      /* when the request began, in UTC (%t) */
	ACCESS_LOG_TIME_NOW,        /* when the line is made, in local time (t) */
	ACCESS_LOG_PID,             /* `<123>` (%P, p) */
	ACCESS_LOG_FIRST_LINE,      /* method, target and version (%r, r) */
	ACCESS_LOG_METHOD,          /* (m) */
	ACCESS_LOG_PATH,            /* the target's path, percent-decoded (U) */
	ACCESS_LOG_QUERY,           /* what follows its `?` (q) */
	ACCESS_LOG_PROTOCOL,        /* HTTP/1.1 (H) */
	ACCESS_LOG_STATUS,          /* (%s, s) */
	ACCESS_LOG_SENT_BYTES,      /* of the answer, with its header section (%b) */
	ACCESS_LOG_BODY_BYTES,      /* of the answer's body (b, B) */
	ACCESS_LOG_REFERER,         /* (%{Referer}i, f) */
	ACCESS_LOG_USER_AGENT,      /* (%{User-Agent}i, a) */
	ACCESS_LOG_CONTENT_TYPE,    /* of the request (%{Content-Type}i) */
	ACCESS_LOG_REQUEST_FIELD,   /* any other field of the request: number `slot` of its `wanted` (%{Name}i) */
	ACCESS_LOG_RESPONSE_FIELD,  /* the field of the answer that `text` names (%{Name}o) */
	ACCESS_LOG_SECONDS_ROUNDED, /* that the request took, to the nearest whole one (%T) */
	ACCESS_LOG_SECONDS_WHOLE,   /* without their fraction (T) */
	ACCESS_LOG_SECONDS_FULL,    /* with six digits of it (%Tf, L) */
	ACCESS_LOG_MILLISECONDS,    /* (M) */
	ACCESS_LOG_MICROSECONDS,    /* (%D, D) */
};

struct access_log_item {
	enum access_log_kind kind;
	const char *text; /* ACCESS_LOG_TEXT, not terminated; ACCESS_LOG_RESPONSE_FIELD, in lower case */
	size_t len;       /* of `text` */
	unsigned slot;    /* ACCESS_LOG_REQUEST_FIELD, ACCESS_LOG_USER */
};

#define ACCESS_LOG_ITEMS_MAX 64
#define ACCESS_LOG_FORMAT_MAX 1024 /* bytes of a format, with the byte that ends it */

/* Items point into `own`: the struct must not be copied. */
struct access_log_format {
	struct access_log_item items[ACCESS_LOG_ITEMS_MAX];
	size_t count;
	bool json;                               /* no items: access_log_json.h says what a line has */
	bool needs_time;                         /* some item tells when the request began, or how long it took */
	bool needs_head;                         /* some item is a field of the answer */
	unsigned wanted_count;                   /* of `wanted` */
	const char *wanted[HTTP_WANTED_MAX + 1]; /* for http_limits.wanted: what the items need, then NULL */
	char own[ACCESS_LOG_FORMAT_MAX];         /* a copy of the format, its names in lower case and terminated */
};

/*
 * access_log_format_parse makes FORMAT of TEXT (NULL: the style's default).
 * aiohttp (web_log.py): %a %t %P %r %s %b %T %Tf %D %{Name}i %{Name}o, and %%
 * for a percent sign.  gunicorn (glogging.py): %(X)s with X one of h l u t r m
 * U q H s b B f a D M T L p {name}i {name}o, and %%.  ACCESS_LOG_JSON takes no TEXT but NULL.  Returns 0, or -EINVAL
 * with a sentence in ERROR that says at which character TEXT is wrong, and
 * what may stand there.  Both Python programs print an atom they do not know as it is, or as `-`.
 */
MUST_CHECK int access_log_format_parse(
    struct access_log_format *format, enum access_log_style style, const char *text, char *error, size_t error_size);

#endif
