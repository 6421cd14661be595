/* The text of a block of lines: fields flow into lines no wider than the terminal, and into no more of them than it has. */
#ifndef LOADGEN_BLOCK_H
#define LOADGEN_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"

#define BLOCK_COLUMNS_MAX 160 /* a wider terminal is not filled */
#define BLOCK_FIELD_BYTES (3 * BLOCK_COLUMNS_MAX + 1)
#define BLOCK_BYTES 8192

enum block_color { BLOCK_PLAIN, BLOCK_BAR, BLOCK_ALARM };

struct block {
	size_t columns; /* that a line may fill */
	size_t lines;   /* that may still be begun */
	bool colors;
	size_t column; /* of the present line that are filled */
	bool full;     /* there is no room for another field */
	size_t len;
	char text[BLOCK_BYTES];
};

/*
 * block_init makes BLOCK empty, for a terminal of COLUMNS and ROWS.  One of
 * each stays free: in the last column a terminal would wrap, and in the last
 * row it would scroll.
 */
void block_init(struct block *block, size_t columns, size_t rows, bool colors);

/* block_room returns how many columns a field at this point can fill without beginning a new line. */
size_t block_room(const struct block *block);

/*
 * block_field adds TEXT, which is WIDTH columns wide, two columns behind the
 * field before it; or in a new line where it does not fit into this one.
 * What is wider than a line is left out.
 */
void block_field(struct block *block, enum block_color color, size_t width, const char *text);

/* block_text formats a field of printable ASCII (all else becomes '?'), cut off at the width of a line. */
void block_text(struct block *block, enum block_color color, const char *format, ...) PRINTF_LIKE(3, 4);

/* block_break ends the line, if anything stands in it. After the last one, block->text is what screen_draw takes. */
void block_break(struct block *block);

#endif
