/* Answers, found in what came back on a connection. */
#ifndef TESTS_FUZZ_CONNECTION_ANSWERS_H
#define TESTS_FUZZ_CONNECTION_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One answer; its pointers point into what came back. */
struct answer {
	int status;
	bool close;      /* says that it is the last */
	bool keep_alive; /* says that it is not */
	bool chunked;
	int64_t length; /* -1: none is given */
	const char *head;
	size_t head_len; /* with the empty line at its end */
	const char *body;
	size_t body_len; /* as it came, with the framing of its chunks */
	bool whole;      /* the body came to its end */
};

/*
 * answer_read reads the answer at the beginning of OUT; TO_HEAD: it answers a HEAD.  Returns its length, 0 where
 * not even its head is whole, and aborts where it is not well-formed.
 */
size_t answer_read(struct answer *answer, const char *out, size_t len, bool to_head);

/*
 * answer_check_same aborts unless two servers' answers to one request are the same: in their status lines, their
 * fields but Date and Connection, in whatever order, and in their bodies, however these were cut into chunks; of two that came to no end,
 * in what both have.
 */
void answer_check_same(const struct answer *one, const struct answer *other);

#endif
