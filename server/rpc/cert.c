/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust in this certificate is by pin (join tokens carry it) or by handing the
 * file to a client as its CA; so it is its own root and lives long.
 */
#include "server/rpc/cert.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

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

static int spki_pin(X509 *cert, uint8_t ret_pin[32])
{
	unsigned char *spki = NULL;
	unsigned len = 0;
	int spki_len, ok;

	spki_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
	if (spki_len <= 0)
		return err_origin(-EBADMSG);
	ok = EVP_Digest(spki, (size_t)spki_len, ret_pin, &len, EVP_sha256(), NULL);
	OPENSSL_free(spki);
	return ok && len == 32 ? 0 : err_origin(-EIO);
}

int cert_pin(const char *cert_file, uint8_t ret_pin[32])
{
	_cleanup_(fclosep) FILE *in = fopen(cert_file, "re");
	_cleanup_(x509_freep) X509 *cert = NULL;

	if (!in)
		return err_origin(-errno);
	cert = PEM_read_X509(in, NULL, NULL, NULL);
	return cert ? spki_pin(cert, ret_pin) : err_origin(-EBADMSG);
}

/* --- what one says --- */

static int64_t time_of(const ASN1_TIME *t)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

static void add_word(char *ret, size_t cap, const char *word)
{
	size_t len = strlen(ret);

	snprintf(ret + len, cap - len, "%s%s", len ? " " : "", word);
}

/* Bytes of an address as text; "" for what is none. */
static void address_text(const ASN1_OCTET_STRING *address, char ret[INET6_ADDRSTRLEN])
{
	int len = ASN1_STRING_length(address), family = len == 4 ? AF_INET : AF_INET6;

	*ret = '\0';
	if (len == 4 || len == 16)
		inet_ntop(family, ASN1_STRING_get0_data(address), ret, INET6_ADDRSTRLEN);
}

static void read_names(X509 *cert, char ret[CERT_NAMES_MAX])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char address[INET6_ADDRSTRLEN];

	*ret = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS) {
			add_word(ret, CERT_NAMES_MAX,
				 (const char *)ASN1_STRING_get0_data(name->d.dNSName));
		} else if (name->type == GEN_IPADD) {
			address_text(name->d.iPAddress, address);
			add_word(ret, CERT_NAMES_MAX, address);
		}
	}
	GENERAL_NAMES_free(names);
}

static void read_subject(X509 *cert, char ret[CERT_SUBJECT_MAX])
{
	BIO *out = BIO_new(BIO_s_mem());
	int len = 0;

	if (out && X509_NAME_print_ex(out, X509_get_subject_name(cert), 0,
				      XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		len = BIO_read(out, ret, CERT_SUBJECT_MAX - 1);
	ret[len > 0 ? len : 0] = '\0';
	BIO_free(out);
}

int cert_read(const char *pem, struct cert_info *ret)
{
	_cleanup_(x509_freep) X509 *cert = NULL;
	BIO *in = BIO_new_mem_buf(pem, -1);
	struct cert_info info = {0};
	unsigned len = 0;
	int r = 0;

	cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	if (cert)
		info.pem_len = strlen(pem) - BIO_pending(in);
	BIO_free(in);
	if (!cert || !X509_digest(cert, EVP_sha256(), info.fingerprint, &len)) {
		ERR_clear_error();
		return -EBADMSG;
	}
	info.from_s = time_of(X509_get0_notBefore(cert));
	info.until_s = time_of(X509_get0_notAfter(cert));
	read_names(cert, info.names);
	read_subject(cert, info.subject);
	r = spki_pin(cert, info.pin);
	if (!r)
		*ret = info;
	return r;
}
