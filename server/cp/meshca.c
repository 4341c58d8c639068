/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/meshca.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/err.h"

#define ZONE "quazzar.mesh"
#define CURVE "prime256v1"
enum { SERIAL_LEN = 16, POINT_LEN = 65, BACKDATED_S = 3600, DAY_S = 86400 };

#define FREEP(type, fn)                                                                            \
	static void fn##p(type **p)                                                                \
	{                                                                                          \
		fn(*p);                                                                            \
	}
FREEP(EVP_PKEY, EVP_PKEY_free)
FREEP(X509, X509_free)
FREEP(X509_REQ, X509_REQ_free)
FREEP(BIGNUM, BN_clear_free)
FREEP(BIO, BIO_free_all)

/* OpenSSL's queue of errors is one of the thread's: what is told here is over. */
static int broke(int r)
{
	ERR_clear_error();
	return err_origin(r);
}

/* --- the key --- */

/* 64 bytes modulo the order less 1, plus 1: as good as even. */
static int make_scalar(const uint8_t secret[KEYRING_CA_LEN], const EC_GROUP *group, BN_CTX *ctx,
		       BIGNUM *ret)
{
	_cleanup_(BN_clear_freep) BIGNUM *wide = BN_secure_new(), *most = BN_new();

	if (!wide || !most || !BN_bin2bn(secret, KEYRING_CA_LEN, wide) ||
	    !BN_sub(most, EC_GROUP_get0_order(group), BN_value_one()))
		return -ENOMEM;
	BN_set_flags(wide, BN_FLG_CONSTTIME);
	return BN_mod(ret, wide, most, ctx) && BN_add_word(ret, 1) ? 0 : -EIO;
}

static int make_point(const EC_GROUP *group, const BIGNUM *scalar, BN_CTX *ctx,
		      uint8_t ret[POINT_LEN])
{
	EC_POINT *point = EC_POINT_new(group);
	bool ok = point && EC_POINT_mul(group, point, scalar, NULL, NULL, ctx) &&
		  EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, ret, POINT_LEN,
				     ctx) == POINT_LEN;

	EC_POINT_free(point);
	return ok ? 0 : -EIO;
}

static EVP_PKEY *from_numbers(const BIGNUM *scalar, const uint8_t point[POINT_LEN])
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (build && ctx &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, CURVE, 0) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, POINT_LEN))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static int derive(const uint8_t secret[KEYRING_CA_LEN], EVP_PKEY **ret)
{
	_cleanup_(BN_clear_freep) BIGNUM *scalar = BN_secure_new();
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BN_CTX *ctx = BN_CTX_secure_new();
	uint8_t point[POINT_LEN];
	EVP_PKEY *key = NULL;
	int r = -ENOMEM;

	if (scalar && group && ctx)
		r = make_scalar(secret, group, ctx, scalar);
	if (!r)
		r = make_point(group, scalar, ctx, point);
	if (!r) {
		key = from_numbers(scalar, point);
		r = key ? 0 : -EIO;
	}
	EC_GROUP_free(group);
	BN_CTX_free(ctx);
	if (!r)
		*ret = key;
	return r;
}

/* --- certificates --- */

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!extension)
		return -EIO;
	ok = X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return ok ? 0 : -ENOMEM;
}

static int add_name(X509_NAME *name, const char *field, const char *value)
{
	return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const uint8_t *)value, -1,
					  -1, 0)
		       ? 0
		       : -ENOMEM;
}

/* Version, serial, times, key: what both kinds have. */
static int begin(X509 *cert, EVP_PKEY *key, int64_t from_s, int64_t to_s)
{
	uint8_t serial[SERIAL_LEN];
	BIGNUM *number;
	bool ok;

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return -EIO;
	/* Positive, and not shorter for a leading zero. */
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) &&
	     X509_set_version(cert, X509_VERSION_3) &&
	     ASN1_TIME_set(X509_getm_notBefore(cert), from_s) &&
	     ASN1_TIME_set(X509_getm_notAfter(cert), to_s) && X509_set_pubkey(cert, key);
	BN_free(number);
	return ok ? 0 : -EIO;
}

static int constrain(X509 *cert, const struct meshca_tenant *t)
{
	char addr4[CIDR_TEXT_LEN + 1], addr6[CIDR_TEXT_LEN + 1], value[300];
	const struct cidr mask4 = cidr_network(&(const struct cidr){
		.family = CIDR_V4, .bits = t->range4.bits, .addr = {255, 255, 255, 255}});
	struct cidr all6 = {.family = CIDR_V6, .bits = t->range6.bits}, mask6;
	char text4[CIDR_TEXT_LEN + 1], text6[CIDR_TEXT_LEN + 1];

	memset(all6.addr, 255, sizeof(all6.addr));
	mask6 = cidr_network(&all6);
	snprintf(value, sizeof(value),
		 "critical,permitted;DNS:" ZONE ",permitted;IP:%s/%s,permitted;IP:%s/%s",
		 cidr_addr_text(&t->range4, addr4), cidr_addr_text(&mask4, text4),
		 cidr_addr_text(&t->range6, addr6), cidr_addr_text(&mask6, text6));
	return add_extension(cert, cert, NID_name_constraints, value);
}

static int fill_ca(X509 *cert, EVP_PKEY *key, const struct meshca_tenant *tenant, int64_t now_s)
{
	X509_NAME *name = X509_get_subject_name(cert);
	int r;

	r = begin(cert, key, now_s - BACKDATED_S, now_s + MESHCA_YEARS * 365LL * DAY_S);
	if (!r)
		r = add_name(name, "O", "Quazzar Mesh");
	if (!r)
		r = add_name(name, "CN", tenant->name);
	if (!r && !X509_set_issuer_name(cert, name))
		r = -ENOMEM;
	if (!r)
		r = add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	if (!r)
		r = add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
	if (!r)
		r = add_extension(cert, cert, NID_ext_key_usage, "serverAuth");
	if (!r)
		r = constrain(cert, tenant);
	if (!r)
		r = add_extension(cert, cert, NID_subject_key_identifier, "hash");
	return r ? r : X509_sign(cert, key, EVP_sha256()) ? 0 : -EIO;
}

int meshca_make(const uint8_t secret[KEYRING_CA_LEN], const struct meshca_tenant *tenant,
		int64_t now_ms, uint8_t ret_der[MESHCA_DER_MAX], size_t *ret_len)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	_cleanup_(X509_freep) X509 *cert = X509_new();
	uint8_t *end = ret_der;
	int r = cert ? derive(secret, &key) : -ENOMEM;

	if (!r)
		r = fill_ca(cert, key, tenant, now_ms / 1000);
	if (!r && i2d_X509(cert, NULL) > MESHCA_DER_MAX)
		r = -EMSGSIZE;
	if (r)
		return broke(r);
	*ret_len = (size_t)i2d_X509(cert, &end);
	return 0;
}

static int fill_node(X509 *cert, X509 *ca, EVP_PKEY *key, const struct meshca_node *node,
		     int64_t now_s)
{
	char ip4[CIDR_TEXT_LEN + 1], ip6[CIDR_TEXT_LEN + 1], names[300];
	int r;

	snprintf(names, sizeof(names), "DNS:%s." ZONE ",IP:%s,IP:%s", node->slug,
		 cidr_addr_text(&node->ip4, ip4), cidr_addr_text(&node->ip6, ip6));
	r = begin(cert, key, now_s - BACKDATED_S, now_s + (int64_t)MESHCA_NODE_DAYS * DAY_S);
	if (!r)
		r = add_name(X509_get_subject_name(cert), "CN", node->slug);
	if (!r && !X509_set_issuer_name(cert, X509_get_subject_name(ca)))
		r = -ENOMEM;
	if (!r)
		r = add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE");
	if (!r)
		r = add_extension(cert, ca, NID_key_usage, "critical,digitalSignature");
	if (!r)
		r = add_extension(cert, ca, NID_ext_key_usage, "serverAuth");
	if (!r)
		r = add_extension(cert, ca, NID_subject_alt_name, names);
	if (!r)
		r = add_extension(cert, ca, NID_subject_key_identifier, "hash");
	return r ? r : add_extension(cert, ca, NID_authority_key_identifier, "keyid:always");
}

/* Whoever asks has the key. */
static int read_request(const uint8_t *csr, size_t len, X509_REQ **ret)
{
	_cleanup_(X509_REQ_freep) X509_REQ *req = NULL;
	const uint8_t *end = csr;
	char group[32] = "";
	EVP_PKEY *key;

	req = d2i_X509_REQ(NULL, &end, (long)len);
	key = req && end == csr + len ? X509_REQ_get0_pubkey(req) : NULL;
	if (!key)
		return -EBADMSG;
	if (!EVP_PKEY_is_a(key, "EC") ||
	    !EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) || strcmp(group, CURVE))
		return -ENOKEY;
	if (X509_REQ_verify(req, key) != 1)
		return -EBADMSG;
	*ret = TAKE(req);
	return 0;
}

static int write_pem(X509 *cert, char ret_pem[MESHCA_PEM_MAX])
{
	_cleanup_(BIO_free_allp) BIO *out = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (!out || !PEM_write_bio_X509(out, cert))
		return -ENOMEM;
	len = BIO_get_mem_data(out, &text);
	if (len >= MESHCA_PEM_MAX)
		return -EMSGSIZE;
	memcpy(ret_pem, text, (size_t)len);
	ret_pem[len] = '\0';
	return 0;
}

int meshca_issue(const struct meshca *ca, const uint8_t *csr, size_t csr_len,
		 const struct meshca_node *node, int64_t now_ms, char ret_pem[MESHCA_PEM_MAX])
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	_cleanup_(X509_REQ_freep) X509_REQ *req = NULL;
	_cleanup_(X509_freep) X509 *issuer = NULL, *cert = X509_new();
	const uint8_t *der = ca->der;
	int r = read_request(csr, csr_len, &req);

	if (r) {
		ERR_clear_error();
		return r;
	}
	issuer = d2i_X509(NULL, &der, (long)ca->der_len);
	r = issuer && cert ? derive(ca->secret, &key) : -ENOMEM;
	if (!r)
		r = fill_node(cert, issuer, X509_REQ_get0_pubkey(req), node, now_ms / 1000);
	if (!r && !X509_sign(cert, key, EVP_sha256()))
		r = -EIO;
	if (!r)
		r = write_pem(cert, ret_pem);
	return r ? broke(r) : 0;
}

int meshca_pem(const uint8_t *der, size_t len, char ret_pem[MESHCA_PEM_MAX])
{
	_cleanup_(X509_freep) X509 *cert = d2i_X509(NULL, &der, (long)len);
	int r = cert ? write_pem(cert, ret_pem) : -EBADMSG;

	return r ? broke(r) : 0;
}
