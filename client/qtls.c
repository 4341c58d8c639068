/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of the client on OpenSSL; see qtls.h. */
#include "client/qtls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/err.h"

struct qtls {
	SSL_CTX *ctx;
	/* The last session that the server gave, and what it was trusted by. */
	SSL_SESSION *resumable;
	struct pin_set resumable_pins;
};

struct qtls_session {
	struct qtls *tls;
	SSL *ssl;
	struct pin_set pins;
	bool wants_write;
	bool pin_refused;
	char why[256];
};

static int verify_chain(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct qtls_session *s = SSL_get_app_data(ssl);

	(void)arg;
	if (s->pins.n == 0)
		return X509_verify_cert(store);
	if (pin_matches(&s->pins, X509_STORE_CTX_get0_cert(store))) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	s->pin_refused = true;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* Keeps the newest; 1: the session is ours now. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct qtls_session *s = SSL_get_app_data(ssl);

	SSL_SESSION_free(s->tls->resumable);
	s->tls->resumable = session;
	s->tls->resumable_pins = s->pins;
	return 1;
}

/* A resumed session is not verified again, so it must rest on the very same pins. */
static bool may_resume(const struct qtls *tls, const struct pin_set *pins)
{
	return tls->resumable && SSL_SESSION_is_resumable(tls->resumable) &&
	       tls->resumable_pins.n == pins->n &&
	       memcmp(tls->resumable_pins.pins, pins->pins, pins->n * PIN_LEN) == 0;
}

static int load_trust(SSL_CTX *ctx, const char *ca_file)
{
	if (!ca_file)
		return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : -EIO;
	if (access(ca_file, R_OK) < 0)
		return -ENOENT;
	return SSL_CTX_load_verify_file(ctx, ca_file) == 1 ? 0 : -EINVAL;
}

int qtls_new(const char *ca_file, struct qtls **ret_tls)
{
	static const unsigned char h2[] = {2, 'h', '2'};
	struct qtls *tls;
	int r;

	tls = calloc(1, sizeof(*tls));
	if (!tls)
		return -ENOMEM;
	tls->ctx = SSL_CTX_new(TLS_client_method());
	if (!tls->ctx) {
		free(tls);
		return -ENOMEM;
	}
	SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
	/* What RFC 9113 allows with TLS 1.2; 1.3 has its own list. */
	SSL_CTX_set_cipher_list(tls->ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
	SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					      SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					   SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(tls->ctx, verify_chain, NULL);
	SSL_CTX_set_session_cache_mode(tls->ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls->ctx, on_new_session);
	r = load_trust(tls->ctx, ca_file);
	if (r == 0 && SSL_CTX_set_alpn_protos(tls->ctx, h2, sizeof(h2)) != 0)
		r = -ENOMEM;
	ERR_clear_error();
	if (r < 0) {
		qtls_free(tls);
		return r;
	}
	*ret_tls = tls;
	return 0;
}

void qtls_free(struct qtls *tls)
{
	if (!tls)
		return;
	SSL_SESSION_free(tls->resumable);
	SSL_CTX_free(tls->ctx);
	free(tls);
}

/* The name goes into SNI and into the check; addresses only into the check. */
static int set_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	unsigned char addr[16];

	if (inet_pton(AF_INET, name, addr) == 1 || inet_pton(AF_INET6, name, addr) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, name);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, name, 0) && SSL_set_tlsext_host_name(ssl, name);
}

int qtls_session_new(struct qtls *tls, int fd, const char *name, const struct pin_set *pins,
		     struct qtls_session **ret_session)
{
	struct qtls_session *s;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->tls = tls;
	s->pins = *pins;
	s->ssl = SSL_new(tls->ctx);
	if (!s->ssl || !SSL_set_fd(s->ssl, fd) || !set_name(s->ssl, name)) {
		qtls_session_free(s);
		ERR_clear_error();
		return -ENOMEM;
	}
	SSL_set_app_data(s->ssl, s);
	SSL_set_connect_state(s->ssl);
	/* One that cannot be offered costs a full handshake, no more. */
	if (may_resume(tls, pins))
		(void)SSL_set_session(s->ssl, tls->resumable);
	*ret_session = s;
	return 0;
}

void qtls_session_free(struct qtls_session *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	free(s);
}

static void explain(struct qtls_session *s, int ssl_error, int saved_errno)
{
	unsigned long e = ERR_peek_last_error();
	long verify = SSL_get_verify_result(s->ssl);

	if (s->pin_refused)
		snprintf(s->why, sizeof(s->why), "the server's key is not the pinned one");
	else if (verify != X509_V_OK)
		snprintf(s->why, sizeof(s->why), "the server's certificate is refused: %s",
			 X509_verify_cert_error_string(verify));
	else if (e && ERR_reason_error_string(e))
		snprintf(s->why, sizeof(s->why), "TLS: %s", ERR_reason_error_string(e));
	else if (ssl_error == SSL_ERROR_SYSCALL && saved_errno)
		snprintf(s->why, sizeof(s->why), "TLS: %s", strerror(saved_errno));
	else
		snprintf(s->why, sizeof(s->why),
			 "TLS: the server closed the connection in the handshake");
}

int qtls_handshake(struct qtls_session *s)
{
	const unsigned char *proto = NULL;
	unsigned len = 0;
	int r, e;

	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(s->ssl);
	e = r == 1 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, r);
	s->wants_write = e == SSL_ERROR_WANT_WRITE;
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return 0;
	if (e != SSL_ERROR_NONE) {
		explain(s, e, errno);
		ERR_clear_error();
		return -EPROTO;
	}
	SSL_get0_alpn_selected(s->ssl, &proto, &len);
	if (len != 2 || memcmp(proto, "h2", 2) != 0) {
		snprintf(s->why, sizeof(s->why), "the server does not speak HTTP/2 over TLS");
		return -EPROTO;
	}
	return 1;
}

bool qtls_wants_write(const struct qtls_session *s)
{
	return s->wants_write;
}

/* OpenSSL's answer in errno's words. */
static ssize_t outcome(struct qtls_session *s, int r)
{
	int saved = errno, e;

	if (r > 0)
		return r;
	e = SSL_get_error(s->ssl, r);
	switch (e) {
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		s->wants_write = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		explain(s, e, saved);
		ERR_clear_error();
		return saved == ECONNRESET || saved == EPIPE || saved == ETIMEDOUT ? -saved
										   : -EPROTO;
	}
}

ssize_t qtls_read(struct qtls_session *s, void *p, size_t len)
{
	ERR_clear_error();
	errno = 0;
	return outcome(s, SSL_read(s->ssl, p, (int)len));
}

ssize_t qtls_write(struct qtls_session *s, const void *p, size_t len)
{
	ERR_clear_error();
	errno = 0;
	s->wants_write = false;
	return outcome(s, SSL_write(s->ssl, p, (int)len));
}

void qtls_bye(struct qtls_session *s)
{
	if (SSL_is_init_finished(s->ssl))
		SSL_shutdown(s->ssl);
	ERR_clear_error();
}

const char *qtls_why(const struct qtls_session *s)
{
	return s->why;
}
