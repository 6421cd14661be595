/* Decimal numbers that people type -> whole numbers of a smaller unit. */
#include "common/decimal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

int
decimal_parse(const char *text, double scale, uint64_t max, uint64_t *value)
{
	double number;
	char *end;

	/* strtod would take " 1", "0x1" and "inf": none of them is what a person means here. */
	for (const char *c = text; *c != '\0'; c++)
		if ((*c < '0' || *c > '9') && *c != '.' && *c != 'e' && *c != 'E' && *c != '-' && *c != '+')
			return -EINVAL;
	number = strtod(text, &end);
	if (end == text || *end != '\0' || !isfinite(number) || signbit(number))
		return -EINVAL;
	if (number * scale > (double)max)
		return -ERANGE;
	*value = (uint64_t)llround(number * scale);
	return 0;
}
