/* SPDX-License-Identifier: Apache-2.0 */
/* AuthService: sign-in and what follows from it. */
#ifndef QM_SESSIONS_H
#define QM_SESSIONS_H

#include "quazzar/mesh/v1/auth.pb-c.h"
#include "server/cp/cp.h"
#include "server/store/user_row.h"

/* A session that was opened, in the call's arena. */
struct sessions_opened {
	char *token;
	Google__Protobuf__Timestamp *expires_at;
	Pb__User *user;
};

/*
 * For a user who has shown who they are, by a row read before; action is the
 * audit's. ERR_LOGIN_FAILED: disabled, or changed meanwhile; has its row then.
 */
int sessions_open(struct call *call, const struct user_row *user, const char *action,
		  struct sessions_opened *ret) _must_check_;

int sessions_login(struct call *call, const Pb__LoginRequest *in, Pb__LoginResponse *out);
int sessions_logout(struct call *call, const Pb__LogoutRequest *in, Pb__LogoutResponse *out);
int sessions_who_am_i(struct call *call, const Pb__WhoAmIRequest *in, Pb__WhoAmIResponse *out);
int sessions_change_password(struct call *call, const Pb__ChangePasswordRequest *in,
			     Pb__ChangePasswordResponse *out);

/* Is the session that the guards accepted still alive? 0, ERR_TOKEN_INVALID, < 0. Reads the store.
 */
int sessions_check(struct call *call);

/* Session ids that ended in a write, for the hub to tell nodes of after the commit. */
struct sessions_ended {
	uint8_t (*ids)[16];
	size_t n, cap;
};

void sessions_ended_done(struct sessions_ended *e);
/* A session_row_fn. */
int sessions_ended_add(void *arg, const struct uuid *id);

#endif
