/* Fields of the JSON. */
#include "loadgen/field.h"

#include <math.h>

#include "loadgen/summary.h"

void
field_add(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

void
field_count(json_t *object, const char *name, uint64_t count)
{
	field_add(object, name, json_integer((json_int_t)count));
}

void
field_real(json_t *object, const char *name, double value)
{
	field_add(object, name, isfinite(value) ? json_real(value) : json_null());
}

void
field_ms(json_t *object, const char *name, double ns)
{
	field_real(object, name, summary_ms(ns));
}

void
field_interval(json_t *object, const char *name, const struct interval *interval, double unit)
{
	json_t *pair = interval->known ? json_array() : json_null();

	if (interval->known) {
		json_array_append_new(pair, json_real(interval->low / unit));
		json_array_append_new(pair, json_real(interval->high / unit));
	}
	field_add(object, name, pair);
}

json_t *
field_text(const char *text)
{
	json_t *string = json_string(text);
	char plain[512];
	size_t len = 0;

	if (string != NULL)
		return string;
	for (; len < sizeof(plain) && text[len] != '\0'; len++)
		plain[len] = (unsigned char)text[len] > '~' ? '?' : text[len];
	return json_stringn(plain, len);
}
