/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who this node is: WireGuard key, identity key, and after Enroll its ids, in
 * <state_dir>/identity. Read at start, written by enrol only; then constant.
 */
#ifndef QM_IDENTITY_H
#define QM_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/key.h"
#include "base/sign.h"
#include "base/text.h"

struct identity {
	struct key wg_private, wg_public;
	uint8_t sign_public[SIGN_PUBLIC_LEN], sign_secret[SIGN_SECRET_LEN];
	struct uuid node_id, tenant_id; /* nil: not enrolled */
	uint8_t cp_pin[32];
	bool has_pin;
};

/* Reads, or makes keys at the first start and writes them. */
int identity_load(const char *state_dir, struct identity *ret) _must_check_;
int identity_save(const char *state_dir, const struct identity *id) _must_check_;
void identity_wipe(struct identity *id);

#endif
