/* Plans: each cell once, borrowed cells shared where they agree. */
#include "tests/unit/experiments/sample.h"

#include <math.h>

#include "experiments/ideal.h"

static void
test_an_experiment_alone_measures_what_it_borrows(void **state)
{
	struct plan *plan = memory_new(1, sizeof(*plan));

	(void)state;
	sample_add(plan, "lab/task9.ini", SAMPLE_TASK9);
	sample_complete(plan);
	assert_int_equal(plan->asked, 1);
	assert_int_equal(plan->experiment_count, 2);
	assert_int_equal(plan->series_count, 3);
	assert_int_equal(plan->cell_count, 12);
	assert_string_equal(plan->series[1].origin->command, "fork --bind {address}");
	assert_string_equal(plan->series[1].label, "fork");
	plan_deinit(plan);
	free(plan);
}

static void
test_borrowed_cells_are_shared_with_their_experiment(void **state)
{
	struct record *record = sample_record();
	const struct plan *plan = &record->plan;

	(void)state;
	assert_int_equal(plan->experiment_count, 2);
	assert_int_equal(plan->cell_count, 12);
	for (size_t i = 0; i < 4; i++)
		assert_ptr_equal(plan_cell(plan, &plan->series[1], i), plan_cell(plan, &plan->series[3], i));
	sample_free(record);
}

static void
test_cells_are_not_shared_where_requests_differ(void **state)
{
	struct plan *plan = memory_new(1, sizeof(*plan));

	(void)state;
	sample_add(plan, "task7.ini", SAMPLE_TASK7);
	sample_add(
	    plan, "mine.ini", "[experiment]\ntitle = M\nvalues = 5\nrequests = 7\n[server f]\nfrom = task7/fork\n");
	sample_complete(plan);
	assert_int_equal(plan->cell_count, 9);
	assert_int_equal(plan->cells[8].requests, 7);
	plan_deinit(plan);
	free(plan);
}

static void
expect_error(const char *source, const char *what)
{
	struct plan *plan = memory_new(1, sizeof(*plan));
	char error[DEFINITION_ERROR_MAX] = "";

	sample_add(plan, "x.ini", source);
	assert_true(plan_complete(plan, sample_find, NULL, error) < 0);
	assert_has(error, what);
	plan_deinit(plan);
	free(plan);
}

static void
test_a_from_that_leads_nowhere_is_told(void **state)
{
	(void)state;
	expect_error("[experiment]\ntitle = T\nvalues = 5\n[server a]\nfrom = task7/nobody\n",
	    "./x.ini:4: from = task7/nobody: there is no such");
	expect_error("[experiment]\ntitle = T\nvalues = 5\n[server a]\nfrom = nothing/x\n", "no experiment nothing");
	expect_error("[experiment]\ntitle = T\nvalues = 5\n[server a]\nfrom = x/a\n", "has a from itself");
}

static void
test_an_experiment_twice_is_told(void **state)
{
	struct plan *plan = memory_new(1, sizeof(*plan));
	struct experiment experiment;
	char error[DEFINITION_ERROR_MAX] = "";

	(void)state;
	sample_add(plan, "a/task7.ini", SAMPLE_TASK7);
	assert_int_equal(definition_parse(&experiment, "b/task7.ini", SAMPLE_TASK7, error), 0);
	assert_int_equal(plan_add(plan, &experiment, error), -EINVAL);
	assert_has(error, "task7 was given twice");
	plan_deinit(plan);
	free(plan);
}

static void
test_more_experiments_than_fit_are_told(void **state)
{
	struct plan *plan = memory_new(1, sizeof(*plan));
	struct experiment experiment;
	char error[DEFINITION_ERROR_MAX] = "";

	(void)state;
	for (int i = 0; i < EXPERIMENTS_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "e%d.ini", i);
		sample_add(plan, name, SAMPLE_TASK7);
	}
	assert_int_equal(definition_parse(&experiment, "more.ini", SAMPLE_TASK7, error), 0);
	assert_int_equal(plan_add(plan, &experiment, error), -EINVAL);
	assert_has(error, "at most 32");
	plan_deinit(plan);
	free(plan);
}

static void
test_ideals_are_those_of_the_formulas(void **state)
{
	const struct server loop = {.ideal = IDEAL_LOOP}, blocked = {.ideal = IDEAL_BLOCKED_LOOP};
	const struct server one = {.ideal = IDEAL_WORKERS, .workers = 1}, four = {.ideal = IDEAL_WORKERS, .workers = 4};
	const struct server unknown = {.ideal = IDEAL_NONE};

	(void)state;
	assert_true(fabs(ideal_rps(&loop, 0.1, 40, 100) - 100 / 0.3) < 1e-9);
	assert_true(fabs(ideal_rps(&loop, 0.1, 5, 100) - 50) < 1e-9);
	assert_true(fabs(ideal_time_ms(&loop, 0.1, 10, 100) - 100) < 1e-9);
	assert_true(fabs(ideal_time_ms(&loop, 0.1, 40, 100) - 120) < 1e-9);
	assert_true(fabs(ideal_rps(&one, 0.1, 40, 100) - 10) < 1e-9);
	assert_true(fabs(ideal_rps(&blocked, 0.1, 40, 100) - 10) < 1e-9);
	assert_true(fabs(ideal_time_ms(&one, 0.1, 40, 100) - 4000) < 1e-9);
	assert_true(fabs(ideal_rps(&four, 0.1, 40, 100) - 40) < 1e-9);
	assert_true(fabs(ideal_rps(&four, 0.1, 2, 100) - 20) < 1e-9);
	assert_true(fabs(ideal_rps(&four, 0.1, 40, 101) - 101 / 2.6) < 1e-9);
	assert_true(fabs(ideal_duration_s(&one, 0.3, 10, 100) - 30) < 1e-9);
	assert_true(isnan(ideal_rps(&unknown, 0.1, 5, 100)));
	assert_true(isnan(ideal_rps(&loop, 0, 5, 100)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_experiment_alone_measures_what_it_borrows),
	    cmocka_unit_test(test_borrowed_cells_are_shared_with_their_experiment),
	    cmocka_unit_test(test_cells_are_not_shared_where_requests_differ),
	    cmocka_unit_test(test_a_from_that_leads_nowhere_is_told),
	    cmocka_unit_test(test_an_experiment_twice_is_told),
	    cmocka_unit_test(test_more_experiments_than_fit_are_told),
	    cmocka_unit_test(test_ideals_are_those_of_the_formulas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
