/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store with as many tenants and devices as one wants, made by the Control
 * Panel's own parts; and what an address costs in a full range.
 *
 *   store_seed fill PATH NAME TENANTS DEVICES PASSWORD
 *   store_seed nodes PATH NAME TENANTS NODES DEVICES PASSWORD
 *   store_seed take PATH ROUNDS
 *
 * fill: tenants NAME0, NAME1 … with a node and so many devices each, of the
 * user "owner", each device with its row in the audit. nodes: the same with so
 * many nodes; a line "tenant id secret" for each, the number of its tenant, its id
 * and the secret half of its identity key in hex. take: a line "case ns" for each
 * case, the median of ROUNDS.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/sign.h"
#include "server/cp/change.h"
#include "server/cp/ipam.h"
#include "server/store/audit_row.h"
#include "server/store/user_row.h"

enum { ROUNDS_MAX = 100000 };

static struct store *store;
static char password[PASSWORD_HASH_LEN];

/* --- fill --- */

struct seed {
	struct tenant_row tenant;
	struct user_row owner;
	struct node_row node; /* the first, home of all devices */
	unsigned number, n_nodes, n_devices;
	bool print;
	int64_t now_ms;
};

static int take(struct txn *txn, struct change *c, enum ipam_kind kind, uint32_t *ret_ip4)
{
	struct ipam_ask ask = {.kind = kind, .now_ms = c->now_ms};
	struct ipam_full full;
	uint32_t host;
	int r = ipam_take(txn, &c->tenant, &ask, &host, &full);

	if (!r)
		*ret_ip4 = c->tenant.range4 | host;
	return r;
}

static int add_device(struct txn *txn, struct seed *s, struct change *c, unsigned i)
{
	struct device_row d = {.id = uuid_make(),
			       .state = MEMBER_ROW_ACTIVE,
			       .type = 3,
			       .owner = s->owner.id,
			       .home = s->node.id,
			       .created_ms = s->now_ms,
			       .key_version = 1,
			       .active = {.key_version = 1, .psk_version = 1}};
	struct audit_row audit = {.tenant = s->tenant.id, .time_ms = s->now_ms};
	int r;

	snprintf(d.label, sizeof(d.label), "Device %u", i);
	snprintf(d.slug, sizeof(d.slug), "device-%u", i);
	strcpy(d.owner_name, s->owner.name);
	sign_random(d.active.public_key.b, sizeof(d.active.public_key.b));
	r = take(txn, c, IPAM_DEVICE, &d.ip4);
	if (!r)
		r = change_add_device(txn, c, &d);
	strcpy(audit.actor, "owner");
	strcpy(audit.action, "device.create");
	strcpy(audit.result, "OK");
	audit.object_id = d.id;
	snprintf(audit.object, sizeof(audit.object), "%s", d.label);
	return r ? r : audit_row_append(txn, &audit);
}

static int add_node(struct txn *txn, struct seed *s, struct change *c, unsigned i)
{
	struct node_row n = {.id = uuid_make(), .created_ms = s->now_ms};
	char id[UUID_TEXT_LEN + 1], hex[TEXT_HEX_LEN(SIGN_SECRET_LEN) + 1];
	uint8_t secret[SIGN_SECRET_LEN];
	int r;

	snprintf(n.label, sizeof(n.label), i ? "gateway-%u" : "gateway", i);
	snprintf(n.slug, sizeof(n.slug), i ? "gateway-%u" : "gateway", i);
	strcpy(n.endpoint, "198.51.100.1:51820");
	sign_make(n.identity, secret);
	sign_random(n.public_key.b, sizeof(n.public_key.b));
	r = take(txn, c, IPAM_NODE, &n.ip4);
	if (!r)
		r = change_add_node(txn, c, &n);
	if (!i)
		s->node = n;
	if (s->print) {
		text_hex(secret, sizeof(secret), hex);
		printf("%u %s %s\n", s->number, uuid_text(&n.id, id), hex);
	}
	return r;
}

static int make_tenant(struct txn *txn, void *ctx)
{
	struct seed *s = ctx;
	struct change c;
	int r;

	r = tenant_row_insert(txn, &s->tenant);
	if (!r)
		r = user_row_insert(txn, &s->owner);
	if (!r)
		r = change_begin(txn, &s->tenant.id, s->now_ms, &c);
	for (unsigned i = 0; !r && i < s->n_nodes; i++)
		r = add_node(txn, s, &c, i);
	for (unsigned i = 0; !r && i < s->n_devices; i++)
		r = add_device(txn, s, &c, i);
	return r ? r : change_end(txn, &c);
}

static struct tenant_row tenant_named(const char *name, unsigned i)
{
	struct tenant_row t = {.id = uuid_make(),
			       .plan = 4,
			       .trial_plan = 4,
			       .plan_source = 1,
			       .range4 = 0x0a400000 + ((i & 63) << 16),
			       .generation = 1,
			       .record_generation = 1,
			       .next_node = IPAM_NODE_FIRST,
			       .next_device = IPAM_DEVICE_FIRST,
			       .lease_s = 604800,
			       .created_ms = clock_wall_ms()};

	snprintf(t.name, sizeof(t.name), "%.40s%u", name, i);
	t.epoch = (uint64_t)t.created_ms;
	ipam_pick_range6(t.range6);
	return t;
}

static int fill(const char *name, unsigned n_tenants, unsigned n_nodes, unsigned n_devices)
{
	for (unsigned i = 0; i < n_tenants; i++) {
		struct seed s = {.tenant = tenant_named(name, i),
				 .number = i,
				 .n_nodes = n_nodes ? n_nodes : 1,
				 .print = n_nodes > 0,
				 .n_devices = n_devices};
		int r;

		s.now_ms = s.tenant.created_ms;
		s.owner = (struct user_row){.tenant = s.tenant.id, .id = uuid_make(), .role = 3};
		strcpy(s.owner.name, "owner");
		strcpy(s.owner.password, password);
		s.owner.created_ms = s.now_ms;
		r = store_write(store, make_tenant, NULL, &s);
		if (r) {
			fprintf(stderr, "store_seed: tenant %u: %d\n", i, r);
			return 1;
		}
	}
	return 0;
}

/* --- take --- */

struct timing {
	struct tenant_row tenant;
	uint32_t n_taken, n_freed; /* of the range; the freed ones have rested */
	unsigned rounds;
	int64_t now_ms;
	uint64_t *ns;
	unsigned n;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int prepare(struct txn *txn, void *ctx)
{
	struct timing *t = ctx;
	struct ipam_ask ask = {.kind = IPAM_DEVICE, .now_ms = 1};
	struct ipam_full full;
	uint32_t host;
	int r;

	r = tenant_row_insert(txn, &t->tenant);
	for (uint32_t i = 0; !r && i < t->n_taken; i++)
		r = ipam_take(txn, &t->tenant, &ask, &host, &full);
	/* Spread over the range, each in a moment of its own. */
	for (uint32_t i = 0; !r && i < t->n_freed; i++)
		r = ipam_free(txn, &t->tenant, IPAM_DEVICE_FIRST + i * 977 % t->n_taken, 1 + i);
	return r;
}

/* One address; the refusal at the end rolls it back. */
static int take_one(struct txn *txn, void *ctx)
{
	struct timing *t = ctx;
	struct tenant_row row = t->tenant;
	struct ipam_ask ask = {.kind = IPAM_DEVICE, .now_ms = t->now_ms};
	struct ipam_full full;
	uint64_t start = now_ns();
	uint32_t host;
	int r = ipam_take(txn, &row, &ask, &host, &full);

	t->ns[t->n++] = now_ns() - start;
	return r < 0 ? r : ERR_CANCELLED;
}

static int up(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int measure(const char *what, unsigned number, uint32_t n_taken, uint32_t n_freed,
		   unsigned rounds)
{
	struct timing t = {.tenant = tenant_named("timing", number),
			   .n_taken = n_taken,
			   .n_freed = n_freed,
			   .now_ms = INT64_C(10) * IPAM_REST_MS,
			   .ns = calloc(rounds + 1, sizeof(uint64_t))};
	int r = t.ns ? store_write(store, prepare, NULL, &t) : -1;

	for (unsigned i = 0; !r && i < rounds; i++)
		r = store_write(store, take_one, NULL, &t) == ERR_CANCELLED ? 0 : -1;
	if (r) {
		fprintf(stderr, "store_seed: %s: %d\n", what, r);
	} else {
		qsort(t.ns, t.n, sizeof(*t.ns), up);
		printf("%s %llu\n", what, (unsigned long long)t.ns[t.n / 2]);
	}
	free(t.ns);
	return r ? 1 : 0;
}

static int take_all(unsigned rounds)
{
	const uint32_t all = IPAM_DEVICE_LAST - IPAM_DEVICE_FIRST + 1;

	return measure("1%", 0, all / 100, 0, rounds) ||
	       measure("99.9%", 1, all - all / 1000, 0, rounds) ||
	       measure("99.9%-again", 2, all, all / 1000, rounds) ||
	       measure("100%", 3, all, 0, rounds);
}

int main(int argc, char **argv)
{
	struct store_options options = {.path = argc > 2 ? argv[2] : ""};
	unsigned rounds = argc == 4 ? (unsigned)atoi(argv[3]) : 0;
	bool is_fill = argc == 7 && !strcmp(argv[1], "fill");
	bool is_nodes = argc == 8 && !strcmp(argv[1], "nodes") && atoi(argv[5]) > 0;
	bool is_take = argc == 4 && !strcmp(argv[1], "take") && rounds && rounds <= ROUNDS_MAX;
	int rc;

	if (!is_fill && !is_nodes && !is_take) {
		fprintf(stderr, "store_seed: fill PATH NAME TENANTS DEVICES PASSWORD\n"
				"store_seed: nodes PATH NAME TENANTS NODES DEVICES PASSWORD\n"
				"store_seed: take PATH ROUNDS\n");
		return 2;
	}
	if (sign_init() || (!is_take && password_hash(argv[is_fill ? 6 : 7], password)) ||
	    store_open(&options, &store))
		return 1;
	if (is_fill)
		rc = fill(argv[3], (unsigned)atoi(argv[4]), 0, (unsigned)atoi(argv[5]));
	else if (is_nodes)
		rc = fill(argv[3], (unsigned)atoi(argv[4]), (unsigned)atoi(argv[5]),
			  (unsigned)atoi(argv[6]));
	else
		rc = take_all(rounds);
	store_close(store);
	return rc;
}
