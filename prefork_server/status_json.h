/* GET /scoreboard: what the server does now, as JSON. */
#ifndef PREFORK_SERVER_STATUS_JSON_H
#define PREFORK_SERVER_STATUS_JSON_H

#include "common/admin.h"
#include "prefork_server/status.h"

/* status_json_write writes the piece at CURSOR into BUF: see struct admin_route. Times are in seconds. */
size_t status_json_write(const struct status *status, struct admin_cursor *cursor, char *buf);

#endif
