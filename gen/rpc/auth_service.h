/* SPDX-License-Identifier: Apache-2.0 */
/* quazzar.mesh.v1.AuthService: typed handlers. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_AUTH_SERVICE_H
#define QM_GEN_AUTH_SERVICE_H

#include "base/method.h"
#include "quazzar/mesh/v1/auth.pb-c.h"

struct call;

/* Who answers each method; NULL: nobody. */
struct auth_service {
	int (*login)(struct call *call, const Pb__LoginRequest *in,
		Pb__LoginResponse *out);
	int (*logout)(struct call *call, const Pb__LogoutRequest *in,
		Pb__LogoutResponse *out);
	int (*who_am_i)(struct call *call, const Pb__WhoAmIRequest *in,
		Pb__WhoAmIResponse *out);
	int (*change_password)(struct call *call, const Pb__ChangePasswordRequest *in,
		Pb__ChangePasswordResponse *out);
	int (*exchange_token)(struct call *call, const Pb__ExchangeTokenRequest *in,
		Pb__ExchangeTokenResponse *out);
	int (*create_service_token)(struct call *call, const Pb__CreateServiceTokenRequest *in,
		Pb__CreateServiceTokenResponse *out);
	int (*list_service_tokens)(struct call *call, const Pb__ListServiceTokensRequest *in,
		Pb__ListServiceTokensResponse *out);
	int (*revoke_service_token)(struct call *call, const Pb__RevokeServiceTokenRequest *in,
		Pb__RevokeServiceTokenResponse *out);
};

/* Indices in auth_service_methods. */
enum auth_service_method {
	METHOD_AUTH_LOGIN = 0,
	METHOD_AUTH_LOGOUT = 1,
	METHOD_AUTH_WHO_AM_I = 2,
	METHOD_AUTH_CHANGE_PASSWORD = 3,
	METHOD_AUTH_EXCHANGE_TOKEN = 4,
	METHOD_AUTH_CREATE_SERVICE_TOKEN = 5,
	METHOD_AUTH_LIST_SERVICE_TOKENS = 6,
	METHOD_AUTH_REVOKE_SERVICE_TOKEN = 7,
};

extern const struct method auth_service_methods[8];
extern const struct service auth_service_desc;

_Static_assert(sizeof(struct auth_service) == 8 * sizeof(int (*)(void)),
	       "handlers are an array of function pointers");

static inline const void *auth_service_handlers(const struct auth_service *h)
{
	return h;
}

#endif
