/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One host number serves both families: its low 16 bits in the /16 and in the
 * /48. Never used numbers are handed out in order by a mark in the tenant's
 * row; freed ones rest 24 h, so that no cache or node still knows them under
 * the old name, and come back when the fresh ones are spent.
 */
#include "server/cp/ipam.h"

#include <string.h>

#include "base/err.h"
#include "base/sign.h"
#include "server/store/address_row.h"

static uint32_t first_of(enum ipam_kind kind)
{
	return kind == IPAM_NODE ? IPAM_NODE_FIRST : IPAM_DEVICE_FIRST;
}

static uint32_t last_of(enum ipam_kind kind)
{
	return kind == IPAM_NODE ? IPAM_NODE_LAST : IPAM_DEVICE_LAST;
}

static int take_wished(struct txn *txn, const struct tenant_row *tenant, const struct ipam_ask *ask,
		       struct ipam_full *ret_full)
{
	int64_t freed_ms;
	int r;

	if (ask->wished < first_of(ask->kind) || ask->wished > last_of(ask->kind)) {
		ret_full->cause = IPAM_RESERVED;
		return ERR_ADDRESS_IN_USE;
	}
	r = address_row_get(txn, &tenant->id, ask->wished, &freed_ms);
	if (!r && (!freed_ms || ask->now_ms - freed_ms < IPAM_REST_MS)) {
		ret_full->cause = freed_ms ? IPAM_RESTING : IPAM_IN_USE;
		return ERR_ADDRESS_IN_USE;
	}
	return r == ERR_NOT_FOUND ? 0 : r;
}

/* The next one never given out; those taken by wish are passed over once and for all. */
static int take_fresh(struct txn *txn, struct tenant_row *tenant, enum ipam_kind kind,
		      uint32_t *ret_host)
{
	uint32_t *mark = kind == IPAM_NODE ? &tenant->next_node : &tenant->next_device;
	int64_t freed_ms;
	int r;

	while (*mark <= last_of(kind)) {
		uint32_t host = (*mark)++;

		r = address_row_get(txn, &tenant->id, host, &freed_ms);
		if (r == ERR_NOT_FOUND) {
			*ret_host = host;
			return 0;
		}
		if (r)
			return err_trace(r);
	}
	return ERR_POOL_EXHAUSTED;
}

static int take_rested(struct txn *txn, const struct tenant_row *tenant, const struct ipam_ask *ask,
		       uint32_t *ret_host, struct ipam_full *ret_full)
{
	uint32_t first = first_of(ask->kind), last = last_of(ask->kind), host;
	int64_t freed_ms;
	int r;

	r = address_row_oldest(txn, &tenant->id, first, last, &host, &freed_ms);
	if (!r && ask->now_ms - freed_ms >= IPAM_REST_MS) {
		*ret_host = host;
		return 0;
	}
	if (r && r != ERR_NOT_FOUND)
		return err_trace(r);
	ret_full->total = last - first + 1;
	r = address_row_count_freed(txn, &tenant->id, first, last, &ret_full->resting);
	return r ? err_trace(r) : ERR_POOL_EXHAUSTED;
}

int ipam_take(struct txn *txn, struct tenant_row *tenant, const struct ipam_ask *ask,
	      uint32_t *ret_host, struct ipam_full *ret_full)
{
	uint32_t host = ask->wished;
	int r;

	if (ask->wished) {
		r = take_wished(txn, tenant, ask, ret_full);
	} else {
		r = take_fresh(txn, tenant, ask->kind, &host);
		if (r == ERR_POOL_EXHAUSTED)
			r = take_rested(txn, tenant, ask, &host, ret_full);
	}
	if (r)
		return r;
	r = address_row_take(txn, &tenant->id, host);
	if (r)
		return err_trace(r);
	*ret_host = host;
	return 0;
}

int ipam_free(struct txn *txn, const struct tenant_row *tenant, uint32_t ip4, int64_t now_ms)
{
	return address_row_free(txn, &tenant->id, ip4 & 0xffff, now_ms);
}

int ipam_pick_range(struct txn *txn, const struct cidr *pool, const struct cidr *wished,
		    uint32_t *ret_range4)
{
	uint32_t base = cidr_host4(pool), n_ranges = 1u << (16 - pool->bits);
	uint32_t start, users = 0;
	int r;

	if (wished->family) {
		struct cidr network = cidr_network(wished);

		if (wished->family != CIDR_V4 || wished->bits != 16 ||
		    !cidr_equal(wished, &network) || !cidr_contains(pool, wished))
			return ERR_FIELD_INVALID;
		r = tenant_row_count_range(txn, cidr_host4(wished), &users);
		if (!r && !users)
			*ret_range4 = cidr_host4(wished);
		return r ? err_trace(r) : users ? ERR_FIELD_INVALID : 0;
	}
	sign_random(&start, sizeof(start));
	for (uint32_t i = 0; i < n_ranges; i++) {
		uint32_t range = base + ((start + i) % n_ranges << 16);

		r = tenant_row_count_range(txn, range, &users);
		if (r)
			return err_trace(r);
		if (!users) {
			*ret_range4 = range;
			return 0;
		}
	}
	*ret_range4 = base + (start % n_ranges << 16);
	return 0;
}

void ipam_pick_range6(uint8_t ret[16])
{
	memset(ret, 0, 16);
	sign_random(ret, 6);
	ret[0] = 0xfd;
}

void ipam_address6(const struct tenant_row *tenant, uint32_t ip4, uint8_t ret[16])
{
	memcpy(ret, tenant->range6, 16);
	ret[14] = (uint8_t)(ip4 >> 8);
	ret[15] = (uint8_t)ip4;
}
