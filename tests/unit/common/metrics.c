/* Unit tests of common/metrics. */
#include "common/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
test_slots_are_summed(void **state)
{
	struct metrics *metrics = metrics_new(3);
	char text[METRICS_TEXT_MAX + 1];

	(void)state;
	for (int i = 0; i < 3; i++) {
		metrics_add(&metrics[i].connections_accepted, 10);
		metrics_add(&metrics[i].connections_closed, 4);
		metrics_add(&metrics[i].responses[2], 5);
		metrics_add(&metrics[i].sent_bytes, UINT32_MAX);
	}
	text[metrics_write(metrics, 3, text, METRICS_TEXT_MAX)] = '\0';
	assert_non_null(strstr(text, "\nloopfork_connections_accepted_total 30\n"));
	assert_non_null(strstr(text, "\nloopfork_connections_open 18\n"));
	assert_non_null(strstr(text, "\nloopfork_responses_total{class=\"2xx\"} 15\n"));
	assert_non_null(strstr(text, "\nloopfork_sent_bytes_total 12884901885\n"));
	metrics_free(metrics, 3);
}

static void
test_a_slot_whose_writer_died_is_settled(void **state)
{
	struct metrics *metrics = metrics_new(1);
	char text[METRICS_TEXT_MAX + 1];

	(void)state;
	if (fork() == 0) {
		metrics_add(&metrics->connections_accepted, 7);
		metrics_add(&metrics->requests_begun, 7);
		metrics_add(&metrics->sleeps_begun, 7);
		_exit(0);
	}
	wait(NULL);
	metrics_settle(metrics);
	text[metrics_write(metrics, 1, text, METRICS_TEXT_MAX)] = '\0';
	assert_non_null(strstr(text, "\nloopfork_connections_accepted_total 7\n"));
	assert_non_null(strstr(text, "\nloopfork_connections_open 0\n"));
	assert_non_null(strstr(text, "\nloopfork_sleeping 0\n"));
	assert_non_null(strstr(text, "\nloopfork_requests_in_flight 0\n"));
	metrics_free(metrics, 1);
}

static void
test_text_that_does_not_fit_is_left_out_whole(void **state)
{
	struct metrics *metrics = metrics_new(1);
	char text[METRICS_TEXT_MAX];
	size_t whole = metrics_write(metrics, 1, text, sizeof(text));

	(void)state;
	assert_true(whole < METRICS_TEXT_MAX / 2);
	for (size_t size = 1; size < whole; size += 13) {
		char guarded[METRICS_TEXT_MAX];
		size_t used;

		memset(guarded, 'Z', sizeof(guarded));
		used = metrics_write(metrics, 1, guarded, size);
		assert_true(used < size);
		assert_int_equal(guarded[size], 'Z');
		assert_true(used == 0 || guarded[used - 1] == '\n');
	}
	metrics_free(metrics, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_slots_are_summed),
	    cmocka_unit_test(test_a_slot_whose_writer_died_is_settled),
	    cmocka_unit_test(test_text_that_does_not_fit_is_left_out_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
