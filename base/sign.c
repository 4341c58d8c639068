/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes, signatures and passwords: a thin skin over libsodium. Any thread after sign_init. */
#include "base/sign.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define PASSWORD_OPS 2
#define PASSWORD_MEM_LEN (19 * 1024 * 1024)

_Static_assert(PASSWORD_HASH_LEN == crypto_pwhash_argon2id_STRBYTES, "room for the text");
_Static_assert(SIGN_PUBLIC_LEN == crypto_sign_ed25519_PUBLICKEYBYTES, "Ed25519");
_Static_assert(SIGN_SECRET_LEN == crypto_sign_ed25519_SECRETKEYBYTES, "Ed25519");
_Static_assert(SIGN_LEN == crypto_sign_ed25519_BYTES, "Ed25519");

int sign_init(void)
{
	return sodium_init() < 0 ? -EIO : 0;
}

void sign_random(void *p, size_t len)
{
	randombytes_buf(p, len);
}

void sign_make(uint8_t ret_public[SIGN_PUBLIC_LEN], uint8_t ret_secret[SIGN_SECRET_LEN])
{
	crypto_sign_ed25519_keypair(ret_public, ret_secret);
}

void sign_message(const uint8_t secret[SIGN_SECRET_LEN], const void *msg, size_t len,
		  uint8_t ret_sig[SIGN_LEN])
{
	crypto_sign_ed25519_detached(ret_sig, NULL, msg, len, secret);
}

bool sign_verify(const uint8_t public[SIGN_PUBLIC_LEN], const void *msg, size_t len,
		 const uint8_t sig[SIGN_LEN])
{
	return crypto_sign_ed25519_verify_detached(sig, msg, len, public) == 0;
}

void hash_bytes(const void *key, size_t key_len, const void *p, size_t len, uint8_t ret[HASH_LEN])
{
	const struct hash_part part = {p, len};

	hash_parts(key, key_len, &part, 1, ret);
}

void hash_parts(const void *key, size_t key_len, const struct hash_part *parts, size_t n,
		uint8_t ret[HASH_LEN])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, key ? key_len : 0, HASH_LEN);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len)
			crypto_generichash_update(&state, parts[i].p, parts[i].len);
	}
	crypto_generichash_final(&state, ret, HASH_LEN);
	sodium_memzero(&state, sizeof(state));
}

int password_hash(const char *password, char ret[PASSWORD_HASH_LEN])
{
	char hash[PASSWORD_HASH_LEN];

	if (crypto_pwhash_argon2id_str(hash, password, strlen(password), PASSWORD_OPS,
				       PASSWORD_MEM_LEN) != 0)
		return -ENOMEM;
	memcpy(ret, hash, sizeof(hash));
	return 0;
}

bool password_verify(const char *hash, const char *password)
{
	/* Same cost as a real one, so that time does not tell which users exist. */
	static const char nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$WlpaWlpaWlpaWlpaWlpaWg$"
				     "paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU";
	bool known = hash != NULL;
	bool same = crypto_pwhash_argon2id_str_verify(known ? hash : nobody, password,
						      strlen(password)) == 0;

	return known && same;
}
