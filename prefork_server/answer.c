/* What leaves for a client: the head and body of an answer, sent, counted and logged. */
#include "prefork_server/answer.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "common/access_log.h"
#include "common/clock.h"
#include "common/http_response.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/metrics.h"
#include "prefork_server/request_line.h"

/* keep_head copies the header section where the access log shows a field of it. Returns LEN. */
static size_t
keep_head(struct exchange *exchange, const char *head, size_t len)
{
	if (access_log_needs_head(exchange->worker->access_log)) {
		exchange->head_len = len;
		memcpy(exchange->head, head, len);
	}
	return len;
}

/*
 * may_go_on decides, as the head of an answer is about to be written, whether
 * another request may follow it: where the client and the worker allow it, and
 * where the end of this one is known to both.
 */
static bool
may_go_on(const struct exchange *exchange, int64_t content_length)
{
	const struct http_request *request = &exchange->request;
	bool echoes = exchange->plan.kind == WORKLOAD_ECHO && exchange->plan.status == 200; /* it reads on */

	if (!request->keep_alive || exchange->plan.close || !(exchange->complete || echoes))
		return false;
	if (request->minor == 0 && content_length == HTTP_LENGTH_UNKNOWN)
		return false;
	return exchange->keeps != NULL && exchange->keeps(exchange->keeper);
}

/* write_head formats the answer's header section into HEAD; returns its length. */
static size_t
write_head(struct exchange *exchange, char *head, size_t size, int64_t content_length)
{
	const struct workload_plan *plan = &exchange->plan;
	struct http_response response = {
	    .status = plan->status,
	    .minor = exchange->request.minor,
	    .says_connection = true,
	    .content_type = plan->content_type,
	    .fields = plan->fields,
	    .content_length = content_length,
	};

	exchange->keep = response.keep_alive = may_go_on(exchange, content_length);
	return keep_head(exchange, head, http_response_head(head, size, &response));
}

/* log_unread says that the peer does not read. */
static void
log_unread(const struct exchange *exchange)
{
	char line[REQUEST_LINE_MAX];
	char peer[64];

	log_warning("%s does not read its answer to %s: cut off after %.3g s (--drain-timeout, --min-rate, --timeout)",
	    listener_peer_name(exchange->client.fd, peer, sizeof(peer)), request_line_quote(&exchange->request, line),
	    (double)(clock_now_ns() - exchange->since_ns) / (double)NS_PER_SEC);
}

/* begin_sending is before the first bytes that leave for a request: the peer is to take them at the pace. */
static void
begin_sending(struct exchange *exchange)
{
	const struct config *config = exchange->worker->config;

	pace_begin(&exchange->drain, config->drain_timeout_ns, config->min_rate);
}

typedef int write_fn(struct client *client, struct iovec *parts, int count, uint64_t due_ns);

/* send_parts sends them by WRITE, counts them, and logs a peer that does not read. Returns 0 or -errno. */
static int
send_parts(struct exchange *exchange, struct iovec *parts, int count, write_fn *write)
{
	struct metrics *metrics = exchange->worker->metrics;
	uint64_t waited_ns = exchange->client.waited_ns;
	uint64_t now_ns = clock_now_ns();
	size_t len = 0;
	int error;

	for (int i = 0; i < count; i++)
		len += parts[i].iov_len;
	exchange->sent_bytes += len;
	/* Without a status it is an invitation to send the body, which the request still waits for. */
	if (exchange->status != 0)
		lane_enter(exchange->worker->lane, LANE_SENDING, now_ns);
	error = write(&exchange->client, parts, count, now_ns + exchange->drain.left_ns);
	pace_spend(&exchange->drain, exchange->client.waited_ns - waited_ns, len);
	if (error == 0) {
		metrics_add(&metrics->sent_bytes, len);
	} else if (error == -ETIMEDOUT) {
		metrics_add(&metrics->timeouts, 1);
		log_unread(exchange);
	} else {
		log_debug("Ignoring a peer that closed early: %s", strerror(-error));
	}
	return error;
}

/* begin_answer counts the answer whose head is about to leave. */
static void
begin_answer(struct exchange *exchange)
{
	begin_sending(exchange);
	exchange->status = exchange->plan.status;
	metrics_count_response(exchange->worker->metrics, exchange->status);
	if (exchange->begun_ns == 0)
		lane_forget(exchange->worker->lane);
}

/* compose begins the plan's answer: its header section in HEAD, and PARTS of which it is made. Returns how many. */
static int
compose(struct exchange *exchange, char head[ANSWER_HEAD_MAX], struct iovec parts[2])
{
	const struct workload_plan *plan = &exchange->plan;
	int count = 1;

	begin_answer(exchange);
	parts[0].iov_base = head;
	parts[0].iov_len = write_head(exchange, head, ANSWER_HEAD_MAX, (int64_t)plan->body_len);
	if (!exchange->request.head && plan->body_len > 0) {
		/* iovec wants a pointer that sendmsg will not write through. */
		parts[1].iov_base = (void *)(uintptr_t)workload_plan_body(plan);
		parts[1].iov_len = plan->body_len;
		exchange->body_bytes = plan->body_len;
		count = 2;
	}
	return count;
}

int
answer_send(struct exchange *exchange)
{
	char head[ANSWER_HEAD_MAX];
	struct iovec parts[2];
	int count = compose(exchange, head, parts);

	return send_parts(exchange, parts, count, exchange->keep ? client_write : client_write_end);
}

bool
answer_send_last(struct exchange *exchange)
{
	char head[ANSWER_HEAD_MAX];
	struct iovec parts[2];
	int count = compose(exchange, head, parts);
	size_t len = 0;

	for (int i = 0; i < count; i++)
		len += parts[i].iov_len;
	if (!client_write_last(&exchange->client, parts, count))
		return false;
	exchange->sent_bytes += len;
	metrics_add(&exchange->worker->metrics->sent_bytes, len);
	return true;
}

int
answer_send_piece(struct exchange *exchange, const char *data, size_t len)
{
	const struct http_request *request = &exchange->request;
	bool unknown = request->content_length == HTTP_LENGTH_CHUNKED;
	bool chunked = unknown && request->minor > 0 && !request->head;
	char head[ANSWER_HEAD_MAX];
	char chunk[HTTP_CHUNK_HEAD_MAX];
	struct iovec parts[4];
	int count = 0;

	if (exchange->status == 0) {
		begin_answer(exchange);
		parts[count].iov_base = head;
		parts[count++].iov_len =
		    write_head(exchange, head, sizeof(head), unknown ? HTTP_LENGTH_UNKNOWN : request->content_length);
	}
	if (chunked && len > 0) {
		parts[count].iov_base = chunk;
		parts[count++].iov_len = http_chunk_head(chunk, len);
	}
	if (len > 0 && !request->head) {
		parts[count].iov_base = (void *)(uintptr_t)data;
		parts[count++].iov_len = len;
		exchange->body_bytes += len;
	}
	if (chunked) {
		const char *end = len > 0 ? HTTP_CHUNK_TAIL : HTTP_LAST_CHUNK;

		parts[count].iov_base = (void *)(uintptr_t)end;
		parts[count++].iov_len = strlen(end);
	}
	return count == 0 ? 0 : send_parts(exchange, parts, count, client_write);
}

bool
answer_invite_body(struct exchange *exchange)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)HTTP_CONTINUE, .iov_len = strlen(HTTP_CONTINUE)};

	if (exchange->request.expect != HTTP_EXPECT_CONTINUE || exchange->request.content_length == 0 ||
	    exchange->used < exchange->filled)
		return true;
	begin_sending(exchange);
	return send_parts(exchange, &part, 1, client_write) == 0;
}

void
answer_log(const struct exchange *exchange)
{
	static const struct http_request unparsed;
	struct access_log_entry entry = {
	    .request = exchange->request.method != NULL ? &exchange->request : &unparsed,
	    .status = exchange->status,
	    .body_bytes = exchange->body_bytes,
	    .sent_bytes = exchange->sent_bytes,
	    .head = {.at = exchange->head, .len = exchange->head_len},
	    .took_ns = exchange->begun_ns != 0 && access_log_needs_time(exchange->worker->access_log)
			   ? clock_now_ns() - exchange->begun_ns
			   : 0,
	};

	if (exchange->worker->access_log == NULL || exchange->status == 0)
		return;
	entry.peer = exchange->peer;
	access_log_add(exchange->worker->access_log, &entry);
}
