/* SPDX-License-Identifier: Apache-2.0 */
/* Pins of server keys; see pin.h. No state, any thread. */
#include "client/pin.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

int pin_set_fill(struct pin_set *set, const uint8_t (*pins)[PIN_LEN], size_t n)
{
	if (n > PIN_MAX || (n > 0 && !pins))
		return -EINVAL;
	if (n > 0)
		memcpy(set->pins, pins, n * PIN_LEN);
	set->n = n;
	return 0;
}

/* SHA-256 of the SubjectPublicKeyInfo; -EINVAL when there is no readable key. */
static int spki_hash(struct x509_st *certificate, uint8_t ret_pin[PIN_LEN])
{
	unsigned char *spki = NULL;
	unsigned n = 0;
	int len, ok;

	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
	if (len <= 0)
		return -EINVAL;
	ok = EVP_Digest(spki, (size_t)len, ret_pin, &n, EVP_sha256(), NULL);
	OPENSSL_free(spki);
	return ok == 1 && n == PIN_LEN ? 0 : -EINVAL;
}

bool pin_matches(const struct pin_set *set, struct x509_st *certificate)
{
	uint8_t pin[PIN_LEN];
	bool found = false;

	if (!certificate || spki_hash(certificate, pin) < 0)
		return false;
	for (size_t i = 0; i < set->n; i++)
		found |= CRYPTO_memcmp(pin, set->pins[i], PIN_LEN) == 0;
	return found;
}

bool pin_is_pair(const void *cert, size_t cert_len, const void *key, size_t key_len)
{
	BIO *one = cert_len <= INT_MAX ? BIO_new_mem_buf(cert, (int)cert_len) : NULL;
	BIO *two = key_len <= INT_MAX ? BIO_new_mem_buf(key, (int)key_len) : NULL;
	X509 *x509 = one ? PEM_read_bio_X509(one, NULL, NULL, NULL) : NULL;
	/* A pass phrase that is there is one that nobody is asked for. */
	EVP_PKEY *pkey = two ? PEM_read_bio_PrivateKey(two, NULL, NULL, (void *)"") : NULL;
	bool pair = x509 && pkey && X509_check_private_key(x509, pkey) == 1;

	EVP_PKEY_free(pkey);
	X509_free(x509);
	BIO_free(one);
	BIO_free(two);
	return pair;
}
