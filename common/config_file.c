/* A configuration file: the options of the command line, one to a line. */
#include "common/config_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct parser {
	const struct options_program *program;
	void *config;
	const char *path;
	const char *rest;      /* of the file, not yet given to inih */
	int line;              /* of what inih handles now: it tells its handler no line numbers */
	int seen[OPTIONS_MAX]; /* the line of each row's option; 0: none yet */
	char *text;            /* room for the values, which together are shorter than the file */
	size_t used;           /* of it */
	char *error;
	size_t error_size;
	bool failed;
};

static void PRINTF_LIKE(3, 4) fail(struct parser *parser, int line, const char *format, ...)
{
	va_list args;
	int used = snprintf(parser->error, parser->error_size, "%s:%d: ", parser->path, line);

	parser->failed = true;
	if (used < 0 || (size_t)used >= parser->error_size)
		return;
	va_start(args, format);
	vsnprintf(parser->error + used, parser->error_size - (size_t)used, format, args);
	va_end(args);
}

/*
 * read_line hands one line to inih, without the blanks before it, which inih
 * would take as the sign that the line goes on with the value before.
 */
static char *
read_line(char *line, int size, void *stream)
{
	struct parser *parser = stream;
	const char *start = parser->rest + strspn(parser->rest, " \t\v\f\r");
	size_t len = strcspn(start, "\n");

	if (*parser->rest == '\0' || parser->failed)
		return NULL;
	parser->line++;
	if (*start == '[')
		fail(parser, parser->line, "there are no sections; write option = value");
	else if (len + 2 > (size_t)size)
		fail(parser, parser->line, "longer than %d bytes", size - 2);
	if (parser->failed)
		return NULL;
	memcpy(line, start, len);
	line[len] = '\0';
	parser->rest = start + len + (start[len] == '\n');
	return line;
}

/* keep copies VALUE to where it stays. */
static const char *
keep(struct parser *parser, const char *value)
{
	char *copy = parser->text + parser->used;
	size_t size = strlen(value) + 1;

	memcpy(copy, value, size);
	parser->used += size;
	return copy;
}

/* on_option is inih's handler: it returns 0 on a mistake. */
static int
on_option(void *user, const char *section, const char *name, const char *value)
{
	struct parser *parser = user;
	const struct option_row *row = options_find(parser->program, name);
	int *seen = row != NULL ? &parser->seen[row - parser->program->rows] : NULL;
	char why[512];

	(void)section; /* there is none */
	assert(row == NULL || row - parser->program->rows < OPTIONS_MAX);
	if (row == NULL)
		fail(parser, parser->line, "unknown option %s; see %s --help", name, parser->program->name);
	else if (row->type == OPTION_HELP || row->type == OPTION_VERSION || strcmp(name, "config") == 0)
		fail(parser, parser->line, "%s means something on the command line alone", name);
	else if (*seen != 0)
		fail(parser, parser->line, "%s is there already, in line %d", name, *seen);
	else if (*value == '\0')
		fail(parser, parser->line, "%s has no value", name);
	else if (options_set(parser->program, parser->config, name, keep(parser, value), why, sizeof(why)) != 0)
		fail(parser, parser->line, "%s", why);
	else
		*seen = parser->line;
	return !parser->failed;
}

/* open_file refuses what could not be read again, or would make the caller wait. Returns a descriptor or -errno. */
static int
open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0)
		error = -errno;
	else if (S_ISDIR(status.st_mode))
		error = -EISDIR;
	else if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) /* /dev/null is an empty file */
		error = -ESPIPE;
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

/* read_file makes BUF, of CONFIG_FILE_MAX + 1 bytes, the text of the file FD. Returns 0 or -errno. */
static int
read_file(int fd, char *buf)
{
	size_t len = 0;

	for (;;) {
		ssize_t got = read(fd, buf + len, CONFIG_FILE_MAX + 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
		if (len > CONFIG_FILE_MAX)
			return -EFBIG;
	}
	buf[len] = '\0';
	return strlen(buf) == len ? 0 : -EILSEQ;
}

static void
tell_unreadable(int error, const char *path, char *buf, size_t size)
{
	if (error == -EFBIG)
		snprintf(buf, size, "%s: longer than %d bytes", path, CONFIG_FILE_MAX);
	else if (error == -ESPIPE)
		snprintf(buf, size, "%s: not a file", path);
	else if (error == -EILSEQ)
		snprintf(buf, size, "%s: not a text file: it holds a NUL byte", path);
	else
		snprintf(buf, size, "%s: %s", path, strerror(-error));
}

/* parse gives SOURCE to inih, line by line. */
static void
parse(struct parser *parser, const char *source)
{
	int line;

	parser->rest = source;
	if (strncmp(source, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		parser->rest += strlen(BYTE_ORDER_MARK);
	line = ini_parse_stream(read_line, parser, on_option, parser);
	/* inih goes on after a line that it cannot read, so a mistake of ours may be the second. */
	if (line != 0 && (!parser->failed || line < parser->line))
		fail(parser, line > 0 ? line : parser->line, "neither option = value nor # comment");
}

int
config_file_read(const char *path, const struct options_program *program, void *config, struct config_file *file,
    char *error, size_t error_size)
{
	char *source = malloc(CONFIG_FILE_MAX + 1);
	char *text = malloc(CONFIG_FILE_MAX + 1);
	struct parser parser = {
	    .program = program,
	    .config = config,
	    .path = path,
	    .text = text,
	    .error = error,
	    .error_size = error_size,
	};
	int fd = -1;
	int result = 0;

	*file = (struct config_file){0};
	if (source == NULL || text == NULL)
		result = -ENOMEM;
	if (result == 0 && (fd = open_file(path)) < 0)
		result = fd;
	if (result == 0)
		result = read_file(fd, source);
	if (result != 0) {
		tell_unreadable(result, path, error, error_size);
	} else {
		parse(&parser, source);
		result = parser.failed ? -EINVAL : 0;
	}
	if (result == 0)
		file->text = text;
	else
		free(text);
	if (fd >= 0)
		close(fd);
	free(source);
	return result == -EILSEQ || result == -ESPIPE ? -EINVAL : result;
}

void
config_file_free(struct config_file *file)
{
	free(file->text);
	*file = (struct config_file){0};
}

/* read_command_line reads it over CONFIG. */
static int
read_command_line(const struct config_source *source, void *config, char *error, size_t error_size)
{
	const struct options_program *program = source->program;
	int operand = options_read(program, config, source->argc, source->argv, NULL, error, error_size);

	if (operand < 0)
		return operand;
	if (operand < source->argc) {
		snprintf(
		    error, error_size, "unexpected argument %s; see %s --help", source->argv[operand], program->name);
		return -EINVAL;
	}
	return 0;
}

int
config_load(const struct config_source *source, void *config, struct config_file *file, char *error, size_t error_size)
{
	const char *path = NULL;
	void *scratch = malloc(source->size);
	int result;

	*file = (struct config_file){0};
	if (scratch == NULL) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	memcpy(scratch, config, source->size);
	result = read_command_line(source, scratch, error, error_size);
	memcpy(&path, (const char *)scratch + source->path_offset, sizeof(path));
	free(scratch);
	if (result == 0 && path != NULL)
		result = config_file_read(path, source->program, config, file, error, error_size);
	if (result == 0 && source->begin_command_line != NULL)
		source->begin_command_line(config);
	if (result == 0)
		result = read_command_line(source, config, error, error_size);
	if (result != 0)
		config_file_free(file);
	return result;
}

void
config_start(const struct config_source *source, void *config, struct config_file *file)
{
	void *scratch = malloc(source->size);
	char error[4096];

	/* For --help, --version and the plain message of a mistake. (Without memory config_load says so.) */
	if (scratch != NULL) {
		memcpy(scratch, config, source->size);
		(void)options_parse(source->program, scratch, source->argc, source->argv);
	}
	free(scratch);
	if (config_load(source, config, file, error, sizeof(error)) != 0)
		options_fail(source->program, "%s", error);
}
