/* What can change while a server runs: the sleep and how to wait it out, in one page shared by a process tree. */
#include "common/settings.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"

/*
 * Sleep and mode share one word, so that a reader never sees the one new and
 * the other old: mode in the low byte, the mode before blocking in the next,
 * the sleep in nanoseconds above (2^48 ns are 78 hours; an hour is the limit).
 */
struct settings {
	_Atomic uint64_t word;
	struct settings_limits limits;
};

#define VALUE_MAX 32 /* longest value of a form's field, decoded */

static const char *const mode_names[] = {"async", "blocking", "threadpool"};

static uint64_t
pack(struct settings_values values, enum wait_mode before)
{
	return values.sleep_ns << 16 | (uint64_t)before << 8 | (uint64_t)values.mode;
}

static struct settings_values
unpack(uint64_t word)
{
	return (struct settings_values){.sleep_ns = word >> 16, .mode = (enum wait_mode)(word & 0xff)};
}

static enum wait_mode
unpack_before(uint64_t word)
{
	return (enum wait_mode)(word >> 8 & 0xff);
}

struct settings *
settings_new(struct settings_values values, struct settings_limits limits)
{
	struct settings *settings;
	enum wait_mode before = values.mode;

	settings = mmap(NULL, sizeof(*settings), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (settings == MAP_FAILED)
		return NULL;
	settings->limits = limits;
	if (before == WAIT_BLOCKING && (limits.modes & 1U << WAIT_ASYNC) != 0)
		before = WAIT_ASYNC;
	atomic_init(&settings->word, pack(values, before));
	return settings;
}

void
settings_free(struct settings *settings)
{
	if (settings != NULL)
		munmap(settings, sizeof(*settings));
}

struct settings_values
settings_get(const struct settings *settings)
{
	return unpack(atomic_load_explicit(&settings->word, memory_order_relaxed));
}

struct settings_limits
settings_limits(const struct settings *settings)
{
	return settings->limits;
}

const char *
settings_mode_name(enum wait_mode mode)
{
	return mode_names[mode];
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* decode undoes the form encoding of FROM[0..LEN) into OUT; -EINVAL where it does not fit or is not well formed. */
static int
decode(const char *from, size_t len, char out[VALUE_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		char c = from[i] == '+' ? ' ' : from[i];

		if (c == '%') {
			if (len - i < 3 || hex_digit(from[i + 1]) < 0 || hex_digit(from[i + 2]) < 0)
				return -EINVAL;
			c = (char)(hex_digit(from[i + 1]) << 4 | hex_digit(from[i + 2]));
			i += 2;
		}
		if (c == '\0' || used + 1 == VALUE_MAX)
			return -EINVAL;
		out[used++] = c;
	}
	out[used] = '\0';
	return 0;
}

static int
parse_sleep(struct settings_values *values, struct settings_limits limits, const char *from, size_t len, char *error,
    size_t error_size)
{
	char value[VALUE_MAX];

	if (decode(from, len, value) == 0 && clock_parse_seconds(value, limits.max_sleep_ns, &values->sleep_ns) == 0)
		return 0;
	snprintf(error, error_size, "sleep must be a number of seconds from 0 to %g (--max-sleep)",
	    (double)limits.max_sleep_ns / (double)NS_PER_SEC);
	return -EINVAL;
}

static int
parse_mode(struct settings_values *values, struct settings_limits limits, const char *from, size_t len, char *error,
    size_t error_size)
{
	char value[VALUE_MAX];
	int used;

	if (decode(from, len, value) == 0) {
		for (unsigned mode = 0; mode < ARRAY_LEN(mode_names); mode++) {
			if ((limits.modes & 1U << mode) != 0 && strcmp(value, mode_names[mode]) == 0) {
				values->mode = (enum wait_mode)mode;
				return 0;
			}
		}
	}
	used = snprintf(error, error_size, "this server's modes are:");
	for (unsigned mode = 0; mode < ARRAY_LEN(mode_names); mode++)
		if ((limits.modes & 1U << mode) != 0 && used > 0 && (size_t)used < error_size)
			used += snprintf(error + used, error_size - (size_t)used, " %s", mode_names[mode]);
	return -EINVAL;
}

static bool
name_is(const char *field, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(field, name, len) == 0;
}

/* parse_field reads one `name=value` into VALUES. */
static int
parse_field(struct settings_values *values, struct settings_limits limits, const char *field, size_t len, bool strict,
    char *error, size_t error_size)
{
	const char *equals = memchr(field, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - field) : len;
	const char *value = equals != NULL ? equals + 1 : field + len;
	size_t value_len = (size_t)(field + len - value);

	if (name_is(field, name_len, "sleep"))
		return parse_sleep(values, limits, value, value_len, error, error_size);
	if (name_is(field, name_len, "mode"))
		return parse_mode(values, limits, value, value_len, error, error_size);
	if (!strict || len == 0)
		return 0;
	snprintf(error, error_size, "unknown setting; this server has: sleep mode, as in sleep=0.2&mode=blocking");
	return -EINVAL;
}

int
settings_parse(struct settings_values *values, struct settings_limits limits, const char *form, size_t len, bool strict,
    char *error, size_t error_size)
{
	struct settings_values parsed = *values;
	const char *end = form + len;

	while (form < end) {
		const char *ampersand = memchr(form, '&', (size_t)(end - form));
		const char *field_end = ampersand != NULL ? ampersand : end;
		int result;

		result = parse_field(&parsed, limits, form, (size_t)(field_end - form), strict, error, error_size);
		if (result != 0)
			return result;
		form = ampersand != NULL ? ampersand + 1 : end;
	}
	*values = parsed;
	return 0;
}

int
settings_apply(struct settings *settings, const char *form, size_t len, char *error, size_t error_size)
{
	uint64_t old = atomic_load(&settings->word);
	struct settings_values values;
	enum wait_mode before;

	/* Two writers may meet (PUT and SIGUSR1): what FORM does not name keeps what the other one wrote. */
	do {
		int result;

		values = unpack(old);
		result = settings_parse(&values, settings->limits, form, len, true, error, error_size);
		if (result != 0)
			return result;
		before = values.mode == WAIT_BLOCKING ? unpack_before(old) : values.mode;
	} while (!atomic_compare_exchange_weak(&settings->word, &old, pack(values, before)));
	return 0;
}

enum wait_mode
settings_toggle_blocking(struct settings *settings)
{
	uint64_t old = atomic_load(&settings->word);
	struct settings_values values;
	enum wait_mode before;

	do {
		values = unpack(old);
		before = values.mode == WAIT_BLOCKING ? unpack_before(old) : values.mode;
		values.mode = values.mode == WAIT_BLOCKING ? before : WAIT_BLOCKING;
	} while (!atomic_compare_exchange_weak(&settings->word, &old, pack(values, before)));
	return values.mode;
}
