/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host numbers of a tenant's range that were ever given out: in use, or freed
 * at some time.
 */
#ifndef QM_ADDRESS_ROW_H
#define QM_ADDRESS_ROW_H

#include "server/store/store.h"

/* ERR_NOT_FOUND: never given out. ret_freed_ms 0: in use. */
int address_row_get(struct txn *txn, const struct uuid *tenant, uint32_t host,
		    int64_t *ret_freed_ms) _must_check_;
int address_row_take(struct txn *txn, const struct uuid *tenant, uint32_t host) _must_check_;
int address_row_free(struct txn *txn, const struct uuid *tenant, uint32_t host, int64_t now_ms)
	_must_check_;
/* The one freed longest ago within first..last; ERR_NOT_FOUND. */
int address_row_oldest(struct txn *txn, const struct uuid *tenant, uint32_t first, uint32_t last,
		       uint32_t *ret_host, int64_t *ret_freed_ms) _must_check_;
/* Freed ones, for the words of a refusal. */
int address_row_count_freed(struct txn *txn, const struct uuid *tenant, uint32_t first,
			    uint32_t last, uint32_t *ret_n) _must_check_;

#endif
