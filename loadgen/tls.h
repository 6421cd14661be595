/* TLS on a connection's socket, without waiting (OpenSSL 3). */
#ifndef LOADGEN_TLS_H
#define LOADGEN_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/compiler.h"

/* What the options say about TLS. Certificates of servers are not verified, as in ab. */
struct tls_options {
	const char *protocol;    /* -f: SSL2, SSL3, TLS1, TLS1.1, TLS1.2, TLS1.3 or ALL in any case; NULL: ALL */
	const char *ciphers;     /* -Z; NULL: OpenSSL's choice */
	const char *certificate; /* -E: PEM file of the client's certificate, its chain and its key; NULL: none */
	bool no_server_name;     /* -I: no SNI */
};

/* What was agreed on, for ab's lines. Empty strings and zeros: unknown. */
struct tls_facts {
	char protocol[16]; /* "TLSv1.3" */
	char cipher[64];   /* "TLS_AES_256_GCM_SHA384" */
	int bits;          /* of the server's key */
	int cipher_bits;
	char temp_key[64];     /* "X25519 253 bits", "ECDH prime256v1 256 bits"; empty where no key was exchanged */
	char server_name[256]; /* that SNI told the server; empty: none */
};

struct tls_context; /* of the program: all threads share it */
struct tls;         /* of one connection */

/*
 * tls_context_open prepares what all connections share.  OpenSSL has a list
 * of ciphers for TLS 1.3 and one for all before: the names in
 * `ciphers` that begin with "TLS_" make the former, the others the latter, and a list without names stays as it is.
 * Returns 0, -ENOMEM, -EINVAL, or another -errno for a file that cannot be read; then ERROR holds a sentence that
 * names the option and what is wrong.  tls_context_close takes NULL too.
 */
MUST_CHECK int tls_context_open(
    struct tls_context **context, const struct tls_options *options, char *error, size_t error_size);
void tls_context_close(struct tls_context *context);

/*
 * tls_open begins TLS on the connected, non-blocking socket FD; NAME is the
 * server's, for SNI: an address (RFC 6066, 3) or NULL sends none.  Returns NULL when out of
 * memory.  Every connection has a whole handshake: no session is resumed.
 *
 * tls_close says close_notify to the server where TLS still stands, if
 * the socket takes it at once, and frees; FD stays open.  NULL does nothing.
 */
struct tls *tls_open(struct tls_context *context, int fd, const char *name);
void tls_close(struct tls *tls);

/*
 * tls_handshake goes on with it.  Returns 0 when it is done, -EAGAIN when it
 * waits for the socket (either direction), and otherwise what ended it: -EPROTO for a
 * fault of TLS itself (see tls_why), or the socket's -errno; a close is -ECONNRESET.
 */
MUST_CHECK int tls_handshake(struct tls *tls);

/*
 * tls_send and tls_recv are send(2) and recv(2) of at most one record, but
 * return -errno themselves: -EAGAIN waits for either direction, -EPROTO is a fault of TLS or
 * an alert.  After -EAGAIN tls_send must be called with the same bytes again (they may have moved).
 * tls_recv returns 0 at the server's end: close_notify, or a plain close, which tls_cut tells from it.  It reads ahead, and
 * of what it has not handed out no event of the socket will tell: who waits for more calls it until it says -EAGAIN.
 */
MUST_CHECK ssize_t tls_send(struct tls *tls, const void *data, size_t len);
MUST_CHECK ssize_t tls_recv(struct tls *tls, void *data, size_t size);

/* tls_cut tells whether the end that tls_recv told of came without close_notify: anybody can make such a one (RFC 8446, 6.1). */
bool tls_cut(const struct tls *tls);

/* tls_describe fills FACTS after the handshake. */
void tls_describe(struct tls *tls, struct tls_facts *facts);

/* tls_why says what this thread's last -EPROTO was; the text is valid until its next one. */
const char *tls_why(void);

#endif
