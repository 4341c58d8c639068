/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: a tenant's ranges, and the host number of each member in them. */
#ifndef QM_IPAM_H
#define QM_IPAM_H

#include "base/cidr.h"
#include "server/store/tenant_row.h"

enum {
	IPAM_NODE_FIRST = 1,
	IPAM_NODE_LAST = 4094,
	IPAM_DEVICE_FIRST = 4096,
	IPAM_DEVICE_LAST = 65534,
};

enum ipam_kind { IPAM_NODE, IPAM_DEVICE };

#define IPAM_REST_MS (24 * 3600 * 1000)

/* Why the wished one is not given. */
enum ipam_cause { IPAM_IN_USE, IPAM_RESTING, IPAM_RESERVED };

/* Why nothing was free. */
struct ipam_full {
	uint32_t total, resting; /* host numbers of the kind; freed less than 24 h ago */
	enum ipam_cause cause;   /* with a wish, instead */
};

struct ipam_ask {
	enum ipam_kind kind;
	uint32_t wished; /* host number; 0: any */
	int64_t now_ms;
};

/*
 * A host number: the wished one, else one never given out, else the one
 * freed longest ago that has rested. Moves tenant's marks; the caller saves
 * the row. ERR_ADDRESS_IN_USE (wished), ERR_POOL_EXHAUSTED, both with *ret_full.
 */
int ipam_take(struct txn *txn, struct tenant_row *tenant, const struct ipam_ask *ask,
	      uint32_t *ret_host, struct ipam_full *ret_full) _must_check_;
/* It rests from now on. */
int ipam_free(struct txn *txn, const struct tenant_row *tenant, uint32_t ip4, int64_t now_ms)
	_must_check_;
/*
 * A /16 of the pool for a new tenant: wished (family 0: any), else a random
 * one that no tenant has, else, when the pool is spent, any. ERR_FIELD_INVALID:
 * the wished one is no /16 of the pool or taken.
 */
int ipam_pick_range(struct txn *txn, const struct cidr *pool, const struct cidr *wished,
		    uint32_t *ret_range4) _must_check_;
/* A random ULA /48. */
void ipam_pick_range6(uint8_t ret[16]);
/* Address of a host number in the ULA range. */
void ipam_address6(const struct tenant_row *tenant, uint32_t ip4, uint8_t ret[16]);

#endif
