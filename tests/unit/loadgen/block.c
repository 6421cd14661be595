/* Unit tests of loadgen/block: how fields flow. */
#include "loadgen/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static struct block block;

static void
test_fields_stand_in_a_line_and_flow_into_the_next(void **state)
{
	(void)state;
	block_init(&block, 21, 24, false);
	block_text(&block, BLOCK_PLAIN, "%d rps", 12345);
	assert_int_equal(block_room(&block), 9);
	block_text(&block, BLOCK_ALARM, "123456789"); /* fits exactly into 20 columns */
	assert_int_equal(block_room(&block), 0);
	block_text(&block, BLOCK_PLAIN, "x");
	block_break(&block);
	block_break(&block);
	block_text(&block, BLOCK_PLAIN, "y");
	block_break(&block);
	assert_string_equal(block.text, "12345 rps  123456789\nx\ny\n");
}

static void
test_the_last_column_and_the_last_row_stay_free(void **state)
{
	(void)state;
	block_init(&block, 5, 3, false);
	block_text(&block, BLOCK_PLAIN, "123456789");
	block_text(&block, BLOCK_PLAIN, "b");
	block_text(&block, BLOCK_PLAIN, "cccc"); /* would be the third line */
	block_text(&block, BLOCK_PLAIN, "d");    /* nor does anything that follows go into a gap */
	block_break(&block);
	assert_string_equal(block.text, "1234\nb\n");
	block_init(&block, 0, 0, false);
	block_text(&block, BLOCK_PLAIN, "x");
	block_break(&block);
	assert_string_equal(block.text, "");
	block_init(&block, 1, 2, false);
	block_text(&block, BLOCK_PLAIN, "xyz");
	block_break(&block);
	assert_string_equal(block.text, "x\n");
}

static void
test_what_is_wider_than_a_line_is_left_out(void **state)
{
	(void)state;
	block_init(&block, 10, 24, false);
	block_text(&block, BLOCK_PLAIN, "a");
	block_field(&block, BLOCK_BAR, 10, "##########");
	block_field(&block, BLOCK_BAR, 3, "███");
	block_break(&block);
	assert_string_equal(block.text, "a  ███\n");
}

static void
test_colors_take_no_room(void **state)
{
	(void)state;
	block_init(&block, 9, 24, true);
	block_text(&block, BLOCK_ALARM, "abc");
	block_field(&block, BLOCK_BAR, 3, "###");
	block_text(&block, BLOCK_PLAIN, "d");
	block_break(&block);
	assert_string_equal(block.text, "\033[31mabc\033[m  \033[36m###\033[m\nd\n");
}

/* A URL may hold any bytes; none of them may move the cursor. */
static void
test_text_is_printable(void **state)
{
	(void)state;
	block_init(&block, 80, 24, false);
	block_text(&block, BLOCK_PLAIN, "%s", "a\033[2J\n\r\t\x7f\xc3\xa4z~ !");
	block_break(&block);
	assert_string_equal(block.text, "a?[2J??????z~ !\n");
}

static void
test_a_huge_terminal_is_not_filled_beyond_the_buffer(void **state)
{
	char wide[BLOCK_FIELD_BYTES] = "";

	(void)state;
	for (size_t i = 0; i < BLOCK_COLUMNS_MAX; i++)
		strcat(wide, "█");
	block_init(&block, 10000, 10000, true);
	assert_int_equal(block.columns, BLOCK_COLUMNS_MAX);
	for (size_t i = 0; i < 1000; i++)
		block_field(&block, BLOCK_BAR, BLOCK_COLUMNS_MAX, wide);
	block_break(&block);
	assert_int_equal(strlen(block.text), block.len);
	assert_true(block.len < BLOCK_BYTES && block.len > 10 * BLOCK_COLUMNS_MAX);
	assert_int_equal(block.text[block.len - 1], '\n');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fields_stand_in_a_line_and_flow_into_the_next),
	    cmocka_unit_test(test_the_last_column_and_the_last_row_stay_free),
	    cmocka_unit_test(test_what_is_wider_than_a_line_is_left_out),
	    cmocka_unit_test(test_colors_take_no_room),
	    cmocka_unit_test(test_text_is_printable),
	    cmocka_unit_test(test_a_huge_terminal_is_not_filled_beyond_the_buffer),
	};

	return cmocka_run_group_tests_name("loadgen/block", tests, NULL, NULL);
}
