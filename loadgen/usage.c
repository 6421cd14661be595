/* --help for a program with many options: two in a line, so that all of them fit a screen. */
#include "loadgen/usage.h"

#include <string.h>

#define INDENT 2
#define CELL 38  /* columns of an option that shares its line; one more is left free behind it */
#define LABEL 14 /* of these, for the option and its value */

struct item {
	char label[64]; /* "-n N", "--rate LIST" */
	int len;
	const char *help;
};

static struct item
make_item(const struct option_row *row)
{
	const char *blank = row->argument != NULL ? " " : "", *argument = row->argument != NULL ? row->argument : "";
	struct item item = {.help = row->help};

	if (row->short_name != 0)
		item.len = snprintf(item.label, sizeof(item.label), "-%c%s%s", row->short_name, blank, argument);
	else
		item.len = snprintf(item.label, sizeof(item.label), "--%s%s%s", row->name, blank, argument);
	return item;
}

static bool
can_share(const struct option_row *row)
{
	struct item item;

	if (row->type == OPTION_END || row->type == OPTION_HEADING)
		return false;
	item = make_item(row);
	return item.len < LABEL && strlen(item.help) <= CELL - LABEL;
}

/* write_line writes ROW, and the one after it where both are short. Returns the row behind them. */
static const struct option_row *
write_line(const struct option_row *row, FILE *out)
{
	struct item item = make_item(row), right;

	if (!can_share(row) || !can_share(row + 1)) {
		fprintf(out, "%*s%-*s%s%s\n", INDENT, "", LABEL, item.label, item.len < LABEL ? "" : "  ", item.help);
		return row + 1;
	}
	right = make_item(row + 1);
	fprintf(out, "%*s%-*s%-*s %-*s%s\n", INDENT, "", LABEL, item.label, CELL - LABEL, item.help, LABEL, right.label,
	    right.help);
	return row + 2;
}

void
usage_write(const struct options_program *program, FILE *out)
{
	const struct option_row *row = program->rows;

	fprintf(out, "usage: %s %s\n%s\n", program->name, program->synopsis, program->summary);
	while (row->type != OPTION_END)
		if (row->type == OPTION_HEADING)
			fprintf(out, "%s:\n", row++->help);
		else
			row = write_line(row, out);
	if (program->footer != NULL)
		fprintf(out, "\n%s", program->footer);
}
