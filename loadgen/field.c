/* Fields of the JSON. */
#include "loadgen/field.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

#include "loadgen/summary.h"

/* jansson's own way to memory, and whether there was none for it. */
static json_malloc_t get_memory;
static json_free_t free_memory;
static bool left_out;

static void *
take_memory(size_t size)
{
	void *memory = get_memory(size);

	left_out |= memory == NULL;
	return memory;
}

void
field_begin(void)
{
	json_get_alloc_funcs(&get_memory, &free_memory);
	json_set_alloc_funcs(take_memory, free_memory);
	left_out = false;
}

int
field_end(void)
{
	json_set_alloc_funcs(get_memory, free_memory);
	return left_out ? -ENOMEM : 0;
}

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
