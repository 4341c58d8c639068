/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of tenants' CAs, one for each root key that they derive from. */
#ifndef QM_CA_ROW_H
#define QM_CA_ROW_H

#include "server/store/store.h"

#define CA_ROW_KID_LEN 16
#define CA_ROW_MAX 2048

struct ca_row {
	struct uuid tenant;
	char kid[CA_ROW_KID_LEN + 1];
	uint8_t der[CA_ROW_MAX];
	size_t len;
};

/* By tenant and kid. ERR_NOT_FOUND. */
int ca_row_get(struct txn *txn, struct ca_row *row) _must_check_;
/* The first one stays; for a tenant that is gone there is none. */
int ca_row_put(struct txn *txn, const struct ca_row *row) _must_check_;

#endif
