/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses on a real store beside a naive model, a byte and a time for each
 * host number: a /16 is filled to the last number of each kind, then
 * operations at random keep it at the brink, beside a tenant that has the same
 * range and starts empty. Many operations go into one transaction; some go the
 * whole way, each a write of its own that a refusal rolls back. As many as fit
 * the time; a million with QMESH_LONG=1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/sign.h"
#include "server/cp/ipam.h"
#include "server/store/address_row.h"

enum {
	HOSTS = 65536,
	BATCH = 10000,
	SINGLE = 20,
	SECONDS = 7,
	MILLION = 1000000,
	DEVICES = IPAM_DEVICE_LAST - IPAM_DEVICE_FIRST + 1,
	NODES = IPAM_NODE_LAST - IPAM_NODE_FIRST + 1,
};

enum { NEVER, USED, FREED };

/* What should be. */
struct naive {
	uint8_t state[HOSTS];
	int64_t freed_ms[HOSTS];
	uint32_t resting[2][HOSTS], n_resting[2]; /* those freed, in no order */
	uint32_t fresh[2];                        /* below these none of a kind was never used */
};

struct side {
	struct tenant_row row;
	struct naive naive;
	uint32_t list[HOSTS]; /* those in use, in no order */
	size_t n_list;
};

static char dir[] = "/tmp/qmesh-test-addresses-XXXXXX";
static struct store *store;
static struct side full, fresh;
static uint64_t seed = 4711;
static int64_t now_ms = 1000000;
static uint64_t n_ops, n_taken, n_again, n_freed, n_wished, n_in_use, n_exhausted;
static char wrong[200];

static uint32_t roll(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % below);
}

static uint32_t first_of(enum ipam_kind kind)
{
	return kind == IPAM_NODE ? 1 : 4096;
}

static uint32_t last_of(enum ipam_kind kind)
{
	return kind == IPAM_NODE ? 4094 : 65534;
}

/* --- the naive one --- */

static bool has_rested(const struct naive *n, uint32_t host)
{
	return n->state[host] == FREED && now_ms - n->freed_ms[host] >= 24 * 3600 * 1000;
}

/* Longest freed; of those freed in one moment the lowest. 0: none. */
static uint32_t naive_oldest(const struct naive *n, enum ipam_kind kind)
{
	uint32_t best = 0;

	for (uint32_t i = 0; i < n->n_resting[kind]; i++) {
		uint32_t h = n->resting[kind][i];

		if (!best || n->freed_ms[h] < n->freed_ms[best] ||
		    (n->freed_ms[h] == n->freed_ms[best] && h < best))
			best = h;
	}
	return best;
}

static void naive_set(struct naive *n, uint32_t host, uint8_t state)
{
	enum ipam_kind kind = host < 4096 ? IPAM_NODE : IPAM_DEVICE;
	uint32_t *list = n->resting[kind], i = 0;

	if (n->state[host] == FREED) {
		while (list[i] != host)
			i++;
		list[i] = list[--n->n_resting[kind]];
	}
	n->state[host] = state;
	if (state == FREED)
		list[n->n_resting[kind]++] = host;
}

static int naive_take(struct naive *n, const struct ipam_ask *ask, uint32_t *ret_host,
		      struct ipam_full *ret_full)
{
	uint32_t first = first_of(ask->kind), last = last_of(ask->kind), h = ask->wished;

	if (h) {
		if (h < first || h > last || (n->state[h] != NEVER && !has_rested(n, h)))
			return ERR_ADDRESS_IN_USE;
		*ret_host = h;
		return 0;
	}
	for (h = n->fresh[ask->kind]; h <= last && n->state[h] != NEVER;)
		h++;
	n->fresh[ask->kind] = h;
	if (h > last)
		h = naive_oldest(n, ask->kind);
	if (h && (n->state[h] == NEVER || has_rested(n, h))) {
		*ret_host = h;
		return 0;
	}
	ret_full->total = last - first + 1;
	ret_full->resting = n->n_resting[ask->kind];
	return ERR_POOL_EXHAUSTED;
}

/* --- an operation on both --- */

struct op {
	struct side *side;
	struct ipam_ask ask; /* a take */
	size_t drop;         /* of the list; a free */
	bool is_free;
	uint32_t host;
	struct ipam_full full;
	int result;
};

static struct op pick(void)
{
	struct op op = {.side = roll(5) ? &full : &fresh};
	uint32_t dice = roll(100);

	now_ms += roll(100) ? roll(60000) : roll(20000000);
	op.ask.now_ms = now_ms;
	op.ask.kind = roll(8) ? IPAM_DEVICE : IPAM_NODE;
	if (dice < 45 && op.side->n_list) {
		op.is_free = true;
		op.drop = roll((uint32_t)op.side->n_list);
		op.host = op.side->list[op.drop];
	} else if (dice < 55) {
		op.ask.wished = dice < 53 ? 1 + roll(HOSTS - 1) : first_of(op.ask.kind);
	}
	return op;
}

static void learn(struct op *op)
{
	struct naive *n = &op->side->naive;
	struct ipam_full full_now = {0};
	uint32_t host = 0;
	int r;

	n_ops++;
	if (op->is_free) {
		naive_set(n, op->host, FREED);
		n->freed_ms[op->host] = op->ask.now_ms;
		op->side->list[op->drop] = op->side->list[--op->side->n_list];
		n_freed++;
		if (op->result)
			snprintf(wrong, sizeof(wrong), "free of %u: %d", op->host, op->result);
		return;
	}
	r = naive_take(n, &op->ask, &host, &full_now);
	if (r != op->result || (!r && host != op->host) ||
	    (r == ERR_POOL_EXHAUSTED &&
	     (full_now.total != op->full.total || full_now.resting != op->full.resting))) {
		snprintf(
			wrong, sizeof(wrong),
			"operation %llu, kind %d, wish %u: %d with %u, %u of %u rest; the model: %d "
			"with %u, %u of %u",
			(unsigned long long)n_ops, op->ask.kind, op->ask.wished, op->result,
			op->host, op->full.resting, op->full.total, r, host, full_now.resting,
			full_now.total);
		return;
	}
	n_in_use += r == ERR_ADDRESS_IN_USE;
	n_exhausted += r == ERR_POOL_EXHAUSTED;
	if (r)
		return;
	n_taken++;
	n_wished += op->ask.wished != 0;
	n_again += n->state[host] == FREED;
	naive_set(n, host, USED);
	op->side->list[op->side->n_list++] = host;
}

static int run(struct txn *txn, struct op *op)
{
	struct tenant_row *row = &op->side->row;

	if (op->is_free)
		return ipam_free(txn, row, row->range4 | op->host, op->ask.now_ms);
	return ipam_take(txn, row, &op->ask, &op->host, &op->full);
}

static int many(struct txn *txn, void *ctx)
{
	struct op op;

	(void)ctx;
	for (int i = 0; i < BATCH && !*wrong; i++) {
		op = pick();
		op.result = run(txn, &op);
		if (op.result < 0)
			return op.result;
		learn(&op);
	}
	return 0;
}

/* As the handlers do: the tenant's row first and last, a refusal undoes it all. */
static int single(struct txn *txn, void *ctx)
{
	struct op *op = ctx;
	struct tenant_row before = op->side->row;
	int r;

	r = tenant_row_bump(txn, &before.id, &op->side->row);
	/* Marks that moved in the other way of working were never saved. */
	op->side->row.next_node = before.next_node;
	op->side->row.next_device = before.next_device;
	if (!r)
		r = run(txn, op);
	if (!r)
		r = tenant_row_save(txn, &op->side->row, op->ask.now_ms);
	if (r)
		op->side->row = before;
	return r;
}

/* --- tests --- */

static int insert(struct txn *txn, void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < 2; i++) {
		struct side *s = i ? &full : &fresh;
		int r;

		s->row = (struct tenant_row){.id = uuid_make(),
					     .plan = 4,
					     .range4 = 0x0a400000,
					     .next_node = IPAM_NODE_FIRST,
					     .next_device = IPAM_DEVICE_FIRST};
		snprintf(s->row.name, sizeof(s->row.name), "t%zu", i);
		ipam_pick_range6(s->row.range6);
		s->naive.fresh[IPAM_NODE] = 1;
		s->naive.fresh[IPAM_DEVICE] = 4096;
		r = tenant_row_insert(txn, &s->row);
		if (r)
			return r;
	}
	return 0;
}

static int fill(struct txn *txn, void *ctx)
{
	(void)ctx;
	for (uint32_t i = 0; i < DEVICES + NODES && !*wrong; i++) {
		struct op op = {.side = &full, .ask.now_ms = now_ms};

		op.ask.kind = i % 16 == 0 && i / 16 < NODES ? IPAM_NODE : IPAM_DEVICE;
		op.result = run(txn, &op);
		if (op.result < 0)
			return op.result;
		learn(&op);
		if (!*wrong && op.result)
			snprintf(wrong, sizeof(wrong), "no room for number %u of %u", i + 1,
				 DEVICES + NODES);
	}
	return 0;
}

static void a_range_is_filled_to_the_last_number(void **state)
{
	(void)state;
	assert_int_equal(store_write(store, insert, NULL, NULL), 0);
	assert_int_equal(store_write(store, fill, NULL, NULL), 0);
	if (*wrong)
		fail_msg("%s", wrong);
	assert_int_equal(n_taken, 65533);
	assert_int_equal(full.n_list, 65533);
	for (int kind = IPAM_NODE; kind <= IPAM_DEVICE; kind++) {
		struct op op = {.side = &full, .ask.kind = kind, .ask.now_ms = now_ms};

		assert_int_equal(store_write(store, single, NULL, &op), ERR_POOL_EXHAUSTED);
		assert_int_equal(op.full.total, kind == IPAM_NODE ? 4094 : 61439);
		assert_int_equal(op.full.resting, 0);
	}
}

static void at_random(void **state)
{
	bool whole = getenv("QMESH_LONG") != NULL;
	uint64_t until = clock_boot_ms() + SECONDS * 1000;

	(void)state;
	while (n_ops < MILLION && (whole || clock_boot_ms() < until)) {
		assert_int_equal(store_write(store, many, NULL, NULL), 0);
		if (*wrong)
			fail_msg("%s", wrong);
		for (int i = 0; i < SINGLE; i++) {
			struct op op = pick();

			op.result = store_write(store, single, NULL, &op);
			learn(&op);
			if (*wrong)
				fail_msg("a write of its own: %s", wrong);
		}
	}
	print_message("%llu operations: %llu taken, %llu of them again, %llu by wish, %llu freed, "
		      "%llu in use, %llu times exhausted\n",
		      (unsigned long long)n_ops, (unsigned long long)n_taken,
		      (unsigned long long)n_again, (unsigned long long)n_wished,
		      (unsigned long long)n_freed, (unsigned long long)n_in_use,
		      (unsigned long long)n_exhausted);
	assert_true(n_again && n_wished && n_in_use && n_exhausted);
}

static int compare(struct txn *txn, void *ctx)
{
	const struct side *s = ctx;

	for (uint32_t h = 1; h < HOSTS - 1; h++) {
		int64_t freed_ms;
		int r = address_row_get(txn, &s->row.id, h, &freed_ms);
		uint8_t is = r == ERR_NOT_FOUND ? NEVER : freed_ms ? FREED : USED;

		if (r < 0)
			return r;
		if (is != s->naive.state[h] || (is == FREED && freed_ms != s->naive.freed_ms[h]))
			return snprintf(wrong, sizeof(wrong), "number %u of %s is %d, should be %d",
					h, s->row.name, is, s->naive.state[h]);
	}
	return 0;
}

static void the_store_is_as_the_model(void **state)
{
	(void)state;
	assert_int_equal(store_read(store, compare, &full), 0);
	assert_int_equal(store_read(store, compare, &fresh), 0);
}

static int clear(void **state)
{
	char command[160];

	(void)state;
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_filled_to_the_last_number),
		cmocka_unit_test(at_random),
		cmocka_unit_test(the_store_is_as_the_model),
	};
	char path[128];
	struct store_options options = {.path = path};

	if (sign_init() || !mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/s.db", dir);
	if (store_open(&options, &store))
		return 1;
	return cmocka_run_group_tests_name("addresses beside a model", tests, NULL, clear);
}
