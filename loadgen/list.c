/* "5,10,20": the values of an option that sweeps. */
#include "loadgen/list.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/decimal.h"
#include "loadgen/refuse.h"

#define EXPECTED_MAX 128

/* next_item copies TEXT up to the next comma to ITEM and moves *TEXT behind it; false when it does not fit. */
static bool
next_item(const char **text, char *item, size_t size)
{
	size_t len = strcspn(*text, ",");

	snprintf(item, size, "%.*s", (int)(len < size ? len : size), *text);
	*text = (*text)[len] == ',' ? *text + len + 1 : NULL;
	return len < size;
}

static bool
parse_number(const char *item, uint64_t min, uint64_t max, uint64_t *value)
{
	if (item[0] == '\0' || item[strspn(item, "0123456789")] != '\0')
		return false;
	errno = 0;
	*value = strtoull(item, NULL, 10);
	return errno == 0 && *value >= min && *value <= max;
}

/* append counts the value that stands behind the last one in, unless it is there already. */
static int
append(struct list *list, const char *item, char *error, size_t error_size)
{
	for (size_t i = 0; i < list->len; i++)
		if (list->values[i] == list->values[list->len])
			return refuse(error, error_size,
			    "%s stands there twice; to measure a cell more than once use --repeat", item);
	list->len++;
	return 0;
}

/* parse reads ITEM, which must lie between MIN and MAX. */
typedef bool parse_fn(const char *item, uint64_t min, uint64_t max, uint64_t *value);

/* parse_items reads the whole list; EXPECTED says what one of its values is. */
static int
parse_items(struct list *list, const char *text, parse_fn *parse, uint64_t min, uint64_t max, const char *expected,
    char *error, size_t error_size)
{
	char item[32];

	list->len = 0;
	while (text != NULL) {
		bool fits = next_item(&text, item, sizeof(item));

		if (list->len == LIST_MAX)
			return refuse(error, error_size, "more than %d values", LIST_MAX);
		if (!fits || !parse(item, min, max, &list->values[list->len]))
			return refuse(error, error_size, "\"%s\" is not %s", item, expected);
		if (append(list, item, error, error_size) != 0)
			return -EINVAL;
	}
	return 0;
}

int
list_parse_numbers(struct list *list, const char *text, uint64_t min, uint64_t max, char *error, size_t error_size)
{
	char expected[EXPECTED_MAX];

	snprintf(expected, sizeof(expected), "a whole number from %llu to %llu; use one, or a list as in 5,10,20",
	    (unsigned long long)min, (unsigned long long)max);
	return parse_items(list, text, parse_number, min, max, expected, error, error_size);
}

bool
list_parse_rate(const char *text, uint64_t min, uint64_t max, uint64_t *thousandths)
{
	return decimal_parse(text, LIST_RATE_UNIT, max, thousandths) == 0 && *thousandths >= min;
}

int
list_parse_rates(struct list *list, const char *text, uint64_t max, char *error, size_t error_size)
{
	char expected[EXPECTED_MAX];

	snprintf(expected, sizeof(expected),
	    "a number of requests per second from 0.001 to %llu; use one, or a list as in 100,200",
	    (unsigned long long)max);
	return parse_items(list, text, list_parse_rate, 1, max * LIST_RATE_UNIT, expected, error, error_size);
}

static bool
parse_seconds(const char *item, uint64_t min, uint64_t max, uint64_t *value)
{
	return clock_parse_seconds(item, max, value) == 0 && *value >= min;
}

int
list_parse_seconds(struct list *list, const char *text, double max_s, char *error, size_t error_size)
{
	char expected[EXPECTED_MAX];

	snprintf(
	    expected, sizeof(expected), "a number of seconds from 0 to %g; use one, or a list as in 0.1,0.2", max_s);
	return parse_items(
	    list, text, parse_seconds, 0, (uint64_t)(max_s * (double)NS_PER_SEC), expected, error, error_size);
}
