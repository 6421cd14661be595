/* The text of a block of lines: fields flow into lines no wider than the terminal, and into no more of them than it has. */
#include "loadgen/block.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GAP 2          /* columns between fields */
#define FIELD_EXTRA 16 /* bytes around a field: gap, colour, end of line */

void
block_init(struct block *block, size_t columns, size_t rows, bool colors)
{
	columns = columns > 1 ? columns - 1 : 1;
	block->columns = columns < BLOCK_COLUMNS_MAX ? columns : BLOCK_COLUMNS_MAX;
	block->lines = rows > 1 ? rows - 1 : 0;
	block->colors = colors;
	block->column = 0;
	block->full = block->lines == 0;
	block->len = 0;
	block->text[0] = '\0';
}

size_t
block_room(const struct block *block)
{
	size_t used = block->column > 0 ? block->column + GAP : 0;

	return used < block->columns ? block->columns - used : 0;
}

static void
append(struct block *block, const char *text)
{
	size_t len = strlen(text);

	memcpy(block->text + block->len, text, len + 1);
	block->len += len;
}

void
block_break(struct block *block)
{
	if (block->column == 0)
		return;
	append(block, "\n");
	block->column = 0;
	block->lines--;
	block->full = block->lines == 0;
}

void
block_field(struct block *block, enum block_color color, size_t width, const char *text)
{
	static const char *const begins[] = {[BLOCK_BAR] = "\033[36m", [BLOCK_ALARM] = "\033[31m"};

	if (width > block->columns)
		return;
	if (width > block_room(block))
		block_break(block);
	if (block->full || block->len + strlen(text) + FIELD_EXTRA > sizeof(block->text))
		return;
	if (block->column > 0) {
		append(block, "  ");
		block->column += GAP;
	}
	if (block->colors && begins[color] != NULL)
		append(block, begins[color]);
	append(block, text);
	if (block->colors && begins[color] != NULL)
		append(block, "\033[m");
	block->column += width;
}

void
block_text(struct block *block, enum block_color color, const char *format, ...)
{
	char text[BLOCK_FIELD_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text[block->columns] = '\0';
	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	block_field(block, color, strlen(text), text);
}
