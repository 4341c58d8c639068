/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/laggards.h"

#include <string.h>

#include "server/cp/fields.h"
#include "server/store/device_row.h"
#include "server/store/node_row.h"

/* Of a device or a node; "" when it is gone. */
static int name_of(struct txn *txn, const struct uuid *tenant, const struct uuid *id, char ret[257])
{
	struct device_row device;
	struct node_row node;
	int r;

	ret[0] = '\0';
	r = device_row_get(txn, tenant, id, &device);
	if (!r) {
		memcpy(ret, device.label, sizeof(device.label));
		return 0;
	}
	if (r == ERR_NOT_FOUND)
		r = node_row_get(txn, tenant, id, &node);
	if (!r)
		memcpy(ret, node.label, sizeof(node.label));
	return r == ERR_NOT_FOUND ? 0 : err_trace(r);
}

int laggards_words(struct txn *txn, const struct uuid *tenant, const struct lag *lag,
		   char ret[LAG_WORDS_MAX])
{
	char failed[257] = "";
	int r = 0;

	if (lag->state == LAG_REFUSED)
		r = name_of(txn, tenant, &lag->failed_id, failed);
	if (!r)
		lag_words(lag, failed, ret);
	return r;
}

static int add(struct txn *txn, struct arena *arena, const struct uuid *tenant,
	       const struct lag *lag, Pb__State *s)
{
	char id[UUID_TEXT_LEN + 1], words[LAG_WORDS_MAX];
	struct node_row node;
	Pb__Laggard *l;
	int r;

	r = node_row_get(txn, tenant, &lag->node_id, &node);
	if (!r)
		r = laggards_words(txn, tenant, lag, words);
	/* Removed a moment ago. */
	if (r)
		return r == ERR_NOT_FOUND ? 0 : err_trace(r);
	l = arena_new(arena, Pb__Laggard);
	if (!l)
		return -ENOMEM;
	pb__laggard__init(l);
	l->node_id = arena_strdup(arena, uuid_text(&lag->node_id, id));
	l->label = arena_strdup(arena, node.label);
	l->why = arena_strdup(arena, words);
	l->state = (Pb__NodeState)lag->state;
	l->since = fields_time_in(arena, lag->since_ms);
	l->applied_generation = lag->generation;
	s->laggards[s->n_laggards++] = l;
	return l->node_id && l->label && l->why ? 0 : -ENOMEM;
}

int laggards_fill(struct txn *txn, struct arena *arena, const struct uuid *tenant,
		  const struct census *census, Pb__State *s)
{
	int r = 0;

	s->nodes = census->n_nodes;
	s->nodes_current = census->n_current;
	s->nodes_lagging = census->n_lagging;
	s->n_laggards = 0;
	s->laggards = arena_alloc(arena, (census->n_named + 1) * sizeof(*s->laggards));
	if (!s->laggards)
		return -ENOMEM;
	for (size_t i = 0; !r && i < census->n_named; i++)
		r = add(txn, arena, tenant, &census->named[i], s);
	return r;
}
