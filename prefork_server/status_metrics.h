/* GET /metrics: what only an arbiter and its workers have. */
#ifndef PREFORK_SERVER_STATUS_METRICS_H
#define PREFORK_SERVER_STATUS_METRICS_H

#include <stddef.h>

#include "prefork_server/status.h"

/* status_metrics_write appends it to BUF at USED, in the Prometheus text format; returns the new length. */
size_t status_metrics_write(const struct status *status, char *buf, size_t used, size_t size);

#endif
