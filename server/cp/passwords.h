/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Argon2id is slow and takes 19 MiB on purpose: two run at a time, sixteen
 * wait (fewer where there are less than 36 workers), the rest are told to come
 * back.
 */
#ifndef QM_PASSWORDS_H
#define QM_PASSWORDS_H

#include "base/sign.h"
#include "server/rpc/call.h"

struct passwords;

struct passwords *passwords_new(void); /* NULL: out of memory */
void passwords_free(struct passwords *p);

/* Blocks. ERR_RATE_LIMITED by call_fail when the queue is full. */
int passwords_hash(struct passwords *p, struct call *call, const char *password,
		   char ret_hash[PASSWORD_HASH_LEN]) _must_check_;
/* hash NULL: nobody's, as slow as any. ERR_LOGIN_FAILED without words. */
int passwords_check(struct passwords *p, struct call *call, const char *hash, const char *password)
	_must_check_;

#endif
