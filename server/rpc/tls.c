/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server side of TLS 1.2 and later on OpenSSL: one context per listener, ALPN
 * h2 and http/1.1. No tickets and no session cache: with several listeners in
 * one process a resumed session must not move from one to another.
 */
#include "server/rpc/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"

struct tls {
	atomic_uint refs;
	SSL_CTX *ctx;
	bool http2;
};

/* A handshake may outlive the struct that it began with, so its argument is none of it. */
static unsigned char both[] = "\x02h2\x08http/1.1", no_http2[] = "\x08http/1.1";

static int pick_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
			 const unsigned char *in, unsigned in_len, void *arg)
{
	const unsigned char *ours = arg;
	unsigned ours_len = (unsigned)strlen(arg);
	unsigned char *picked;

	(void)ssl;
	if (SSL_select_next_proto(&picked, out_len, ours, ours_len, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = picked;
	return SSL_TLSEXT_ERR_OK;
}

static int set_up(struct tls *t, const char *cert_file, const char *key_file)
{
	t->ctx = SSL_CTX_new(TLS_server_method());
	if (!t->ctx)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					    SSL_OP_NO_COMPRESSION |
					    SSL_OP_CIPHER_SERVER_PREFERENCE |
					    SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CLEANSE_PLAINTEXT);
	/* A record's buffer is 17 KiB, and most connections wait most of the time. */
	SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(t->ctx, 0);
	/* RFC 9113 9.2.2: forward secrecy and AEAD only. */
	if (SSL_CTX_set_cipher_list(t->ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
		return -EINVAL;
	SSL_CTX_set_alpn_select_cb(t->ctx, pick_protocol, t->http2 ? both : no_http2);
	if (SSL_CTX_use_certificate_chain_file(t->ctx, cert_file) != 1)
		return -EINVAL;
	if (SSL_CTX_use_PrivateKey_file(t->ctx, key_file, SSL_FILETYPE_PEM) != 1)
		return -EINVAL;
	return SSL_CTX_check_private_key(t->ctx) == 1 ? 0 : -EINVAL;
}

int tls_new(const char *cert_file, const char *key_file, bool http2, struct tls **ret)
{
	struct tls *t = calloc(1, sizeof(*t));
	char why[256] = "out of memory";
	int r;

	if (!t)
		return err_origin(-ENOMEM);
	t->refs = 1;
	t->http2 = http2;
	r = cert_file && key_file ? set_up(t, cert_file, key_file) : -EINVAL;
	if (r < 0) {
		if (ERR_peek_error())
			ERR_error_string_n(ERR_get_error(), why, sizeof(why));
		log_error("rpc", "TLS with certificate %s and key %s: %s",
			  cert_file ? cert_file : "(none)", key_file ? key_file : "(none)", why);
		ERR_clear_error();
		tls_free(t);
		return err_origin(r);
	}
	*ret = t;
	return 0;
}

struct tls *tls_ref(struct tls *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void tls_free(struct tls *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) > 1)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

void *tls_ctx(struct tls *t)
{
	return t->ctx;
}
