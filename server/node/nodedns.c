/* SPDX-License-Identifier: Apache-2.0 */
/* Members in, zone out. A suspended member keeps its address and loses its name. */
#include "server/node/nodedns.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "server/dns/dnslisten.h"

/* The port of another program is asked for again. */
#define RETRY_EVERY_MS 30000
/* What the name server says of itself. */
#define HEAR_EVERY_MS 5000
/* CoreDNS: one small question. */
#define ASK_EVERY_MS 5000
#define ASK_SOON_MS 1000
#define UNHEARD_MAX 3

static void say(char ret[REPLICA_DNS_LEN], const struct nodedns *d)
{
	char why[DNSFORWARD_REASON_LEN] = "", address[CIDR_TEXT_LEN + 1];

	if (d->conf->dns == NODE_DNS_OFF) {
		snprintf(ret, REPLICA_DNS_LEN, "off");
	} else if (d->conf->dns == NODE_DNS_COREDNS && d->n_unheard < UNHEARD_MAX) {
		snprintf(ret, REPLICA_DNS_LEN, "coredns");
	} else if (d->conf->dns == NODE_DNS_COREDNS && d->own[0].family) {
		snprintf(ret, REPLICA_DNS_LEN,
			 "degraded: no CoreDNS on port %u of %s that asks this node",
			 DNSLISTEN_PORT, cidr_addr_text(&d->own[0], address));
	} else if (d->listen) {
		dnslisten_why(d->listen, why);
		snprintf(ret, REPLICA_DNS_LEN, why[0] ? "degraded: %s" : "serving", why);
	} else if (d->refused == -EADDRINUSE) {
		snprintf(ret, REPLICA_DNS_LEN,
			 "degraded: another program has port %u of %s; move it or set dns = off",
			 DNSLISTEN_PORT, cidr_addr_text(&d->own[0], address));
	} else if (d->refused == -EINVAL) {
		snprintf(ret, REPLICA_DNS_LEN, "degraded: dns_upstream is no list of addresses");
	} else if (d->refused) {
		snprintf(ret, REPLICA_DNS_LEN, "degraded: port %u: %s", DNSLISTEN_PORT,
			 strerror(-d->refused));
	} else {
		snprintf(ret, REPLICA_DNS_LEN, "degraded: the interface is not up");
	}
}

static bool note_status(struct nodedns *d)
{
	char *status = d->replica->interface.dns_status, now[REPLICA_DNS_LEN];

	say(now, d);
	/* Only this thread writes it. */
	if (strcmp(status, now) == 0)
		return false;
	if (strncmp(now, "degraded", 8) == 0)
		log_warn("dns", "%s", now);
	else
		log_info("dns", "%s", now);
	pthread_rwlock_wrlock(&d->replica->lock);
	memcpy(status, now, sizeof(now));
	pthread_rwlock_unlock(&d->replica->lock);
	return true;
}

void nodedns_init(struct nodedns *d, const struct node_conf *conf, struct replica *replica,
		  struct dnscount *count)
{
	/* Silent until heard. */
	*d = (struct nodedns){
		.conf = conf, .replica = replica, .count = count, .n_unheard = UNHEARD_MAX};
	dnsprobe_init(&d->probe);
	say(replica->interface.dns_status, d);
}

void nodedns_done(struct nodedns *d)
{
	dnslisten_free(d->listen);
	d->listen = NULL;
	dnsprobe_done(&d->probe);
}

static struct zone *make_zone(const struct nodedns *d, const struct member *self)
{
	const struct members *list = d->replica->list;
	const struct tenantrec *t = members_tenant(list);
	const struct zone_head head = {
		.serial = (uint32_t)d->replica->head.generation,
		.self = self->slug,
		.range4 = t->range4,
		.range6 = t->range6,
	};
	size_t count = members_count(list), n = 0;
	struct zone_host *hosts = calloc(count + 1, sizeof(*hosts));
	struct zone *zone;

	if (!hosts)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const struct member *m = members_at(list, i);

		if (m->suspended || !m->slug[0])
			continue;
		hosts[n].name = m->slug;
		if (m->ip4)
			hosts[n].ip4 = cidr_v4(m->ip4, 32);
		if (m->has_ip6)
			hosts[n].ip6 = cidr_v6(m->ip6, 128);
		n++;
	}
	zone = zone_new(&head, hosts, n);
	free(hosts);
	return zone;
}

static bool has_moved(const struct nodedns *d, const struct cidr own[2])
{
	return !cidr_equal(&d->own[0], &own[0]) || !cidr_equal(&d->own[1], &own[1]);
}

static void start(struct nodedns *d, struct zone *zone)
{
	const struct dnslisten_options options = {
		.own = {d->own[0], d->own[1]},
		.interface = d->conf->wg_interface,
		.port = DNSLISTEN_PORT,
		.upstream = d->conf->dns_upstream,
		.count = d->count,
	};

	d->refused = dnslisten_new(&options, zone, &d->listen);
}

/* For who asks by gRPC. Takes the zone. */
static void show_zone(struct nodedns *d, struct zone *zone)
{
	struct zone *old;

	pthread_rwlock_wrlock(&d->replica->lock);
	old = d->replica->zone;
	d->replica->zone = zone;
	pthread_rwlock_unlock(&d->replica->lock);
	zone_free(old);
}

bool nodedns_apply(struct nodedns *d)
{
	const struct member *self = members_get(d->replica->list, &d->replica->self);
	struct cidr own[2] = {0};
	struct zone *zone;

	if (d->conf->dns == NODE_DNS_OFF || !self || !self->ip4) {
		/* Removed: its address is gone, and its names are nobody's here. */
		nodedns_done(d);
		show_zone(d, NULL);
		return note_status(d);
	}
	own[0] = cidr_v4(self->ip4, 32);
	if (self->has_ip6)
		own[1] = cidr_v6(self->ip6, 128);
	zone = make_zone(d, self);
	if (!zone)
		return note_status(d);
	if (has_moved(d, own)) {
		nodedns_done(d);
		memcpy(d->own, own, sizeof(own));
	}
	show_zone(d, zone_ref(zone));
	if (d->conf->dns == NODE_DNS_COREDNS)
		zone_free(zone);
	else if (d->listen)
		dnslisten_publish(d->listen, zone);
	else
		start(d, zone);
	return note_status(d);
}

/* What the last question came to, and the next one. */
static void ask_coredns(struct nodedns *d)
{
	const struct member *self = members_get(d->replica->list, &d->replica->self);

	if (dnsprobe_heard(&d->probe))
		d->n_unheard = 0;
	else if (d->n_unheard < UNHEARD_MAX)
		d->n_unheard++;
	dnsprobe_done(&d->probe);
	if (self && d->own[0].family &&
	    dnsprobe_ask(&d->probe, &d->own[0], DNSLISTEN_PORT, self->slug, &d->own[0]))
		log_debug("dns", "CoreDNS is not asked: %s", strerror(errno));
}

bool nodedns_look(struct nodedns *d)
{
	if (d->conf->dns == NODE_DNS_COREDNS)
		ask_coredns(d);
	if (d->refused)
		return nodedns_apply(d);
	return note_status(d);
}

uint64_t nodedns_look_in_ms(const struct nodedns *d)
{
	if (d->conf->dns != NODE_DNS_COREDNS)
		return d->listen ? HEAR_EVERY_MS : RETRY_EVERY_MS;
	return d->n_unheard ? ASK_SOON_MS : ASK_EVERY_MS;
}
