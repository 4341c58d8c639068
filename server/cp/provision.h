/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What creating a device and giving it a new key have in common: whose key it
 * is, the user's window, the words of a refusal, config and QR.
 */
#ifndef QM_PROVISION_H
#define QM_PROVISION_H

#include "server/cp/audit.h"
#include "server/cp/change.h"
#include "server/cp/ipam.h"
#include "server/cp/replay.h"
#include "server/cp/window.h"

/* One provision: filled before the write, used in it, told from it. */
struct provision {
	struct caller caller;
	struct audit_row audit;
	struct window_ask window_ask;
	int64_t now_ms;
	struct change change;
	struct device_row device;
	struct node_row home;
	/* The key made here; zero when the caller brought its own. */
	struct key private_key, public_key;
	bool own_key;
	bool keepalive, dns;
	uint32_t wished_host;    /* 0: any */
	struct keyring *keyring; /* that has a hold on psk_version; NULL: none has */
	uint32_t psk_version;    /* of a key made now */
	int64_t until_ms;        /* end of an overlap that starts now */
	struct replay replay;
	bool no_config; /* the answer shows the device alone */
	/* Of a refusal. */
	struct window window;
	uint64_t retry_ms;
	char suggestion[64];
	struct ipam_full full;
	const char *field, *rule_words;
};

/*
 * Caller, window, key, Idempotency-Key. In words: ERR_FIELD_INVALID for a key
 * that is none, ERR_CALL_IN_PROGRESS.
 */
int provision_begin(struct call *call, const char *action, const char *public_key,
		    struct provision *p) _must_check_;
void provision_done(struct provision *p); /* wipes */
/* In the write: the account is still open; its window. ERR_TOKEN_INVALID, ERR_RATE_LIMITED. */
int provision_admit(struct txn *txn, struct provision *p) _must_check_;
/* In the write: nobody has the key. ERR_KEY_IN_USE. */
int provision_claim_key(struct txn *txn, struct provision *p) _must_check_;
/*
 * In the write, for a call that was done before (replay.found): a lost key that
 * was made here is replaced, which counts as a rotation; the caller's own is
 * shown again; a key in use or superseded is left alone, no_config.
 */
int provision_again(struct txn *txn, struct provision *p) _must_check_;
/* store_denied_fn: audit row, rewritten stamps. */
int provision_deny(struct txn *txn, void *ctx, int refusal) _must_check_;
/* The refusal in words, with its metadata. Returns refusal. */
int provision_explain(struct call *call, const struct provision *p, int refusal);
/*
 * Unless no_config: config text, and QR unless the key is the caller's own, in the call's arena.
 * Not before the write: it shows what was committed.
 */
int provision_config(struct call *call, const struct provision *p, char **ret_config,
		     char **ret_svg) _must_check_;

#endif
