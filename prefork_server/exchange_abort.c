/* The last words about a request whose worker ends in the middle of it. */
#include "prefork_server/exchange_abort.h"

#include <unistd.h>

#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/metrics.h"
#include "prefork_server/answer.h"
#include "prefork_server/request_line.h"

/* is_in_handler tells whether the request has come whole, and nothing of its answer has left. */
static bool
is_in_handler(const struct exchange *exchange)
{
	return exchange->request.method != NULL && exchange->complete && exchange->status == 0;
}

/* apologise sends 504. Returns whether it found room. */
static bool
apologise(struct exchange *exchange)
{
	bool sent;

	metrics_add(&exchange->worker->metrics->handler_timeouts, 1);
	workload_plan_error(&exchange->plan, 504, "the worker was ended, as the request took longer than --timeout");
	sent = answer_send_last(exchange);
	answer_log(exchange);
	return sent;
}

void
exchange_abort(struct exchange *exchange)
{
	uint64_t timeout_ns = exchange->worker->config->timeout_ns;
	double busy_s = (double)(clock_now_ns() - exchange->since_ns) / (double)NS_PER_SEC;
	char line[REQUEST_LINE_MAX];
	char peer[64];
	bool told;

	if (exchange->client.fd < 0)
		return;
	/* Before the client may be gone. */
	listener_peer_name(exchange->client.fd, peer, sizeof(peer));
	told = is_in_handler(exchange) && apologise(exchange);
	log_error("Worker (pid:%d) was busy for %.1f s with %s from %s: ended by %s%s", (int)getpid(), busy_s,
	    request_line_quote(&exchange->request, line), peer, timeout_ns > 0 ? "--timeout" : "SIGABRT",
	    told ? ", answered 504" : "");
}
