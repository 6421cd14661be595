/* One request text, fed whole, byte by byte and cut at every place: cmocka assertions that all come to the same. */
#ifndef TESTS_UNIT_COMMON_HTTP_CUTS_H
#define TESTS_UNIT_COMMON_HTTP_CUTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/common/http_feed.h"

/* The defaults of the servers. */
static const struct http_limits usual_limits = {
    .request_line = 4094,
    .field_size = 8190,
    .fields = 100,
    .header_size = 65536,
};

/* A text and what it has to come to; the text may hold NUL. */
struct http_case {
	const char *name;
	int status; /* 0: it is valid */
	const char *text;
	size_t len;
};
#define HTTP_CASE(name, status, text) \
	{ \
		name, status, text, sizeof(text) - 1 \
	}

/* Texts longer than this are not cut at every place: the time grows with the square. */
#define EVERY_CUT_MAX 1500

static inline void
assert_same_outcome(const struct outcome *whole, const struct outcome *cut)
{
	assert_string_equal(cut->text, whole->text);
	assert_int_equal(cut->len, whole->len);
	assert_memory_equal(cut->text, whole->text, whole->len);
	assert_int_equal(cut->status, whole->status);
}

/* assert_cuts feeds LEN bytes of TEXT in all ways, compares, and returns what the whole came to. */
static inline const struct outcome *
assert_cuts(const struct http_limits *limits, const char *text, size_t len)
{
	static struct outcome whole, cut;
	static const size_t one = 1, all = SIZE_MAX, mixed[] = {3, 1, 7, 2, 40};

	feed(&whole, limits, text, len, &all, 1, false);
	feed(&cut, limits, text, len, &all, 1, true);
	assert_same_outcome(&whole, &cut);
	feed(&cut, limits, text, len, &one, 1, false);
	assert_same_outcome(&whole, &cut);
	feed(&cut, limits, text, len, mixed, ARRAY_LEN(mixed), true);
	assert_same_outcome(&whole, &cut);
	for (size_t at = 0; at <= len && len <= EVERY_CUT_MAX; at++) {
		const size_t cuts[] = {at, SIZE_MAX};

		feed(&cut, limits, text, len, cuts, ARRAY_LEN(cuts), at % 2 == 0);
		assert_same_outcome(&whole, &cut);
	}
	return &whole;
}

/* test_case is the body of a test whose initial state is a struct http_case: one name in the report for each. */
static inline void
test_case(void **state)
{
	const struct http_case *row = *state;
	const struct outcome *outcome = assert_cuts(&usual_limits, row->text, row->len);

	if (outcome->status != row->status)
		print_error("%s\n", outcome->text);
	assert_int_equal(outcome->status, row->status);
	if (row->status == 0)
		assert_true(outcome->requests > 0);
}

/* http_case_tests turns COUNT rows into tests, in place; TESTS has room for them. */
static inline void
http_case_tests(struct CMUnitTest *tests, struct http_case *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){
		    .name = rows[i].name,
		    .test_func = test_case,
		    .initial_state = &rows[i],
		};
}

#endif
