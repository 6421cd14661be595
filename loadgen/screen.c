/* A block of lines on a terminal, redrawn in place, of which nothing remains. */
#include "loadgen/screen.h"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/compiler.h"

#define COLUMNS 80
#define ROWS 24
#define WIPE "\r\033[J"

/* The terminal that lines stand on; -1: none. A signal belongs to the process, and so does this. */
static atomic_int drawn_on = -1;

bool
screen_usable(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) == 1 && term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
}

/* locale_is_utf8 asks the locale of the environment and leaves the program's alone: parsers rely on that being C. */
static bool
locale_is_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool utf8;

	if (locale == (locale_t)0)
		return false;
	utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
	freelocale(locale);
	return utf8;
}

/* on_end: the program ends by signal NUMBER, and what it has drawn goes with it. */
static void
on_end(int number)
{
	int fd = drawn_on;
	ssize_t wiped = fd != -1 ? write(fd, WIPE, sizeof(WIPE) - 1) : 0;

	(void)wiped;
	raise(number); /* has its default effect again */
}

/* watch_end: what ends the program without a word, as timeout(1) does, is to leave nothing behind. */
static void
watch_end(void)
{
	static const int numbers[] = {SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction now, ours = {.sa_handler = on_end, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			sigaction(numbers[i], &ours, NULL);
}

void
screen_init(struct screen *screen, FILE *out)
{
	const char *no_color = getenv("NO_COLOR");

	*screen = (struct screen){
	    .out = out,
	    .utf8 = locale_is_utf8(),
	    .colors = no_color == NULL || *no_color == '\0',
	};
	watch_end();
}

void
screen_size(const struct screen *screen, size_t *columns, size_t *rows)
{
	struct winsize size = {0};

	if (ioctl(fileno(screen->out), TIOCGWINSZ, &size) != 0)
		size = (struct winsize){0};
	*columns = size.ws_col > 0 ? size.ws_col : COLUMNS;
	*rows = size.ws_row > 0 ? size.ws_row : ROWS;
}

/* in_background: the terminal is ours and another job has it now. */
static bool
in_background(const struct screen *screen)
{
	pid_t foreground = tcgetpgrp(fileno(screen->out));

	return foreground != -1 && foreground != getpgrp();
}

/* forget: nothing that stands on the terminal is ours. */
static void
forget(struct screen *screen)
{
	screen->drawn = false;
	drawn_on = -1;
}

/*
 * The cursor rests at the beginning of the block.  A terminal that is made
 * narrower wraps the lines, so that nobody can say how many rows they take;
 * but what is below the cursor is the block's and can be wiped.  All leaves
 * in one write, so that the terminal never shows half of it.
 */
void
screen_draw(struct screen *screen, const char *lines)
{
	size_t count = 0, len;
	char *text = NULL;
	FILE *frame;

	if (in_background(screen)) {
		forget(screen);
		return;
	}
	frame = open_memstream(&text, &len);
	if (frame == NULL)
		return;
	fputc('\r', frame);
	for (const char *end; (end = strchr(lines, '\n')) != NULL; lines = end + 1, count++)
		fprintf(frame, "%.*s\033[K\r\n", (int)(end - lines), lines);
	fputs("\033[J", frame);
	if (count > 0)
		fprintf(frame, "\033[%zuA", count);
	if (fclose(frame) == 0) {
		fwrite(text, 1, len, screen->out);
		fflush(screen->out);
		screen->drawn = true;
		drawn_on = fileno(screen->out);
	}
	free(text);
}

void
screen_clear(struct screen *screen)
{
	if (screen->drawn && !in_background(screen)) {
		fputs(WIPE, screen->out);
		fflush(screen->out);
	}
	forget(screen);
}
