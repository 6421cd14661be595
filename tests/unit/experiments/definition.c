/* Experiment files: what they say is what is read; every mistake is named with its line and what is allowed. */
#include "tests/unit/experiments/sample.h"

#define HEAD "[experiment]\ntitle = T\nvalues = 5, 10\n"
#define SERVER "[server one]\ncommand = one {address}\nurl = http://{address}/\n"

static void
test_a_whole_file_is_read(void **state)
{
	static const char source[] = "; a comment\n"
				     "[experiment]\n"
				     "title = How it goes: a test\n"
				     "task = Do this\n"
				     "  and then that.\n"
				     "vary = sleep\n"
				     "values = 0.1,0.25 , 1\n"
				     "concurrency = 7\n"
				     "requests = 50\n"
				     "restart = cell\n"
				     "plots = time:log, rps\n"
				     "questions = wait, blocking\n"
				     "\n"
				     "[server one]\n"
				     "label = The first\n"
				     "command = one --bind {address}\n"
				     "\t--sleep {sleep}\n"
				     "url = http://{address}/path\n"
				     "ready = GET /up 204\n"
				     "deadline = 2.5\n"
				     "timeout = 30\n"
				     "port = 8088\n"
				     "options = -k\n"
				     "requires = python3-x:python:x, curl:command:curl\n"
				     "ideal = workers:4\n"
				     "style = 3\n"
				     "[server two]\n"
				     "from = other/three\n"
				     "plot = no\n";
	struct experiment e;
	char error[DEFINITION_ERROR_MAX] = "";

	(void)state;
	if (definition_parse(&e, "some/where/mine.ini", source, error) != 0)
		fail_msg("%s", error);
	assert_string_equal(e.name, "mine");
	assert_string_equal(e.folder, "some/where");
	assert_string_equal(e.title, "How it goes: a test");
	assert_string_equal(e.task, "Do this and then that.");
	assert_int_equal(e.vary, VARY_SLEEP);
	assert_int_equal(e.value_count, 3);
	assert_true(e.values[1] == 0.25);
	assert_int_equal(e.concurrency, 7);
	assert_int_equal(e.requests, 50);
	assert_true(e.restart);
	assert_int_equal(e.plots, PLOT_TIME | PLOT_RPS);
	assert_int_equal(e.log_plots, PLOT_TIME);
	assert_int_equal(e.questions, QUESTION_WAIT | QUESTION_BLOCKING);
	assert_int_equal(e.server_count, 2);
	assert_string_equal(e.servers[0].label, "The first");
	assert_string_equal(e.servers[0].command, "one --bind {address} --sleep {sleep}");
	assert_string_equal(e.servers[0].ready_path, "/up");
	assert_int_equal(e.servers[0].ready_status, 204);
	assert_int_equal(e.servers[0].deadline_ns, 2500000000u);
	assert_int_equal(e.servers[0].timeout_ns, 30000000000u);
	assert_int_equal(e.servers[0].port, 8088);
	assert_string_equal(e.servers[0].options, "-k");
	assert_int_equal(e.servers[0].ideal, IDEAL_WORKERS);
	assert_int_equal(e.servers[0].workers, 4);
	assert_int_equal(e.servers[0].style, 3);
	assert_string_equal(e.servers[1].from, "other/three");
	assert_true(e.servers[1].hidden);
	assert_true(definition_sleep(&e, 0.25) == 0.25);
	assert_int_equal(definition_concurrency(&e, 0.25), 7);
	definition_deinit(&e);
}

static void
test_what_a_file_leaves_out_has_a_default(void **state)
{
	struct experiment e;
	char error[DEFINITION_ERROR_MAX] = "";

	(void)state;
	assert_int_equal(definition_parse(&e, "x.ini", HEAD SERVER, error), 0);
	assert_string_equal(e.folder, ".");
	assert_string_equal(e.task, "");
	assert_int_equal(e.vary, VARY_CONCURRENCY);
	assert_int_equal(e.requests, 100);
	assert_true(e.sleep_s == 0.1);
	assert_int_equal(e.plots, PLOT_TIME | PLOT_RPS);
	assert_string_equal(e.servers[0].label, "one");
	assert_null(e.servers[0].ready_path);
	assert_int_equal(e.servers[0].deadline_ns, 10000000000u);
	definition_deinit(&e);
}

/* Each mistake: what the file says, and what must stand in the message. */
static const struct mistake {
	const char *source, *where, *what;
} mistakes[] = {
    {"", "x.ini:1: ", "no [experiment]"},
    {SERVER, "x.ini:1: ", "no [experiment]"},
    {"title = T\n", "x.ini:1: ", "before any section"},
    {"[experiment]\nvalues = 5\n" SERVER, "x.ini:1: ", "has no title"},
    {"[experiment]\ntitle = T\n" SERVER, "x.ini:1: ", "has no values"},
    {HEAD, "x.ini:1: ", "no [server NAME]"},
    {HEAD "colour = red\n" SERVER, "x.ini:4: unknown key colour", "title, task, vary"},
    {HEAD SERVER "colour = red\n", "x.ini:7: unknown key colour", "label, command, url"},
    {HEAD "title = U\n" SERVER, "x.ini:4: ", "already"},
    {HEAD SERVER SERVER, "x.ini:7: [server one]", "already"},
    {HEAD HEAD SERVER, "x.ini:4: [experiment]", "line 1"},
    {HEAD "[client x]\n" SERVER, "x.ini:4: unknown section [client x]", "[server NAME]"},
    {HEAD "[server ]\n" SERVER, "x.ini:4: unknown section", "[server NAME]"},
    {HEAD "[server a b]\n" SERVER, "x.ini:4: unknown section", "one word"},
    {HEAD "[server one\n" SERVER, "x.ini:4: ", "ends with ]"},
    {HEAD "nonsense\n" SERVER, "x.ini:4: ", "key = value"},
    {HEAD "task =\n" SERVER, "x.ini:4: task has no value", ""},
    {HEAD "vary = threads\n" SERVER, "x.ini:4: vary = threads: ", "concurrency or sleep"},
    {HEAD "sleep = -1\n" SERVER, "x.ini:4: sleep = -1: ", "0 to 3600"},
    {HEAD "sleep = 4000\n" SERVER, "x.ini:4: ", "0 to 3600"},
    {HEAD "concurrency = 0\n" SERVER, "x.ini:4: ", "1 to 20000"},
    {HEAD "requests = 1e3\n" SERVER, "x.ini:4: ", "whole number"},
    {HEAD "requests = 9\n" SERVER, "x.ini:1: ", "less than the concurrency 10"},
    {HEAD "restart = maybe\n" SERVER, "x.ini:4: ", "cell"},
    {HEAD "plots = pie\n" SERVER, "x.ini:4: ", "time, rps"},
    {HEAD "plots = time:linear\n" SERVER, "x.ini:4: ", ":log"},
    {HEAD "questions = why\n" SERVER, "x.ini:4: ", "concurrency, wait, blocking"},
    {"[experiment]\ntitle = T\nvalues = 5, x\n" SERVER, "x.ini:3: ", "\"x\" is not a number"},
    {"[experiment]\ntitle = T\nvalues = 5,,6\n" SERVER, "x.ini:3: ", "\"\" is not a number"},
    {"[experiment]\ntitle = T\nvalues = 10, 5\n" SERVER, "x.ini:3: ", "must grow"},
    {"[experiment]\ntitle = T\nvalues = 5, 5\n" SERVER, "x.ini:3: ", "must grow"},
    {"[experiment]\ntitle = T\nvalues = 0.5, 5\n" SERVER, "x.ini:1: ", "whole numbers from 1"},
    {"[experiment]\ntitle = T\nvalues = 0, 5\n" SERVER, "x.ini:1: ", "whole numbers from 1"},
    {"[experiment]\ntitle = T\nvalues = "
     "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33\n",
	"x.ini:3: ", "at most 32"},
    {"[experiment]\ntitle = T\nvary = sleep\nvalues = 0.1\n" SERVER, "x.ini:1: ", "concurrency must be fixed"},
    {"[experiment]\ntitle = T\nvary = sleep\nvalues = 0.1\nconcurrency = 5\n" SERVER, "x.ini:6: ", "has {sleep}"},
    {"[experiment]\ntitle = T\nvary = sleep\nvalues = 0.1\nconcurrency = 5\nrestart = experiment\n[server s]\n"
     "command = s {address} {sleep}\nurl = http://{address}/\n",
	"x.ini:7: ", "restart = cell"},
    {HEAD "[server one]\nurl = http://{address}/\n", "x.ini:4: ", "no command"},
    {HEAD "[server one]\ncommand = one {address}\n", "x.ini:4: ", "no url"},
    {HEAD "[server one]\ncommand = one\nurl = http://127.0.0.1:80/\n", "x.ini:4: ", "{address} or {port}"},
    {HEAD SERVER "url = ftp://x/\n", "x.ini:7: ", "already"},
    {HEAD "[server one]\nurl = ftp://x/\n", "x.ini:5: url = ftp://x/: ", "http://{address}/"},
    {HEAD SERVER "ready = POST /\n", "x.ini:7: ", "GET and a path"},
    {HEAD SERVER "ready = GET / 99\n", "x.ini:7: ", "GET and a path"},
    {HEAD SERVER "deadline = soon\n", "x.ini:7: ", "seconds"},
    {HEAD SERVER "timeout = -1\n", "x.ini:7: ", "seconds"},
    {HEAD SERVER "port = 70000\n", "x.ini:7: ", "1 to 65535"},
    {HEAD SERVER "style = 9\n", "x.ini:7: ", "1 to 8"},
    {HEAD SERVER "ideal = workers:0\n", "x.ini:7: ", "workers:N"},
    {HEAD SERVER "plot = never\n", "x.ini:7: ", "yes or no"},
    {HEAD SERVER "requires = aiohttp\n", "x.ini:7: ", "PACKAGE:python:MODULE"},
    {HEAD SERVER "requires = a:library:b\n", "x.ini:7: ", "PACKAGE:python:MODULE"},
    {HEAD "[server one]\nfrom = task7\n", "x.ini:5: ", "EXPERIMENT/SERVER"},
    {HEAD "[server one]\nfrom = task7/two\ncommand = x\n", "x.ini:4: ", "only label, style and plot"},
    {HEAD "[server one]\ncommand = one {adress}\nurl = http://127.0.0.1:{port}/\n",
	"x.ini:4: ", "unknown placeholder {adress}"},
    {HEAD "[server one]\ncommand = one 'x {address}\nurl = http://{address}/\n", "x.ini:4: ", "a ' without its end"},
    {HEAD "[server one]\ncommand = one {address}\nurl = http://{address/\n", "x.ini:4: ", "a { without its }"},
    {HEAD SERVER "options = {what}\n", "x.ini:4: ", "unknown placeholder {what}"},
};

static void
test_each_mistake_is_named_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct experiment e;
		char error[DEFINITION_ERROR_MAX] = "";

		if (definition_parse(&e, "x.ini", mistakes[i].source, error) != -EINVAL)
			fail_msg("taken:\n%s", mistakes[i].source);
		if (strncmp(error, mistakes[i].where, strlen(mistakes[i].where)) != 0 ||
		    strstr(error, mistakes[i].what) == NULL)
			fail_msg("expected \"%s...%s\", got \"%s\" for:\n%s", mistakes[i].where, mistakes[i].what,
			    error, mistakes[i].source);
		assert_null(strchr(error, '\n'));
	}
}

static void
test_a_line_that_is_too_long_is_told(void **state)
{
	char source[1024];
	struct experiment e;
	char error[DEFINITION_ERROR_MAX] = "";

	(void)state;
	snprintf(source, sizeof(source), "[experiment]\ntitle = %0500d\n", 1);
	assert_int_equal(definition_parse(&e, "x.ini", source, error), -EINVAL);
	assert_has(error, "x.ini:2: longer than");
}

static void
test_too_many_servers_are_told(void **state)
{
	char source[4096] = HEAD;
	struct experiment e;
	char error[DEFINITION_ERROR_MAX] = "";

	(void)state;
	for (int i = 0; i < 9; i++)
		snprintf(source + strlen(source), sizeof(source) - strlen(source),
		    "[server s%d]\ncommand = s {address}\nurl = http://{address}/\n", i);
	assert_int_equal(definition_parse(&e, "x.ini", source, error), -EINVAL);
	assert_has(error, "x.ini:28: too many servers; use at most 8");
}

static void
test_files_that_cannot_be_read(void **state)
{
	struct experiment e;
	char error[DEFINITION_ERROR_MAX] = "";
	char *folder = sample_folder(), *path = memory_print("%s/nul.ini", folder);
	FILE *file = fopen(path, "w");

	(void)state;
	assert_int_equal(definition_load(&e, "/nowhere/x.ini", error), -ENOENT);
	assert_has(error, "/nowhere/x.ini: No such file");
	assert_int_equal(definition_load(&e, folder, error), -EISDIR);
	assert_non_null(file);
	fwrite("[experiment]\n\0title", 1, 19, file);
	fclose(file);
	assert_int_equal(definition_load(&e, path, error), -EINVAL);
	assert_has(error, "NUL");
	free(path);
	sample_remove(folder);
}

static void
test_the_shipped_experiments_are_without_a_mistake(void **state)
{
	static const char *const names[] = {"task7", "task8", "task9", "real7", "real8", "real9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = memory_print("experiments/%s.ini", names[i]);
		char error[DEFINITION_ERROR_MAX] = "";
		struct experiment e;

		if (definition_load(&e, path, error) != 0)
			fail_msg("%s", error);
		definition_deinit(&e);
		free(path);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_whole_file_is_read),
	    cmocka_unit_test(test_what_a_file_leaves_out_has_a_default),
	    cmocka_unit_test(test_each_mistake_is_named_with_its_line),
	    cmocka_unit_test(test_a_line_that_is_too_long_is_told),
	    cmocka_unit_test(test_too_many_servers_are_told),
	    cmocka_unit_test(test_files_that_cannot_be_read),
	    cmocka_unit_test(test_the_shipped_experiments_are_without_a_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
