/* SPDX-License-Identifier: Apache-2.0 */
/* Few enough for linear looks. Only devices: a node takes its devices' addresses along. */
#include "server/node/touched.h"

static bool has_id(const struct uuid *ids, size_t n, const struct uuid *id)
{
	for (size_t i = 0; i < n; i++)
		if (uuid_equal(&ids[i], id))
			return true;
	return false;
}

static void note_home(struct touched *t, const struct member *m)
{
	if (has_id(t->homes, t->n_homes, &m->device.home))
		return;
	if (t->n_homes == 2 * TOUCHED_MAX)
		t->all = true;
	else
		t->homes[t->n_homes++] = m->device.home;
}

static void note_key(struct touched *t, const struct member_key *k)
{
	if (k->key_version)
		t->keys[t->n_keys++] = k->public_key;
}

static void note_claim(struct touched *t, const struct member *m, struct cidr prefix)
{
	t->claims[t->n_claims].prefix = prefix;
	t->claims[t->n_claims++].home = m->device.home;
}

/* What came of it since was never applied. */
static void note_claims(struct touched *t, const struct uuid *self, const struct member *m)
{
	if (m->suspended)
		return;
	if (uuid_equal(&m->device.home, self)) {
		note_key(t, &m->device.active);
		note_key(t, &m->device.pending);
	}
	if (m->ip4)
		note_claim(t, m, cidr_v4(m->ip4, 32));
	if (m->has_ip6)
		note_claim(t, m, cidr_v6(m->ip6, 128));
}

void touched_note(struct touched *t, const struct uuid *self, const struct member *before,
		  const struct member *now)
{
	const struct member *any = now ? now : before;

	if (!any || any->kind != MEMBER_DEVICE || (before && before->kind != MEMBER_DEVICE))
		t->all = true;
	if (t->all)
		return;
	if (!has_id(t->ids, t->n_ids, &any->id)) {
		if (t->n_ids == TOUCHED_MAX) {
			t->all = true;
			return;
		}
		t->ids[t->n_ids++] = any->id;
		if (before)
			note_claims(t, self, before);
	}
	if (before)
		note_home(t, before);
	if (now)
		note_home(t, now);
}

void touched_clear(struct touched *t)
{
	t->all = false;
	t->n_ids = t->n_keys = t->n_claims = t->n_homes = 0;
}
