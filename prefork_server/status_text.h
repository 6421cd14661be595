/* GET /scoreboard?text: what the server does now, as a table for a terminal of 80 columns. */
#ifndef PREFORK_SERVER_STATUS_TEXT_H
#define PREFORK_SERVER_STATUS_TEXT_H

#include "common/admin.h"
#include "prefork_server/status.h"

/*
 * status_text_write writes the piece at CURSOR into BUF: see struct admin_route.
 * No line is longer than 80 bytes, but one that names a long address.
 */
size_t status_text_write(const struct status *status, struct admin_cursor *cursor, char *buf);

/* status_text_time writes NS as a person would: "0.25s", "59.9s", "12m30s", "5h01m", "12d03h". Returns BUF. */
#define STATUS_TEXT_TIME_MAX 24
const char *status_text_time(char buf[STATUS_TEXT_TIME_MAX], uint64_t ns);

#endif
