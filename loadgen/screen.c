/* A block of lines on a terminal, redrawn in place, of which nothing remains. */
#include "loadgen/screen.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS 80
#define ROWS 24

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

void
screen_init(struct screen *screen, FILE *out)
{
	const char *no_color = getenv("NO_COLOR");

	*screen = (struct screen){
	    .out = out,
	    .utf8 = locale_is_utf8(),
	    .colors = no_color == NULL || *no_color == '\0',
	};
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
		screen->drawn = false;
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
	}
	free(text);
}

void
screen_clear(struct screen *screen)
{
	if (screen->drawn && !in_background(screen)) {
		fputs("\r\033[J", screen->out);
		fflush(screen->out);
	}
	screen->drawn = false;
}
