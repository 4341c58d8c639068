/* SPDX-License-Identifier: Apache-2.0 */
/* One open-addressing table behind one lock; rows are found within PROBES steps. */
#include "server/rpc/rate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#define PROBES 16

struct row {
	struct rate_key key;
	uint32_t held;
	uint32_t hits, hits_before; /* this minute, the one before */
	uint64_t minute;
	uint64_t used;
};

struct rate {
	pthread_mutex_t lock;
	uint64_t seed;
	uint64_t clock; /* grows with each use */
	size_t n_rows;
	struct row rows[];
};

static uint64_t mix(uint64_t h, const void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3;
	return h ^ h >> 32;
}

struct rate_key rate_key_address(const struct sockaddr *sa, uint32_t uid)
{
	struct rate_key key = {0};

	if (sa->sa_family == AF_INET) {
		key.b[0] = 4;
		memcpy(key.b + 4, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)sa)->sin6_addr;

		if (IN6_IS_ADDR_V4MAPPED(a)) {
			key.b[0] = 4;
			memcpy(key.b + 4, a->s6_addr + 12, 4);
		} else {
			key.b[0] = 6;
			memcpy(key.b + 4, a->s6_addr, 8);
		}
	} else {
		key.b[0] = 1;
		memcpy(key.b + 4, &uid, sizeof(uid));
	}
	return key;
}

struct rate_key rate_key_text(const char *s)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct rate_key key = {.b = {2}};

	if (inet_pton(AF_INET, s, &in.sin_addr) == 1)
		return rate_key_address((struct sockaddr *)&in, 0);
	if (inet_pton(AF_INET6, s, &in6.sin6_addr) == 1)
		return rate_key_address((struct sockaddr *)&in6, 0);
	uint64_t h = mix(0xcbf29ce484222325, s, strlen(s));

	memcpy(key.b + 4, &h, sizeof(h));
	return key;
}

struct rate *rate_new(size_t n_rows)
{
	struct rate *r = calloc(1, sizeof(*r) + n_rows * sizeof(struct row));

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->n_rows = n_rows;
	if (getrandom(&r->seed, sizeof(r->seed), 0) != sizeof(r->seed))
		r->seed = (uintptr_t)r;
	return r;
}

void rate_free(struct rate *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* The key's row; else, when make, a free one or the longest unused one that holds nothing. */
static struct row *find(struct rate *r, const struct rate_key *key, bool make)
{
	size_t at = mix(r->seed, key, sizeof(*key)) % r->n_rows;
	struct row *best = NULL;

	for (size_t i = 0; i < PROBES && i < r->n_rows; i++) {
		struct row *row = &r->rows[(at + i) % r->n_rows];

		if (row->used != 0 && memcmp(&row->key, key, sizeof(*key)) == 0) {
			row->used = ++r->clock;
			return row;
		}
		if (row->held == 0 && (!best || row->used < best->used))
			best = row;
	}
	if (!make || !best)
		return NULL;
	*best = (struct row){.key = *key, .used = ++r->clock};
	return best;
}

bool rate_hold(struct rate *r, const struct rate_key *key, uint32_t max)
{
	bool ok = true;

	pthread_mutex_lock(&r->lock);
	struct row *row = find(r, key, true);

	if (row && row->held >= max)
		ok = false;
	else if (row)
		row->held++;
	pthread_mutex_unlock(&r->lock);
	return ok;
}

void rate_drop(struct rate *r, const struct rate_key *key)
{
	pthread_mutex_lock(&r->lock);
	struct row *row = find(r, key, false);

	if (row && row->held > 0)
		row->held--;
	pthread_mutex_unlock(&r->lock);
}

static void turn(struct row *row, uint64_t now_ms)
{
	uint64_t minute = now_ms / 60000;

	if (row->minute == minute)
		return;
	row->hits_before = row->minute + 1 == minute ? row->hits : 0;
	row->hits = 0;
	row->minute = minute;
}

/* The part of the minute before that the window covers at most when so many of n are too many. */
static uint64_t most_left(uint64_t room, uint64_t n)
{
	return (room * 60000 + n - 1) / n - 1;
}

/* Of a row that is over, with hits in this minute; left: ms until the minute ends. */
static uint64_t wait_of(uint64_t hits, uint64_t before, uint32_t max, uint64_t left)
{
	if (hits < max)
		return before ? left - most_left(max - hits, before) : 0;
	return left + 60000 - most_left(max, hits);
}

uint64_t rate_wait(struct rate *r, const struct rate_key *key, uint32_t max, uint64_t now_ms)
{
	uint64_t wait = 0;

	pthread_mutex_lock(&r->lock);
	struct row *row = find(r, key, false);

	if (row) {
		turn(row, now_ms);
		/* The part of the last minute that the sliding window still covers. */
		uint64_t left = 60000 - now_ms % 60000;

		if (row->hits + row->hits_before * left / 60000 >= max)
			wait = wait_of((uint64_t)row->hits + 1, row->hits_before, max, left);
	}
	pthread_mutex_unlock(&r->lock);
	return wait;
}

void rate_hit(struct rate *r, const struct rate_key *key, uint64_t now_ms)
{
	pthread_mutex_lock(&r->lock);
	struct row *row = find(r, key, true);

	if (row) {
		turn(row, now_ms);
		row->hits++;
	}
	pthread_mutex_unlock(&r->lock);
}
