/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node/standing.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "server/node/show.h"

static int64_t ms_of(const Google__Protobuf__Timestamp *t)
{
	return t ? t->seconds * 1000 + t->nanos / 1000000 : 0;
}

static void take_id(struct uuid *id, const ProtobufCBinaryData *data)
{
	if (data->len == sizeof(id->b))
		memcpy(id->b, data->data, sizeof(id->b));
}

static struct lag lag_of(const Pb__NodeLag *event)
{
	struct lag lag = {
		.state = (unsigned)event->state < LAG_N_STATES ? (enum lag_state)event->state
							       : LAG_UNKNOWN,
		.since_ms = ms_of(event->since),
		.generation = event->applied_generation,
		.silent_s = event->silent_s,
		.failed = event->failed,
	};

	take_id(&lag.node_id, &event->node_id);
	if (event->first_failed) {
		take_id(&lag.failed_id, &event->first_failed->id);
		lag.failed_errno = event->first_failed->errno_code;
	}
	return lag;
}

void standing_take(struct standing *s, const Pb__Convergence *event)
{
	*s = (struct standing){
		.is_known = true,
		.generation = event->generation,
		.n_nodes = event->nodes,
		.n_current = event->current,
		.n_lagging = event->lagging,
	};
	for (size_t i = 0; i < event->n_named && i < LAG_MAX_NAMED; i++)
		s->named[s->n_named++] = lag_of(event->named[i]);
}

static const char *label_of(const struct members *list, const struct uuid *id)
{
	const struct member *m = members_get(list, id);

	return m ? m->label : "";
}

static int add(const struct members *list, struct arena *a, const struct lag *lag, Pb__State *state)
{
	char id[UUID_TEXT_LEN + 1], words[LAG_WORDS_MAX];
	Pb__Laggard *l = arena_new(a, Pb__Laggard);

	if (!l)
		return err_origin(-ENOMEM);
	pb__laggard__init(l);
	lag_words(lag, label_of(list, &lag->failed_id), words);
	l->node_id = arena_strdup(a, uuid_text(&lag->node_id, id));
	l->label = arena_strdup(a, label_of(list, &lag->node_id));
	l->why = arena_strdup(a, words);
	l->state = (Pb__NodeState)lag->state;
	l->since = show_time(a, lag->since_ms);
	l->applied_generation = lag->generation;
	state->laggards[state->n_laggards++] = l;
	return l->node_id && l->label && l->why ? 0 : err_origin(-ENOMEM);
}

int standing_fill(const struct standing *s, const struct members *list, struct arena *a,
		  Pb__State *state)
{
	int r = 0;

	state->nodes = s->n_nodes;
	state->nodes_current = s->n_current;
	state->nodes_lagging = s->n_lagging;
	state->laggards = arena_alloc(a, (s->n_named + 1) * sizeof(*state->laggards));
	if (!state->laggards)
		return err_origin(-ENOMEM);
	for (size_t i = 0; !r && i < s->n_named; i++)
		r = add(list, a, &s->named[i], state);
	return r;
}

int standing_words(const struct members *list, struct arena *a, const struct lag *lag,
		   Pb__Node *node)
{
	char words[LAG_WORDS_MAX];

	lag_words(lag, label_of(list, &lag->failed_id), words);
	node->state = (Pb__NodeState)lag->state;
	node->why = arena_strdup(a, words);
	if (lag->state != LAG_CURRENT)
		node->state_since = show_time(a, lag->since_ms);
	return node->why ? 0 : err_origin(-ENOMEM);
}

int standing_node(const struct standing *s, const struct members *list, struct arena *a,
		  const struct uuid *id, Pb__Node *node)
{
	for (size_t i = 0; i < s->n_named; i++) {
		if (uuid_equal(&s->named[i].node_id, id))
			return standing_words(list, a, &s->named[i], node);
	}
	/* Of those that are not named nothing is known when there are more than have a name. */
	if (s->is_known && s->n_lagging <= s->n_named)
		node->state = PB__NODE_STATE__NODE_STATE_CURRENT;
	return 0;
}
