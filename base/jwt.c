/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own tokens. The header is never parsed: it is compared with the one text
 * that a key of ours writes, so no field of it can be talked into anything.
 *
 *   base64url(header) "." base64url(claims) "." base64url(signature)
 *   '------------- signed with Ed25519 ---'
 */
#include <errno.h>
#include <string.h>

#include "base/key.h"
#include "base/sign.h"
#include "base/text.h"

#define TOKEN_MAX_LEN 8192
#define SIGN_BASE64_LEN 86
#define HEADER_MAX_LEN 256
#define HEADER_ENC_LEN (TEXT_BASE64_LEN(HEADER_MAX_LEN) + 1)
#define HEADER_WORD_MAX 64

/* Words that need no escaping in JSON; others are a bug of ours. */
static bool header_word(const char *s)
{
	size_t len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			       "-_.+/");

	return len > 0 && len <= HEADER_WORD_MAX && s[len] == '\0';
}

static bool encode_header(const char *typ, const char *kid, char ret[HEADER_ENC_LEN])
{
	char json[HEADER_MAX_LEN];
	int n;

	if (!header_word(typ) || !header_word(kid))
		return false;
	n = snprintf(json, sizeof(json), "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"%s\"}", kid,
		     typ);
	if (n < 0 || (size_t)n >= sizeof(json))
		return false;
	text_base64url(json, (size_t)n, ret);
	return true;
}

char *jwt_sign(const char *typ, const char *kid, const uint8_t secret[SIGN_SECRET_LEN],
	       const char *claims)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(TOKEN_MAX_LEN);
	_cleanup_(freep) char *encoded = NULL;
	char header[HEADER_ENC_LEN], signature[TEXT_BASE64_LEN(SIGN_LEN) + 1];
	size_t claims_len = strlen(claims);
	uint8_t sig[SIGN_LEN];

	if (claims_len > TOKEN_MAX_LEN || !encode_header(typ, kid, header))
		return NULL;
	encoded = malloc(TEXT_BASE64_LEN(claims_len) + 1);
	if (!encoded)
		return NULL;
	text_base64url(claims, claims_len, encoded);
	text_addf(&t, "%s.%s", header, encoded);
	if (t.failed)
		return NULL;
	sign_message(secret, t.s, t.len, sig);
	text_base64url(sig, sizeof(sig), signature);
	text_addf(&t, ".%s", signature);
	return text_take(&t);
}

bool jwt_header_is(const char *token, const char *typ, const char *kid)
{
	char header[HEADER_ENC_LEN];
	size_t len;

	if (!encode_header(typ, kid, header))
		return false;
	len = strlen(header);
	return strncmp(token, header, len) == 0 && token[len] == '.';
}

int jwt_kid(const char *token, const char *typ, char ret_kid[JWT_KID_ROOM])
{
	static const char before[] = "{\"alg\":\"EdDSA\",\"kid\":\"";
	size_t len = strcspn(token, "."), kid_len;
	char json[HEADER_MAX_LEN], kid[JWT_KID_ROOM];

	if (token[len] != '.' || text_unbase64(token, len, json, sizeof(json) - 1, &len) != 0)
		return -EBADMSG;
	json[len] = '\0';
	if (strncmp(json, before, strlen(before)))
		return -EBADMSG;
	kid_len = strcspn(json + strlen(before), "\"");
	if (kid_len >= sizeof(kid))
		return -EBADMSG;
	memcpy(kid, json + strlen(before), kid_len);
	kid[kid_len] = '\0';
	/* The one text that this kid would have written: nothing else of it is looked at. */
	if (!jwt_header_is(token, typ, kid))
		return -EBADMSG;
	strcpy(ret_kid, kid);
	return 0;
}

int jwt_open(const char *token, const uint8_t public[SIGN_PUBLIC_LEN], char **ret_claims)
{
	size_t token_len = strnlen(token, TOKEN_MAX_LEN + 1), len = 0;
	const char *claims, *signature;
	uint8_t sig[SIGN_LEN];
	char *out;

	/* One spelling only: nobody may make a second token out of one. */
	if (token_len > TOKEN_MAX_LEN || strpbrk(token, "+/="))
		return -EBADMSG;
	claims = strchr(token, '.');
	signature = claims ? strchr(claims + 1, '.') : NULL;
	if (!signature || strlen(signature + 1) != SIGN_BASE64_LEN)
		return -EBADMSG;
	if (text_unbase64(signature + 1, SIGN_BASE64_LEN, sig, sizeof(sig), &len) != 0 ||
	    len != sizeof(sig))
		return -EBADMSG;
	if (!sign_verify(public, token, (size_t)(signature - token), sig))
		return -EBADMSG;
	claims++;
	out = calloc(1, token_len + 1);
	if (!out)
		return -ENOMEM;
	if (text_unbase64(claims, (size_t)(signature - claims), out, token_len, &len) != 0 ||
	    memchr(out, '\0', len)) {
		key_wipe_bytes(out, token_len);
		free(out);
		return -EBADMSG;
	}
	*ret_claims = out;
	return 0;
}
