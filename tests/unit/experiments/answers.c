/* The questions: the sentences say what the numbers say, and the opposite when the numbers say the opposite. */
#include "tests/unit/experiments/sample.h"

#include "experiments/answers.h"

/* answer_of returns the text of answer number INDEX, which the caller frees, and checks its question. */
static char *
answer_of(const struct plan *plan, size_t index, const char *question)
{
	size_t count;
	struct answer *answers = answers_make(plan, &count);
	char *text;

	assert_true(index < count);
	assert_string_equal(answers[index].question, question);
	text = memory_copy(answers[index].text);
	answers_free(answers, count);
	return text;
}

static char *
concurrency_answer(double at_5, double at_10, double at_20, double at_40)
{
	struct plan *plan = memory_new(1, sizeof(*plan));
	char *text;

	sample_add(plan, "task7.ini", SAMPLE_TASK7);
	sample_complete(plan);
	sample_set_all(plan, "loop", at_5, at_10, at_20, at_40);
	text = answer_of(plan, 0, "How does loop behave as concurrency grows?");
	plan_deinit(plan);
	free(plan);
	return text;
}

static void
test_throughput_that_grows_with_concurrency(void **state)
{
	char *text = concurrency_answer(49.5, 98.5, 195, 325);

	(void)state;
	assert_has(
	    text, "Throughput grows almost in proportion: 49.50 requests per second at concurrency 5, 325.0 at 40");
	assert_has(text, "8.0 times the concurrency, 6.57 times the throughput");
	assert_has(text, "time per request stays about the same, from 101.0 ms to 123.1 ms");
	assert_has(text, "wait at the same time");
	assert_has(text, "97.5% of the ideal 333.3");
	free(text);
}

static void
test_throughput_that_stays_flat(void **state)
{
	char *text = concurrency_answer(10, 10, 10, 10);

	(void)state;
	assert_has(text, "Throughput stays about the same: 10.00");
	assert_has(text, "time per request grows almost in proportion, from 500.0 ms to 4000 ms");
	assert_has(text, "stand in a queue");
	assert_has(text, "3.0% of the ideal");
	free(text);
}

static void
test_throughput_that_falls(void **state)
{
	char *text = concurrency_answer(100, 70, 45, 30);

	(void)state;
	assert_has(text, "Throughput falls: 100.0 requests per second at concurrency 5, 30.00 at 40");
	assert_has(text, "grows more than in proportion");
	assert_has(text, "More concurrency harms it.");
	assert_has_not(text, "queue");
	free(text);
}

static void
test_throughput_that_grows_in_part(void **state)
{
	char *text = concurrency_answer(10, 14, 20, 28);

	(void)state;
	assert_has(text, "Throughput grows, but less than in proportion");
	assert_has(text, "buys throughput, and each request pays");
	free(text);
}

static char *
wait_answer(double at_1, double at_2, double at_3)
{
	struct plan *plan = memory_new(1, sizeof(*plan));
	char *text;

	sample_add(plan, "task8.ini", SAMPLE_TASK8);
	sample_complete(plan);
	sample_set(plan, "loop", 0.1, 10, at_1);
	sample_set(plan, "loop", 0.2, 10, at_2);
	sample_set(plan, "loop", 0.3, 10, at_3);
	text = answer_of(plan, 0, "How does loop behave as the I/O wait grows?");
	plan_deinit(plan);
	free(plan);
	return text;
}

static void
test_a_wait_that_overlaps(void **state)
{
	char *text = wait_answer(99, 49.7, 33.2);

	(void)state;
	assert_has(text, "from 0.1 to 0.3 s, the mean time per request goes from 101.0 ms to 301.2 ms");
	assert_has(text, "each 100 ms more of waiting cost 100.1 ms (ideal: 100.0 ms)");
	assert_has(text, "its own wait and nobody else's");
	assert_has(text, "99.6% of the ideal 33.33");
	free(text);
}

static void
test_a_wait_that_queues(void **state)
{
	char *text = wait_answer(9.9, 4.97, 3.31);

	(void)state;
	assert_has(text, "all 10 requests in the queue");
	free(text);
}

static void
test_a_wait_that_queues_in_part(void **state)
{
	char *text = wait_answer(33, 16.6, 11.1);

	(void)state;
	assert_has(text, "its own wait 3.0 times");
	free(text);
}

static void
test_a_wait_that_does_not_show(void **state)
{
	char *text = wait_answer(50, 50, 49.9);

	(void)state;
	assert_has(text, "The wait hardly shows.");
	assert_has(text, "fitted exponent 0.00");
	free(text);
	text = wait_answer(5, 10, 50);
	assert_has(text, "makes its requests faster");
	free(text);
}

static char *
blocking_answer(double blocked, double loop, double fork)
{
	struct plan *plan = memory_new(1, sizeof(*plan));
	char *text;

	sample_add(plan, "task9.ini", SAMPLE_TASK9);
	sample_complete(plan);
	sample_set_all(plan, "blocked", blocked, blocked, blocked, blocked);
	if (loop > 0)
		sample_set_all(plan, "loop", loop / 8, loop / 4, loop / 2, loop);
	if (fork > 0)
		sample_set_all(plan, "fork", fork, fork, fork, fork);
	text = answer_of(plan, 0, "What does a blocking call do to the event loop (blocked)?");
	plan_deinit(plan);
	free(plan);
	return text;
}

static void
test_a_blocking_call_that_stops_the_loop(void **state)
{
	char *text = blocking_answer(9.9, 330, 9.95);

	(void)state;
	assert_has(text, "stops the whole event loop while it lasts: at concurrency 40 it answers 9.90 requests per "
			 "second, and 330.0");
	assert_has(text, "33.3 times as many");
	assert_has(text, "as a queue with one server does");
	assert_has(text, "fork with 1 worker answers 9.95, the same within 0.6%");
	free(text);
}

static void
test_a_blocking_call_that_does_nothing(void **state)
{
	char *text = blocking_answer(325, 330, 9.95);

	(void)state;
	assert_has(text, "did not slow the event loop");
	assert_has(text, "the blocked loop answers 3166% more");
	assert_has_not(text, "one blocking worker");
	free(text);
}

static void
test_a_blocking_call_that_slows_a_little(void **state)
{
	char *text = blocking_answer(200, 330, 400);

	(void)state;
	assert_has(text, "The blocking call slows the event loop");
	assert_has(text, "answers 50% fewer");
	free(text);
}

static void
test_what_was_not_measured_is_not_answered(void **state)
{
	struct plan *plan = memory_new(1, sizeof(*plan));
	char *text;

	(void)state;
	text = blocking_answer(9.9, 0, 0);
	assert_has(text, "no cell of the unblocked loop");
	assert_has_not(text, "worker");
	free(text);
	sample_add(plan, "task7.ini", SAMPLE_TASK7);
	sample_complete(plan);
	sample_set(plan, "loop", 0.1, 5, 50);
	text = answer_of(plan, 0, "How does loop behave as concurrency grows?");
	assert_string_equal(
	    text, "This run cannot tell: only 1 of 4 cells of loop was measured without a failed request.");
	free(text);
	plan_deinit(plan);
	free(plan);
}

static void
test_skipped_servers_are_not_asked_about(void **state)
{
	struct plan *plan = memory_new(1, sizeof(*plan));
	size_t count;
	struct answer *answers;

	(void)state;
	sample_add(plan, "task7.ini", SAMPLE_TASK7);
	sample_complete(plan);
	for (size_t i = 0; i < plan->cell_count; i++)
		if (strcmp(plan->cells[i].server->name, "fork") == 0)
			plan->cells[i].result.state = RESULT_SKIPPED;
	answers = answers_make(plan, &count);
	assert_int_equal(count, 1);
	answers_free(answers, count);
	plan_deinit(plan);
	free(plan);
}

static void
test_the_same_answer_is_given_once(void **state)
{
	struct plan *plan = memory_new(1, sizeof(*plan));
	struct answer *answers;
	size_t count;

	(void)state;
	sample_add(plan, "task7.ini", SAMPLE_TASK7);
	sample_add(plan, "again.ini",
	    "[experiment]\ntitle = T\nvalues = 5, 10, 20, 40\nquestions = concurrency\n[server loop]\nfrom = "
	    "task7/loop\n");
	sample_complete(plan);
	sample_set_all(plan, "loop", 49.5, 98.5, 195, 325);
	answers = answers_make(plan, &count);
	assert_int_equal(count, 2);
	answers_free(answers, count);
	plan_deinit(plan);
	free(plan);
}

static void
test_the_lab_has_five_questions(void **state)
{
	static const char *const files[] = {"experiments/task7.ini", "experiments/task8.ini", "experiments/task9.ini"};
	static const char *const questions[] = {
	    "How does async_server behave as concurrency grows?",
	    "How does prefork_server behave as concurrency grows?",
	    "How does async_server behave as the I/O wait grows?",
	    "How does prefork_server behave as the I/O wait grows?",
	    "What does a blocking call do to the event loop (async_server, blocking)?",
	};
	struct plan *plan = memory_new(1, sizeof(*plan));
	char error[DEFINITION_ERROR_MAX] = "";
	struct answer *answers;
	size_t count;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct experiment experiment;

		assert_int_equal(definition_load(&experiment, files[i], error), 0);
		assert_int_equal(plan_add(plan, &experiment, error), 0);
	}
	sample_complete(plan);
	assert_int_equal(plan->cell_count, 18);
	answers = answers_make(plan, &count);
	assert_int_equal(count, ARRAY_LEN(questions));
	for (size_t i = 0; i < count; i++)
		assert_string_equal(answers[i].question, questions[i]);
	answers_free(answers, count);
	plan_deinit(plan);
	free(plan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_throughput_that_grows_with_concurrency),
	    cmocka_unit_test(test_throughput_that_stays_flat),
	    cmocka_unit_test(test_throughput_that_falls),
	    cmocka_unit_test(test_throughput_that_grows_in_part),
	    cmocka_unit_test(test_a_wait_that_overlaps),
	    cmocka_unit_test(test_a_wait_that_queues),
	    cmocka_unit_test(test_a_wait_that_queues_in_part),
	    cmocka_unit_test(test_a_wait_that_does_not_show),
	    cmocka_unit_test(test_a_blocking_call_that_stops_the_loop),
	    cmocka_unit_test(test_a_blocking_call_that_does_nothing),
	    cmocka_unit_test(test_a_blocking_call_that_slows_a_little),
	    cmocka_unit_test(test_what_was_not_measured_is_not_answered),
	    cmocka_unit_test(test_skipped_servers_are_not_asked_about),
	    cmocka_unit_test(test_the_same_answer_is_given_once),
	    cmocka_unit_test(test_the_lab_has_five_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
