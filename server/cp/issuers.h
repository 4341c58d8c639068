/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The issuers whose tokens people may trade for a session: issuers_file and the
 * key sets that it names (docs/security.md). Any thread.
 */
#ifndef QM_ISSUERS_H
#define QM_ISSUERS_H

#include <stdint.h>

#include "base/cleanup.h"
#include "server/peers/claims.h"

#define ISSUERS_WHY_MAX 200

struct issuers;

/* What a good token says. */
struct issuers_person {
	char issuer[257];
	char tenant[64];
	char name[129];
	bool create;
	enum role role; /* of an account that is made */
};

/* path "": none. -EINVAL after saying why in the log. */
int issuers_new(const char *path, struct issuers **ret_issuers) _must_check_;
void issuers_free(struct issuers *i);
CLEANUP_DEFINE(struct issuers, issuers_free);
/* Reads files anew; what there was stays in force when they are bad. */
void issuers_reload(struct issuers *i);

/*
 * Signature, algorithm, aud, exp, nbf, name. ERR_LOGIN_FAILED with the reason for
 * the log, never for the caller; -ENOMEM.
 */
int issuers_open(struct issuers *i, const char *token, int64_t now_ms,
		 struct issuers_person *ret_person, char ret_why[ISSUERS_WHY_MAX]) _must_check_;

#endif
