/* Unit tests of prefork_server/lane: what a reader sees, whatever the writer does or did last. */
#include "prefork_server/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND 1000000000ULL

static struct lane *lane; /* shared with children */

static int
setup(void **state)
{
	(void)state;
	lane = mmap(NULL, sizeof(*lane), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return lane == MAP_FAILED;
}

static int
teardown(void **state)
{
	(void)state;
	return munmap(lane, sizeof(*lane));
}

static struct lane_view
look(uint64_t now_ns)
{
	struct lane_view view;

	memset(&view, 0xaa, sizeof(view));
	lane_look(lane, &view, now_ns);
	return view;
}

static struct http_span
span(const char *text)
{
	return (struct http_span){.at = text, .len = strlen(text)};
}

static void
test_a_request_from_its_connection_to_its_end(void **state)
{
	struct lane_view view = look(SECOND);

	(void)state;
	assert_int_equal(view.state, LANE_NONE);
	assert_int_equal(view.state_ns, 0);
	lane_begin(lane);
	lane_enter(lane, LANE_IDLE, 1 * SECOND);
	lane_enter(lane, LANE_READING, 2 * SECOND);
	metrics_add(&lane->metrics.connections_accepted, 1);
	view = look(5 * SECOND);
	assert_int_equal(view.state, LANE_READING);
	assert_int_equal(view.state_ns, 3 * SECOND);
	assert_false(view.has_request);
	metrics_add(&lane->metrics.requests_begun, 1);
	lane_work(lane, "GET", span("/?sleep=9"), 3 * SECOND);
	view = look(5 * SECOND);
	assert_int_equal(view.state, LANE_WORKING);
	assert_true(view.has_request);
	assert_int_equal(view.request_ns, 2 * SECOND);
	assert_int_equal(view.request_len, strlen("GET /?sleep=9"));
	assert_memory_equal(view.request, "GET /?sleep=9", view.request_len);
	assert_int_equal(view.requests, 1);
	assert_int_equal(view.connections, 1);
	lane_enter(lane, LANE_SENDING, 12 * SECOND);
	view = look(12 * SECOND);
	assert_int_equal(view.state, LANE_SENDING);
	assert_true(view.has_request);
	assert_int_equal(view.request_ns, 9 * SECOND);
	lane_enter(lane, LANE_IDLE, 12 * SECOND);
	view = look(13 * SECOND);
	assert_int_equal(view.state, LANE_IDLE);
	assert_false(view.has_request);
}

static void
test_an_answer_to_no_request_shows_none(void **state)
{
	(void)state;
	lane_begin(lane);
	lane_work(lane, "GET", span("/old"), SECOND);
	lane_enter(lane, LANE_READING, 2 * SECOND);
	lane_forget(lane);
	lane_enter(lane, LANE_SENDING, 3 * SECOND);
	assert_false(look(3 * SECOND).has_request);
	lane_work(lane, "GET", span("/new"), 4 * SECOND);
	assert_true(look(4 * SECOND).has_request);
}

/* Targets of every length around the cut: what is kept is exactly the beginning. */
static void
test_what_is_too_long_is_cut(void **state)
{
	char target[2 * LANE_REQUEST_MAX], whole[sizeof(target) + 8];

	(void)state;
	memset(target, 'x', sizeof(target));
	target[0] = '/';
	for (size_t len = 0; len < sizeof(target); len++) {
		struct lane_view view;
		size_t all = (size_t)snprintf(whole, sizeof(whole), "DELETE %.*s", (int)len, target);

		lane_work(lane, "DELETE", (struct http_span){.at = target, .len = len}, SECOND);
		view = look(SECOND);
		assert_int_equal(view.request_len, all < LANE_REQUEST_MAX ? all : LANE_REQUEST_MAX);
		assert_memory_equal(view.request, whole, view.request_len);
	}
	memset(target, 'M', sizeof(target));
	target[sizeof(target) - 1] = '\0';
	lane_work(lane, target, span("/"), SECOND);
	assert_int_equal(look(SECOND).request_len, LANE_REQUEST_MAX);
}

static void
test_a_writer_that_died_in_the_middle_leaves_no_request(void **state)
{
	(void)state;
	lane_begin(lane);
	lane_work(lane, "GET", span("/"), SECOND);
	atomic_fetch_add(&lane->sequence, 1);
	assert_int_equal(look(SECOND).state, LANE_WORKING);
	assert_false(look(SECOND).has_request);
	/* Its successor is not held up by it. */
	lane_begin(lane);
	assert_int_equal(look(SECOND).state, LANE_NONE);
	lane_work(lane, "PUT", span("/next"), 2 * SECOND);
	assert_true(look(2 * SECOND).has_request);
	assert_memory_equal(look(2 * SECOND).request, "PUT /next", 9);
}

static void
test_a_new_worker_counts_from_nothing_and_the_metrics_go_on(void **state)
{
	struct lane_view view;

	(void)state;
	metrics_add(&lane->metrics.requests_begun, 7);
	metrics_add(&lane->metrics.connections_accepted, 8);
	lane_begin(lane);
	assert_int_equal(lane->metrics.requests_ended, 7);
	metrics_add(&lane->metrics.requests_begun, 1);
	view = look(SECOND);
	assert_int_equal(view.requests, 1);
	assert_int_equal(view.connections, 0);
}

/* Any bytes at all may stand in memory that a worker writes. */
static void
test_nothing_that_stands_there_leads_a_reader_out_of_bounds(void **state)
{
	unsigned char *bytes = (unsigned char *)lane;

	(void)state;
	for (unsigned fill = 0; fill < 256; fill++) {
		struct lane_view view;

		memset(bytes, (int)fill, sizeof(*lane));
		atomic_store(&lane->sequence, 2); /* else nothing is read */
		for (uint64_t doing = 0; doing < 8; doing++) {
			atomic_store(&lane->doing, fill << 8 | doing);
			view = look(SECOND);
			assert_true(view.state <= LANE_UNKNOWN);
			assert_true(view.request_len <= LANE_REQUEST_MAX);
			assert_true(view.state_ns <= SECOND && view.request_ns <= SECOND);
		}
	}
	atomic_store(&lane->doing, UINT64_MAX);
	assert_int_equal(look(SECOND).state, LANE_UNKNOWN);
}

/* write_for_ever: requests whose bytes all tell the same number, and states in between. */
static void
write_for_ever(void)
{
	char target[LANE_REQUEST_MAX];

	for (uint64_t i = 0;; i++) {
		memset(target, 'a' + (int)(i % 26), sizeof(target));
		lane_work(
		    lane, i % 2 != 0 ? "GET" : "POST", (struct http_span){.at = target, .len = 20 + i % 80}, i * 10);
		lane_enter(lane, LANE_SENDING, i * 10 + 1);
		lane_enter(lane, LANE_IDLE, i * 10 + 2);
	}
}

static void
check_whole(const struct lane_view *view)
{
	size_t method = view->request[0] == 'G' ? 4 : 5;

	assert_true(view->request_len > method);
	for (size_t i = method; i < view->request_len; i++)
		assert_int_equal(view->request[i], view->request[method]);
}

/* The writer is stopped and killed at any moment: no reader ever sees a mixture, or waits. */
static void
test_a_request_is_seen_whole_or_not_at_all(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (int life = 0; life < 40 || (seen == 0 && life < 4000); life++) {
		pid_t pid;

		lane_begin(lane);
		pid = fork();
		if (pid == 0)
			write_for_ever();
		assert_true(pid > 0);
		for (int i = 0; i < 2000; i++) {
			struct lane_view view = look(UINT64_MAX >> 3);

			if (view.has_request) {
				seen++;
				check_whole(&view);
			}
		}
		usleep(1000);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (look(UINT64_MAX >> 3).has_request) {
			struct lane_view view = look(UINT64_MAX >> 3);

			seen++;
			check_whole(&view);
		}
	}
	assert_true(seen > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_request_from_its_connection_to_its_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_an_answer_to_no_request_shows_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_is_too_long_is_cut, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_writer_that_died_in_the_middle_leaves_no_request, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_new_worker_counts_from_nothing_and_the_metrics_go_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_nothing_that_stands_there_leads_a_reader_out_of_bounds, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_request_is_seen_whole_or_not_at_all, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
