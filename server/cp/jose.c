/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/jose.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

#include "base/text.h"
#include "server/cp/jsonpeek.h"

enum {
	KEYS_MAX = 16,
	KID_MAX = 128,
	COORDINATE_LEN = 32,
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 8192,
	NUMBER_MAX = RSA_BITS_MAX / 8,
	BUDGET = 1 << 20,
};

struct jose_key {
	char kid[KID_MAX + 1]; /* "": none */
	EVP_PKEY *pkey;
};

struct jose_keys {
	enum jose_alg alg;
	struct jose_key keys[KEYS_MAX];
	size_t n;
};

void jose_keys_free(struct jose_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->n; i++)
		EVP_PKEY_free(keys->keys[i].pkey);
	free(keys);
}

/* --- one key --- */

struct jwk {
	const char *kty, *crv, *use, *alg, *kid, *x, *y, *n, *e;
	bool is_private;
};

static int take_member(void *arg, const char *name, const struct jsonpeek *v)
{
	struct jwk *k = arg;
	const struct {
		const char *name;
		const char **to;
	} members[] = {{"kty", &k->kty}, {"crv", &k->crv}, {"use", &k->use},
		       {"alg", &k->alg}, {"kid", &k->kid}, {"x", &k->x},
		       {"y", &k->y},     {"n", &k->n},     {"e", &k->e}};

	if (!strcmp(name, "d") || !strcmp(name, "k"))
		k->is_private = true;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (strcmp(members[i].name, name))
			continue;
		if (v->kind != JSONPEEK_STRING || strlen(v->s) != v->len)
			return -EBADMSG;
		*members[i].to = v->s;
	}
	return 0;
}

static bool fits(const struct jwk *k, enum jose_alg alg)
{
	const char *name = alg == JOSE_ES256 ? "ES256" : "RS256";

	if (!k->kty || (k->use && strcmp(k->use, "sig")) || (k->alg && strcmp(k->alg, name)))
		return false;
	if (alg == JOSE_RS256)
		return !strcmp(k->kty, "RSA") && k->n && k->e;
	return !strcmp(k->kty, "EC") && k->crv && !strcmp(k->crv, "P-256") && k->x && k->y;
}

static EVP_PKEY *build(const char *type, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *key = NULL;

	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* A point off the curve is no key: OpenSSL says so. */
static EVP_PKEY *ec_key(const struct jwk *k)
{
	unsigned char point[1 + 2 * COORDINATE_LEN] = {4};
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;
	size_t x_len, y_len;

	if (!text_unbase64(k->x, strlen(k->x), point + 1, COORDINATE_LEN, &x_len) &&
	    !text_unbase64(k->y, strlen(k->y), point + 1 + COORDINATE_LEN, COORDINATE_LEN,
			   &y_len) &&
	    x_len == COORDINATE_LEN && y_len == COORDINATE_LEN && bld &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
		    1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) ==
		    1)
		key = build("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

static BIGNUM *number(const char *text)
{
	unsigned char bytes[NUMBER_MAX];
	size_t len;

	if (text_unbase64(text, strlen(text), bytes, sizeof(bytes), &len) || !len)
		return NULL;
	return BN_bin2bn(bytes, (int)len, NULL);
}

static EVP_PKEY *rsa_key(const struct jwk *k)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *n = number(k->n), *e = number(k->e);
	EVP_PKEY *key = NULL;

	if (bld && n && e && BN_num_bits(n) >= RSA_BITS_MIN && BN_num_bits(n) <= RSA_BITS_MAX &&
	    BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= 64 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = build("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(n);
	BN_free(e);
	return key;
}

/* --- the set --- */

struct reading {
	struct arena arena;
	struct jose_keys *keys;
	bool found; /* the member "keys" */
	const char *why;
};

static int bad(struct reading *r, const char *why)
{
	r->why = why;
	return -EINVAL;
}

static int take_key(void *arg, const char *name, const struct jsonpeek *v)
{
	struct reading *r = arg;
	struct jose_keys *keys = r->keys;
	struct jose_key *key = &keys->keys[keys->n];
	struct jwk k = {.kid = ""};

	(void)name;
	if (v->kind != JSONPEEK_OBJECT || jsonpeek_walk(&r->arena, v->s, v->len, take_member, &k))
		return bad(r, "a key is not as RFC 7517 has it");
	if (k.is_private)
		return bad(r, "a private or symmetric key is in it: only public ones belong here");
	if (!fits(&k, keys->alg))
		return 0;
	if (keys->n == KEYS_MAX || strlen(k.kid) > KID_MAX)
		return bad(r, "more than 16 keys, or a key id of more than 128 bytes");
	for (size_t i = 0; i < keys->n; i++) {
		if (!strcmp(keys->keys[i].kid, k.kid))
			return bad(r, "two keys have the same key id, or none");
	}
	key->pkey = keys->alg == JOSE_ES256 ? ec_key(&k) : rsa_key(&k);
	if (!key->pkey)
		return bad(r, "a key is none: off the curve, or RSA of less than 2,048 bits");
	strcpy(key->kid, k.kid);
	keys->n++;
	return 0;
}

static int take_set(void *arg, const char *name, const struct jsonpeek *v)
{
	struct reading *r = arg;

	if (strcmp(name, "keys"))
		return 0;
	r->found = true;
	if (v->kind != JSONPEEK_ARRAY)
		return bad(r, "its keys are no list");
	return jsonpeek_walk(&r->arena, v->s, v->len, take_key, r);
}

int jose_keys_read(const char *jwks, size_t len, enum jose_alg alg, struct jose_keys **ret_keys,
		   const char **ret_why)
{
	_cleanup_(jose_keys_freep) struct jose_keys *keys = calloc(1, sizeof(*keys));
	struct reading r = {.keys = keys, .why = "it is no JSON object"};
	int result;

	if (!keys)
		return -ENOMEM;
	keys->alg = alg;
	arena_init(&r.arena, BUDGET);
	result = jsonpeek_walk(&r.arena, jwks, len, take_set, &r);
	arena_done(&r.arena);
	ERR_clear_error();
	if (!result && (!r.found || !keys->n))
		result = bad(&r, "no public key in it fits the algorithm");
	if (result) {
		*ret_why = r.why;
		return result == -ENOMEM ? result : -EINVAL;
	}
	*ret_keys = TAKE(keys);
	return 0;
}

/* --- signatures --- */

static const struct jose_key *find(const struct jose_keys *keys, const char *kid)
{
	if (!kid)
		return keys->n == 1 ? &keys->keys[0] : NULL;
	for (size_t i = 0; i < keys->n; i++) {
		if (!strcmp(keys->keys[i].kid, kid))
			return &keys->keys[i];
	}
	return NULL;
}

static bool verify(EVP_PKEY *key, const char *text, size_t len, const unsigned char *signature,
		   size_t signature_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestVerify(ctx, signature, signature_len, (const unsigned char *)text,
				     len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

/* JWS has r and s side by side, 32 bytes each; OpenSSL wants them in DER. */
static bool verify_es256(EVP_PKEY *key, const char *text, size_t len, const unsigned char *raw)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, COORDINATE_LEN, NULL);
	BIGNUM *s = BN_bin2bn(raw + COORDINATE_LEN, COORDINATE_LEN, NULL);
	unsigned char *der = NULL;
	bool good = false;
	int der_len;

	if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
	} else {
		der_len = i2d_ECDSA_SIG(sig, &der);
		good = der_len > 0 && verify(key, text, len, der, (size_t)der_len);
	}
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	return good;
}

bool jose_verify(const struct jose_keys *keys, const char *kid, const char *signed_text, size_t len,
		 const unsigned char *signature, size_t signature_len)
{
	const struct jose_key *key = find(keys, kid);

	if (!key)
		return false;
	if (keys->alg == JOSE_RS256)
		return verify(key->pkey, signed_text, len, signature, signature_len);
	return signature_len == 2 * COORDINATE_LEN &&
	       verify_es256(key->pkey, signed_text, len, signature);
}
