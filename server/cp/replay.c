/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/replay.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/sign.h"
#include "server/cp/presence.h"

enum { RETRY_MS = 1000 };

struct running {
	const struct call *call;
	struct replay_row key;
	struct running *next;
};

struct replays {
	pthread_mutex_t lock;
	struct running *first;
};

struct replays *replays_new(void)
{
	struct replays *all = calloc(1, sizeof(*all));

	if (all)
		pthread_mutex_init(&all->lock, NULL);
	return all;
}

void replays_free(struct replays *all)
{
	if (!all)
		return;
	while (all->first) {
		struct running *gone = all->first;

		all->first = gone->next;
		free(gone);
	}
	pthread_mutex_destroy(&all->lock);
	free(all);
}

static bool same(const struct replay_row *a, const struct replay_row *b)
{
	return uuid_equal(&a->tenant, &b->tenant) && uuid_equal(&a->user, &b->user) &&
	       !strcmp(a->key, b->key);
}

static int mark(struct replays *all, const struct call *call, const struct replay_row *key)
{
	struct running *mine = malloc(sizeof(*mine));
	struct running *other;

	if (!mine)
		return -ENOMEM;
	*mine = (struct running){.call = call, .key = *key};
	pthread_mutex_lock(&all->lock);
	for (other = all->first; other && !same(&other->key, key); other = other->next)
		;
	if (!other) {
		mine->next = all->first;
		all->first = mine;
	}
	pthread_mutex_unlock(&all->lock);
	if (!other)
		return 0;
	free(mine);
	return ERR_CALL_IN_PROGRESS;
}

void replay_leave(struct replays *all, const struct call *call)
{
	struct running **at, *gone = NULL;

	pthread_mutex_lock(&all->lock);
	for (at = &all->first; *at && !gone;) {
		if ((*at)->call == call) {
			gone = *at;
			*at = gone->next;
		} else {
			at = &(*at)->next;
		}
	}
	pthread_mutex_unlock(&all->lock);
	free(gone);
}

static int hash_request(struct call *call, uint8_t ret[32])
{
	const char *path = call->method->path;
	const uint8_t *bytes;
	size_t len;
	int r;

	r = call_request_bytes(call, &bytes, &len);
	if (r)
		return err_trace(r);
	hash_parts(NULL, 0,
		   (const struct hash_part[]){{path, strlen(path) + 1}, {len ? bytes : NULL, len}},
		   2, ret);
	return 0;
}

struct look {
	struct replay_row row;
	int64_t now_ms;
};

static int look_up(struct txn *txn, void *ctx)
{
	struct look *l = ctx;

	return replay_row_get(txn, &l->row, l->now_ms, &l->row);
}

/*
 * Handshakes are told outside of the store, so this is asked before the write;
 * nothing else can answer the same key meanwhile.
 */
static int ask_taken(struct cp *cp, struct replay *replay)
{
	struct look l = {.row = replay->row, .now_ms = clock_wall_ms()};
	struct presence_status seen;
	int r;

	r = store_read(cp->store, look_up, &l);
	if (r)
		return r == ERR_NOT_FOUND ? 0 : err_trace(r);
	presence_get(cp->presence, &l.row.tenant, &l.row.device, &seen);
	if (!seen.handshake_ms)
		return 0;
	/* Which key a handshake was with is not remembered over a restart. */
	replay->taken = seen.key_version
				? seen.key_version >= l.row.key_version
				: l.row.key_version == 1 || seen.handshake_ms >= l.row.shown_ms;
	return 0;
}

int replay_enter(struct call *call, struct replay *ret_replay)
{
	const char *key = call_metadata(call, "idempotency-key");
	struct replay replay = {.asked = true};
	struct cp *cp = call->owner;
	int r;

	if (!key)
		return 0;
	_Static_assert(REPLAY_ROW_KEY_MAX >= CALL_IDEMPOTENCY_KEY_MAX,
		       "looked at by the dispatcher");
	replay.row.tenant = call->caller.tenant_id;
	replay.row.user = call->caller.user_id;
	memcpy(replay.row.key, key, strlen(key));
	r = hash_request(call, replay.row.hash);
	if (!r)
		r = mark(cp->replays, call, &replay.row);
	if (r == ERR_CALL_IN_PROGRESS) {
		call_fail(call, r,
			  "A call with this Idempotency-Key is still running. Try again in a "
			  "second.");
		status_retry(&call->status, RETRY_MS);
		return r;
	}
	if (!r)
		r = ask_taken(cp, &replay);
	if (r)
		return err_trace(r);
	*ret_replay = replay;
	return 0;
}

int replay_find(struct txn *txn, struct replay *replay, int64_t now_ms)
{
	struct replay_row before;
	int r;

	replay->found = false;
	if (!replay->asked)
		return 0;
	r = replay_row_get(txn, &replay->row, now_ms, &before);
	if (r)
		return r == ERR_NOT_FOUND ? 0 : err_trace(r);
	if (memcmp(before.hash, replay->row.hash, sizeof(before.hash)) != 0)
		return ERR_IDEMPOTENCY_KEY_REUSED;
	replay->row = before;
	replay->found = true;
	return 0;
}

int replay_keep(struct txn *txn, struct replay *replay, const struct uuid *device,
		uint32_t key_version, int64_t now_ms)
{
	struct replay_row *row = &replay->row;

	if (!replay->asked)
		return 0;
	row->device = *device;
	row->key_version = key_version;
	row->shown_ms = now_ms;
	if (!replay->found)
		row->made_ms = now_ms;
	return replay_row_put(txn, row);
}
