/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row per node. One resolver thread serves all names: getaddrinfo blocks,
 * and the keeper must not. A name is asked for again and again: a node at home
 * gets another address over night, and its name follows. Should WireGuard have
 * learnt a better one, the next packet of that node puts it back.
 */
#include "server/node/endpoints.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/cidr.h"
#include "base/clock.h"
#include "base/log.h"

#define RESOLVE_EVERY_MS 30000

struct row {
	struct uuid node_id;
	char text[262];
	struct wg_endpoint endpoint;
	bool is_name, is_new, has_failed;
	bool is_told;           /* that it is new, with this endpoint */
	bool is_seen;           /* since the last sweep */
	uint64_t look_up_at_ms; /* of a name */
};

struct endpoints {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	struct row *rows;
	size_t n, cap;
	void (*resolved)(void *arg);
	void *arg;
	bool running, stop;
};

static bool read_address(const struct addrinfo *a, uint16_t port, struct wg_endpoint *ret)
{
	struct wg_endpoint e = {.port = port};

	if (a->ai_family == AF_INET) {
		e.family = CIDR_V4;
		memcpy(e.addr, &((struct sockaddr_in *)(void *)a->ai_addr)->sin_addr, 4);
	} else if (a->ai_family == AF_INET6) {
		e.family = CIDR_V6;
		memcpy(e.addr, &((struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_addr, 16);
	}
	if (e.family)
		*ret = e;
	return e.family != 0;
}

static bool is_same(const struct wg_endpoint *a, const struct wg_endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* Of several addresses the one that is in use, whatever order they come in; else the first. */
static int look_up(const char *text, const struct wg_endpoint *in_use, struct wg_endpoint *ret)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	struct wg_endpoint first = {0}, one;
	uint16_t port;
	char host[256];

	if (hostport_split(text, host, &port) || getaddrinfo(host, NULL, &hints, &found))
		return -EINVAL;
	for (const struct addrinfo *a = found; a; a = a->ai_next) {
		if (!read_address(a, port, &one))
			continue;
		if (!first.family || is_same(&one, in_use))
			first = one;
	}
	freeaddrinfo(found);
	if (!first.family)
		return -EINVAL;
	*ret = first;
	return 0;
}

/* The name that is due first. */
static struct row *find_due(struct endpoints *e)
{
	struct row *due = NULL;

	for (size_t i = 0; i < e->n; i++)
		if (e->rows[i].is_name && (!due || e->rows[i].look_up_at_ms < due->look_up_at_ms))
			due = &e->rows[i];
	return due;
}

static void wait_until(struct endpoints *e, const struct row *row)
{
	uint64_t now = clock_boot_ms();
	uint64_t ms = row && row->look_up_at_ms > now ? row->look_up_at_ms - now : RESOLVE_EVERY_MS;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000) + 1;
	pthread_cond_timedwait(&e->changed, &e->lock, &until);
}

/* True: the keeper has to know. */
static bool take(struct row *row, const char *text, int r, const struct wg_endpoint *found)
{
	bool is_first = !row->endpoint.family, changed;

	row->look_up_at_ms = clock_boot_ms() + RESOLVE_EVERY_MS;
	if (r) {
		if (!row->has_failed)
			log_warn("node", "endpoint %s of a node has no address", text);
		row->has_failed = true;
		return false;
	}
	row->has_failed = false;
	changed = !is_same(&row->endpoint, found);
	row->endpoint = *found;
	row->is_told &= !changed;
	if (!is_first && changed) {
		log_info("node", "endpoint %s of a node has another address", text);
		row->is_new = true;
	}
	return changed;
}

/* Two nodes may have one name. */
static bool take_all(struct endpoints *e, const char *text, int r, const struct wg_endpoint *found)
{
	bool changed = false;

	for (size_t i = 0; i < e->n; i++)
		if (e->rows[i].is_name && strcmp(e->rows[i].text, text) == 0)
			changed |= take(&e->rows[i], text, r, found);
	return changed;
}

static void *resolve(void *arg)
{
	struct endpoints *e = arg;

	pthread_mutex_lock(&e->lock);
	while (!e->stop) {
		struct row *row = find_due(e);
		struct wg_endpoint found, in_use;
		char text[sizeof(row->text)];
		int r;

		if (!row || row->look_up_at_ms > clock_boot_ms()) {
			wait_until(e, row);
			continue;
		}
		strcpy(text, row->text);
		in_use = row->endpoint;
		pthread_mutex_unlock(&e->lock);
		r = look_up(text, &in_use, &found);
		pthread_mutex_lock(&e->lock);
		if (!take_all(e, text, r, &found) || e->stop)
			continue;
		pthread_mutex_unlock(&e->lock);
		e->resolved(e->arg);
		pthread_mutex_lock(&e->lock);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

struct endpoints *endpoints_new(void (*resolved)(void *arg), void *arg)
{
	struct endpoints *e = calloc(1, sizeof(*e));
	pthread_condattr_t attr;

	if (!e)
		return NULL;
	e->resolved = resolved;
	e->arg = arg;
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->changed, &attr);
	pthread_condattr_destroy(&attr);
	return e;
}

void endpoints_free(struct endpoints *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&e->lock);
	e->stop = true;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
	if (e->running)
		pthread_join(e->thread, NULL);
	pthread_cond_destroy(&e->changed);
	pthread_mutex_destroy(&e->lock);
	free(e->rows);
	free(e);
}

static struct row *find_or_add(struct endpoints *e, const struct uuid *node_id, bool add)
{
	for (size_t i = 0; i < e->n; i++)
		if (uuid_equal(&e->rows[i].node_id, node_id))
			return &e->rows[i];
	if (!add)
		return NULL;
	if (e->n == e->cap) {
		size_t cap = e->cap ? e->cap * 2 : 8;
		struct row *rows = reallocarray(e->rows, cap, sizeof(*rows));

		if (!rows)
			return NULL;
		e->rows = rows;
		e->cap = cap;
	}
	e->rows[e->n] = (struct row){.node_id = *node_id};
	return &e->rows[e->n++];
}

/* Most meshes name no names: the thread starts with the first one. */
static void want(struct endpoints *e, struct row *row)
{
	row->is_name = true;
	row->look_up_at_ms = 0;
	if (!e->running && pthread_create(&e->thread, NULL, resolve, e) == 0)
		e->running = true;
	pthread_cond_broadcast(&e->changed);
}

void endpoints_look(struct endpoints *e, const struct uuid *node_id, const char *text, bool known,
		    struct wg_endpoint *ret, bool *ret_is_new)
{
	struct row *row;

	*ret = (struct wg_endpoint){0};
	*ret_is_new = false;
	pthread_mutex_lock(&e->lock);
	row = find_or_add(e, node_id, text[0] != '\0');
	if (row && strcmp(row->text, text) != 0) {
		snprintf(row->text, sizeof(row->text), "%s", text);
		row->endpoint = (struct wg_endpoint){0};
		/* One that was taken back is new when it comes again. */
		row->is_new = text[0] && !known;
		row->is_told = false;
		row->is_name = row->has_failed = false;
		if (text[0] && wg_endpoint_parse(text, &row->endpoint))
			want(e, row);
	}
	if (row) {
		row->is_seen = true;
		*ret = row->endpoint;
		*ret_is_new = row->is_new;
		row->is_told = row->is_new && row->endpoint.family;
	}
	pthread_mutex_unlock(&e->lock);
}

void endpoints_was_set(struct endpoints *e, const struct uuid *node_id)
{
	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < e->n; i++)
		/* It may have got another address meanwhile. */
		if (uuid_equal(&e->rows[i].node_id, node_id) && e->rows[i].is_told)
			e->rows[i].is_new = false;
	pthread_mutex_unlock(&e->lock);
}

void endpoints_sweep(struct endpoints *e)
{
	size_t kept = 0;

	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < e->n; i++)
		if (e->rows[i].is_seen) {
			e->rows[kept] = e->rows[i];
			e->rows[kept++].is_seen = false;
		}
	e->n = kept;
	pthread_mutex_unlock(&e->lock);
}

void endpoints_refresh(struct endpoints *e)
{
	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < e->n; i++)
		e->rows[i].look_up_at_ms = 0;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}
