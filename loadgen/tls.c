/* TLS on a connection's socket, without waiting (OpenSSL 3). */
#include "loadgen/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "loadgen/tls_parts.h"

struct tls {
	SSL *ssl;
	int fd;
	int error;   /* errno value of the socket's last failure but EAGAIN; 0: none, or the server closed */
	bool cut;    /* the connection ended, and OpenSSL had asked for more */
	bool broken; /* by an error: nothing more may be sent */
};

static _Thread_local char why[256];

void
tls_tell_why(void)
{
	unsigned long error = ERR_peek_error();
	const char *reason = ERR_reason_error_string(error), *hint = "";

	if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER)
		hint = " (a server that does not speak TLS on this port answers so)";
	snprintf(why, sizeof(why), "%s%s", reason != NULL ? reason : "an unknown error of OpenSSL", hint);
	ERR_clear_error();
}

const char *
tls_why(void)
{
	return why;
}

static int
socket_read(BIO *bio, char *data, int size)
{
	struct tls *tls = BIO_get_data(bio);
	ssize_t len;

	do
		len = recv(tls->fd, data, (size_t)size, 0);
	while (len < 0 && errno == EINTR);
	BIO_clear_retry_flags(bio);
	if (len < 0 && errno == EAGAIN) {
		BIO_set_retry_read(bio);
	} else if (len < 0) {
		tls->error = errno;
	} else if (len == 0) {
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
		tls->cut = true;
	}
	return (int)len;
}

static int
socket_write(BIO *bio, const char *data, int size)
{
	struct tls *tls = BIO_get_data(bio);
	ssize_t len;

	do
		len = send(tls->fd, data, (size_t)size, MSG_NOSIGNAL);
	while (len < 0 && errno == EINTR);
	BIO_clear_retry_flags(bio);
	if (len < 0 && errno == EAGAIN)
		BIO_set_retry_write(bio);
	else if (len < 0)
		tls->error = errno;
	return (int)len;
}

static long
socket_control(BIO *bio, int command, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH: /* nothing is held back */
		return 1;
	case BIO_CTRL_EOF:
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	default:
		return 0;
	}
}

BIO_METHOD *
tls_socket_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");

	if (method != NULL && BIO_meth_set_read(method, socket_read) == 1 &&
	    BIO_meth_set_write(method, socket_write) == 1 && BIO_meth_set_ctrl(method, socket_control) == 1)
		return method;
	BIO_meth_free(method);
	return NULL;
}

static bool
is_address(const char *name)
{
	struct in_addr v4;

	/* Only an address of version 6 has colons; it may end in a zone, which inet_pton() does not read. */
	return inet_pton(AF_INET, name, &v4) == 1 || strchr(name, ':') != NULL;
}

struct tls *
tls_open(struct tls_context *context, int fd, const char *name)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	BIO *bio;

	if (tls == NULL)
		return NULL;
	tls->fd = fd;
	tls->ssl = SSL_new(context->ssl);
	if (tls->ssl == NULL)
		goto out;
	bio = BIO_new(context->socket);
	if (bio == NULL)
		goto out;
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_connect_state(tls->ssl);
	if (context->no_server_name || name == NULL || name[0] == '\0' || is_address(name) ||
	    SSL_set_tlsext_host_name(tls->ssl, name) == 1)
		return tls;
out:
	ERR_clear_error();
	SSL_free(tls->ssl);
	free(tls);
	return NULL;
}

void
tls_close(struct tls *tls)
{
	if (tls == NULL)
		return;
	if (!tls->broken && !SSL_in_init(tls->ssl)) {
		(void)SSL_shutdown(tls->ssl);
		ERR_clear_error();
	}
	SSL_free(tls->ssl);
	free(tls);
}

/* failed says why a call that returned RESULT did not succeed: 0 for the server's end, else -errno. */
static int
failed(struct tls *tls, int result)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		tls->broken = true;
		ERR_clear_error();
		return -tls->error;
	default:
		tls->broken = true;
		tls_tell_why();
		return -EPROTO;
	}
}

int
tls_handshake(struct tls *tls)
{
	int result = SSL_do_handshake(tls->ssl);

	if (result == 1) {
		ERR_clear_error(); /* of what was tried in vain: SSL_get_error() would take it for a later call's */
		return 0;
	}
	result = failed(tls, result);
	return result == 0 ? -ECONNRESET : result;
}

ssize_t
tls_send(struct tls *tls, const void *data, size_t len)
{
	size_t sent;
	int result = SSL_write_ex(tls->ssl, data, len, &sent);

	if (result == 1)
		return (ssize_t)sent;
	result = failed(tls, result);
	return result == 0 ? -EPIPE : result;
}

ssize_t
tls_recv(struct tls *tls, void *data, size_t size)
{
	size_t len;
	int result = SSL_read_ex(tls->ssl, data, size, &len);

	return result == 1 ? (ssize_t)len : failed(tls, result);
}

bool
tls_cut(const struct tls *tls)
{
	return tls->cut;
}

/* describe_key writes KEY, of the key exchange, as ab and `openssl s_client` do. */
static void
describe_key(EVP_PKEY *key, char *text, size_t size)
{
	char group[40] = "?";

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		snprintf(text, size, "RSA %d bits", EVP_PKEY_get_bits(key));
		return;
	case EVP_PKEY_DH:
		snprintf(text, size, "DH %d bits", EVP_PKEY_get_bits(key));
		return;
	case EVP_PKEY_EC:
		if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL) != 1)
			ERR_clear_error();
		snprintf(text, size, "ECDH %s %d bits", group, EVP_PKEY_get_bits(key));
		return;
	default:
		snprintf(text, size, "%s %d bits", OBJ_nid2sn(EVP_PKEY_get_base_id(key)), EVP_PKEY_get_bits(key));
	}
}

void
tls_describe(struct tls *tls, struct tls_facts *facts)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
	const char *name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
	X509 *certificate = SSL_get1_peer_certificate(tls->ssl);
	EVP_PKEY *key = NULL;

	*facts = (struct tls_facts){.cipher_bits = SSL_CIPHER_get_bits(cipher, NULL)};
	snprintf(facts->protocol, sizeof(facts->protocol), "%s", SSL_get_version(tls->ssl));
	snprintf(facts->cipher, sizeof(facts->cipher), "%s", SSL_CIPHER_get_name(cipher));
	if (certificate != NULL) /* there is none with anonymous ciphers */
		facts->bits = EVP_PKEY_get_bits(X509_get0_pubkey(certificate));
	X509_free(certificate);
	if (SSL_get_peer_tmp_key(tls->ssl, &key) == 1) {
		describe_key(key, facts->temp_key, sizeof(facts->temp_key));
		EVP_PKEY_free(key);
	}
	if (name != NULL)
		snprintf(facts->server_name, sizeof(facts->server_name), "%s", name);
	ERR_clear_error();
}
