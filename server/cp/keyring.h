/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Control Panel's root keys, one file each in <state_dir>/keys (0600):
 *
 *   file          purpose                               lost
 *   sessions.key  signs sessions of people              everybody signs in again
 *   agents.key    signs CC-agent tokens                 nodes renew
 *   lists.key     signs heads of member lists           nodes take the new one by Keys
 *   psk-1.key     K_psk, preshared keys derive from it  every device needs a new config
 *   tls.key       the listener, pinned by join tokens   nodes join anew
 *
 * The certificate of tls.key is <state_dir>/ca.pem, for clients that trust by CA.
 * Back them up with the store. Read-only after keyring_open: any thread.
 */
#ifndef QM_KEYRING_H
#define QM_KEYRING_H

#include <stdint.h>

#include "base/key.h"
#include "base/sign.h"
#include "server/peers/claims.h"

struct keyring;

enum keyring_use { KEYRING_SESSIONS, KEYRING_AGENTS, KEYRING_LISTS, KEYRING_N_USES };

/* Makes what is missing; -EPERM for files that others may read, or links. */
int keyring_open(const char *state_dir, struct keyring **ret_keyring) _must_check_;
void keyring_free(struct keyring *k); /* wipes */
CLEANUP_DEFINE(struct keyring, keyring_free);

const char *keyring_kid(const struct keyring *k, enum keyring_use use);
const uint8_t *keyring_public(const struct keyring *k, enum keyring_use use);
void keyring_sign(const struct keyring *k, enum keyring_use use, const void *p, size_t len,
		  uint8_t ret_sig[SIGN_LEN]);
/* Token text on the heap; NULL out of memory. */
char *keyring_session_token(const struct keyring *k, const struct claims *c);
char *keyring_agent_token(const struct keyring *k, const struct claims *c);
/* Kind by its header: 0 and claims whose signature and times are good; ERR_TOKEN_INVALID,
 * -ENOMEM. */
int keyring_open_session(const struct keyring *k, const char *token, int64_t now_ms,
			 struct claims *ret_claims) _must_check_;
int keyring_open_agent(const struct keyring *k, const char *token, int64_t now_ms,
		       struct claims *ret_claims) _must_check_;
/* Is this the form of a CC-agent token of ours? */
bool keyring_is_agent(const struct keyring *k, const char *token);

uint32_t keyring_psk_version(const struct keyring *k);
/* K_N of a node. */
void keyring_k_n(const struct keyring *k, const uint8_t node_id[16], uint32_t psk_version,
		 struct key *ret_k_n);
/* Where the listener's own certificate lies, made at first start. */
const char *keyring_cert_file(const struct keyring *k);
const char *keyring_key_file(const struct keyring *k);

#endif
