/* A sentence or several on lines of at most 80 columns. */
#include "loadgen/paragraph.h"

#include <string.h>

#define INDENT "  "

void
paragraph_print(FILE *out, const char *text)
{
	size_t used = 0, len;

	for (text += strspn(text, " "); *text != '\0'; text += len, text += strspn(text, " ")) {
		len = strcspn(text, " ");
		if (used > 0 && used + 1 + len > PARAGRAPH_WIDTH) {
			fputs("\n" INDENT, out);
			used = strlen(INDENT);
		} else if (used > 0) {
			fputc(' ', out);
			used++;
		}
		fwrite(text, 1, len, out);
		used += len;
	}
	fputc('\n', out);
}
