/* Unit tests of loadgen/expect: what can be asked for, every way to write it wrong, and how it is judged. */
#include "loadgen/expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "loadgen/summary.h"

static struct expect expect;
static char error[256];

static void
assert_near(double value, double expected, double most)
{
	if (!(fabs(value - expected) <= most))
		fail_msg("%.9g is not %.9g", value, expected);
}

static int
parse(const char *text)
{
	return expect_parse(&expect, text, error, sizeof(error));
}

/* A hundred requests in a second: 1 ms to 100 ms, two failed and three answered 500; one connect failed besides. */
static struct summary
hundred(void)
{
	struct summary summary = {.complete = 100,
	    .failed = 3,
	    .errors = 6,
	    .rps = 100,
	    .p99_9_ns = 100000000,
	    .total = {.min = 1000000, .max = 100000000, .mean = 50500000}};

	summary.failures[FAILURE_RESET] = 2;
	summary.failures[FAILURE_CONNECT] = 1;
	for (uint64_t percent = 0; percent <= 100; percent++)
		summary.percentiles[percent] = percent * 1000000;
	return summary;
}

static void
test_every_figure(void **state)
{
	static const struct {
		const char *text;
		double figure; /* of hundred(), in the unit of `limit` */
		double limit;
		bool holds;
		const char *said;
	} cases[] = {
	    {"p50<51ms", 50, 51, true, "50 ms"},
	    {"p99<0.05s", 99, 50, false, "0.099 s"},
	    {"p99.9<=100ms", 100, 100, true, "100 ms"},
	    {"p1<2000us", 1, 2, true, "1000 us"},
	    {"mean>50ms", 50.5, 50, true, "50.5 ms"},
	    {"min>=1ms", 1, 1, true, "1 ms"},
	    {"max<100ms", 100, 100, false, "100 ms"},
	    {"rps>=100", 100, 100, true, "100"},
	    {"rps>100.5", 100, 100.5, false, "100"},
	    {"errors=0", 6, 0, false, "6"},
	    {"errors<6%", 6.0 / 101, 0.06, true, "5.941%"},
	    {"failed<=3", 3, 3, true, "3"},
	    {"failed<2.5%", 3.0 / 101, 0.025, false, "2.97%"},
	    {"complete=100", 100, 100, true, "100"},
	    {"complete>100", 100, 100, false, "100"},
	    {" p50 < 51 ms ", 50, 51, true, "50 ms"},
	};
	struct summary summary = hundred();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char said[EXPECT_FIGURE_MAX];
		double measured;

		assert_int_equal(parse(cases[i].text), 0);
		assert_string_equal(expect.text, cases[i].text);
		assert_near(expect.limit, cases[i].limit, 1e-9);
		assert_int_equal(expect_holds(&expect, &summary, &measured), cases[i].holds);
		assert_near(measured, cases[i].figure, 1e-9);
		expect_format(&expect, measured, said, sizeof(said));
		assert_string_equal(said, cases[i].said);
	}
}

static void
test_each_relation_at_its_edge(void **state)
{
	static const struct {
		const char *text;
		bool below, at, above; /* 4, 5, 6 */
	} cases[] = {
	    {"complete<5", true, false, false},
	    {"complete<=5", true, true, false},
	    {"complete=5", false, true, false},
	    {"complete>=5", false, true, true},
	    {"complete>5", false, false, true},
	};
	struct summary summary = {0};
	double measured;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].text), 0);
		summary.complete = 4;
		assert_int_equal(expect_holds(&expect, &summary, &measured), cases[i].below);
		summary.complete = 5;
		assert_int_equal(expect_holds(&expect, &summary, &measured), cases[i].at);
		summary.complete = 6;
		assert_int_equal(expect_holds(&expect, &summary, &measured), cases[i].above);
	}
}

static void
test_what_is_wrong_is_named(void **state)
{
	static const char *const wrong[][2] = {
	    {"", "\"\" is not a figure; use p50"},
	    {"p999<1ms", "\"p999\" is not a figure"},
	    {"p0<1ms", "\"p0\" is not a figure"},
	    {"p100<1ms", "\"p100\" is not a figure"},
	    {"p099<1ms", "\"p099\" is not a figure"},
	    {"p99.90<1ms", "\"p99.90\" is not a figure"},
	    {"P99<1ms", "\"P99\" is not a figure"},
	    {"means<1ms", "\"means\" is not a figure"},
	    {"<1ms", "\"\" is not a figure"},
	    {"p99", "is followed by <"},
	    {"p99 50ms", "is followed by <"},
	    {"p99=50ms", "use < or >"},
	    {"rps=50", "use < or >"},
	    {"p99<", "\"\" is not a number"},
	    {"p99>>1", "\">1\" is not a number"},
	    {"errors==0", "\"=0\" is not a number"},
	    {"p99<-1ms", "\"-1ms\" is not a number"},
	    {"p99<.5s", "\".5s\" is not a number"},
	    {"p99<5.ms", "\"5.ms\" is not a number"},
	    {"p99<0x10ms", "has a unit"},
	    {"p99<nan", "\"nan\" is not a number"},
	    {"p99<1000000000000000000000000000000000000ms", "is not a number"},
	    {"p99<50", "a time has a unit: us, ms or s"},
	    {"p99<50m", "a time has a unit"},
	    {"p99<50msx", "a time has a unit"},
	    {"p99<50 ms x", "a time has a unit"},
	    {"p99<50%", "a time has a unit"},
	    {"rps>50ms", "\"ms\" follows the number; nothing can"},
	    {"complete>50%", "\"%\" follows the number; nothing can"},
	    {"errors<1ms", "only % can"},
	    {"errors<1% x", "only % can"},
	    {"errors<101%", "at most 100%"},
	    {"errors<0.5", "written with %"},
	    {"complete>0.5", "whole numbers"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		error[0] = '\0';
		assert_int_equal(parse(wrong[i][0]), -EINVAL);
		if (strstr(error, wrong[i][1]) == NULL)
			fail_msg("%s: %s", wrong[i][0], error);
	}
}

static void
test_nothing_is_known_of_no_requests(void **state)
{
	static const char *const unknown[] = {"p99<50ms", "p99>0ms", "max<1s", "errors<1%", "failed>=0%"};
	struct summary summary = {0};
	char said[EXPECT_FIGURE_MAX];
	double measured;

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		assert_int_equal(parse(unknown[i]), 0);
		assert_false(expect_holds(&expect, &summary, &measured));
		assert_true(isnan(measured));
		expect_format(&expect, measured, said, sizeof(said));
		assert_string_equal(said, "unknown");
	}
	assert_int_equal(parse("errors=0"), 0);
	assert_true(expect_holds(&expect, &summary, &measured));
	assert_int_equal(parse("rps>0"), 0);
	assert_false(expect_holds(&expect, &summary, &measured));
}

static void
test_counts_and_large_figures_are_exact(void **state)
{
	char said[EXPECT_FIGURE_MAX];

	(void)state;
	assert_int_equal(parse("complete>1"), 0);
	expect_format(&expect, 123456789, said, sizeof(said));
	assert_string_equal(said, "123456789");
	assert_int_equal(parse("rps>1"), 0);
	expect_format(&expect, 123456.7, said, sizeof(said));
	assert_string_equal(said, "123457");
	assert_int_equal(parse("p99<1ms"), 0);
	expect_format(&expect, 12345.6, said, sizeof(said));
	assert_string_equal(said, "12346 ms");
}

static void
test_a_figure_never_reads_like_the_limit_that_it_missed(void **state)
{
	char said[EXPECT_FIGURE_MAX];

	(void)state;
	assert_int_equal(parse("p99<50ms"), 0);
	expect_format(&expect, 50.0004, said, sizeof(said));
	assert_string_equal(said, "50.0004 ms");
	assert_int_equal(parse("rps>=20000"), 0);
	expect_format(&expect, 19999.75, said, sizeof(said));
	assert_string_equal(said, "19999.75");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_figure),
	    cmocka_unit_test(test_each_relation_at_its_edge),
	    cmocka_unit_test(test_what_is_wrong_is_named),
	    cmocka_unit_test(test_nothing_is_known_of_no_requests),
	    cmocka_unit_test(test_counts_and_large_figures_are_exact),
	    cmocka_unit_test(test_a_figure_never_reads_like_the_limit_that_it_missed),
	};

	return cmocka_run_group_tests_name("loadgen/expect", tests, NULL, NULL);
}
