/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our tokens say: claims of sessions and of CC-agent tokens, as the
 * Control Panel writes and both daemons read them. Pure.
 */
#ifndef QM_CLAIMS_H
#define QM_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/method.h"
#include "base/text.h"

#define CLAIMS_SESSION_TYP "qmesh-session+jwt"
#define CLAIMS_AGENT_TYP "qmesh-agent+jwt"
#define CLAIMS_SERVICE_PREFIX "qms1." /* a service token: no JWT, known to the CP alone */
#define CLAIMS_AUD_CP "cp"
#define CLAIMS_AUD_AGENT "cc-agent"
#define CLAIMS_AUD_NODE_PREFIX "node:" /* and the node's id */

/* One struct for both: a session has user_id, session_id, role, name; an agent node_id. */
struct claims {
	char aud[64];
	struct uuid tenant_id;
	struct uuid user_id;
	struct uuid session_id;
	struct uuid node_id;
	enum role role;
	char name[129];
	int64_t issued_at_s, expires_at_s;
};

/* JSON text on the heap; NULL out of memory. */
char *claims_session_text(const struct claims *c);
char *claims_agent_text(const struct claims *c);
/* Signed JSON back; what is missing stays nil, unknown members are skipped. -EBADMSG. */
int claims_parse(const char *json, struct claims *ret_claims) _must_check_;
/* "node:<id>" for a session made through that node; ret must hold 64. */
const char *claims_aud_node(const struct uuid *node_id, char *ret);

/* Has it the form of a service token? */
bool claims_is_service(const char *token);

#endif
