/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: the whole of one, from members, devices, users and keys. */
#ifndef QM_DEVICE_ROW_H
#define QM_DEVICE_ROW_H

#include "server/store/key_row.h"
#include "server/store/member_row.h"

struct device_row {
	struct uuid tenant, id;
	int state, type;
	char label[257], slug[64];
	uint32_t ip4;
	int64_t created_ms;
	uint64_t generation;
	struct uuid owner, home;
	char owner_name[129];
	uint32_t key_version; /* of the newest key ever */
	bool needs_new_config;
	struct key_row active, pending;
};

typedef int (*device_row_fn)(void *arg, const struct device_row *row);

struct device_filter {
	struct uuid owner; /* nil: all */
	struct uuid home;  /* nil: all */
	struct uuid after; /* nil: from the first */
	uint32_t limit;
};

/* The devices row alone; -EDQUOT: over the plan's cap. */
int device_row_insert(struct txn *txn, const struct device_row *row) _must_check_;
/* Type, home, key_version, needs_new_config. */
int device_row_save(struct txn *txn, const struct device_row *row) _must_check_;
/* ERR_NOT_FOUND. */
int device_row_get(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		   struct device_row *ret) _must_check_;
/* In the order of creation. fn may read and write other rows, but not list. */
int device_row_list(struct txn *txn, const struct uuid *tenant, const struct device_filter *filter,
		    device_row_fn fn, void *arg) _must_check_;

#endif
