/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of programs: "qms1.<id, 32 hex>.<secret, 64 hex>". A program acts for
 * the user who made its token, with the token's role, for the token's methods.
 */
#ifndef QM_SERVICETOKENS_H
#define QM_SERVICETOKENS_H

#include "quazzar/mesh/v1/auth.pb-c.h"
#include "server/cp/cp.h"
#include "server/store/token_row.h"

/*
 * Who calls, from the token: fills call->caller. ERR_TOKEN_INVALID for every
 * reason, ERR_ROLE_REQUIRED when the token is not for this method.
 */
int servicetokens_take(struct cp *cp, struct call *call, const char *token) _must_check_;

int servicetokens_create(struct call *call, const Pb__CreateServiceTokenRequest *in,
			 Pb__CreateServiceTokenResponse *out);
int servicetokens_list(struct call *call, const Pb__ListServiceTokensRequest *in,
		       Pb__ListServiceTokensResponse *out);
int servicetokens_revoke(struct call *call, const Pb__RevokeServiceTokenRequest *in,
			 Pb__RevokeServiceTokenResponse *out);

#endif
