/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: nothing but what our key signed is ever opened. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t public[SIGN_PUBLIC_LEN], secret[SIGN_SECRET_LEN];
	static char *good;
	char token[4096], *claims = NULL;

	if (!good) {
		assert(sign_init() == 0);
		sign_make(public, secret);
		good = jwt_sign("qmesh-session+jwt", "k1", secret, "{\"sub\":\"someone\"}");
		assert(good);
	}
	/* The input is laid over the good token: most of it stays. */
	snprintf(token, sizeof(token), "%s", good);
	for (size_t i = 0; i + 1 < len && i + 1 < sizeof(token); i += 2) {
		size_t at = data[i] % strlen(good);

		if (data[i + 1])
			token[at] = (char)data[i + 1];
	}
	jwt_header_is(token, "qmesh-session+jwt", "k1");
	if (jwt_open(token, public, &claims) == 0) {
		assert(strcmp(token, good) == 0);
		assert(strcmp(claims, "{\"sub\":\"someone\"}") == 0);
		free(claims);
	}
	/* And as it is. */
	if (len < sizeof(token)) {
		if (len)
			memcpy(token, data, len);
		token[len] = '\0';
		assert(jwt_open(token, public, &claims) != 0 || strcmp(token, good) == 0);
	}
	return 0;
}
