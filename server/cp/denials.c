/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/denials.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/cp/audit.h"
#include "server/store/tenant_row.h"

/* The last one stands for all addresses that came when the others were taken. */
enum { DENIALS_MAX = 1024 };

struct denial {
	struct uuid tenant; /* nil: unknown */
	int refusal;
	char address[64];
	int64_t first_ms;
	uint64_t n;
};

struct denials {
	pthread_mutex_t lock;
	struct denial all[DENIALS_MAX];
	size_t n;
};

struct denials *denials_new(void)
{
	struct denials *d = calloc(1, sizeof(*d));

	if (d)
		pthread_mutex_init(&d->lock, NULL);
	return d;
}

void denials_free(struct denials *d)
{
	if (!d)
		return;
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static bool counts(int refusal)
{
	switch (err_grpc((enum err)refusal)) {
	case GRPC_UNAUTHENTICATED:
	case GRPC_PERMISSION_DENIED:
		return true;
	default:
		return refusal == ERR_RATE_LIMITED;
	}
}

static struct denial *find(struct denials *d, const struct denial *key)
{
	for (size_t i = 0; i < d->n; i++) {
		struct denial *is = &d->all[i];

		if (is->refusal == key->refusal && uuid_equal(&is->tenant, &key->tenant) &&
		    !strcmp(is->address, key->address))
			return is;
	}
	if (d->n == DENIALS_MAX)
		return &d->all[DENIALS_MAX - 1];
	d->all[d->n] = *key;
	if (d->n == DENIALS_MAX - 1) {
		d->all[d->n].tenant = (struct uuid){0};
		strcpy(d->all[d->n].address, "many addresses");
	}
	return &d->all[d->n++];
}

void denials_count(struct denials *d, const struct call *call, int refusal)
{
	struct denial key = {
		.tenant = call->caller.tenant_id, .refusal = refusal, .first_ms = clock_wall_ms()};

	if (!counts(refusal))
		return;
	snprintf(key.address, sizeof(key.address), "%s", call->caller.address);
	pthread_mutex_lock(&d->lock);
	find(d, &key)->n++;
	pthread_mutex_unlock(&d->lock);
}

struct batch {
	struct denial all[DENIALS_MAX];
	size_t n;
	struct uuid only; /* the only tenant; nil: none or several */
};

static int write_row(struct txn *txn, const struct denial *denial, const struct uuid *tenant)
{
	struct audit_row row = {.tenant = *tenant, .time_ms = denial->first_ms};
	int r;

	strcpy(row.action, "denied");
	snprintf(row.object, sizeof(row.object), "%llu %s", (unsigned long long)denial->n,
		 denial->n == 1 ? "call" : "calls");
	snprintf(row.origin, sizeof(row.origin), "%s", denial->address);
	r = audit_end(txn, &row, denial->refusal);
	return r == ERR_NOT_FOUND ? 0 : r;
}

static int write_all(struct txn *txn, void *ctx)
{
	struct tenant_row tenant;
	struct batch *b = ctx;
	int r;

	b->only = (struct uuid){0};
	r = tenant_row_only(txn, &tenant);
	if (!r)
		b->only = tenant.id;
	for (size_t i = 0; i < b->n && (!r || r == ERR_NOT_FOUND); i++) {
		struct denial *denial = &b->all[i];
		const struct uuid *to = uuid_is_nil(&denial->tenant) ? &b->only : &denial->tenant;

		r = uuid_is_nil(to) ? 0 : write_row(txn, denial, to);
	}
	return r == ERR_NOT_FOUND ? 0 : err_trace(r);
}

/* Every row is in the log too: it is all there is of those that no tenant has. */
static void tell(const struct denial *denial)
{
	log_warn("audit", "denied: %s from %s, %llu %s within a minute",
		 err_reason((enum err)denial->refusal), denial->address,
		 (unsigned long long)denial->n, denial->n == 1 ? "call" : "calls");
}

void denials_flush(struct cp *cp)
{
	_cleanup_(freep) struct batch *b = NULL;
	struct denials *d = cp->denials;

	pthread_mutex_lock(&d->lock);
	if (d->n)
		b = calloc(1, sizeof(*b));
	if (b) {
		memcpy(b->all, d->all, d->n * sizeof(*d->all));
		b->n = d->n;
		d->n = 0;
	}
	pthread_mutex_unlock(&d->lock);
	if (!b)
		return;
	if (store_write(cp->store, write_all, NULL, b))
		log_warn("audit", "denials could not be written");
	for (size_t i = 0; i < b->n; i++)
		tell(&b->all[i]);
}
