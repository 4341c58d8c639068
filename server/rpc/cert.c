/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust in this certificate is by pin (join tokens carry it) or by handing the
 * file to a client as its CA; so it is its own root and lives long.
 */
#include "server/rpc/cert.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/log.h"

enum { CERT_DAYS = 3650 };

static void pkey_freep(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

static void x509_freep(X509 **p)
{
	X509_free(*p);
}

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!extension)
		return err_origin(-EIO);
	ok = X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return ok ? 0 : err_origin(-ENOMEM);
}

/* Host names are LDH here; another one is left out. */
static void names(char *ret, size_t cap)
{
	char host[256];

	snprintf(ret, cap, "DNS:localhost,IP:127.0.0.1,IP:::1");
	if (gethostname(host, sizeof(host) - 1))
		return;
	host[sizeof(host) - 1] = '\0';
	if (*host &&
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
		    strlen(host))
		snprintf(ret, cap, "DNS:localhost,IP:127.0.0.1,IP:::1,DNS:%s", host);
}

static int fill(X509 *cert, EVP_PKEY *key)
{
	static const char subject[] = "Quazzar Mesh";
	X509_NAME *name = X509_get_subject_name(cert);
	uint8_t serial[16];
	char san[512];
	BIGNUM *bn;
	int r;

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return err_origin(-EIO);
	serial[0] &= 0x7f;
	bn = BN_bin2bn(serial, sizeof(serial), NULL);
	if (!bn || !BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)))
		return err_origin(-ENOMEM);
	BN_free(bn);
	X509_set_version(cert, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_time_adj_ex(X509_getm_notAfter(cert), CERT_DAYS, 0, NULL);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1,
				   0);
	X509_set_issuer_name(cert, name);
	names(san, sizeof(san));
	r = add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
	if (!r)
		r = add_extension(cert, NID_subject_alt_name, san);
	if (!r)
		r = add_extension(cert, NID_subject_key_identifier, "hash");
	if (!r && !X509_sign(cert, key, EVP_sha256()))
		r = err_origin(-EIO);
	return r;
}

static FILE *create(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && !f)
		close(fd);
	if (!f)
		log_error("cert", "%s: %s", path, strerror(errno));
	return f;
}

int cert_make(const char *cert_file, const char *key_file)
{
	_cleanup_(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_(x509_freep) X509 *cert = X509_new();
	_cleanup_(fclosep) FILE *cert_out = NULL, *key_out = NULL;
	int r;

	if (!key || !cert)
		return err_origin(-ENOMEM);
	r = fill(cert, key);
	if (r)
		return err_trace(r);
	cert_out = create(cert_file, 0644);
	if (!cert_out || !PEM_write_X509(cert_out, cert) || fflush(cert_out) ||
	    fsync(fileno(cert_out)))
		return err_origin(-EIO);
	/* The key comes last: it says that the pair is complete. */
	key_out = create(key_file, 0600);
	if (!key_out || !PEM_write_PKCS8PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL) ||
	    fflush(key_out) || fsync(fileno(key_out)))
		return err_origin(-EIO);
	return 0;
}

int cert_pin(const char *cert_file, uint8_t ret_pin[32])
{
	_cleanup_(fclosep) FILE *in = fopen(cert_file, "re");
	_cleanup_(x509_freep) X509 *cert = NULL;
	unsigned char *spki = NULL;
	unsigned len = 0;
	int spki_len, ok;

	if (!in)
		return err_origin(-errno);
	cert = PEM_read_X509(in, NULL, NULL, NULL);
	if (!cert)
		return err_origin(-EBADMSG);
	spki_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
	if (spki_len <= 0)
		return err_origin(-EBADMSG);
	ok = EVP_Digest(spki, (size_t)spki_len, ret_pin, &len, EVP_sha256(), NULL);
	OPENSSL_free(spki);
	return ok && len == 32 ? 0 : err_origin(-EIO);
}
