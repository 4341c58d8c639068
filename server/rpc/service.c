/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods of a server in one hash table by path. Filled before the server
 * starts, read by every loop afterwards without a lock.
 */
#include "server/rpc/service.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "gen/rpc/types.h"

#define SERVICES_MAX 32

struct slot {
	const struct method *method;
	handler_fn fn;
	void *owner;
};

struct services {
	struct service_hooks hooks;
	struct slot *slots;
	size_t n, cap; /* cap is a power of two */
	const struct service *all[SERVICES_MAX];
	size_t n_all;
};

/* Eight bytes a step. Who sends paths cannot fill the table, so nothing is gained by collisions. */
static size_t hash(const char *path, size_t len)
{
	uint64_t h = len, word;

	for (; len >= sizeof(word); path += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, path, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15;
		h ^= h >> 32;
	}
	for (; len > 0; path++, len--)
		h = (h ^ (uint8_t)*path) * 0x100000001b3;
	return (size_t)(h ^ h >> 32);
}

struct services *services_new(const struct service_hooks *hooks)
{
	struct services *s = calloc(1, sizeof(*s));

	if (s && hooks)
		s->hooks = *hooks;
	return s;
}

void services_free(struct services *s)
{
	if (!s)
		return;
	free(s->slots);
	free(s);
}

static struct slot *find(const struct services *s, const char *path, size_t len)
{
	size_t i = hash(path, len) & (s->cap - 1);

	while (s->slots[i].method && (strncmp(s->slots[i].method->path, path, len) != 0 ||
				      s->slots[i].method->path[len] != '\0'))
		i = (i + 1) & (s->cap - 1);
	return &s->slots[i];
}

static int grow(struct services *s, size_t n)
{
	struct services bigger = *s;

	bigger.cap = s->cap ? s->cap : 64;
	while (bigger.cap < 2 * (s->n + n))
		bigger.cap *= 2;
	if (bigger.cap == s->cap)
		return 0;
	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < s->cap; i++)
		if (s->slots[i].method)
			*find(&bigger, s->slots[i].method->path, strlen(s->slots[i].method->path)) =
				s->slots[i];
	free(s->slots);
	*s = bigger;
	return 0;
}

int service_add(struct services *s, const struct service *desc, const void *handlers, void *owner)
{
	const handler_fn *fns = handlers;
	int r;

	if (s->n_all == SERVICES_MAX)
		return err_origin(-ENOBUFS);
	r = grow(s, desc->n_methods);
	if (r < 0)
		return err_trace(r);
	for (size_t i = 0; i < desc->n_methods; i++) {
		const struct method *m = &desc->methods[i];
		struct slot *slot = find(s, m->path, strlen(m->path));

		if (slot->method)
			return err_origin(-EEXIST);
		*slot = (struct slot){
			.method = m,
			.fn = fns ? fns[m->index] : NULL,
			.owner = owner,
		};
		s->n++;
	}
	s->all[s->n_all++] = desc;
	return 0;
}

const struct method *service_find(const struct services *s, const char *path, size_t len,
				  handler_fn *ret_fn, void **ret_owner)
{
	const struct slot *slot;

	if (s->cap == 0)
		return NULL;
	slot = find(s, path, len);
	if (!slot->method)
		return NULL;
	if (ret_fn)
		*ret_fn = slot->fn;
	if (ret_owner)
		*ret_owner = slot->owner;
	return slot->method;
}

const struct service *service_at(const struct services *s, size_t nth)
{
	return nth < s->n_all ? s->all[nth] : NULL;
}

const struct service_hooks *service_hooks(const struct services *s)
{
	return &s->hooks;
}

const struct json_types *service_types(const struct services *s)
{
	return s->hooks.types ? s->hooks.types : &types_known;
}
