/* Unit tests of loadgen/paragraph: words on lines of 80 columns. */
#include "loadgen/paragraph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void
expect(const char *text, const char *printed)
{
	char *got;
	size_t len;
	FILE *out = open_memstream(&got, &len);

	assert_non_null(out);
	paragraph_print(out, text);
	fclose(out);
	assert_string_equal(got, printed);
	free(got);
}

#define TEN "123456789 "
#define TWENTY TEN TEN

static void
test_words_flow(void **state)
{
	(void)state;
	expect("", "\n");
	expect("  one   two ", "one two\n");
	expect(TWENTY TWENTY TWENTY TWENTY "x", TWENTY TWENTY TWENTY TEN "123456789\n  x\n");
	expect(TWENTY TWENTY TWENTY TEN "1234567890 x", TWENTY TWENTY TWENTY TEN "1234567890\n  x\n");
	expect(TWENTY TWENTY TWENTY TEN "12345678901 x", TWENTY TWENTY TWENTY "123456789\n  12345678901 x\n");
}

static void
test_a_word_longer_than_a_line_stands_alone(void **state)
{
	char word[201], text[512], printed[512];

	(void)state;
	memset(word, 'w', 200);
	word[200] = '\0';
	snprintf(text, sizeof(text), "a %s b", word);
	snprintf(printed, sizeof(printed), "a\n  %s\n  b\n", word);
	expect(text, printed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words_flow),
	    cmocka_unit_test(test_a_word_longer_than_a_line_stands_alone),
	};

	return cmocka_run_group_tests_name("loadgen/paragraph", tests, NULL, NULL);
}
