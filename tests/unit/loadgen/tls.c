/* Unit tests of loadgen/tls: against a server of OpenSSL's in memory, whose bytes a relay hands on in pieces. */
#include "loadgen/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/compiler.h"

#define ROUNDS 100000 /* of the relay, at most */

static char error[512];
static EVP_PKEY *key, *other_key;
static X509 *certificate;
static const struct tls_options plain;

/* Memory runs out at the allocation of this number from now on; -1: never. */
static long allocations_left = -1;

static bool
memory_is_out(void)
{
	return allocations_left == 0 || (allocations_left > 0 && --allocations_left == 0);
}

static void *
limited_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return memory_is_out() ? NULL : malloc(size);
}

static void *
limited_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return memory_is_out() ? NULL : realloc(old, size);
}

static void
any_free(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	free(old);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_calloc(size_t count, size_t size)
{
	return memory_is_out() ? NULL : __real_calloc(count, size);
}

/* A connection: the client's socket, the relay's end of it, and the server, which has no socket. */
struct link {
	struct tls_context *context;
	struct tls *client;
	int fd, relay;
	SSL_CTX *server_context;
	SSL *server;
	BIO *to_server, *from_server;
	size_t piece; /* bytes that the relay moves at a time */
	bool server_done;
};

static void
link_open(struct link *link, const struct tls_options *options, const char *name, size_t piece)
{
	int fds[2];

	*link = (struct link){.piece = piece};
	if (tls_context_open(&link->context, options, error, sizeof(error)) != 0)
		fail_msg("%s", error);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	link->fd = fds[0];
	link->relay = fds[1];
	link->client = tls_open(link->context, link->fd, name);
	assert_non_null(link->client);
	link->server_context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_security_level(link->server_context, 0);
	SSL_CTX_set_min_proto_version(link->server_context, TLS1_VERSION);
	assert_int_equal(SSL_CTX_use_certificate(link->server_context, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(link->server_context, key), 1);
	link->server = SSL_new(link->server_context);
	link->to_server = BIO_new(BIO_s_mem());
	link->from_server = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(link->to_server, -1);
	SSL_set_bio(link->server, link->to_server, link->from_server);
	SSL_set_accept_state(link->server);
}

static void
link_close(struct link *link)
{
	tls_close(link->client);
	tls_context_close(link->context);
	close(link->fd);
	if (link->relay != -1)
		close(link->relay);
	SSL_free(link->server);
	SSL_CTX_free(link->server_context);
	ERR_clear_error();
}

/* hand_on moves one piece in each direction. */
static void
hand_on(struct link *link)
{
	char buf[16384];
	ssize_t len = recv(link->relay, buf, link->piece, 0);

	if (len > 0)
		assert_int_equal(BIO_write(link->to_server, buf, (int)len), len);
	len = BIO_read(link->from_server, buf, (int)link->piece);
	if (len > 0)
		assert_int_equal(send(link->relay, buf, (size_t)len, MSG_NOSIGNAL), len);
}

/* shake goes through the handshake and returns what tls_handshake said in the end. */
static int
shake(struct link *link)
{
	int result = -EAGAIN;

	for (int i = 0; i < ROUNDS && (result == -EAGAIN || (result == 0 && !link->server_done)); i++) {
		if (result == -EAGAIN)
			result = tls_handshake(link->client);
		hand_on(link);
		link->server_done = link->server_done || SSL_do_handshake(link->server) == 1;
		ERR_clear_error();
	}
	return result;
}

static void
say(struct link *link, const char *text)
{
	size_t sent;

	assert_int_equal(SSL_write_ex(link->server, text, strlen(text), &sent), 1);
}

/* hear receives LEN bytes, as they come, and returns what tls_recv said when it did not come to that. */
static ssize_t
hear(struct link *link, char *text, size_t len)
{
	size_t have = 0;

	for (int i = 0; i < ROUNDS && have < len; i++) {
		ssize_t got = tls_recv(link->client, text + have, len - have);

		if (got == -EAGAIN)
			hand_on(link);
		else if (got <= 0)
			return got;
		else
			have += (size_t)got;
	}
	return (ssize_t)have;
}

static void
test_every_version_agrees_and_is_described(void **state)
{
	static const struct {
		const char *asked, *protocol;
	} versions[] = {
	    {NULL, "TLSv1.3"},
	    {"all", "TLSv1.3"},
	    {"TLS1.3", "TLSv1.3"},
	    {"tls1.2", "TLSv1.2"},
	    {"TLS1.1", "TLSv1.1"},
	    {"TLS1", "TLSv1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tls_options options = {.protocol = versions[i].asked};
		struct tls_facts facts;
		struct link link;

		link_open(&link, &options, "server.example", 16384);
		if (shake(&link) != 0)
			fail_msg("%s: %s", versions[i].asked, tls_why());
		tls_describe(link.client, &facts);
		assert_string_equal(facts.protocol, versions[i].protocol);
		assert_string_equal(facts.cipher, SSL_get_cipher_name(link.server));
		assert_string_equal(facts.server_name, "server.example");
		assert_string_equal(facts.temp_key, "X25519 253 bits");
		assert_int_equal(facts.bits, 2048);
		assert_int_equal(facts.cipher_bits, SSL_get_cipher_bits(link.server, NULL));
		link_close(&link);
	}
}

/* temp_key_of returns how the key is described that the server exchanges with CIPHERS and in GROUPS. */
static const char *
temp_key_of(const char *ciphers, const char *groups)
{
	static struct tls_facts facts;
	struct tls_options options = {.protocol = "TLS1.2", .ciphers = ciphers};
	struct link link;

	link_open(&link, &options, NULL, 16384);
	SSL_set_dh_auto(link.server, 1);
	if (groups != NULL)
		assert_int_equal(SSL_set1_groups_list(link.server, groups), 1);
	if (shake(&link) != 0)
		fail_msg("%s", tls_why());
	tls_describe(link.client, &facts);
	assert_string_equal(facts.cipher, ciphers);
	assert_string_equal(facts.server_name, "");
	link_close(&link);
	return facts.temp_key;
}

static void
test_exchanged_keys_are_described_as_ab_does(void **state)
{
	(void)state;
	assert_string_equal(temp_key_of("ECDHE-RSA-AES128-GCM-SHA256", "X25519"), "X25519 253 bits");
	assert_string_equal(temp_key_of("ECDHE-RSA-AES128-GCM-SHA256", "P-256"), "ECDH prime256v1 256 bits");
	assert_string_equal(temp_key_of("DHE-RSA-AES128-GCM-SHA256", NULL), "DH 2048 bits");
	assert_string_equal(temp_key_of("AES128-GCM-SHA256", NULL), "");
}

static void
test_ciphers_of_both_lists(void **state)
{
	static const struct {
		const char *ciphers, *protocol, *agreed;
	} cases[] = {
	    {"AES256-GCM-SHA384", "TLS1.2", "AES256-GCM-SHA384"},
	    {"AES256-GCM-SHA384:TLS_CHACHA20_POLY1305_SHA256", "TLS1.2", "AES256-GCM-SHA384"},
	    {"AES256-GCM-SHA384, TLS_CHACHA20_POLY1305_SHA256", "TLS1.3", "TLS_CHACHA20_POLY1305_SHA256"},
	    {"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256", "ALL", "TLS_AES_128_GCM_SHA256"},
	    {"AES256-GCM-SHA384", "ALL", "TLS_AES_256_GCM_SHA384"}, /* as in ab: TLS 1.3's list stays */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tls_options options = {.protocol = cases[i].protocol, .ciphers = cases[i].ciphers};
		struct tls_facts facts;
		struct link link;

		link_open(&link, &options, NULL, 16384);
		assert_int_equal(shake(&link), 0);
		tls_describe(link.client, &facts);
		assert_string_equal(facts.cipher, cases[i].agreed);
		link_close(&link);
	}
}

static void
test_without_a_certificate_the_server_has_no_bits(void **state)
{
	const struct tls_options options = {.protocol = "TLS1.2", .ciphers = "ADH-AES128-SHA256@SECLEVEL=0"};
	struct tls_facts facts;
	struct link link;

	(void)state;
	link_open(&link, &options, NULL, 16384);
	assert_int_equal(SSL_set_cipher_list(link.server, "ADH-AES128-SHA256"), 1);
	SSL_set_dh_auto(link.server, 1);
	if (shake(&link) != 0)
		fail_msg("%s", tls_why());
	tls_describe(link.client, &facts);
	assert_int_equal(facts.bits, 0);
	assert_int_equal(facts.cipher_bits, 128);
	link_close(&link);
}

static void
test_sni_is_a_name_and_never_an_address(void **state)
{
	static const struct {
		const char *name;
		bool off;
		const char *seen; /* NULL: none */
	} cases[] = {
	    {"localhost", false, "localhost"},
	    {"a.b.example", false, "a.b.example"},
	    {"127.0.0.1", false, NULL},
	    {"::1", false, NULL},
	    {"fe80::1%eth0", false, NULL},
	    {"", false, NULL},
	    {NULL, false, NULL},
	    {"localhost", true, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct tls_options options = {.no_server_name = cases[i].off};
		const char *seen;
		struct tls_facts facts;
		struct link link;

		link_open(&link, &options, cases[i].name, 16384);
		assert_int_equal(shake(&link), 0);
		seen = SSL_get_servername(link.server, TLSEXT_NAMETYPE_host_name);
		tls_describe(link.client, &facts);
		assert_string_equal(seen != NULL ? seen : "(none)", cases[i].seen != NULL ? cases[i].seen : "(none)");
		assert_string_equal(facts.server_name, cases[i].seen != NULL ? cases[i].seen : "");
		link_close(&link);
	}
}

static void
test_every_option_that_cannot_be_had_is_named(void **state)
{
	static const struct {
		struct tls_options options;
		const char *says;
	} wrong[] = {
	    {{.protocol = "SSL2"}, "-f SSL2: this system's OpenSSL does not have it"},
	    {{.protocol = "ssl2"}, "does not have it"},
#ifdef OPENSSL_NO_SSL3
	    {{.protocol = "SSL3"}, "-f SSL3: this system's OpenSSL does not have it"},
#endif
	    {{.protocol = "TLS1.4"}, "-f TLS1.4: use "},
	    {{.protocol = ""}, "-f : use "},
	    {{.ciphers = "NO-SUCH"}, "-Z NO-SUCH: OpenSSL knows no such ciphers"},
	    {{.ciphers = "TLS_NO_SUCH"}, "-Z TLS_NO_SUCH: OpenSSL knows no such ciphers"},
	    {{.ciphers = "AES128-SHA:TLS_NO_SUCH"}, "knows no such ciphers"},
	    {{.ciphers = ""}, "knows no such ciphers"},
	    {{.ciphers = " :,"}, "knows no such ciphers"},
	    {{.certificate = "/no/such/file.pem"},
		"-E /no/such/file.pem: cannot read the file: No such file or directory"},
	    {{.certificate = "/dev/null"}, "has no certificate"},
	    {{.certificate = "/"}, "cannot read the file: Is a directory"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct tls_context *context;
		int expected = strstr(wrong[i].says, "such file") != NULL   ? -ENOENT
			       : strstr(wrong[i].says, "directory") != NULL ? -EISDIR
									    : -EINVAL;

		error[0] = '\0';
		if (tls_context_open(&context, &wrong[i].options, error, sizeof(error)) != expected ||
		    strstr(error, wrong[i].says) == NULL)
			fail_msg("%zu: %s", i, error);
		assert_null(context);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

/* write_pem makes a temporary file of the certificate and, unless NULL, a key; PATH is a template. */
static void
write_pem(char *path, EVP_PKEY *its_key)
{
	int fd = mkstemp(path);
	FILE *out;

	assert_true(fd >= 0);
	out = fdopen(fd, "w");
	assert_non_null(out);
	assert_int_equal(PEM_write_X509(out, certificate), 1);
	if (its_key != NULL)
		assert_int_equal(PEM_write_PrivateKey(out, its_key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(out), 0);
}

static int
accept_any(int good, X509_STORE_CTX *store)
{
	(void)good;
	(void)store;
	return 1;
}

static void
test_the_server_gets_the_client_certificate(void **state)
{
	char path[] = "/tmp/loadgen-tls-XXXXXX";
	const struct tls_options options = {.certificate = path};
	X509 *seen;
	struct link link;

	(void)state;
	write_pem(path, key);
	link_open(&link, &options, NULL, 16384);
	SSL_set_verify(link.server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
	assert_int_equal(shake(&link), 0);
	seen = SSL_get1_peer_certificate(link.server);
	assert_non_null(seen);
	assert_int_equal(X509_cmp(seen, certificate), 0);
	X509_free(seen);
	link_close(&link);
	unlink(path);
}

static void
test_a_certificate_without_its_key_is_refused(void **state)
{
	char without[] = "/tmp/loadgen-tls-XXXXXX", another[] = "/tmp/loadgen-tls-XXXXXX";
	struct tls_options options = {.certificate = without};
	struct tls_context *context;

	(void)state;
	write_pem(without, NULL);
	write_pem(another, other_key);
	assert_int_equal(tls_context_open(&context, &options, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "has no private key"));
	assert_null(context);
	options.certificate = another;
	assert_int_equal(tls_context_open(&context, &options, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "has no private key for its certificate"));
	assert_null(context);
	unlink(without);
	unlink(another);
}

static void
test_a_missing_client_certificate_is_an_alert(void **state)
{
	static const struct {
		const char *protocol, *says;
	} cases[] = {{"TLS1.2", "handshake failure"}, {"TLS1.3", "certificate required"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct tls_options options = {.protocol = cases[i].protocol};
		char byte;
		struct link link;
		ssize_t result;

		link_open(&link, &options, NULL, 16384);
		SSL_set_verify(link.server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
		result = shake(&link);
		if (result == 0) /* TLS 1.3: the client is done before the server has looked */
			result = hear(&link, &byte, 1);
		assert_int_equal(result, -EPROTO);
		if (strstr(tls_why(), cases[i].says) == NULL)
			fail_msg("%s", tls_why());
		link_close(&link);
	}
}

static void
test_a_server_that_speaks_no_tls_is_named(void **state)
{
	struct link link;

	(void)state;
	link_open(&link, &plain, NULL, 16384);
	assert_int_equal(tls_handshake(link.client), -EAGAIN);
	assert_int_equal(send(link.relay, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0), 28);
	assert_int_equal(tls_handshake(link.client), -EPROTO);
	assert_non_null(strstr(tls_why(), "wrong version number"));
	assert_non_null(strstr(tls_why(), "does not speak TLS"));
	link_close(&link);
}

static void
test_no_version_in_common(void **state)
{
	const struct tls_options options = {.protocol = "TLS1.2"};
	struct link link;

	(void)state;
	link_open(&link, &options, NULL, 16384);
	SSL_set_min_proto_version(link.server, TLS1_3_VERSION);
	assert_int_equal(shake(&link), -EPROTO);
	if (strstr(tls_why(), "protocol version") == NULL)
		fail_msg("%s", tls_why());
	link_close(&link);
}

static void
test_a_close_in_the_handshake_is_a_reset(void **state)
{
	struct link link;

	(void)state;
	for (int after = 0; after < 3; after++) { /* nothing; part of a record; a reset, which unread bytes make */
		link_open(&link, &plain, NULL, 16384);
		assert_int_equal(tls_handshake(link.client), -EAGAIN);
		if (after == 1)
			assert_int_equal(send(link.relay, "\x16\x03\x03\x00\x40\x02", 6, 0), 6);
		if (after < 2) {
			char buf[16384];

			assert_true(recv(link.relay, buf, sizeof(buf), 0) > 0);
		}
		close(link.relay);
		link.relay = -1;
		assert_int_equal(tls_handshake(link.client), -ECONNRESET);
		link_close(&link);
	}
}

static void
test_text_arrives_whole_however_records_are_cut(void **state)
{
	static const size_t pieces[] = {1, 2, 5, 6, 7, 100, 16384};
	static const char *const protocols[] = {"TLS1.2", "TLS1.3"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces) * ARRAY_LEN(protocols); i++) {
		const struct tls_options options = {.protocol = protocols[i % 2]};
		char text[24];
		struct link link;

		link_open(&link, &options, NULL, pieces[i / 2]);
		assert_int_equal(shake(&link), 0);
		say(&link, "one record and ");
		say(&link, "a second");
		assert_int_equal(hear(&link, text, 23), 23);
		assert_memory_equal(text, "one record and a second", 23);
		assert_int_equal(tls_recv(link.client, text, sizeof(text)), -EAGAIN);
		link_close(&link);
	}
}

static void
test_bytes_that_were_read_ahead_wait_for_the_next_call(void **state)
{
	const struct tls_options options = {.protocol = "TLS1.2"}; /* no tickets among the records */
	char text[8];
	struct link link;

	(void)state;
	link_open(&link, &options, NULL, 16384);
	assert_int_equal(shake(&link), 0);
	say(&link, "first");
	say(&link, "second");
	hand_on(&link);
	assert_int_equal(tls_recv(link.client, text, sizeof(text)), 5); /* a record at a time */
	assert_int_equal(tls_recv(link.client, text, 2), 2);            /* part of a record */
	assert_int_equal(tls_recv(link.client, text, sizeof(text)), 4);
	assert_int_equal(tls_recv(link.client, text, sizeof(text)), -EAGAIN);
	link_close(&link);
}

static void
test_new_keys_and_no_new_handshake(void **state)
{
	char text[8];
	struct link link;

	(void)state;
	link_open(&link, &plain, NULL, 16384); /* TLS 1.3: the client answers a new key with one of its own */
	assert_int_equal(shake(&link), 0);
	assert_int_equal(SSL_key_update(link.server, SSL_KEY_UPDATE_REQUESTED), 1);
	say(&link, "again");
	assert_int_equal(hear(&link, text, 5), 5);
	assert_memory_equal(text, "again", 5);
	assert_int_equal(tls_send(link.client, "fine", 4), 4);
	hand_on(&link);
	assert_int_equal(SSL_read(link.server, text, sizeof(text)), 4);
	link_close(&link);

	link_open(&link, &(struct tls_options){.protocol = "TLS1.2"}, NULL, 16384);
	assert_int_equal(shake(&link), 0);
	assert_int_equal(SSL_renegotiate(link.server), 1);
	assert_int_equal(SSL_do_handshake(link.server), 1); /* asks for one, and does not insist */
	say(&link, "again");
	assert_int_equal(hear(&link, text, 5), 5);
	assert_memory_equal(text, "again", 5);
	link_close(&link);
}

static void
test_both_ends_of_a_connection(void **state)
{
	char byte;
	struct link link;

	(void)state;
	for (int with_notify = 0; with_notify < 2; with_notify++) {
		link_open(&link, &plain, NULL, 16384);
		assert_int_equal(shake(&link), 0);
		if (with_notify) {
			SSL_shutdown(link.server);
			hand_on(&link);
		}
		hand_on(&link);
		close(link.relay);
		link.relay = -1;
		assert_int_equal(hear(&link, &byte, 1), 0);
		assert_int_equal(tls_cut(link.client), !with_notify);
		link_close(&link);
	}
	/* The client's: the server hears of it. */
	link_open(&link, &plain, NULL, 16384);
	assert_int_equal(shake(&link), 0);
	tls_close(link.client);
	link.client = NULL;
	hand_on(&link);
	assert_true(SSL_read(link.server, &byte, 1) <= 0);
	assert_int_equal(SSL_get_shutdown(link.server) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	link_close(&link);
	tls_close(NULL);
	tls_context_close(NULL);
}

static void
test_a_reset_is_told_and_raises_no_signal(void **state)
{
	char byte = 'x';
	struct link link;

	(void)state;
	link_open(&link, &plain, NULL, 16384);
	assert_int_equal(shake(&link), 0);
	while (tls_recv(link.client, &byte, 1) != -EAGAIN) /* the tickets */
		hand_on(&link);
	assert_int_equal(tls_send(link.client, "unread", 6), 6);
	close(link.relay);
	link.relay = -1;
	assert_int_equal(tls_recv(link.client, &byte, 1), -ECONNRESET);
	link_close(&link);

	link_open(&link, &plain, NULL, 16384);
	assert_int_equal(shake(&link), 0);
	close(link.relay);
	link.relay = -1;
	assert_int_equal(tls_send(link.client, "nobody reads", 12), -EPIPE);
	link_close(&link);
}

static void
test_a_full_socket_takes_the_rest_later(void **state)
{
	enum { TOTAL = 1 << 20 };
	static char data[TOTAL], moved[TOTAL], seen[TOTAL];
	size_t sent = 0, got = 0;
	bool waited = false;
	struct link link;

	(void)state;
	for (size_t i = 0; i < TOTAL; i++)
		data[i] = (char)(i * 31 + i / 257);
	memcpy(moved, data, TOTAL);
	link_open(&link, &plain, NULL, 16384);
	assert_int_equal(shake(&link), 0);
	for (int i = 0; i < ROUNDS && got < TOTAL; i++) {
		ssize_t len = sent < TOTAL ? tls_send(link.client, (i % 2 ? moved : data) + sent, TOTAL - sent) : 0;
		size_t more;

		assert_true(len >= 0 || len == -EAGAIN);
		if (len > 0) {
			sent += (size_t)len;
			continue;
		}
		waited = waited || len == -EAGAIN;
		hand_on(&link);
		while (got < TOTAL && SSL_read_ex(link.server, seen + got, TOTAL - got, &more) == 1)
			got += more;
	}
	assert_true(waited);
	assert_int_equal(got, TOTAL);
	assert_memory_equal(seen, data, TOTAL);
	link_close(&link);
}

static void
test_nothing_is_left_behind_where_memory_runs_out(void **state)
{
	const struct tls_options options = {.ciphers = "AES128-SHA:TLS_AES_128_GCM_SHA256"};
	struct tls_context *context;
	struct tls *tls = NULL;
	int result = -ENOMEM, failures = 0;

	(void)state;
	for (long limit = 1; limit <= ROUNDS && result != 0; limit++) {
		allocations_left = limit;
		result = tls_context_open(&context, &options, error, sizeof(error));
		allocations_left = -1;
		assert_true(result == 0 || result == -ENOMEM || result == -EINVAL);
		assert_true(result == 0 ? context != NULL : context == NULL);
	}
	assert_int_equal(result, 0);
	for (long limit = 1; limit <= ROUNDS && tls == NULL; limit++) {
		allocations_left = limit;
		tls = tls_open(context, -1, "server.example");
		allocations_left = -1;
		failures += tls == NULL;
	}
	assert_true(failures > 3);
	assert_non_null(tls);
	assert_int_equal(ERR_peek_error(), 0);
	tls_close(tls);
	tls_context_close(context);
}

static int
make_server(void **state)
{
	X509_NAME *name;

	(void)state;
	key = EVP_RSA_gen(2048);
	other_key = EVP_EC_gen("P-256");
	certificate = X509_new();
	if (key == NULL || other_key == NULL || certificate == NULL)
		return -1;
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	name = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	X509_set_pubkey(certificate, key);
	return X509_sign(certificate, key, EVP_sha256()) > 0 ? 0 : -1;
}

static int
drop_server(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	X509_free(certificate);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_version_agrees_and_is_described),
	    cmocka_unit_test(test_exchanged_keys_are_described_as_ab_does),
	    cmocka_unit_test(test_ciphers_of_both_lists),
	    cmocka_unit_test(test_without_a_certificate_the_server_has_no_bits),
	    cmocka_unit_test(test_sni_is_a_name_and_never_an_address),
	    cmocka_unit_test(test_every_option_that_cannot_be_had_is_named),
	    cmocka_unit_test(test_the_server_gets_the_client_certificate),
	    cmocka_unit_test(test_a_certificate_without_its_key_is_refused),
	    cmocka_unit_test(test_a_missing_client_certificate_is_an_alert),
	    cmocka_unit_test(test_a_server_that_speaks_no_tls_is_named),
	    cmocka_unit_test(test_no_version_in_common),
	    cmocka_unit_test(test_a_close_in_the_handshake_is_a_reset),
	    cmocka_unit_test(test_text_arrives_whole_however_records_are_cut),
	    cmocka_unit_test(test_bytes_that_were_read_ahead_wait_for_the_next_call),
	    cmocka_unit_test(test_new_keys_and_no_new_handshake),
	    cmocka_unit_test(test_both_ends_of_a_connection),
	    cmocka_unit_test(test_a_reset_is_told_and_raises_no_signal),
	    cmocka_unit_test(test_a_full_socket_takes_the_rest_later),
	    cmocka_unit_test(test_nothing_is_left_behind_where_memory_runs_out),
	};

	if (CRYPTO_set_mem_functions(limited_malloc, limited_realloc, any_free) != 1)
		return 1;
	return cmocka_run_group_tests_name("loadgen/tls", tests, make_server, drop_server);
}
