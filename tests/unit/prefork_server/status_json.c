/* Unit tests of prefork_server/status_json and status_text: whatever stands on the scoreboard, the answer is whole. */
#include "prefork_server/status_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "prefork_server/status_text.h"

static struct scoreboard board;
static struct listeners listeners;
static struct status status;
static pid_t child; /* plays every worker */

static int
setup(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 7), 0);
	listeners = (struct listeners){.count = 1, .fds = {fd}};
	assert_int_equal(scoreboard_open(&board), 0);
	status = (struct status){.board = &board, .listeners = &listeners, .arbiter = getpid()};
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	return child < 0;
}

static int
teardown(void **state)
{
	(void)state;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(listeners.fds[0]);
	scoreboard_close(&board);
	return 0;
}

/* seat puts a worker of THREADS threads into SLOT. */
static void
seat(size_t slot, size_t threads, pid_t pid)
{
	scoreboard_take(&board, slot, threads);
	scoreboard_begin(&board, slot);
	scoreboard_seat(&board, slot, pid, 3);
	for (size_t i = 0; i < threads; i++)
		lane_enter(&board.rows[slot].lanes[i], LANE_IDLE, clock_now_ns());
}

/* whole writes all pieces, each into memory of its own size, so that a sanitizer sees one that is too long. */
static char *
whole(size_t (*write)(const struct status *, struct admin_cursor *, char *))
{
	struct admin_cursor cursor = {0};
	char *text = NULL;
	size_t used = 0;

	while (!cursor.end) {
		char *piece = malloc(ADMIN_PIECE_MAX);
		size_t len = write(&status, &cursor, piece);

		assert_true(len <= ADMIN_PIECE_MAX);
		text = realloc(text, used + len + 1);
		assert_non_null(text);
		memcpy(text + used, piece, len);
		used += len;
		text[used] = '\0';
		free(piece);
	}
	return text;
}

static json_t *
parsed(void)
{
	char *text = whole(status_json_write);
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	if (root == NULL)
		fail_msg("%s at %d: %.200s", error.text, error.position, text);
	free(text);
	return root;
}

static void
test_nobody_is_there_yet(void **state)
{
	json_t *root = parsed();

	(void)state;
	assert_int_equal(json_array_size(json_object_get(root, "workers")), 0);
	json_decref(root);
}

static void
test_workers_threads_and_queue(void **state)
{
	json_t *root, *server, *worker, *listen;
	struct http_span target = {.at = "/a", .len = 2};

	(void)state;
	seat(0, 1, child);
	seat(2, 3, child);
	seat(3, 1, getpid()); /* no child of the arbiter */
	lane_work(&board.rows[2].lanes[0], "GET", target, clock_now_ns());
	lane_work(&board.rows[2].lanes[1], "PUT", target, clock_now_ns() - 5 * NS_PER_SEC);
	root = parsed();
	server = json_object_get(root, "server");
	assert_int_equal(json_integer_value(json_object_get(server, "pid")), getpid());
	assert_int_equal(json_integer_value(json_object_get(json_object_get(server, "workers"), "idle")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(server, "workers"), "busy")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(server, "threads"), "idle")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(server, "threads"), "busy")), 2);
	listen = json_array_get(json_object_get(server, "listen"), 0);
	assert_int_equal(json_integer_value(json_object_get(listen, "queue_limit")), 7);
	assert_int_equal(json_integer_value(json_object_get(listen, "queue")), 0);
	assert_int_equal(json_array_size(json_object_get(root, "workers")), 3);
	/* A worker shows the oldest request of its threads. */
	worker = json_array_get(json_object_get(root, "workers"), 1);
	assert_int_equal(json_integer_value(json_object_get(worker, "slot")), 2);
	assert_int_equal(json_integer_value(json_object_get(worker, "pid")), child);
	assert_int_equal(json_integer_value(json_object_get(worker, "generation")), 3);
	assert_string_equal(json_string_value(json_object_get(worker, "request")), "PUT /a");
	assert_true(json_number_value(json_object_get(worker, "request_s")) >= 5);
	assert_true(json_integer_value(json_object_get(worker, "rss_kib")) > 0);
	assert_int_equal(json_array_size(json_object_get(worker, "threads")), 3);
	worker = json_array_get(json_object_get(root, "workers"), 2);
	assert_string_equal(json_string_value(json_object_get(worker, "state")), "gone");
	assert_true(json_is_null(json_object_get(worker, "cpu_s")));
	assert_int_equal(json_array_size(json_object_get(worker, "threads")), 0);
	json_decref(root);
}

static void
check_lines(char *text)
{
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		assert_true(strlen(line) <= 80);
		for (const char *at = line; *at != '\0'; at++)
			assert_true(*at >= ' ' && *at <= '~');
	}
}

/* Whatever a worker, or a client through it, can put there. */
static void
test_hostile_bytes_stay_inside_their_string(void **state)
{
	unsigned seed = 1;

	(void)state;
	seat(0, CONFIG_THREADS_MAX, child);
	seat(1, 1, child);
	for (int round = 0; round < 30; round++) {
		json_t *root;
		char *text;

		for (size_t i = 0; i < CONFIG_THREADS_MAX; i++) {
			struct lane *lane = &board.rows[0].lanes[i];
			unsigned char *bytes = (unsigned char *)&lane->doing;

			for (size_t at = 0; at < sizeof(*lane) - offsetof(struct lane, doing); at++)
				bytes[at] = (unsigned char)(round == 0 ? 0xff : rand_r(&seed) >> 7);
			lane_enter(lane, (enum lane_state)(rand_r(&seed) % 8), (uint64_t)rand_r(&seed));
			atomic_store(&lane->sequence, 2);
			atomic_store(&lane->metrics.requests_begun, UINT64_MAX - (uint64_t)rand_r(&seed));
		}
		root = parsed();
		assert_int_equal(json_array_size(json_object_get(root, "workers")), 2);
		json_decref(root);
		text = whole(status_text_write);
		check_lines(text);
		free(text);
	}
}

static void
test_the_largest_scoreboard(void **state)
{
	char target[LANE_REQUEST_MAX];
	json_t *root, *workers;
	char *text;

	(void)state;
	memset(target, 1, sizeof(target));
	for (size_t slot = 0; slot < SCOREBOARD_SLOTS; slot++) {
		seat(slot, 2, child);
		for (size_t i = 0; i < 2; i++)
			lane_work(&board.rows[slot].lanes[i], "GET",
			    (struct http_span){.at = target, .len = sizeof(target)}, 0);
	}
	root = parsed();
	workers = json_object_get(root, "workers");
	assert_int_equal(json_array_size(workers), SCOREBOARD_SLOTS);
	for (size_t slot = 0; slot < SCOREBOARD_SLOTS; slot++)
		assert_int_equal(json_array_size(json_object_get(json_array_get(workers, slot), "threads")), 2);
	json_decref(root);
	text = whole(status_text_write);
	check_lines(text);
	free(text);
}

static void
test_times_as_a_person_writes_them(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {{0, "0.00s"}, {9999999999, "9.99s"}, {10 * NS_PER_SEC, "10.0s"}, {59990000000, "59.9s"},
	    {60 * NS_PER_SEC, "1m00s"}, {3599 * NS_PER_SEC, "59m59s"}, {3600 * NS_PER_SEC, "1h00m"},
	    {86399 * NS_PER_SEC, "23h59m"}, {86400 * NS_PER_SEC, "1d00h"}, {UINT64_MAX, "213503d23h"}};
	char buf[STATUS_TEXT_TIME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(status_text_time(buf, rows[i].ns), rows[i].text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_nobody_is_there_yet, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_workers_threads_and_queue, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hostile_bytes_stay_inside_their_string, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_largest_scoreboard, setup, teardown),
	    cmocka_unit_test(test_times_as_a_person_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
