/* How a target is reached: through a proxy, from which addresses, by which name. */
#include "loadgen/route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "loadgen/tunnel.h"

/* host_field returns the value of the last -H Host field, NULL without one. */
static const char *
host_field(const struct request_spec *spec)
{
	const char *value = NULL;

	for (size_t i = 0; i < spec->fields_len; i++)
		if (strncasecmp(spec->fields[i], "Host:", 5) == 0)
			value = spec->fields[i] + 5 + strspn(spec->fields[i] + 5, " \t");
	return value;
}

static int
choose_name(struct target *target, const struct request_spec *spec)
{
	const char *field = host_field(spec);

	/* Less the port, which ab 2.3 sends along, and blanks; of an address in brackets nothing is left. */
	target->server_name = field != NULL ? strndup(field, strcspn(field, "[: \t")) : strdup(target->host);
	return target->server_name != NULL ? 0 : -ENOMEM;
}

static int
choose_proxy(struct target *target, const struct config *config, char *error, size_t error_size)
{
	char why[256];
	int result = target_set_proxy(target, config->proxy, why, sizeof(why));

	if (result == -EINVAL)
		snprintf(error, error_size, "-X %s: %s", config->proxy, why);
	if (result != 0 || !target->tls)
		return result;
	target->tunnel = tunnel_request(target, config->spec.proxy_credentials);
	return target->tunnel != NULL ? 0 : -ENOMEM;
}

int
route_choose(struct target *target, const struct config *config, char *error, size_t error_size)
{
	int result = 0;

	if (target->socket != NULL && config->source.count > 0) {
		snprintf(error, error_size,
		    "%s: a Unix socket is not reached from an address; leave -B or --source out", target->url);
		return -EINVAL;
	}
	if (config->proxy != NULL)
		result = choose_proxy(target, config, error, error_size);
	if (result == 0 && target->tls)
		result = choose_name(target, &config->spec);
	if (result == -ENOMEM)
		snprintf(error, error_size, "%s", strerror(ENOMEM));
	return result;
}

int
route_resolve(struct target *target, const struct config *config, char *error, size_t error_size)
{
	/* As in ab: who connects from an IPv4 address does not try the server's IPv6 ones. */
	int family = config->source.count > 0 ? config->source.first.any.sa_family : AF_UNSPEC;
	char why[256];

	if (target_resolve(target, family, why, sizeof(why)) == 0)
		return 0;
	if (target->proxy != NULL)
		snprintf(error, error_size, "-X %s: cannot resolve %s: %s", config->proxy, target->proxy, why);
	else
		snprintf(error, error_size, "%s: cannot resolve %s: %s%s", target->url, target->host, why,
		    family == AF_INET    ? "; -B or --source is IPv4, so only such addresses are tried"
		    : family == AF_INET6 ? "; -B or --source is IPv6, so only such addresses are tried"
					 : "");
	return -1;
}
