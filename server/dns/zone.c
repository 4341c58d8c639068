/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts once, and two lists of them sorted by address. */
#include "server/dns/zone.h"

#include <stdatomic.h>
#include <string.h>

struct zone {
	atomic_uint refs;
	struct zone_head head;
	struct zone_host *hosts; /* by name */
	const struct zone_host **by_ip4, **by_ip6;
	size_t n, n_ip4, n_ip6;
	char *names; /* what the hosts' names point into; the name server's comes first */
};

static int compare_names(const void *a, const void *b)
{
	const struct zone_host *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	/* Copies lie in the order they came in, so the first one stays the first. */
	return order ? order : (x->name > y->name) - (x->name < y->name);
}

static int compare_ip4(const void *a, const void *b)
{
	const struct zone_host *const *x = a, *const *y = b;

	return memcmp((*x)->ip4.addr, (*y)->ip4.addr, 4);
}

static int compare_ip6(const void *a, const void *b)
{
	const struct zone_host *const *x = a, *const *y = b;

	return memcmp((*x)->ip6.addr, (*y)->ip6.addr, 16);
}

static bool copy_names(struct zone *z, const struct zone_host *hosts, size_t n)
{
	size_t len = strlen(z->head.self) + 1, at;

	for (size_t i = 0; i < n; i++)
		len += strlen(hosts[i].name) + 1;
	z->names = malloc(len);
	if (!z->names)
		return false;
	at = strlen(z->head.self) + 1;
	memcpy(z->names, z->head.self, at);
	z->head.self = z->names;
	for (size_t i = 0; i < n; i++) {
		size_t name_len = strlen(hosts[i].name) + 1;

		z->hosts[i] = hosts[i];
		z->hosts[i].name = memcpy(z->names + at, hosts[i].name, name_len);
		at += name_len;
	}
	return true;
}

static void sort_hosts(struct zone *z, size_t n)
{
	qsort(z->hosts, n, sizeof(*z->hosts), compare_names);
	for (size_t i = 0; i < n; i++)
		if (z->n == 0 || strcmp(z->hosts[i].name, z->hosts[z->n - 1].name) != 0)
			z->hosts[z->n++] = z->hosts[i];
	for (size_t i = 0; i < z->n; i++) {
		if (z->hosts[i].ip4.family)
			z->by_ip4[z->n_ip4++] = &z->hosts[i];
		if (z->hosts[i].ip6.family)
			z->by_ip6[z->n_ip6++] = &z->hosts[i];
	}
	qsort(z->by_ip4, z->n_ip4, sizeof(*z->by_ip4), compare_ip4);
	qsort(z->by_ip6, z->n_ip6, sizeof(*z->by_ip6), compare_ip6);
}

struct zone *zone_new(const struct zone_head *head, const struct zone_host *hosts, size_t n)
{
	_cleanup_(zone_freep) struct zone *z = calloc(1, sizeof(*z));

	if (!z)
		return NULL;
	z->refs = 1;
	z->head = *head;
	z->hosts = calloc(n + 1, sizeof(*z->hosts));
	z->by_ip4 = calloc(n + 1, sizeof(*z->by_ip4));
	z->by_ip6 = calloc(n + 1, sizeof(*z->by_ip6));
	if (!z->hosts || !z->by_ip4 || !z->by_ip6 || !copy_names(z, hosts, n))
		return NULL;
	sort_hosts(z, n);
	return TAKE(z);
}

struct zone *zone_ref(struct zone *z)
{
	z->refs++;
	return z;
}

void zone_free(struct zone *z)
{
	if (!z || --z->refs)
		return;
	free(z->hosts);
	free(z->by_ip4);
	free(z->by_ip6);
	free(z->names);
	free(z);
}

const struct zone_head *zone_head(const struct zone *z)
{
	return &z->head;
}

const struct zone_host *zone_by_name(const struct zone *z, const char *name)
{
	size_t low = 0, high = z->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, z->hosts[middle].name);

		if (order == 0)
			return &z->hosts[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct zone_host *zone_within(const struct zone *z, const struct cidr *net)
{
	bool v4 = net->family == CIDR_V4;
	const struct zone_host **rows = v4 ? z->by_ip4 : z->by_ip6;
	struct cidr first = cidr_network(net);
	size_t low = 0, n = v4 ? z->n_ip4 : z->n_ip6, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct cidr *address = v4 ? &rows[middle]->ip4 : &rows[middle]->ip6;

		if (memcmp(address->addr, first.addr, v4 ? 4 : 16) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == n || !cidr_contains(net, v4 ? &rows[low]->ip4 : &rows[low]->ip6))
		return NULL;
	return rows[low];
}

bool zone_is_mesh(const struct zone *z, const struct cidr *address)
{
	const struct cidr *range = address->family == CIDR_V4 ? &z->head.range4 : &z->head.range6;

	return range->family && cidr_contains(range, address);
}
