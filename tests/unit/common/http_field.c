/* Unit tests of common/http_field: fields by name, in a header section that http_request has read. */
#include "common/http_field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/common/http_cuts.h"

#define TEXT \
	"\r\nGET /Host:x HTTP/1.1\r\nHost: a\r\nUpgrade:  one two \t\r\nX-Empty:\r\nUPGRADE: second\r\nX-Upgrade: " \
	"third\r\nUp: fourth\r\n" \
	"Last:five\r\n\r\n"

/* assert_field reads TEXT in pieces of CUT bytes and looks for NAME; VALUE NULL: there is none. */
static void
assert_field(size_t cut, const char *name, const char *value)
{
	struct http_request request;
	enum http_event event = HTTP_MORE;
	char data[] = TEXT;
	size_t at = 0, taken;
	struct http_span found;

	assert_int_equal(http_request_init(&request, &usual_limits), 0);
	while (event == HTTP_MORE) {
		size_t len = sizeof(data) - 1 - at < cut ? sizeof(data) - 1 - at : cut;

		event = http_request_read(&request, data + at, len, &taken);
		at += taken;
	}
	assert_int_equal(event, HTTP_HEAD);
	found = http_field_find(request.header, name);
	if (value == NULL) {
		assert_null(found.at);
	} else {
		assert_non_null(found.at);
		assert_int_equal(found.len, strlen(value));
		assert_memory_equal(found.at, value, found.len);
	}
	http_request_deinit(&request);
}

static void
test_a_field_is_found_by_its_name(void **state)
{
	static const size_t cuts[] = {SIZE_MAX, 1, 7, 40};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		assert_field(cuts[i], "Upgrade", "one two");
		assert_field(cuts[i], "uPGRADE", "one two");
		assert_field(cuts[i], "host", "a");
		assert_field(cuts[i], "x-empty", "");
		assert_field(cuts[i], "x-upgrade", "third");
		assert_field(cuts[i], "last", "five");
		assert_field(cuts[i], "fif", NULL);
		assert_field(cuts[i], "upgrad", NULL);
		assert_field(cuts[i], "upgrades", NULL);
		assert_field(cuts[i], "get /host", NULL);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_field_is_found_by_its_name),
	};

	return cmocka_run_group_tests_name("common/http_field", tests, NULL, NULL);
}
