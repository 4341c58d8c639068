/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes and signatures against vectors from elsewhere; tokens and passwords against tampering. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/sign.h"
#include "base/text.h"

/* RFC 8032, 7.1, test 2: seed and public half. */
#define SEED_HEX "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
#define PUBLIC_HEX "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"

/* Signed with that key by Python's cryptography. */
#define TOKEN                                                                                      \
	"eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIiwidHlwIjoicW1lc2gtc2Vzc2lvbitqd3QifQ.eyJzdWIiOiJ1In0."  \
	"tOC1dTp066Q76AB-4UBici12m_6j_McOgTJJB6aNaSysWGqKg8LbLOzhCQtkM5S-KuJTZ6xsoXhyutvmJqDlBQ"
#define SESSION "qmesh-session+jwt"

static uint8_t public[SIGN_PUBLIC_LEN], secret[SIGN_SECRET_LEN];

static int init(void **state)
{
	(void)state;
	if (sign_init() != 0 || text_unhex(PUBLIC_HEX, public, sizeof(public)) != 0 ||
	    text_unhex(SEED_HEX, secret, 32) != 0)
		return -1;
	memcpy(secret + 32, public, sizeof(public));
	return 0;
}

static void blake2b_vectors(void **state)
{
	const struct hash_part parts[] = {{"a", 1}, {"", 0}, {NULL, 0}, {"bc", 2}};
	uint8_t hash[HASH_LEN];
	char hex[65];

	(void)state;
	hash_bytes(NULL, 0, "abc", 3, hash);
	text_hex(hash, sizeof(hash), hex);
	assert_string_equal(hex,
			    "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
	hash_parts("key", 3, parts, ARRAY_LEN(parts), hash);
	text_hex(hash, sizeof(hash), hex);
	assert_string_equal(hex,
			    "0330531d097355a3f72e80d55c1245ccf79f1704431c6e3887938320442c23c0");
}

static void ed25519_vector(void **state)
{
	uint8_t sig[SIGN_LEN];
	char hex[129];

	(void)state;
	sign_message(secret, "\x72", 1, sig);
	text_hex(sig, sizeof(sig), hex);
	assert_string_equal(hex,
			    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
			    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
	assert_true(sign_verify(public, "\x72", 1, sig));
	assert_false(sign_verify(public, "\x73", 1, sig));
	sig[0] ^= 1;
	assert_false(sign_verify(public, "\x72", 1, sig));
}

static void token_equals_the_one_from_elsewhere(void **state)
{
	char *token = jwt_sign(SESSION, "k1", secret, "{\"sub\":\"u\"}");
	char *claims = NULL;

	(void)state;
	assert_string_equal(token, TOKEN);
	assert_int_equal(jwt_open(token, public, &claims), 0);
	assert_string_equal(claims, "{\"sub\":\"u\"}");
	free(claims);
	free(token);
}

static void token_header_is_a_constant(void **state)
{
	(void)state;
	assert_true(jwt_header_is(TOKEN, SESSION, "k1"));
	assert_false(jwt_header_is(TOKEN, SESSION, "k2"));
	assert_false(jwt_header_is(TOKEN, SESSION, "k"));
	assert_false(jwt_header_is(TOKEN, "qmesh-agent+jwt", "k1"));
	assert_false(jwt_header_is("", SESSION, "k1"));
	assert_false(jwt_header_is("eyJhbGciOiJub25lIn0.e30.", SESSION, "k1"));
	/* A kid with a quote could write a header of its own. */
	assert_null(jwt_sign(SESSION, "k\",\"alg\":\"none", secret, "{}"));
	assert_false(jwt_header_is(TOKEN, SESSION, "k\"1"));
}

static void every_changed_character_is_noticed(void **state)
{
	char token[] = TOKEN;
	char *claims = NULL;

	(void)state;
	for (size_t i = 0; token[i]; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(jwt_open(token, public, &claims), -EBADMSG);
		token[i] = was;
	}
	assert_null(claims);
	assert_int_equal(jwt_open(token, secret, &claims), -EBADMSG);
}

static void broken_tokens(void **state)
{
	static const char *const bad[] = {"",    ".",       "..",      "a.b",     "a.b.c",
					  "...", TOKEN "=", TOKEN "A", TOKEN ".", "." TOKEN};
	_cleanup_(freep) char *huge = malloc(100001);
	char *claims = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(jwt_open(bad[i], public, &claims), -EBADMSG);
	assert_non_null(huge);
	memset(huge, 'A', 100000);
	huge[100000] = '\0';
	assert_int_equal(jwt_open(huge, public, &claims), -EBADMSG);
	assert_null(jwt_sign(SESSION, "k1", secret, huge));
	assert_null(claims);
}

static void passwords(void **state)
{
	char hash[PASSWORD_HASH_LEN], other[PASSWORD_HASH_LEN];

	(void)state;
	assert_int_equal(password_hash("correct horse", hash), 0);
	assert_int_equal(password_hash("correct horse", other), 0);
	assert_memory_equal(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
	assert_string_not_equal(hash, other);
	assert_true(password_verify(hash, "correct horse"));
	assert_false(password_verify(hash, "correct Horse"));
	assert_false(password_verify(hash, ""));
	assert_false(password_verify(NULL, "correct horse"));
	assert_false(password_verify("", "x"));
	assert_false(password_verify("$argon2id$nonsense", "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blake2b_vectors),
		cmocka_unit_test(ed25519_vector),
		cmocka_unit_test(token_equals_the_one_from_elsewhere),
		cmocka_unit_test(token_header_is_a_constant),
		cmocka_unit_test(every_changed_character_is_noticed),
		cmocka_unit_test(broken_tokens),
		cmocka_unit_test(passwords),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
