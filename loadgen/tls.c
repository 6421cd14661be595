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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct tls_context {
	SSL_CTX *ssl;
	BIO_METHOD *socket; /* how OpenSSL reads and writes: BIO_s_socket() would raise SIGPIPE */
	bool no_server_name;
};

struct tls {
	SSL *ssl;
	int fd;
	int error;   /* errno value of the socket's last failure but EAGAIN; 0: none, or the server closed */
	bool broken; /* by an error: nothing more may be sent */
};

static _Thread_local char why[256];

/* tell_why keeps the reason of OpenSSL's first error: those behind it only say who passed it on. */
static void
tell_why(void)
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
	if (len < 0 && errno == EAGAIN)
		BIO_set_retry_read(bio);
	else if (len < 0)
		tls->error = errno;
	else if (len == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
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

static int refuse(char *error, size_t error_size, const char *format, ...) PRINTF_LIKE(3, 4);

static int
refuse(char *error, size_t error_size, const char *format, ...)
{
	va_list args;

	ERR_clear_error();
	va_start(args, format);
	vsnprintf(error, error_size, format, args);
	va_end(args);
	return -EINVAL;
}

/*
 * choose_protocol sets the versions that -f NAME stands for.  The system's
 * openssl.cnf may exclude old ones (Debian: all before TLS 1.2); who names one wants it.
 */
static int
choose_protocol(SSL_CTX *ssl, const char *name, char *error, size_t error_size)
{
	static const struct {
		const char *name;
		int min, max;
	} protocols[] = {
	    {"ALL", TLS1_VERSION, 0},
	    {"SSL2", -1, -1}, /* gone since OpenSSL 1.1 */
#ifdef OPENSSL_NO_SSL3        /* setting it would succeed all the same */
	    {"SSL3", -1, -1},
#else
	    {"SSL3", SSL3_VERSION, SSL3_VERSION},
#endif
	    {"TLS1", TLS1_VERSION, TLS1_VERSION},
	    {"TLS1.1", TLS1_1_VERSION, TLS1_1_VERSION},
	    {"TLS1.2", TLS1_2_VERSION, TLS1_2_VERSION},
	    {"TLS1.3", TLS1_3_VERSION, TLS1_3_VERSION},
	};

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (strcasecmp(protocols[i].name, name) != 0)
			continue;
		if (SSL_CTX_set_max_proto_version(ssl, protocols[i].max) != 1 ||
		    SSL_CTX_set_min_proto_version(ssl, protocols[i].min) != 1)
			return refuse(error, error_size,
			    "-f %s: this system's OpenSSL does not have it; use TLS1.2, TLS1.3 or ALL", name);
		/* Their signatures are of SHA-1, which OpenSSL 3 allows at level 0 alone. */
		if (protocols[i].max > 0 && protocols[i].max < TLS1_2_VERSION)
			SSL_CTX_set_security_level(ssl, 0);
		return 0;
	}
	return refuse(error, error_size, "-f %s: use SSL3, TLS1, TLS1.1, TLS1.2, TLS1.3 or ALL", name);
}

/* choose_ciphers tells the names of TLS 1.3's suites from those of older ciphers. */
static int
choose_ciphers(SSL_CTX *ssl, const char *names, char *error, size_t error_size)
{
	size_t size = strlen(names) + 1;
	char *lists = malloc(2 * size), *old, *new; /* each as long as NAMES at most */
	bool good;

	if (lists == NULL)
		return -ENOMEM;
	old = lists;
	new = lists + size;
	old[0] = new[0] = '\0';
	for (const char *name = names; *name != '\0';) {
		size_t len = strcspn(name, ":, ");
		char *list = strncmp(name, "TLS_", 4) == 0 ? new : old;

		if (len > 0) {
			if (list[0] != '\0')
				strcat(list, ":");
			strncat(list, name, len);
		}
		name += len + (name[len] != '\0');
	}
	good = old[0] != '\0' || new[0] != '\0';
	good = good && (old[0] == '\0' || SSL_CTX_set_cipher_list(ssl, old) == 1);
	good = good && (new[0] == '\0' || SSL_CTX_set_ciphersuites(ssl, new) == 1);
	free(lists);
	return good ? 0
		    : refuse(error, error_size, "-Z %s: OpenSSL knows no such ciphers; see `openssl ciphers`", names);
}

static int
load_certificate(SSL_CTX *ssl, const char *path, char *error, size_t error_size)
{
	const char *what = NULL;
	struct stat status;

	/* OpenSSL tells what is wrong within a file, and nothing of one that is not there. */
	if (stat(path, &status) != 0 || access(path, R_OK) != 0)
		return refuse(error, error_size, "-E %s: cannot read the file: %s", path, strerror(errno));
	if (S_ISDIR(status.st_mode))
		return refuse(error, error_size, "-E %s: cannot read the file: %s", path, strerror(EISDIR));
	if (SSL_CTX_use_certificate_chain_file(ssl, path) != 1)
		what = "has no certificate that can be read";
	else if (SSL_CTX_use_PrivateKey_file(ssl, path, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ssl) != 1)
		what = "has no private key for its certificate";
	if (what == NULL)
		return 0;
	tell_why();
	return refuse(error, error_size, "-E %s: the file %s (%s); both must be in it, as PEM", path, what, why);
}

static int
configure(struct tls_context *context, const struct tls_options *options, char *error, size_t error_size)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	SSL_CTX *ssl = context->ssl;
	int result;

	SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_options(ssl, SSL_OP_ALL | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* Idle connections keep no buffers: they would be 34 KiB each. */
	SSL_CTX_set_mode(
	    ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ssl, 1); /* one recv for a record, not one for its head and one for the rest */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1) != 0)
		return -ENOMEM;
	result = choose_protocol(ssl, options->protocol != NULL ? options->protocol : "ALL", error, error_size);
	if (result == 0 && options->ciphers != NULL)
		result = choose_ciphers(ssl, options->ciphers, error, error_size);
	if (result == 0 && options->certificate != NULL)
		result = load_certificate(ssl, options->certificate, error, error_size);
	return result;
}

int
tls_context_open(struct tls_context **context, const struct tls_options *options, char *error, size_t error_size)
{
	struct tls_context *made = calloc(1, sizeof(*made));
	int result = -ENOMEM;

	*context = NULL;
	if (made != NULL) {
		made->no_server_name = options->no_server_name;
		made->ssl = SSL_CTX_new(TLS_client_method());
		made->socket = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
	}
	if (made != NULL && made->ssl != NULL && made->socket != NULL &&
	    BIO_meth_set_read(made->socket, socket_read) == 1 && BIO_meth_set_write(made->socket, socket_write) == 1 &&
	    BIO_meth_set_ctrl(made->socket, socket_control) == 1)
		result = configure(made, options, error, error_size);
	if (result == -ENOMEM)
		snprintf(error, error_size, "%s", strerror(ENOMEM));
	ERR_clear_error();
	if (result == 0)
		*context = made;
	else
		tls_context_close(made);
	return result;
}

void
tls_context_close(struct tls_context *context)
{
	if (context == NULL)
		return;
	SSL_CTX_free(context->ssl);
	BIO_meth_free(context->socket);
	free(context);
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
		tell_why();
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
