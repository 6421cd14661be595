/* What the parts of TLS (tls.c, tls_context.c) call of each other. */
#ifndef LOADGEN_TLS_PARTS_H
#define LOADGEN_TLS_PARTS_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "loadgen/tls.h"

struct tls_context {
	SSL_CTX *ssl;
	BIO_METHOD *socket; /* how OpenSSL reads and writes: BIO_s_socket() would raise SIGPIPE */
	bool no_server_name;
};

/* tls_socket_method returns how connections read and write, which the caller frees; NULL when out of memory. */
BIO_METHOD *tls_socket_method(void);

/* tls_tell_why keeps the reason of OpenSSL's first error for tls_why: those behind it only say who passed it on. */
void tls_tell_why(void);

#endif
