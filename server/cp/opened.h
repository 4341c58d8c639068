/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CC-agent tokens whose signature was found good a while ago. A node shows the
 * same token for up to 15 minutes, with each report; to check an Ed25519
 * signature costs more than all else that a report needs. Kept is a keyed hash
 * of token and verifying key, never the token; whether that key is still trusted,
 * the token not over and the node still there is looked at each time. Any thread.
 */
#ifndef QM_OPENED_H
#define QM_OPENED_H

#include "base/sign.h"
#include "server/peers/claims.h"

struct opened;

struct opened *opened_new(void); /* NULL: out of memory */
void opened_free(struct opened *o);

/* False: not known; ret_mark is what opened_keep takes once the signature was checked. */
bool opened_find(struct opened *o, const char *token, const uint8_t public[SIGN_PUBLIC_LEN],
		 uint8_t ret_mark[HASH_LEN], struct claims *ret_claims);
void opened_keep(struct opened *o, const uint8_t mark[HASH_LEN], const struct claims *claims);

#endif
