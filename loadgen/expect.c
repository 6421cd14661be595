/* --expect 'p99<50ms': what a cell must come to. */
#include "loadgen/expect.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loadgen/summary.h"

#define DIGITS "0123456789"
#define METRICS "p50, p99, p99.9, mean, min, max, rps, errors, failed or complete"

enum kind { KIND_TIME, KIND_RATE, KIND_SHARE_OR_COUNT, KIND_COUNT };

static const struct {
	const char *name;
	enum kind kind;
} metrics[] = {
    [EXPECT_PERCENTILE] = {"", KIND_TIME}, /* parse_percentile knows its names */
    [EXPECT_MEAN] = {"mean", KIND_TIME},
    [EXPECT_MIN] = {"min", KIND_TIME},
    [EXPECT_MAX_TIME] = {"max", KIND_TIME},
    [EXPECT_RPS] = {"rps", KIND_RATE},
    [EXPECT_ERRORS] = {"errors", KIND_SHARE_OR_COUNT},
    [EXPECT_FAILED] = {"failed", KIND_SHARE_OR_COUNT},
    [EXPECT_COMPLETE] = {"complete", KIND_COUNT},
};

/* Each is found before its own beginning. */
static const struct {
	const char *text;
	enum expect_relation relation;
} relations[] = {
    {"<=", EXPECT_AT_MOST},
    {">=", EXPECT_AT_LEAST},
    {"<", EXPECT_LESS},
    {">", EXPECT_MORE},
    {"=", EXPECT_EQUAL},
};

static const struct {
	const char *name;
	double scale;
} time_units[] = {{"us", 1e-3}, {"ms", 1}, {"s", 1e3}};

static void
skip_blanks(const char **text)
{
	*text += strspn(*text, " \t");
}

static bool
is_word(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(word, name, len) == 0;
}

/* parse_percentile takes the percentiles that a summary has. */
static bool
parse_percentile(struct expect *expect, const char *word, size_t len)
{
	char name[16];

	expect->metric = EXPECT_PERCENTILE;
	expect->percent = 99.9;
	if (is_word(word, len, "p99.9"))
		return true;
	for (int percent = 1; percent < 100; percent++) {
		snprintf(name, sizeof(name), "p%d", percent);
		expect->percent = percent;
		if (is_word(word, len, name))
			return true;
	}
	return false;
}

static int
parse_metric(struct expect *expect, const char **text, char *error, size_t error_size)
{
	const char *word = *text;
	size_t len = strcspn(word, " \t<>=");

	*text += len;
	if (parse_percentile(expect, word, len))
		return 0;
	for (size_t i = EXPECT_MEAN; i < ARRAY_LEN(metrics); i++)
		if (is_word(word, len, metrics[i].name)) {
			expect->metric = (enum expect_metric)i;
			return 0;
		}
	snprintf(error, error_size, "\"%.*s\" is not a figure; use %s", (int)(len < 40 ? len : 40), word, METRICS);
	return -EINVAL;
}

static int
parse_relation(struct expect *expect, const char **text, char *error, size_t error_size)
{
	enum kind kind = metrics[expect->metric].kind;

	for (size_t i = 0; i < ARRAY_LEN(relations); i++) {
		if (strncmp(*text, relations[i].text, strlen(relations[i].text)) != 0)
			continue;
		*text += strlen(relations[i].text);
		expect->relation = relations[i].relation;
		if (expect->relation == EXPECT_EQUAL && (kind == KIND_TIME || kind == KIND_RATE)) {
			snprintf(error, error_size, "no time or rate is ever exactly that; use < or >");
			return -EINVAL;
		}
		return 0;
	}
	snprintf(error, error_size, "the figure is followed by <, <=, =, >= or >, as in p99<50ms");
	return -EINVAL;
}

/* parse_unit reads the rest of the text, behind a value of which WHOLE says that it has no fraction. */
static int
parse_unit(struct expect *expect, const char *text, bool whole, char *error, size_t error_size)
{
	size_t len = strcspn(text, " \t");
	enum kind kind = metrics[expect->metric].kind;
	bool end = text[len + strspn(text + len, " \t")] == '\0';

	expect->unit = "";
	expect->scale = 1;
	if (kind == KIND_TIME) {
		for (size_t i = 0; end && i < ARRAY_LEN(time_units); i++)
			if (is_word(text, len, time_units[i].name)) {
				expect->unit = time_units[i].name;
				expect->scale = time_units[i].scale;
				return 0;
			}
		snprintf(error, error_size, "a time has a unit: us, ms or s, as in p99<50ms");
		return -EINVAL;
	}
	if (kind == KIND_SHARE_OR_COUNT && end && is_word(text, len, "%")) {
		expect->share = true;
		expect->unit = "%";
		expect->scale = 0.01;
		return 0;
	}
	if (text[0] != '\0' && !(end && len == 0)) {
		snprintf(error, error_size, "\"%.40s\" follows the number; %s", text,
		    kind == KIND_SHARE_OR_COUNT ? "only % can, for a share of all requests" : "nothing can");
		return -EINVAL;
	}
	if (kind != KIND_RATE && !whole) {
		snprintf(error, error_size, "requests are counted in whole numbers%s",
		    kind == KIND_SHARE_OR_COUNT ? "; a share of all is written with %, as in errors<0.5%" : "");
		return -EINVAL;
	}
	return 0;
}

static int
parse_value(struct expect *expect, const char *text, char *error, size_t error_size)
{
	size_t whole = strspn(text, DIGITS);
	size_t fraction = text[whole] == '.' ? 1 + strspn(text + whole + 1, DIGITS) : 0;
	size_t len = whole + fraction;
	char number[32];

	if (whole == 0 || fraction == 1 || len >= sizeof(number)) {
		snprintf(error, error_size,
		    "\"%.40s\" is not a number; a figure, a relation and a number, as in p99<50ms", text);
		return -EINVAL;
	}
	memcpy(number, text, len);
	number[len] = '\0';
	text += len;
	skip_blanks(&text);
	if (parse_unit(expect, text, fraction == 0, error, error_size) != 0)
		return -EINVAL;
	expect->limit = strtod(number, NULL) * expect->scale;
	if (expect->share && expect->limit > 1) {
		snprintf(error, error_size, "a share is at most 100%%");
		return -EINVAL;
	}
	return 0;
}

int
expect_parse(struct expect *expect, const char *text, char *error, size_t error_size)
{
	*expect = (struct expect){.text = text};
	skip_blanks(&text);
	if (parse_metric(expect, &text, error, error_size) != 0)
		return -EINVAL;
	skip_blanks(&text);
	if (parse_relation(expect, &text, error, error_size) != 0)
		return -EINVAL;
	skip_blanks(&text);
	return parse_value(expect, text, error, error_size);
}

/* time_of returns the figure in milliseconds. */
static double
time_of(const struct expect *expect, const struct summary *summary)
{
	if (summary->complete == 0)
		return (double)NAN;
	switch (expect->metric) {
	case EXPECT_MEAN:
		return summary_ms(summary->total.mean);
	case EXPECT_MIN:
		return summary_ms((double)summary->total.min);
	case EXPECT_MAX_TIME:
		return summary_ms((double)summary->total.max);
	default:
		return summary_ms(
		    (double)(expect->percent > 99 ? summary->p99_9_ns : summary->percentiles[(size_t)expect->percent]));
	}
}

/* count_of returns a number of requests, or their share of all that were tried. */
static double
count_of(const struct expect *expect, const struct summary *summary)
{
	double tried =
	    (double)(summary->complete + summary->failures[FAILURE_CONNECT] + summary->failures[FAILURE_TLS]);
	double count = (double)summary->complete;

	if (expect->metric != EXPECT_COMPLETE)
		count = (double)(expect->metric == EXPECT_ERRORS ? summary->errors : summary->failed);
	if (!expect->share)
		return count;
	return tried > 0 ? count / tried : (double)NAN;
}

bool
expect_holds(const struct expect *expect, const struct summary *summary, double *measured)
{
	enum kind kind = metrics[expect->metric].kind;

	*measured = kind == KIND_TIME   ? time_of(expect, summary)
		    : kind == KIND_RATE ? summary->rps
					: count_of(expect, summary);
	if (isnan(*measured))
		return false;
	switch (expect->relation) {
	case EXPECT_LESS:
		return *measured < expect->limit;
	case EXPECT_AT_MOST:
		return *measured <= expect->limit;
	case EXPECT_EQUAL:
		return *measured >= expect->limit && *measured <= expect->limit;
	case EXPECT_AT_LEAST:
		return *measured >= expect->limit;
	case EXPECT_MORE:
		return *measured > expect->limit;
	}
	return false;
}

const struct expect *
expect_unmet(const struct expect *expects, size_t len, const struct summary *summary)
{
	double measured;

	for (size_t i = 0; i < len; i++)
		if (!expect_holds(&expects[i], summary, &measured))
			return &expects[i];
	return NULL;
}

void
expect_format(const struct expect *expect, double figure, char *text, size_t size)
{
	enum kind kind = metrics[expect->metric].kind;
	double value = figure / expect->scale;
	double distance = fabs(figure - expect->limit) / expect->limit;
	/* Four digits tell a figure, unless it would read like the limit that it missed; a count is exact. */
	int digits = distance > 1e-3 || distance == 0 ? 4 : 9;

	if (isnan(figure))
		snprintf(text, size, "unknown");
	else if (value >= 1000 && digits == 4)
		snprintf(text, size, "%.0f%s%s", value, kind == KIND_TIME ? " " : "", expect->unit);
	else
		snprintf(text, size, "%.*g%s%s", kind >= KIND_SHARE_OR_COUNT && !expect->share ? 17 : digits, value,
		    kind == KIND_TIME ? " " : "", expect->unit);
}
