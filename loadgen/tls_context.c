/* What all connections over TLS share: what the options say, as OpenSSL wants it. */
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loadgen/refuse.h"
#include "loadgen/tls_parts.h"

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
	int result = 0;

	/* OpenSSL tells what is wrong within a file, and nothing of one that is not there. */
	if (stat(path, &status) != 0 || access(path, R_OK) != 0)
		result = -errno;
	else if (S_ISDIR(status.st_mode))
		result = -EISDIR;
	if (result != 0) {
		snprintf(error, error_size, "-E %s: cannot read the file: %s", path, strerror(-result));
		return result;
	}
	if (SSL_CTX_use_certificate_chain_file(ssl, path) != 1)
		what = "has no certificate that can be read";
	else if (SSL_CTX_use_PrivateKey_file(ssl, path, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ssl) != 1)
		what = "has no private key for its certificate";
	if (what == NULL)
		return 0;
	tls_tell_why();
	return refuse(error, error_size, "-E %s: the file %s (%s); both must be in it, as PEM", path, what, tls_why());
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
		made->socket = tls_socket_method();
	}
	if (made != NULL && made->ssl != NULL && made->socket != NULL)
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
