/* Local addresses that connections are spread over: each has ports of its own. */
#include "loadgen/source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loadgen/refuse.h"

/* read_address reads TEXT[0..LEN), a number and perhaps a zone, never a name. */
static bool
read_address(union source_address *address, const char *text, size_t len)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found;
	char buf[INET6_ADDRSTRLEN + 32];
	bool fits;

	if (len == 0 || len >= sizeof(buf))
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	*address = (union source_address){.v4.sin_family = AF_INET};
	if (strchr(buf, ':') == NULL) /* getaddrinfo() would take "5" for 0.0.0.5 */
		return inet_pton(AF_INET, buf, &address->v4.sin_addr) == 1;
	if (getaddrinfo(buf, NULL, &hints, &found) != 0)
		return false;
	fits = found->ai_addrlen <= sizeof(*address);
	if (fits)
		memcpy(address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return fits;
}

/* bytes_of returns the address itself, *LEN bytes with the highest first. */
static uint8_t *
bytes_of(union source_address *address, size_t *len)
{
	if (address->any.sa_family == AF_INET) {
		*len = sizeof(address->v4.sin_addr);
		return (uint8_t *)&address->v4.sin_addr;
	}
	*len = sizeof(address->v6.sin6_addr);
	return address->v6.sin6_addr.s6_addr;
}

/* count_to returns how many addresses there are from FIRST to LAST, at most SOURCE_MAX + 1; 0: LAST comes before FIRST. */
static uint32_t
count_to(const struct source *source, union source_address *last)
{
	union source_address first = source->first;
	size_t len;
	const uint8_t *from = bytes_of(&first, &len), *to = bytes_of(last, &len);
	int64_t apart = 0;

	if (memcmp(from, to, len) > 0)
		return 0;
	for (size_t i = 0; i < len && apart <= SOURCE_MAX; i++)
		apart = apart * 256 + to[i] - from[i];
	return apart < SOURCE_MAX ? (uint32_t)apart + 1 : SOURCE_MAX + 1;
}

int
source_parse(struct source *source, const char *text, char *error, size_t error_size)
{
	const char *dash = strchr(text, '-');
	union source_address last;

	*source = (struct source){.count = 1};
	if (read_address(&source->first, text, strlen(text))) /* a zone may have a dash in its name */
		return 0;
	if (dash == NULL || !read_address(&source->first, text, (size_t)(dash - text)) ||
	    !read_address(&last, dash + 1, strlen(dash + 1)))
		return refuse(error, error_size, "use a local address, or a range as in 127.0.0.2-127.0.0.9");
	if (source->first.any.sa_family != last.any.sa_family)
		return refuse(error, error_size, "both ends of a range must be IPv4, or both IPv6");
	source->count = count_to(source, &last);
	if (source->count == 0)
		return refuse(error, error_size, "the range is backwards: write the lower address first");
	if (source->count > SOURCE_MAX)
		return refuse(error, error_size, "the range has more than %d addresses", SOURCE_MAX);
	return 0;
}

socklen_t
source_at(const struct source *source, uint64_t turn, union source_address *address)
{
	uint32_t more = (uint32_t)(turn % source->count);
	size_t len;
	uint8_t *bytes;

	*address = source->first;
	bytes = bytes_of(address, &len);
	while (more > 0 && len-- > 0) {
		more += bytes[len];
		bytes[len] = (uint8_t)more;
		more >>= 8;
	}
	return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

int
source_bind(const struct source *source, uint64_t turn, int fd)
{
	union source_address address;
	socklen_t len = source_at(source, turn, &address);
	const int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)); /* an older kernel just has fewer ports */
	return bind(fd, &address.any, len) == 0 ? 0 : -errno;
}

static int
check_one(const struct source *source, uint64_t turn)
{
	int fd = socket(source->first.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd == -1)
		return -errno;
	result = source_bind(source, turn, fd);
	close(fd);
	return result;
}

int
source_check(const struct source *source, char *error, size_t error_size)
{
	for (uint32_t i = 0; i < source->count; i++) {
		union source_address address;
		char text[INET6_ADDRSTRLEN] = "";
		int result = check_one(source, i);

		if (result == 0)
			continue;
		source_at(source, i, &address);
		inet_ntop(address.any.sa_family,
		    address.any.sa_family == AF_INET ? (void *)&address.v4.sin_addr : (void *)&address.v6.sin6_addr,
		    text, sizeof(text));
		if (result == -EADDRNOTAVAIL)
			snprintf(error, error_size,
			    "%s is not an address of this machine; `ip addr add %s/%d dev lo` makes it one", text, text,
			    address.any.sa_family == AF_INET ? 32 : 128);
		else
			snprintf(error, error_size, "%s: %s", text, strerror(-result));
		return result;
	}
	return 0;
}
