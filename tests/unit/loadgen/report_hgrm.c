/* Unit tests of --hgrm: HdrHistogram's own lines for known values. */
#include "tests/unit/loadgen/figures.h"

static void
print(const struct sweep *what, FILE *out)
{
	report_hgrm(out, what);
}

static void
set_values(const uint64_t *values, size_t len)
{
	figures_set(1, 1);
	assert_int_equal(histogram_init(&rows[0].stats.total), 0);
	for (size_t i = 0; i < len; i++)
		histogram_record(&rows[0].stats.total, values[i]);
}

#define HEAD "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
#define FOOT "#[Buckets =           54, SubBuckets     =         2048]\n"

static void
test_no_values(void **state)
{
	(void)state;
	set_values(NULL, 0);
	assert_prints(print, HEAD "#[Mean    =      0.00000, StdDeviation   =      0.00000]\n"
				  "#[Max     =      0.00000, Total count    =            0]\n" FOOT);
	histogram_deinit(&rows[0].stats.total);
}

/* A single value is at 0% already, and then at 100%, as HdrHistogram prints it. */
static void
test_one_value(void **state)
{
	const uint64_t values[] = {1500000};

	(void)state;
	set_values(values, 1);
	assert_prints(print, HEAD "     1.50000 0.000000000000          1           1.00\n"
				  "     1.50000 1.000000000000          1\n"
				  "#[Mean    =      1.50000, StdDeviation   =      0.00000]\n"
				  "#[Max     =      1.50000, Total count    =            1]\n" FOOT);
	histogram_deinit(&rows[0].stats.total);
}

/* 100 ns to 1 us, each with a count of its own: five levels, then the distance to 1 has halved. */
static void
test_ten_values(void **state)
{
	uint64_t values[10];

	(void)state;
	for (size_t i = 0; i < 10; i++)
		values[i] = (i + 1) * 100; /* nanoseconds below 2048: exact */
	set_values(values, 10);
	assert_prints(print, HEAD "     0.00010 0.000000000000          1           1.00\n"
				  "     0.00010 0.100000000000          1           1.11\n"
				  "     0.00020 0.200000000000          2           1.25\n"
				  "     0.00030 0.300000000000          3           1.43\n"
				  "     0.00040 0.400000000000          4           1.67\n"
				  "     0.00050 0.500000000000          5           2.00\n"
				  "     0.00060 0.550000000000          6           2.22\n"
				  "     0.00060 0.600000000000          6           2.50\n"
				  "     0.00070 0.650000000000          7           2.86\n"
				  "     0.00070 0.700000000000          7           3.33\n"
				  "     0.00080 0.750000000000          8           4.00\n"
				  "     0.00080 0.775000000000          8           4.44\n"
				  "     0.00080 0.800000000000          8           5.00\n"
				  "     0.00090 0.825000000000          9           5.71\n"
				  "     0.00090 0.850000000000          9           6.67\n"
				  "     0.00090 0.875000000000          9           8.00\n"
				  "     0.00090 0.887500000000          9           8.89\n"
				  "     0.00090 0.900000000000          9          10.00\n"
				  "     0.00100 0.912500000000         10          11.43\n"
				  "     0.00100 1.000000000000         10\n"
				  "#[Mean    =      0.00055, StdDeviation   =      0.00030]\n"
				  "#[Max     =      0.00100, Total count    =           10]\n" FOOT);
	histogram_deinit(&rows[0].stats.total);
}

/* What the plotter does: lines of four numbers that do not begin with #; percentiles rise, values never fall. */
static void
test_many_values_can_be_plotted(void **state)
{
	double value, percentile, count, inverse, before = 0, level = -1;
	char *text, *line, *rest;
	size_t lines = 0;
	int taken;

	(void)state;
	set_values(NULL, 0);
	for (uint64_t i = 0; i < 100000; i++)
		histogram_record(
		    &rows[0].stats.total, 100000000000 / (100000 - i)); /* 1 ms and more, the last one alone */
	text = figures_text(print);
	rest = strchr(text, '\n') + 1;
	while ((line = strtok_r(NULL, "\n", &rest)) != NULL) {
		if (line[0] == '#')
			continue;
		taken = sscanf(line, "%lf %lf %lf %lf", &value, &percentile, &count, &inverse);
		assert_true(taken == 4 || (taken == 3 && percentile >= 1));
		assert_true(value >= before && percentile > level);
		assert_true(count >= percentile * 100000);
		before = value;
		level = percentile;
		lines++;
	}
	assert_in_range(lines, 80, 100); /* 5 for each of the 17 halvings from 1 to 1 / 100000 */
	free(text);
	histogram_deinit(&rows[0].stats.total);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_values),
	    cmocka_unit_test(test_one_value),
	    cmocka_unit_test(test_ten_values),
	    cmocka_unit_test(test_many_values_can_be_plotted),
	};

	return cmocka_run_group_tests_name("loadgen/report_hgrm", tests, NULL, NULL);
}
