/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/opened.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* As many as there may be nodes, with room for two of one place; pages are taken as they fill. */
enum { SETS = 8192, WAYS = 4 };

struct entry {
	uint8_t mark[HASH_LEN];
	struct uuid tenant_id, node_id;
	int64_t issued_at_s, expires_at_s; /* 0: empty */
};

struct opened {
	pthread_mutex_t lock;
	uint8_t key[HASH_LEN];
	struct entry entries[SETS][WAYS];
};

struct opened *opened_new(void)
{
	struct opened *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	pthread_mutex_init(&o->lock, NULL);
	sign_random(o->key, sizeof(o->key));
	return o;
}

void opened_free(struct opened *o)
{
	if (!o)
		return;
	pthread_mutex_destroy(&o->lock);
	explicit_bzero(o->key, sizeof(o->key));
	free(o);
}

static struct entry *set_of(struct opened *o, const uint8_t mark[HASH_LEN])
{
	return o->entries[(size_t)(mark[0] << 8 | mark[1]) % SETS];
}

bool opened_find(struct opened *o, const char *token, const uint8_t public[SIGN_PUBLIC_LEN],
		 uint8_t ret_mark[HASH_LEN], struct claims *ret_claims)
{
	const struct hash_part parts[] = {{public, SIGN_PUBLIC_LEN}, {token, strlen(token)}};
	const struct entry *set;
	bool found = false;

	hash_parts(o->key, sizeof(o->key), parts, 2, ret_mark);
	set = set_of(o, ret_mark);
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < WAYS && !found; i++) {
		if (!set[i].expires_at_s || memcmp(set[i].mark, ret_mark, HASH_LEN) != 0)
			continue;
		*ret_claims = (struct claims){.tenant_id = set[i].tenant_id,
					      .node_id = set[i].node_id,
					      .issued_at_s = set[i].issued_at_s,
					      .expires_at_s = set[i].expires_at_s};
		strcpy(ret_claims->aud, CLAIMS_AUD_AGENT);
		found = true;
	}
	pthread_mutex_unlock(&o->lock);
	return found;
}

void opened_keep(struct opened *o, const uint8_t mark[HASH_LEN], const struct claims *claims)
{
	struct entry *set = set_of(o, mark), *oldest = set;

	if (strcmp(claims->aud, CLAIMS_AUD_AGENT) != 0 || claims->expires_at_s <= 0)
		return;
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < WAYS; i++) {
		if (memcmp(set[i].mark, mark, HASH_LEN) == 0) {
			oldest = &set[i];
			break;
		}
		if (set[i].expires_at_s < oldest->expires_at_s)
			oldest = &set[i];
	}
	memcpy(oldest->mark, mark, HASH_LEN);
	oldest->tenant_id = claims->tenant_id;
	oldest->node_id = claims->node_id;
	oldest->issued_at_s = claims->issued_at_s;
	oldest->expires_at_s = claims->expires_at_s;
	pthread_mutex_unlock(&o->lock);
}
