/* What is sent to a target, with one sleep: the requests that its connections send in turn. */
#include "loadgen/variant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "loadgen/urls.h"

/* add builds the request for PATH behind the others. */
static int
add(struct variant *variant, const struct request_spec *spec, const struct target *target, const char *path,
    const uint64_t *sleep_ns)
{
	struct request *request = &variant->requests.items[variant->requests.len];
	char *with = NULL;
	int result;

	if (sleep_ns != NULL && path[0] == '/' &&
	    asprintf(&with, "%s%csleep=%.9g", path, strchr(path, '?') != NULL ? '&' : '?',
		(double)*sleep_ns / (double)NS_PER_SEC) < 0)
		return -ENOMEM;
	result = request_build(request, spec, target, with != NULL ? with : path);
	if (result == 0) {
		variant->requests.len++;
		variant->requests.long_ones |= request->len > REQUEST_SEGMENT;
	}
	free(with);
	return result;
}

/* label says in words what the requests are. */
static int
label(struct variant *variant, const struct config *config)
{
	const char *first = variant->requests.items[0].path;
	size_t more = variant->requests.len - 1;
	int len = more == 0 ? asprintf(&variant->path, "%s", first)
			    : asprintf(&variant->path, "%s and %zu more of %s", first, more, config->urls_file);

	if (len >= 0)
		return 0;
	variant->path = NULL;
	return -ENOMEM;
}

int
variant_init(
    struct variant *variant, const struct config *config, const struct target *target, const uint64_t *sleep_ns)
{
	const struct urls *urls = &config->listed;
	size_t len = urls->len > 0 ? urls->len : 1;
	int result = 0;

	*variant = (struct variant){.requests.items = calloc(len, sizeof(*variant->requests.items))};
	if (variant->requests.items == NULL)
		return -ENOMEM;
	if (urls->len == 0)
		result = add(variant, &config->spec, target, target->path, sleep_ns);
	for (size_t i = 0; i < urls->len && result == 0; i++) {
		struct request_spec spec;

		urls_spec(&spec, urls, i, &config->spec);
		result = add(variant, &spec, target, urls->entries[i].path, sleep_ns);
	}
	return result != 0 ? result : label(variant, config);
}

void
variant_deinit(struct variant *variant)
{
	for (size_t i = 0; i < variant->requests.len; i++)
		request_deinit(&variant->requests.items[i]);
	free(variant->requests.items);
	free(variant->path);
}
