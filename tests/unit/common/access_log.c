/* Unit tests of common/access_log. */
#include "common/access_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/compiler.h"
#include "common/log.h"

/* What the next writes come to: -errno, or how many bytes are taken at most; once used up, all that is there. */
static const int *write_plan, *write_plan_end;
static atomic_size_t write_longest; /* bytes of one call */
static atomic_bool write_tore;      /* one was asked to end inside a line */
static bool no_memory;

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

ssize_t
__wrap_write(int fd, const void *bytes, size_t len)
{
	int plan = write_plan != write_plan_end ? *write_plan++ : INT_MAX;

	size_t longest = atomic_load(&write_longest);

	while (len > longest && !atomic_compare_exchange_weak(&write_longest, &longest, len))
		continue;
	if (((const char *)bytes)[len - 1] != '\n')
		atomic_store(&write_tore, true);
	if (plan < 0) {
		errno = -plan;
		return -1;
	}
	return __real_write(fd, bytes, len < (size_t)plan ? len : (size_t)plan);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : __real_calloc(count, size);
}

static char folder[] = "/tmp/access-XXXXXX";
static char path[64], moved[64], errors[64];

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(moved, sizeof(moved), "%s/log.1", folder);
	snprintf(errors, sizeof(errors), "%s/errors", folder);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(moved);
	unlink(errors);
	return rmdir(folder);
}

static size_t
content(const char *of, char *text, size_t size)
{
	FILE *file = fopen(of, "r");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, size - 1, file);
	text[len] = '\0';
	fclose(file);
	return len;
}

static const struct http_request request = {
    .method = "GET",
    .minor = 1,
    .target = {.at = "/a\"b\r\n", .len = 6},
    .user_agent = {.at = "curl", .len = 4},
};

static struct access_log_entry
entry(void)
{
	return (struct access_log_entry){
	    .peer = "127.0.0.1", .request = &request, .status = 200, .sent_bytes = 155, .body_bytes = 16};
}

static void
test_a_line_in_each_style(void **state)
{
	struct access_log_entry one = entry();
	char text[512], rest[128];

	(void)state;
	for (int style = ACCESS_LOG_AIOHTTP; style <= ACCESS_LOG_GUNICORN; style++) {
		struct access_log *log;
		char *stamp;

		unlink(path);
		assert_int_equal(access_log_new(&log, path, (enum access_log_style)style, NULL), 0);
		access_log_add(log, &one);
		assert_int_equal(content(path, text, sizeof(text)), 0); /* nothing before the flush */
		access_log_flush(log);
		content(path, text, sizeof(text));
		stamp = strchr(text, '[');
		assert_non_null(stamp);
		snprintf(rest, sizeof(rest), "] \"GET /a\\\"b\\x0d\\x0a HTTP/1.1\" 200 %d \"-\" \"curl\"\n",
		    style == ACCESS_LOG_GUNICORN ? 16 : 155);
		assert_string_equal(strchr(stamp, ']'), rest);
		*stamp = '\0';
		assert_string_equal(text, style == ACCESS_LOG_GUNICORN ? "127.0.0.1 - - " : "127.0.0.1 ");
		access_log_free(log);
	}
}

static void
test_a_request_that_did_not_parse(void **state)
{
	struct http_request none = {0};
	struct access_log_entry one = {.peer = "", .request = &none, .status = 400};
	struct access_log *log;
	char text[512];

	(void)state;
	unlink(path);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, NULL), 0);
	access_log_add(log, &one);
	access_log_free(log);
	content(path, text, sizeof(text));
	assert_memory_equal(text, "- [", 3);
	assert_string_equal(strchr(text, ']'), "] \"- - -\" 400 0 \"-\" \"-\"\n");
}

static void
test_an_access_log_that_is_off_does_nothing(void **state)
{
	struct access_log *log = (struct access_log *)&state;
	struct access_log_entry one = entry();

	assert_int_equal(access_log_new(&log, NULL, ACCESS_LOG_AIOHTTP, NULL), 0);
	assert_null(log);
	access_log_add(log, &one);
	access_log_flush(log);
	assert_int_equal(access_log_reopen(log), 0);
	access_log_free(log);
}

static void
test_many_long_lines_lose_nothing(void **state)
{
	enum { LINES = 500, LONG = 3000 };
	static char target[LONG], text[LINES * 2400];
	struct http_request asked = {.method = "GET", .minor = 1, .target = {.at = target, .len = LONG}};
	struct access_log_entry one = {.peer = "127.0.0.1", .request = &asked, .status = 200};
	struct access_log *log;
	int lines = 0;

	(void)state;
	memset(target, 'x', LONG);
	unlink(path);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_GUNICORN, NULL), 0);
	for (int i = 0; i < LINES; i++)
		access_log_add(log, &one);
	access_log_free(log);
	content(path, text, sizeof(text));
	for (const char *c = text; *c != '\0'; c++)
		lines += *c == '\n';
	assert_int_equal(lines, LINES);
}

static void
test_reopening_follows_a_rotation(void **state)
{
	struct access_log_entry one = entry();
	struct access_log *log;
	char text[512];

	(void)state;
	unlink(path);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, NULL), 0);
	access_log_add(log, &one);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(access_log_reopen(log), 0);
	assert_int_not_equal(content(moved, text, sizeof(text)), 0);
	assert_int_equal(content(path, text, sizeof(text)), 0);
	access_log_add(log, &one);
	access_log_free(log);
	assert_int_not_equal(content(path, text, sizeof(text)), 0);
}

static void
test_who_shares_a_log_moves_with_it(void **state)
{
	struct access_log_entry one = entry();
	struct access_log *log, *shared;
	char text[1024], alone[512];

	(void)state;
	assert_int_equal(access_log_share(&shared, NULL), 0);
	assert_null(shared);
	unlink(path);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, NULL), 0);
	no_memory = true;
	assert_int_equal(access_log_share(&shared, log), -ENOMEM);
	no_memory = false;
	assert_null(shared);
	assert_int_equal(access_log_share(&shared, log), 0);
	access_log_add(shared, &one);
	access_log_flush(shared);
	assert_int_not_equal(content(path, alone, sizeof(alone)), 0);
	access_log_add(shared, &one);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(access_log_reopen(log), 0);
	/* A line that was gathered before goes where the file is now. */
	access_log_add(log, &one);
	access_log_free(shared);
	access_log_free(log);
	assert_int_equal(content(moved, text, sizeof(text)), (ssize_t)strlen(alone));
	assert_int_equal(content(path, text, sizeof(text)), (ssize_t)(2 * strlen(alone)));
}

static void
test_failures(void **state)
{
	struct access_log_entry one = entry();
	struct access_log *log;

	(void)state;
	assert_int_equal(access_log_new(&log, "/no/such/folder/log", ACCESS_LOG_AIOHTTP, NULL), -ENOENT);
	assert_null(log);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, "%z"), -EINVAL);
	assert_null(log);
	no_memory = true;
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, NULL), -ENOMEM);
	no_memory = false;
	assert_null(log);
	if (access("/dev/full", W_OK) != 0)
		skip();
	assert_int_equal(access_log_new(&log, "/dev/full", ACCESS_LOG_AIOHTTP, NULL), 0);
	access_log_add(log, &one);
	access_log_free(log);
}

static void
test_what_a_format_needs(void **state)
{
	struct access_log *log;

	(void)state;
	unlink(path);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, "%s %{Referer}i"), 0);
	assert_false(access_log_needs_time(log) || access_log_needs_head(log));
	assert_null(access_log_wanted(log));
	access_log_free(log);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, "%D %{Date}o %{X-Y}i"), 0);
	assert_true(access_log_needs_time(log) && access_log_needs_head(log));
	assert_string_equal(access_log_wanted(log)[0], "x-y");
	assert_null(access_log_wanted(log)[1]);
	access_log_free(log);
	assert_false(access_log_needs_time(NULL) || access_log_needs_head(NULL));
	assert_null(access_log_wanted(NULL));
}

static void
test_lines_after_a_disk_was_full(void **state)
{
	/* The first flush: a piece, interrupted, a little of the second line, no more; the error log. The second fails. */
	static const int plan[] = {10, -EINTR, 8, -ENOSPC, INT_MAX, -ENOSPC};
	struct access_log_entry one = entry();
	struct access_log *log;
	char text[512];

	(void)state;
	unlink(path);
	assert_int_equal(log_open(errors, LOG_LEVEL_INFO), 0);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, "%s%a"), 0); /* 200127.0.0.1 */
	for (int i = 0; i < 4; i++)
		access_log_add(log, &one);
	write_plan = plan;
	write_plan_end = plan + ARRAY_LEN(plan);
	access_log_flush(log);
	content(path, text, sizeof(text));
	assert_string_equal(text, "200127.0.0.1\n20012");
	one.status = 404;
	access_log_add(log, &one);
	access_log_flush(log);
	assert_ptr_equal(write_plan, write_plan_end);
	/* That it begins is told at once, and once: the disk may stay full. */
	content(errors, text, sizeof(text));
	assert_non_null(strstr(text, "[ERROR] The access log cannot be written: No space left on device; "));
	assert_null(strchr(strchr(text, '\n') + 1, '\n'));
	access_log_add(log, &one);
	access_log_add(log, &one);
	access_log_flush(log);
	content(path, text, sizeof(text));
	assert_string_equal(text, "200127.0.0.1\n20012\n404127.0.0.1\n404127.0.0.1\n");
	content(errors, text, sizeof(text));
	assert_non_null(strstr(text, "The access log lost 4 lines that could not be written\n"));
	/* It is told once, and a file that is new has no half line. */
	access_log_add(log, &one);
	write_plan = plan;
	write_plan_end = plan + 1;
	access_log_flush(log);
	content(path, text, sizeof(text));
	assert_string_equal(text + strlen(text) - 27, "\n404127.0.0.1\n404127.0.0.1\n");
	access_log_free(log);
	content(errors, text, sizeof(text));
	assert_null(strstr(strstr(text, "lost") + 1, "lost"));
	assert_int_equal(log_open(NULL, LOG_LEVEL_INFO), 0);
}

static void
test_a_new_file_does_not_begin_with_the_end_of_a_line(void **state)
{
	static const int plan[] = {5, -ENOSPC};
	struct access_log_entry one = entry();
	struct access_log *log;
	char text[512];

	(void)state;
	unlink(path);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, "%s%a"), 0);
	access_log_add(log, &one);
	write_plan = plan;
	write_plan_end = plan + ARRAY_LEN(plan);
	access_log_flush(log);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(access_log_reopen(log), 0);
	access_log_add(log, &one);
	access_log_free(log);
	content(path, text, sizeof(text));
	assert_string_equal(text, "200127.0.0.1\n");
}

enum { WRITERS = 4, LINES_EACH = 400, TARGET_MAX = 3000 };

/* write_lines has a log of its own, with lines of one letter and of very different lengths. */
static void *
write_lines(void *context)
{
	const char letter = *(const char *)context;
	char target[TARGET_MAX];
	struct http_request asked = {.method = "GET", .minor = 1, .target = {.at = target}};
	struct access_log_entry one = {.peer = "", .request = &asked, .status = 200};
	struct access_log *log;

	memset(target, letter, sizeof(target));
	if (access_log_new(&log, path, ACCESS_LOG_AIOHTTP, "%r%{Referer}i%{User-Agent}i") != 0)
		return NULL;
	for (size_t i = 0; i < LINES_EACH; i++) {
		asked.target.len = 1 + i * 7919 % TARGET_MAX;
		asked.referer = asked.user_agent = asked.target;
		access_log_add(log, &one);
		if (i % 50 == 0)
			access_log_flush(log);
	}
	access_log_free(log);
	return context;
}

static void
start_writers(pthread_t threads[WRITERS])
{
	static char letters[] = "abcd";

	atomic_store(&write_longest, 0);
	atomic_store(&write_tore, false);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &letters[i]), 0);
}

static void
join_writers(pthread_t threads[WRITERS])
{
	void *result;

	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_non_null(result);
	}
	assert_false(atomic_load(&write_tore));
}

/* check_lines reads what they wrote: each line whole, and of one letter. */
static void
check_lines(FILE *file)
{
	static char line[16384];
	int counts[WRITERS] = {0};

	for (int i = 0; i < WRITERS * LINES_EACH; i++) {
		const char *at = line + 4;
		char letter[2] = "";

		assert_non_null(fgets(line, sizeof(line), file));
		assert_memory_equal(line, "GET ", 4);
		letter[0] = *at;
		assert_in_range(letter[0], 'a', 'a' + WRITERS - 1);
		at += strspn(at, letter);
		assert_memory_equal(at, " HTTP/1.1", 9);
		at += 9;
		at += strspn(at, letter);
		assert_string_equal(at, "\n");
		counts[letter[0] - 'a']++;
	}
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(counts[i], LINES_EACH);
}

static void
test_lines_of_several_writers_never_mix_in_a_file(void **state)
{
	pthread_t threads[WRITERS];
	FILE *file;

	(void)state;
	unlink(path);
	start_writers(threads);
	join_writers(threads);
	file = fopen(path, "r");
	assert_non_null(file);
	check_lines(file);
	assert_int_equal(fgetc(file), EOF);
	fclose(file);
	assert_true(atomic_load(&write_longest) > PIPE_BUF); /* many lines at a time */
}

static void
test_lines_of_several_writers_never_mix_in_a_pipe(void **state)
{
	pthread_t threads[WRITERS];
	FILE *file;
	int fd;

	(void)state;
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	/* With a writing end of our own, so that it does not end between two of theirs. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	file = fdopen(fd, "r");
	assert_non_null(file);
	alarm(120); /* a line that is missing would be waited for */
	start_writers(threads);
	check_lines(file);
	join_writers(threads);
	alarm(0);
	fclose(file);
	assert_in_range(atomic_load(&write_longest), 1, PIPE_BUF);
	unlink(path);
}

static void
test_a_file_that_became_a_pipe_and_one_without_a_reader(void **state)
{
	struct access_log_entry one = entry();
	struct access_log *log;
	char text[4096];
	int fd;

	(void)state;
	unlink(path);
	unlink(errors);
	assert_int_equal(log_open(errors, LOG_LEVEL_INFO), 0);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, NULL), 0);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(access_log_reopen(log), 0);
	for (int i = 0; i < 100; i++)
		access_log_add(log, &one);
	atomic_store(&write_longest, 0);
	access_log_flush(log);
	assert_in_range(atomic_load(&write_longest), PIPE_BUF / 2, PIPE_BUF);
	close(fd);
	access_log_add(log, &one);
	access_log_flush(log); /* -EPIPE */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	access_log_add(log, &one);
	access_log_free(log);
	content(errors, text, sizeof(text));
	assert_non_null(strstr(text, "lost 1 lines"));
	assert_true(read(fd, text, sizeof(text)) > 0);
	close(fd);
	unlink(path);
	assert_int_equal(log_open(NULL, LOG_LEVEL_INFO), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_line_in_each_style),
	    cmocka_unit_test(test_a_request_that_did_not_parse),
	    cmocka_unit_test(test_an_access_log_that_is_off_does_nothing),
	    cmocka_unit_test(test_many_long_lines_lose_nothing),
	    cmocka_unit_test(test_reopening_follows_a_rotation),
	    cmocka_unit_test(test_who_shares_a_log_moves_with_it),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_what_a_format_needs),
	    cmocka_unit_test(test_lines_after_a_disk_was_full),
	    cmocka_unit_test(test_a_new_file_does_not_begin_with_the_end_of_a_line),
	    cmocka_unit_test(test_lines_of_several_writers_never_mix_in_a_file),
	    cmocka_unit_test(test_lines_of_several_writers_never_mix_in_a_pipe),
	    cmocka_unit_test(test_a_file_that_became_a_pipe_and_one_without_a_reader),
	};

	signal(SIGPIPE, SIG_IGN); /* as both servers do */
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
