/* Unit tests of common/metrics. */
#include "common/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/http_response.h"

/* write_all is metrics_write of what COUNT slots come to. */
static size_t
write_all(const struct metrics *metrics, size_t count, char *buf, size_t size)
{
	struct metrics_totals totals = {0};

	metrics_sum(&totals, metrics, count);
	return metrics_write(&totals, METRICS_OF_LOOPS, buf, size);
}

static void
test_slots_are_summed(void **state)
{
	struct metrics *metrics = metrics_new(3);
	char text[METRICS_TEXT_MAX + 1];

	(void)state;
	for (int i = 0; i < 3; i++) {
		metrics_add(&metrics[i].connections_accepted, 10);
		metrics_add(&metrics[i].connections_closed, 4);
		for (int n = 0; n < 5; n++)
			metrics_count_response(&metrics[i], 200);
		metrics_add(&metrics[i].computed_ns, 250000000);
		metrics_add(&metrics[i].sent_bytes, UINT32_MAX);
	}
	text[write_all(metrics, 3, text, METRICS_TEXT_MAX)] = '\0';
	assert_non_null(strstr(text, "\nloopfork_connections_accepted_total 30\n"));
	assert_non_null(strstr(text, "\nloopfork_connections_open 18\n"));
	assert_non_null(strstr(text, "\nloopfork_responses_total{code=\"200\"} 15\n"));
	assert_non_null(strstr(text, "\nloopfork_sent_bytes_total 12884901885\n"));
	assert_non_null(strstr(text, "\nloopfork_computed_seconds_total 0.75\n"));
	metrics_free(metrics, 3);
}

/* responses_of returns the lines of loopfork_responses_total in what METRICS, one slot, comes to, behind its head. */
static const char *
responses_of(const struct metrics *metrics)
{
	static char text[METRICS_TEXT_MAX + 1];
	static const char head[] = "# HELP loopfork_responses_total Responses sent, by status.\n"
				   "# TYPE loopfork_responses_total counter\n";
	const char *at;

	text[write_all(metrics, 1, text, METRICS_TEXT_MAX)] = '\0';
	at = strstr(text, head);
	assert_non_null(at);
	return at + strlen(head);
}

static void
test_responses_are_counted_by_status(void **state)
{
	struct metrics *metrics = metrics_new(1);

	(void)state;
	assert_string_equal(responses_of(metrics), "loopfork_responses_total{code=\"200\"} 0\n");
	metrics_count_response(metrics, 505);
	metrics_count_response(metrics, 404);
	metrics_count_response(metrics, 404);
	assert_string_equal(responses_of(metrics), "loopfork_responses_total{code=\"200\"} 0\n"
						   "loopfork_responses_total{code=\"404\"} 2\n"
						   "loopfork_responses_total{code=\"505\"} 1\n");
	metrics_free(metrics, 1);
}

static void
test_every_status_that_we_send_has_a_line_of_its_own(void **state)
{
	(void)state;
	for (int status = -1; status < 700; status++) {
		struct metrics *metrics = metrics_new(1);
		bool known = strcmp(http_reason(status), "Unknown") != 0;
		char line[80];

		metrics_count_response(metrics, status);
		snprintf(line, sizeof(line), "loopfork_responses_total{code=\"%d\"} 1\n", status);
		assert_int_equal(strstr(responses_of(metrics), line) != NULL, known);
		assert_int_equal(strstr(responses_of(metrics), "code=\"other\"} 1\n") != NULL, !known);
		metrics_free(metrics, 1);
	}
}

static void
test_values_with_a_label(void **state)
{
	char text[256];
	size_t used = metrics_write_head(text, 0, sizeof(text), "lag_seconds", "gauge", "Lag.");

	(void)state;
	used = metrics_write_value(text, used, sizeof(text), "lag_seconds", "loop", "0", 0.25);
	used = metrics_write_value(text, used, sizeof(text), "lag_seconds", "loop", "1", 1e-9);
	text[used] = '\0';
	assert_string_equal(text, "# HELP lag_seconds Lag.\n# TYPE lag_seconds gauge\n"
				  "lag_seconds{loop=\"0\"} 0.25\nlag_seconds{loop=\"1\"} 1e-09\n");
	assert_int_equal(metrics_write_value(text, used, used + 10, "lag_seconds", "loop", "2", 1), used);
	assert_int_equal(metrics_write_head(text, used, used + 10, "lag_seconds", "gauge", "Lag."), used);
}

static void
test_there_is_room_for_64_loops(void **state)
{
	struct metrics *metrics = metrics_new(1);
	static char text[METRICS_TEXT_MAX];
	size_t used;

	(void)state;
	for (int status = 99; status < 600; status++)
		metrics_count_response(metrics, status);
	used = write_all(metrics, 1, text, sizeof(text));
	for (int value = 0; value < 10; value++) {
		size_t begun = used;

		used = metrics_write_head(
		    text, used, sizeof(text), "loopfork_loop_longest_name_of_a_metric_seconds", "gauge", "What it is.");
		for (int loop = 0; loop < 64; loop++)
			used = metrics_write_value(text, used, sizeof(text),
			    "loopfork_loop_longest_name_of_a_metric_seconds", "loop", "63", 0.12345678901234567);
		assert_true(used > begun + 64 * 70);
	}
	assert_true(used < sizeof(text) - 4096);
	metrics_free(metrics, 1);
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
		metrics_add(&metrics->computes_begun, 7);
		metrics_add(&metrics->websockets_begun, 7);
		_exit(0);
	}
	wait(NULL);
	metrics_settle(metrics);
	text[write_all(metrics, 1, text, METRICS_TEXT_MAX)] = '\0';
	assert_non_null(strstr(text, "\nloopfork_connections_accepted_total 7\n"));
	assert_non_null(strstr(text, "\nloopfork_connections_open 0\n"));
	assert_non_null(strstr(text, "\nloopfork_sleeping 0\n"));
	assert_non_null(strstr(text, "\nloopfork_computing 0\n"));
	assert_non_null(strstr(text, "\nloopfork_computations_total 7\n"));
	assert_non_null(strstr(text, "\nloopfork_websockets_open 0\n"));
	assert_non_null(strstr(text, "\nloopfork_websockets_total 7\n"));
	assert_non_null(strstr(text, "\nloopfork_requests_in_flight 0\n"));
	metrics_free(metrics, 1);
}

static void
test_slots_that_are_apart_are_summed_as_well(void **state)
{
	struct metrics *metrics = metrics_new(5);
	struct metrics_totals totals = {0};

	(void)state;
	for (int i = 0; i < 5; i++) {
		metrics_add(&metrics[i].timeouts, 1U << i);
		metrics_count_response(&metrics[i], 408);
	}
	metrics_sum(&totals, &metrics[0], 1);
	metrics_sum(&totals, &metrics[2], 3);
	assert_int_equal(totals.timeouts, 1 + 4 + 8 + 16);
	assert_int_equal(totals.responses[METRICS_408], 4);
	metrics_free(metrics, 5);
}

static void
test_workers_have_nothing_that_only_a_loop_can_count(void **state)
{
	struct metrics_totals totals = {.handler_timeouts = 3};
	char text[METRICS_TEXT_MAX + 1];

	(void)state;
	text[metrics_write(&totals, METRICS_OF_WORKERS, text, METRICS_TEXT_MAX)] = '\0';
	assert_null(strstr(text, "websocket"));
	assert_null(strstr(text, "loop too long"));
	assert_null(strstr(text, "held the loop"));
	assert_null(strstr(text, "of the pool"));
	assert_non_null(strstr(text, "\nloopfork_handler_timeouts_total 3\n"));
}

static void
test_text_that_does_not_fit_is_left_out_whole(void **state)
{
	struct metrics *metrics = metrics_new(1);
	char text[METRICS_TEXT_MAX];
	size_t whole = write_all(metrics, 1, text, sizeof(text));

	(void)state;
	assert_true(whole < METRICS_TEXT_MAX / 2);
	for (size_t size = 1; size < whole; size += 13) {
		char guarded[METRICS_TEXT_MAX];
		size_t used;

		memset(guarded, 'Z', sizeof(guarded));
		used = write_all(metrics, 1, guarded, size);
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
	    cmocka_unit_test(test_responses_are_counted_by_status),
	    cmocka_unit_test(test_every_status_that_we_send_has_a_line_of_its_own),
	    cmocka_unit_test(test_values_with_a_label),
	    cmocka_unit_test(test_there_is_room_for_64_loops),
	    cmocka_unit_test(test_a_slot_whose_writer_died_is_settled),
	    cmocka_unit_test(test_slots_that_are_apart_are_summed_as_well),
	    cmocka_unit_test(test_workers_have_nothing_that_only_a_loop_can_count),
	    cmocka_unit_test(test_text_that_does_not_fit_is_left_out_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
