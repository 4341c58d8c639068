/* SPDX-License-Identifier: Apache-2.0 */
/* Stamps of a user's accepted provisions, as bytes of the window's own making. */
#ifndef QM_WINDOW_ROW_H
#define QM_WINDOW_ROW_H

#include "server/store/store.h"

#define WINDOW_ROW_MAX 4096

/* Zero length when there are none yet. */
int window_row_get(struct txn *txn, const struct uuid *tenant, const struct uuid *user,
		   uint8_t ret[WINDOW_ROW_MAX], size_t *ret_len) _must_check_;
int window_row_put(struct txn *txn, const struct uuid *tenant, const struct uuid *user,
		   const uint8_t *stamps, size_t len) _must_check_;

#endif
