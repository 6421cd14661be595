/* A block of lines on a terminal, redrawn in place, of which nothing remains. */
#ifndef LOADGEN_SCREEN_H
#define LOADGEN_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct screen {
	FILE *out;
	bool utf8;   /* the locale's characters */
	bool colors; /* unless NO_COLOR says otherwise (no-color.org) */
	bool drawn;  /* lines stand there that must be wiped */
};

/* screen_usable tells whether FD is a terminal on which the cursor can be moved ($TERM). */
bool screen_usable(int fd);

/*
 * screen_init prepares to draw on OUT, and reads the environment.  From now
 * on SIGTERM, SIGHUP and SIGQUIT, where they have their default effect, wipe what was drawn before they end the
 * program.
 */
void screen_init(struct screen *screen, FILE *out);

/* screen_size asks how large the terminal is at the moment; where it does not say, 80 columns and 24 rows. */
void screen_size(const struct screen *screen, size_t *columns, size_t *rows);

/*
 * screen_draw puts LINES, each with its '\n' and narrower than the terminal,
 * fewer than it has rows, over those that were drawn last.  In a job in the
 * background it does nothing: the terminal is somebody else's then.
 */
void screen_draw(struct screen *screen, const char *lines);

/* screen_clear wipes what was drawn, if anything was: what is printed next stands in its place. */
void screen_clear(struct screen *screen);

#endif
