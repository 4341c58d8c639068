/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node/nodecert.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "base/err.h"
#include "base/key.h"
#include "base/log.h"
#include "base/text.h"
#include "server/node/statefile.h"

#define MARK_WORD "mark: "
enum { FILE_MAX = 32768 };

static void EVP_PKEY_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void BIO_freep(BIO **bio)
{
	BIO_free_all(*bio);
}

static void X509_freep(X509 **cert)
{
	X509_free(*cert);
}

static int broke(int r)
{
	ERR_clear_error();
	return err_origin(r);
}

void nodecert_done(struct nodecert *c)
{
	free(c->ca);
	key_wipe_bytes(c, sizeof(*c));
}

static EVP_PKEY *read_key(const char *pem)
{
	_cleanup_(BIO_freep) BIO *in = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;

	ERR_clear_error();
	return key;
}

static int make_key(struct nodecert *c)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_(BIO_freep) BIO *out = BIO_new(BIO_s_secmem());
	char *text;
	long len;

	if (!key || !out || !PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL))
		return broke(-EIO);
	len = BIO_get_mem_data(out, &text);
	if (len <= 0 || len >= NODECERT_KEY_MAX)
		return broke(-EIO);
	memcpy(c->key, text, (size_t)len);
	c->key[len] = '\0';
	return 0;
}

/* Is the certificate for this key, and its text signed by the first CA of ca? */
static int check(const char *key_pem, const char *chain, const char *ca)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = read_key(key_pem);
	_cleanup_(BIO_freep) BIO *leaf_in = BIO_new_mem_buf(chain, -1);
	_cleanup_(BIO_freep) BIO *ca_in = BIO_new_mem_buf(ca, -1);
	_cleanup_(X509_freep) X509 *leaf = NULL, *issuer = NULL;
	bool ok;

	if (!key || !leaf_in || !ca_in)
		return -EBADMSG;
	leaf = PEM_read_bio_X509(leaf_in, NULL, NULL, NULL);
	issuer = PEM_read_bio_X509(ca_in, NULL, NULL, NULL);
	ok = leaf && issuer && X509_check_private_key(leaf, key) == 1 &&
	     X509_verify(leaf, X509_get0_pubkey(issuer)) == 1;
	ERR_clear_error();
	return ok ? 0 : -EBADMSG;
}

static int read_part(char *ret, size_t cap, const char *from, size_t len)
{
	if (len >= cap)
		return -EBADMSG;
	memcpy(ret, from, len);
	ret[len] = '\0';
	return 0;
}

/* "mark: …", the key, the certificate. */
static int parse(const char *text, struct nodecert *c)
{
	const char *key = strstr(text, "-----BEGIN PRIVATE KEY-----");
	const char *leaf = strstr(text, "-----BEGIN CERTIFICATE-----");
	size_t word_len = strlen(MARK_WORD);
	int r;

	if (strncmp(text, MARK_WORD, word_len) || !key || !leaf || leaf < key)
		return -EBADMSG;
	r = read_part(c->mark, sizeof(c->mark), text + word_len, strcspn(text + word_len, "\n"));
	if (!r)
		r = read_part(c->key, sizeof(c->key), key, (size_t)(leaf - key));
	if (!r)
		r = check(c->key, leaf, c->ca);
	if (!r)
		r = cert_read(leaf, &c->leaf);
	c->has_leaf = !r;
	return r;
}

int nodecert_load(const char *state_dir, struct nodecert *ret)
{
	_cleanup_(nodecert_done) struct nodecert c = {0};
	uint8_t *bytes;
	size_t len;
	int r;

	r = statefile_read(state_dir, NODECERT_CA_FILE, FILE_MAX, &bytes, &len);
	if (!r) {
		c.ca = (char *)bytes;
		r = statefile_read(state_dir, NODECERT_FILE, FILE_MAX, &bytes, &len);
	}
	if (!r) {
		r = parse((const char *)bytes, &c);
		key_wipe_bytes(bytes, len);
		free(bytes);
	}
	if (r && r != -ENOENT)
		log_warn("https", "the saved certificate is of no use: %s", strerror(-r));
	if (r == -ENOMEM)
		return err_trace(r);
	if (r) {
		nodecert_done(&c);
		r = make_key(&c);
	}
	if (r)
		return err_trace(r);
	*ret = c;
	c = (struct nodecert){0};
	return 0;
}

int nodecert_request(const struct nodecert *c, uint8_t ret[NODECERT_CSR_MAX], size_t *ret_len)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = read_key(c->key);
	X509_REQ *req = X509_REQ_new();
	int len = 0;

	if (key && req && X509_REQ_set_version(req, X509_REQ_VERSION_1) &&
	    X509_REQ_set_pubkey(req, key) && X509_REQ_sign(req, key, EVP_sha256()))
		len = i2d_X509_REQ(req, NULL);
	if (len > 0 && len <= NODECERT_CSR_MAX)
		i2d_X509_REQ(req, &ret);
	else
		len = 0;
	X509_REQ_free(req);
	*ret_len = (size_t)len;
	return len ? 0 : broke(-EIO);
}

static int save(const struct nodecert *c, const char *state_dir, const Pb__Certificate *from)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(FILE_MAX);
	int r;

	text_addf(&t, MARK_WORD "%s\n", from->mark);
	text_adds(&t, c->key);
	text_adds(&t, from->chain);
	if (t.failed)
		return err_origin(-ENOMEM);
	/* CAs first: what is left in between has no certificate by them and asks again. */
	r = statefile_write(state_dir, NODECERT_CA_FILE, from->ca, strlen(from->ca));
	if (!r)
		r = statefile_write(state_dir, NODECERT_FILE, t.s, t.len);
	key_wipe_bytes(t.s, t.len);
	return err_trace(r);
}

int nodecert_take(struct nodecert *c, const char *state_dir, const Pb__Certificate *from)
{
	struct cert_info leaf;
	char *ca;
	int r;

	if (strlen(from->mark) > NODECERT_MARK_MAX || strchr(from->mark, '\n'))
		return -EBADMSG;
	r = check(c->key, from->chain, from->ca);
	if (!r)
		r = cert_read(from->chain, &leaf);
	if (r)
		return r;
	ca = strdup(from->ca);
	if (!ca)
		return -ENOMEM;
	r = save(c, state_dir, from);
	if (r) {
		free(ca);
		return r;
	}
	free(c->ca);
	c->ca = ca;
	c->leaf = leaf;
	c->has_leaf = true;
	strcpy(c->mark, from->mark);
	return 0;
}

bool nodecert_is_due(const struct nodecert *c, const char *names, const char *mark, int64_t now_ms)
{
	int64_t third_s = (c->leaf.until_s - c->leaf.from_s) / 3;

	if (!c->has_leaf || strcmp(c->leaf.names, names))
		return true;
	if (*mark && strcmp(c->mark, mark))
		return true;
	return now_ms / 1000 >= c->leaf.until_s - third_s;
}
