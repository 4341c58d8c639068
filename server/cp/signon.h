/* SPDX-License-Identifier: Apache-2.0 */
/* AuthService: sessions for people whom an issuer vouches for. */
#ifndef QM_SIGNON_H
#define QM_SIGNON_H

#include "quazzar/mesh/v1/auth.pb-c.h"
#include "server/cp/cp.h"

int signon_exchange(struct call *call, const Pb__ExchangeTokenRequest *in,
		    Pb__ExchangeTokenResponse *out);

#endif
