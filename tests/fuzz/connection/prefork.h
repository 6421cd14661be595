/* The same connection, served by prefork_server. In a file of its own: both servers have a struct exchange. */
#ifndef TESTS_FUZZ_CONNECTION_PREFORK_H
#define TESTS_FUZZ_CONNECTION_PREFORK_H

#include <stddef.h>

#include "common/access_log.h"
#include "common/http_request.h"
#include "common/settings.h"

/* The longest piece that one read of prefork_server takes. */
#define PREFORK_PIECE_MAX 16384

/* What it shares with the other server. */
struct prefork_with {
	const struct http_limits *limits;
	struct settings *settings;
	struct access_log *access_log;
};

/*
 * prefork_begin opens a connection.  prefork_send has the client send LEN bytes (1 to PREFORK_PIECE_MAX),
 * which one read of the server will get; it returns false where there is no room for them before the server reads.
 * prefork_serve ends the client's side, has a gthread worker's thread serve all that was sent, until the
 * connection closes, and stores in OUT what it answered, SIZE bytes at most.  Returns their number.
 */
void prefork_begin(const struct prefork_with *with);
bool prefork_send(const char *data, size_t len);
size_t prefork_serve(char *out, size_t size);

#endif
