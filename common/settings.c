/* What can change while a server runs: what a handler does and how it waits, in one page shared by a process tree. */
#include "common/settings.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/decimal.h"

/* One version of the settings. */
struct bank {
	_Atomic uint64_t sleep_ns, cpu_ns;
	_Atomic uint32_t blocking_share;
	_Atomic uint8_t mode, before; /* `before`: the mode before blocking */
};

/*
 * Version V stands in banks[V % 2], and its writer has finished it before it
 * makes V the present version.  The writer of V + 1 fills the other bank, so a writer
 * that dies leaves half a version only where nobody looks.  The bank of
 * V is written again only after V + 1 has become the present version: a reader
 * that finds V still present after its reading has read V whole.
 */
struct settings {
	_Alignas(64) _Atomic uint64_t version;
	struct bank banks[2];
	_Alignas(64) pthread_mutex_t writing; /* robust, shared by processes */
	struct settings_limits limits;
};

#define VALUE_MAX 32 /* longest value of a form's field, decoded */

static const char *const mode_names[] = {"async", "blocking", "threadpool"};

/* write_bank stores with release, so that whoever reads one of these also sees that the version before is past. */
static void
write_bank(struct bank *bank, struct settings_values values, enum wait_mode before)
{
	atomic_store_explicit(&bank->sleep_ns, values.sleep_ns, memory_order_release);
	atomic_store_explicit(&bank->cpu_ns, values.cpu_ns, memory_order_release);
	atomic_store_explicit(&bank->blocking_share, values.blocking_share, memory_order_release);
	atomic_store_explicit(&bank->mode, (uint8_t)values.mode, memory_order_release);
	atomic_store_explicit(&bank->before, (uint8_t)before, memory_order_release);
}

static struct settings_values
read_bank(const struct bank *bank)
{
	return (struct settings_values){
	    .sleep_ns = atomic_load_explicit(&bank->sleep_ns, memory_order_acquire),
	    .cpu_ns = atomic_load_explicit(&bank->cpu_ns, memory_order_acquire),
	    .blocking_share = atomic_load_explicit(&bank->blocking_share, memory_order_acquire),
	    .mode = (enum wait_mode)atomic_load_explicit(&bank->mode, memory_order_acquire),
	};
}

static int
init_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (error != 0)
		return error;
	error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (error == 0)
		error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	if (error == 0)
		error = pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return error;
}

struct settings *
settings_new(struct settings_values values, struct settings_limits limits)
{
	struct settings *settings;
	enum wait_mode before = values.mode;
	int error;

	settings = mmap(NULL, sizeof(*settings), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (settings == MAP_FAILED)
		return NULL;
	error = init_mutex(&settings->writing);
	if (error != 0) {
		munmap(settings, sizeof(*settings));
		errno = error;
		return NULL;
	}
	settings->limits = limits;
	if (before == WAIT_BLOCKING && (limits.modes & 1U << WAIT_ASYNC) != 0)
		before = WAIT_ASYNC;
	write_bank(&settings->banks[0], values, before);
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
	uint64_t version, now = atomic_load_explicit(&settings->version, memory_order_acquire);
	struct settings_values values;

	do {
		version = now;
		values = read_bank(&settings->banks[version % 2]);
		now = atomic_load_explicit(&settings->version, memory_order_acquire);
	} while (now != version);
	return values;
}

struct settings_limits
settings_limits(const struct settings *settings)
{
	return settings->limits;
}

bool
settings_has_share(struct settings_limits limits)
{
	return (limits.modes & 1U << WAIT_ASYNC) != 0;
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
parse_sleep(struct settings_values *values, struct settings_limits limits, const char *value, char *error, size_t size)
{
	if (decimal_parse(value, (double)NS_PER_SEC, limits.max_sleep_ns, &values->sleep_ns) == 0)
		return 0;
	snprintf(error, size, "sleep must be a number of seconds from 0 to %.9g (--max-sleep)",
	    (double)limits.max_sleep_ns / (double)NS_PER_SEC);
	return -EINVAL;
}

static int
parse_cpu(struct settings_values *values, struct settings_limits limits, const char *value, char *error, size_t size)
{
	if (decimal_parse(value, (double)NS_PER_MS, limits.max_cpu_ns, &values->cpu_ns) == 0)
		return 0;
	snprintf(error, size, "cpu must be a number of milliseconds from 0 to %.9g (--max-cpu)",
	    (double)limits.max_cpu_ns / (double)NS_PER_MS);
	return -EINVAL;
}

static int
parse_mode(struct settings_values *values, struct settings_limits limits, const char *value, char *error, size_t size)
{
	int used;

	for (unsigned mode = 0; mode < ARRAY_LEN(mode_names); mode++) {
		if ((limits.modes & 1U << mode) != 0 && strcmp(value, mode_names[mode]) == 0) {
			values->mode = (enum wait_mode)mode;
			return 0;
		}
	}
	used = snprintf(error, size, "this server's modes are:");
	for (unsigned mode = 0; mode < ARRAY_LEN(mode_names); mode++)
		if ((limits.modes & 1U << mode) != 0 && used > 0 && (size_t)used < size)
			used += snprintf(error + used, size - (size_t)used, " %s", mode_names[mode]);
	return -EINVAL;
}

static int
parse_share(struct settings_values *values, struct settings_limits limits, const char *value, char *error, size_t size)
{
	uint64_t share;

	(void)limits;
	if (decimal_parse(value, SETTINGS_SHARE_WHOLE / 100.0, SETTINGS_SHARE_WHOLE, &share) == 0) {
		values->blocking_share = (uint32_t)share;
		return 0;
	}
	snprintf(error, size, "blocking-share must be a percentage from 0 to 100");
	return -EINVAL;
}

/* What a form can name. */
enum { SLEEP, CPU, MODE, SHARE };
static const struct {
	const char *name;
	int (*parse)(struct settings_values *, struct settings_limits, const char *value, char *error, size_t size);
} fields[] = {
    [SLEEP] = {"sleep", parse_sleep},
    [CPU] = {"cpu", parse_cpu},
    [MODE] = {"mode", parse_mode},
    [SHARE] = {"blocking-share", parse_share},
};

/* A form while it is read. */
struct form {
	struct settings_values values;
	struct settings_limits limits;
	bool strict;
	unsigned named; /* bit 1 << field */
	char *error;
	size_t error_size;
};

static int
refuse_unknown(const struct form *form)
{
	snprintf(form->error, form->error_size,
	    "unknown setting; this server has: sleep cpu mode%s, as in sleep=0.2&mode=blocking",
	    settings_has_share(form->limits) ? " blocking-share" : "");
	return -EINVAL;
}

/* find_field returns the index in fields[] of the name FIELD[0..LEN), or ARRAY_LEN(fields) where this server has it not. */
static unsigned
find_field(const char *field, size_t len, struct settings_limits limits)
{
	unsigned i = 0;

	while (i < ARRAY_LEN(fields) && (len != strlen(fields[i].name) || memcmp(field, fields[i].name, len) != 0))
		i++;
	return i == SHARE && !settings_has_share(limits) ? ARRAY_LEN(fields) : i;
}

/* parse_field reads one `name=value`. */
static int
parse_field(struct form *form, const char *field, size_t len)
{
	const char *equals = memchr(field, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - field) : len;
	const char *from = equals != NULL ? equals + 1 : field + len;
	unsigned i = find_field(field, name_len, form->limits);
	char value[VALUE_MAX];

	if (i == ARRAY_LEN(fields))
		return form->strict && len > 0 ? refuse_unknown(form) : 0;
	if (i == SHARE && !form->strict) {
		snprintf(form->error, form->error_size,
		    "blocking-share is for all requests (PUT /settings); one request has a mode");
		return -EINVAL;
	}
	if (decode(from, (size_t)(field + len - from), value) != 0)
		value[0] = '\0'; /* which nothing takes */
	form->named |= 1U << i;
	return fields[i].parse(&form->values, form->limits, value, form->error, form->error_size);
}

static bool
names_only(const struct form *form, unsigned field, unsigned other)
{
	return (form->named & (1U << field | 1U << other)) == 1U << field;
}

int
settings_parse(struct settings_values *values, struct settings_limits limits, const char *text, size_t len, bool strict,
    char *error, size_t error_size)
{
	struct form form = {
	    .values = *values, .limits = limits, .strict = strict, .error = error, .error_size = error_size};
	const char *end = text + len;

	while (text < end) {
		const char *ampersand = memchr(text, '&', (size_t)(end - text));
		const char *field_end = ampersand != NULL ? ampersand : end;

		if (parse_field(&form, text, (size_t)(field_end - text)) != 0)
			return -EINVAL;
		text = ampersand != NULL ? ampersand + 1 : end;
	}
	if (names_only(&form, SLEEP, CPU))
		form.values.cpu_ns = 0;
	if (names_only(&form, CPU, SLEEP))
		form.values.sleep_ns = 0;
	if (names_only(&form, MODE, SHARE))
		form.values.blocking_share = 0;
	*values = form.values;
	return 0;
}

void
settings_name_rest(uint64_t *sleep_ns, uint64_t *cpu_ns, uint64_t default_sleep_ns)
{
	if (*sleep_ns == SETTINGS_UNNAMED)
		*sleep_ns = *cpu_ns == SETTINGS_UNNAMED ? default_sleep_ns : 0;
	if (*cpu_ns == SETTINGS_UNNAMED)
		*cpu_ns = 0;
}

/* lock makes the caller the only writer. */
static void
lock(struct settings *settings)
{
	int error = pthread_mutex_lock(&settings->writing);

	/* The writer before died; the present version is whole, and the bank of the next is written anew. */
	if (error == EOWNERDEAD)
		error = pthread_mutex_consistent(&settings->writing);
	assert(error == 0);
}

/* publish makes VALUES the next version.  BEFORE is the mode to go back to from blocking. */
static void
publish(struct settings *settings, struct settings_values values, enum wait_mode before)
{
	uint64_t version = atomic_load_explicit(&settings->version, memory_order_relaxed) + 1;

	write_bank(&settings->banks[version % 2], values, before);
	atomic_store_explicit(&settings->version, version, memory_order_release);
}

/* mode_before is for a writer: what the mode is, or was before blocking. */
static enum wait_mode
mode_before(const struct settings *settings)
{
	const struct bank *bank = &settings->banks[atomic_load(&settings->version) % 2];
	enum wait_mode mode = (enum wait_mode)atomic_load(&bank->mode);

	return mode == WAIT_BLOCKING ? (enum wait_mode)atomic_load(&bank->before) : mode;
}

int
settings_apply(struct settings *settings, const char *form, size_t len, char *error, size_t error_size)
{
	struct settings_values values;
	int result;

	/* Two writers may meet (PUT and SIGUSR1): what FORM does not name keeps what the other one wrote. */
	lock(settings);
	values = settings_get(settings);
	result = settings_parse(&values, settings->limits, form, len, true, error, error_size);
	if (result == 0)
		publish(settings, values, mode_before(settings));
	pthread_mutex_unlock(&settings->writing);
	return result;
}

enum wait_mode
settings_toggle_blocking(struct settings *settings)
{
	struct settings_values values;
	enum wait_mode before;

	lock(settings);
	values = settings_get(settings);
	before = mode_before(settings);
	values.mode = values.mode == WAIT_BLOCKING ? before : WAIT_BLOCKING;
	publish(settings, values, before);
	pthread_mutex_unlock(&settings->writing);
	return values.mode;
}
