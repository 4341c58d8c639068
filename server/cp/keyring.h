/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Control Panel's root keys, several of each purpose while one takes over
 * from another:
 *
 *   purpose   file                  what it is for              lost
 *   sessions  sessions[-N].key      signs sessions of people    everybody signs in again
 *   agents    agents[-N].key        signs CC-agent tokens       nodes renew
 *   lists     lists[-N].key         signs heads of lists        nodes take the new one by Keys
 *   audit     audit[-N].key         signs heads of audit chains a new one signs from then on
 *   psk       psk-N.key             preshared keys derive       every device needs a new config
 *   tls       tls[-N].key, ca.pem   the listener, pinned        nodes join anew
 *   ca        ca[-N].key            CAs of tenants derive       people trust new ones
 *
 * A key is NEXT (told to nodes, signs nothing), ACTIVE (one of each purpose),
 * RETIRING (what it signed is good until it ends by itself) and RETIRED (its private
 * half is gone, its public half stays known). The private half of a signing key goes
 * when it is ACTIVE no more. The file format is in ringfile.h.
 *
 * Any thread. Changes are on the disk when a function answers 0; on an error
 * nothing has changed.
 */
#ifndef QM_KEYRING_H
#define QM_KEYRING_H

#include <stdint.h>

#include "base/key.h"
#include "base/sign.h"
#include "server/peers/claims.h"

#define KEYRING_KID_LEN 16
#define KEYRING_KID_ROOM (KEYRING_KID_LEN + 1)
/* Live at once at most, as nodes take them in the event Keys. */
#define KEYRING_MAX_LIVE 4
#define KEYRING_MAX_LIVE_PSK 8

struct keyring;

enum keyring_use {
	KEYRING_SESSIONS,
	KEYRING_AGENTS,
	KEYRING_LISTS,
	KEYRING_AUDIT,
	KEYRING_PSK,
	KEYRING_TLS,
	KEYRING_CA,
	KEYRING_N_USES
};

enum keyring_state { KEYRING_NEXT, KEYRING_ACTIVE, KEYRING_RETIRING, KEYRING_RETIRED };

/* What may be told of a key. Times in ms since 1970, 0: not yet. */
struct keyring_info {
	enum keyring_use use;
	enum keyring_state state;
	uint32_t version;                /* from 1 */
	char kid[KEYRING_KID_ROOM];      /* psk: "" */
	uint8_t public[SIGN_PUBLIC_LEN]; /* Ed25519; tls: its pin; psk: zeros */
	int64_t made_ms, active_ms, until_ms, retired_ms;
	bool cut;    /* ended before its time: what it signed is good no more */
	bool unsaid; /* it signs, and no audit says so yet */
};

const char *keyring_use_name(enum keyring_use use);                              /* "sessions" */
const char *keyring_state_name(enum keyring_state state);                        /* "retiring" */
int keyring_use_parse(const char *name, enum keyring_use *ret_use) _must_check_; /* -EINVAL */

/* Makes what is missing; -EPERM for files that others may read, or links. */
int keyring_open(const char *state_dir, struct keyring **ret_keyring) _must_check_;
void keyring_free(struct keyring *k); /* wipes */
CLEANUP_DEFINE(struct keyring, keyring_free);

/* All keys, in the order of purposes and versions; on the heap. -ENOMEM. */
int keyring_list(struct keyring *k, struct keyring_info **ret_infos, size_t *ret_n) _must_check_;
/* The one that signs now. */
void keyring_active(struct keyring *k, enum keyring_use use, struct keyring_info *ret_info);
/* Of any state, for signatures made long ago: look at state, cut and retired_ms. ERR_NOT_FOUND. */
int keyring_find(struct keyring *k, enum keyring_use use, const char *kid,
		 struct keyring_info *ret_info) _must_check_;
/* By the active key; ret_kid says which that was. */
void keyring_sign(struct keyring *k, enum keyring_use use, const void *p, size_t len,
		  uint8_t ret_sig[SIGN_LEN], char ret_kid[KEYRING_KID_ROOM]);

/* Token text on the heap; NULL out of memory. */
char *keyring_session_token(struct keyring *k, const struct claims *c);
char *keyring_agent_token(struct keyring *k, const struct claims *c);
/*
 * Kind by its header: 0 and claims whose signature, by a live key, and times are
 * good; ERR_TOKEN_INVALID, -ENOMEM.
 */
int keyring_open_session(struct keyring *k, const char *token, int64_t now_ms,
			 struct claims *ret_claims) _must_check_;
int keyring_open_agent(struct keyring *k, const char *token, int64_t now_ms,
		       struct claims *ret_claims) _must_check_;
/* Has it the form of a CC-agent token? By whichever key. */
bool keyring_is_agent(const char *token);

/*
 * The version for new preshared keys. It does not retire before its release, so
 * that a record which names it can be written meanwhile.
 */
uint32_t keyring_psk_hold(struct keyring *k);
void keyring_psk_release(struct keyring *k, uint32_t version);
/* K_N of a node. ERR_NOT_FOUND: that version is retired. */
int keyring_k_n(struct keyring *k, const uint8_t node_id[16], uint32_t psk_version,
		struct key *ret_k_n) _must_check_;

/*
 * What the key of a tenant's CA is made from, while that root key is NEXT or ACTIVE: keyed
 * BLAKE2b-256(seed, "mesh-ca/1" || tenant || half), both halves. Wipe it. ERR_NOT_FOUND.
 */
#define KEYRING_CA_LEN 64
int keyring_ca_secret(struct keyring *k, const char *kid, const uint8_t tenant_id[16],
		      uint8_t ret_secret[KEYRING_CA_LEN]) _must_check_;

/* --- rotation: one caller at a time, see keydesk.h --- */

/*
 * Makes the NEXT key of a purpose unless it is there already. -EMFILE: too many live;
 * one more is let in when the others are about to be cut.
 */
int keyring_prepare(struct keyring *k, enum keyring_use use, int64_t now_ms, bool cut) _must_check_;
/*
 * The NEXT key becomes ACTIVE; the one before it RETIRING until then, or RETIRED if
 * until_ms is not after now_ms. With cut, all others of the purpose end before their
 * time. ERR_NOT_FOUND: there is no NEXT key.
 */
int keyring_switch(struct keyring *k, enum keyring_use use, int64_t now_ms, int64_t until_ms,
		   bool cut) _must_check_;
/* That the ACTIVE key of a purpose signs is in the audit of each tenant. */
int keyring_said(struct keyring *k, enum keyring_use use) _must_check_;
/* Does a record name this psk version? Negative: broke. */
typedef int (*keyring_named_fn)(void *arg, uint32_t psk_version, bool *ret_named);
/* Retires one key whose time is over. ERR_NOT_FOUND: there is none. */
int keyring_retire_due(struct keyring *k, int64_t now_ms, keyring_named_fn named, void *arg,
		       struct keyring_info *ret_retired) _must_check_;
/* No key file comes or goes until thawed: for backups. */
void keyring_freeze(struct keyring *k);
void keyring_thaw(struct keyring *k);

/* Certificate and key of the listener of our own, both PEM; ret hold PATH_MAX. */
void keyring_cert_file(struct keyring *k, char *ret);
void keyring_key_file(struct keyring *k, char *ret);

#endif
