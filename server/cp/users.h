/* SPDX-License-Identifier: Apache-2.0 */
/* AdminService: accounts of people. */
#ifndef QM_USERS_H
#define QM_USERS_H

#include "quazzar/mesh/v1/admin.pb-c.h"
#include "server/cp/cp.h"
#include "server/store/user_row.h"

/* NULL: out of memory. */
/* In the place of a hash: an account that no password opens. */
#define USERS_NO_PASSWORD "*"

Pb__User *users_fill(struct call *call, const struct user_row *row);

int users_create(struct call *call, const Pb__CreateUserRequest *in, Pb__CreateUserResponse *out);
int users_list(struct call *call, const Pb__ListUsersRequest *in, Pb__ListUsersResponse *out);
int users_update(struct call *call, const Pb__UpdateUserRequest *in, Pb__UpdateUserResponse *out);

#endif
