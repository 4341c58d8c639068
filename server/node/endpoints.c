/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row per node. One resolver thread serves all names: getaddrinfo blocks,
 * and the keeper must not. A name that fails is tried again after a while.
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

#define RETRY_S 30

enum row_state { ROW_NUMBERS, ROW_WANTED, ROW_RESOLVED };

struct row {
	struct uuid node_id;
	char text[262];
	struct wg_endpoint endpoint;
	enum row_state state;
	bool is_new;
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

static int look_up(const char *text, struct wg_endpoint *ret)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	struct wg_endpoint e = {0};
	char host[256];

	if (hostport_split(text, host, &e.port) || getaddrinfo(host, NULL, &hints, &found))
		return -EINVAL;
	if (found->ai_family == AF_INET) {
		e.family = CIDR_V4;
		memcpy(e.addr, &((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr, 4);
	} else if (found->ai_family == AF_INET6) {
		e.family = CIDR_V6;
		memcpy(e.addr, &((struct sockaddr_in6 *)(void *)found->ai_addr)->sin6_addr, 16);
	}
	freeaddrinfo(found);
	if (!e.family)
		return -EINVAL;
	*ret = e;
	return 0;
}

static struct row *find_text(struct endpoints *e, const char *text)
{
	for (size_t i = 0; i < e->n; i++)
		if (strcmp(e->rows[i].text, text) == 0)
			return &e->rows[i];
	return NULL;
}

static struct row *find_wanted(struct endpoints *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->rows[i].state == ROW_WANTED)
			return &e->rows[i];
	return NULL;
}

static void wait_a_while(struct endpoints *e)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += RETRY_S;
	pthread_cond_timedwait(&e->changed, &e->lock, &until);
}

static void *resolve(void *arg)
{
	struct endpoints *e = arg;

	pthread_mutex_lock(&e->lock);
	while (!e->stop) {
		struct row *row = find_wanted(e);
		struct wg_endpoint found;
		char text[sizeof(row->text)];
		int r;

		if (!row) {
			pthread_cond_wait(&e->changed, &e->lock);
			continue;
		}
		strcpy(text, row->text);
		pthread_mutex_unlock(&e->lock);
		r = look_up(text, &found);
		pthread_mutex_lock(&e->lock);
		row = find_text(e, text);
		if (r) {
			log_warn("node", "endpoint %s of a node has no address", text);
			if (!e->stop)
				wait_a_while(e);
		} else if (row && !e->stop) {
			row->endpoint = found;
			row->state = ROW_RESOLVED;
			pthread_mutex_unlock(&e->lock);
			e->resolved(e->arg);
			pthread_mutex_lock(&e->lock);
		}
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

struct endpoints *endpoints_new(void (*resolved)(void *arg), void *arg)
{
	struct endpoints *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->resolved = resolved;
	e->arg = arg;
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->changed, NULL);
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
	row->state = ROW_WANTED;
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
		row->state = ROW_NUMBERS;
		if (text[0] && wg_endpoint_parse(text, &row->endpoint))
			want(e, row);
	}
	if (row) {
		*ret = row->endpoint;
		*ret_is_new = row->is_new;
	}
	pthread_mutex_unlock(&e->lock);
}

void endpoints_was_set(struct endpoints *e, const struct uuid *node_id)
{
	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < e->n; i++)
		if (uuid_equal(&e->rows[i].node_id, node_id) && e->rows[i].endpoint.family)
			e->rows[i].is_new = false;
	pthread_mutex_unlock(&e->lock);
}
