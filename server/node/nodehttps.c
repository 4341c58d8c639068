/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node/nodehttps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sign.h"
#include "base/text.h"
#include "base/unpack.h"
#include "server/node/pace.h"
#include "server/rpc/server.h"

#define ZONE ".quazzar.mesh"
#define PAUSE_FIRST_MS 15000
#define PAUSE_MAX_MS (3600 * 1000)

/* Of the addresses' two listeners. */
static const char *const listeners[] = {"mesh", "mesh6"};

void nodehttps_init(struct nodehttps *h, const struct node_conf *conf, struct replica *replica,
		    nodehttps_ask_fn ask, void *arg)
{
	*h = (struct nodehttps){.conf = conf, .replica = replica, .ask = ask, .arg = arg};
	pthread_mutex_init(&h->lock, NULL);
	snprintf(replica->https.status, sizeof(replica->https.status), "%s",
		 conf->mesh_port ? "starting" : "off");
}

void nodehttps_done(struct nodehttps *h)
{
	if (!h->conf)
		return;
	nodecert_done(&h->cert);
	pthread_mutex_destroy(&h->lock);
}

void nodehttps_attach(struct nodehttps *h, struct server *server)
{
	pthread_mutex_lock(&h->lock);
	h->server = server;
	h->listens[0] = h->listens[1] = false;
	pthread_mutex_unlock(&h->lock);
}

/* --- how it stands --- */

static void say(const struct nodehttps *h, char ret[REPLICA_HTTPS_LEN])
{
	char until[32], address[CIDR_TEXT_LEN + 1];

	clock_rfc3339(h->cert.leaf.until_s * 1000, until);
	/* Milliseconds say nothing here. */
	memcpy(until + 19, "Z", 2);
	if (!h->server || (!h->cert.has_leaf && !h->refusal[0] && clock_boot_ms() < h->ask_at_ms))
		snprintf(ret, REPLICA_HTTPS_LEN, "starting");
	else if (!h->own[0].family)
		snprintf(ret, REPLICA_HTTPS_LEN, "degraded: the interface is not up");
	else if (!h->cert.has_leaf)
		snprintf(ret, REPLICA_HTTPS_LEN, "degraded: no certificate yet: %s",
			 h->refusal[0] ? h->refusal : "the Control Panel has not answered");
	else if (h->refused == -EADDRINUSE)
		snprintf(ret, REPLICA_HTTPS_LEN,
			 "degraded: another program has port %u of %s; move it or set mesh_port",
			 (unsigned)h->conf->mesh_port, cidr_addr_text(&h->own[0], address));
	else if (h->refused)
		snprintf(ret, REPLICA_HTTPS_LEN, "degraded: port %u of %s: %s",
			 (unsigned)h->conf->mesh_port, cidr_addr_text(&h->own[0], address),
			 strerror(-h->refused));
	else if (clock_wall_ms() / 1000 >= h->cert.leaf.until_s)
		snprintf(ret, REPLICA_HTTPS_LEN, "degraded: its certificate ended at %s: %s", until,
			 h->refusal[0] ? h->refusal : "the Control Panel has not answered");
	else
		snprintf(ret, REPLICA_HTTPS_LEN, "serving until %s", until);
}

/* What others see of it. Only this thread writes it, so reading needs no lock. */
static bool publish(struct nodehttps *h)
{
	struct replica_https *to = &h->replica->https, now = {0};
	bool shows_ca = h->cert.ca && (!to->ca || strcmp(to->ca, h->cert.ca));
	char *ca = shows_ca ? strdup(h->cert.ca) : NULL;
	size_t name_len = strcspn(h->names, " ");

	say(h, now.status);
	if (h->listens[0]) {
		snprintf(now.url, sizeof(now.url), "https://%.*s:%u", (int)name_len, h->names,
			 (unsigned)h->conf->mesh_port);
		text_hex(h->cert.leaf.pin, sizeof(h->cert.leaf.pin), now.pin);
	}
	if (strcmp(to->status, now.status) == 0 && strcmp(to->url, now.url) == 0 &&
	    strcmp(to->pin, now.pin) == 0 && !ca)
		return false;
	if (strcmp(to->status, now.status) && strncmp(now.status, "degraded", 8) == 0)
		log_warn("https", "%s", now.status);
	else if (strcmp(to->status, now.status))
		log_info("https", "%s", now.status);
	pthread_rwlock_wrlock(&h->replica->lock);
	if (ca)
		free(to->ca);
	now.ca = ca ? ca : to->ca;
	*to = now;
	pthread_rwlock_unlock(&h->replica->lock);
	return true;
}

/* --- the certificate --- */

static uint64_t n_nodes(const struct members *list)
{
	uint64_t n = 0;

	for (size_t i = 0; i < members_count(list); i++)
		n += members_at(list, i)->kind == MEMBER_NODE;
	return n;
}

/* The same at each try, so that who is told again does not begin anew. */
static uint64_t spread_ms(const struct nodehttps *h, const char *mark)
{
	const struct hash_part parts[] = {{h->replica->self.b, sizeof(h->replica->self.b)},
					  {mark, strlen(mark)}};
	uint64_t span = NODEHTTPS_SPREAD_MS + NODEHTTPS_SPREAD_NODE_MS * n_nodes(h->replica->list);
	uint8_t hash[HASH_LEN];

	hash_parts(NULL, 0, parts, ARRAY_LEN(parts), hash);
	return pace_within(span < NODEHTTPS_SPREAD_MAX_MS ? span : NODEHTTPS_SPREAD_MAX_MS,
			   (uint16_t)(hash[0] << 8 | hash[1]));
}

void nodehttps_mark(struct nodehttps *h, const char *mark)
{
	bool is_known = strcmp(mark, h->mark) == 0;
	uint64_t at = 0;

	if (h->cert.has_leaf && strcmp(mark, h->cert.mark) != 0)
		at = clock_boot_ms() + spread_ms(h, mark);
	snprintf(h->mark, sizeof(h->mark), "%s", mark);
	h->is_marked = true;
	/* News: whatever was refused before may be granted now. */
	if (!is_known || at < h->ask_at_ms)
		h->ask_at_ms = h->spread_at_ms = at;
}

uint64_t nodehttps_look_at_ms(const struct nodehttps *h)
{
	return h->spread_at_ms ? h->spread_at_ms : UINT64_MAX;
}

/* Whatever made the pauses long, there is something new to ask for. */
static void hurry(struct nodehttps *h)
{
	uint64_t soon = clock_boot_ms() + PAUSE_FIRST_MS;

	h->pause_ms = 0;
	if (h->ask_at_ms > soon)
		h->ask_at_ms = soon;
}

static void ask(struct nodehttps *h)
{
	uint64_t now = clock_boot_ms();
	uint8_t csr[NODECERT_CSR_MAX];
	size_t len;

	if (h->asking || now < h->ask_at_ms ||
	    !nodecert_is_due(&h->cert, h->names, h->mark, clock_wall_ms()))
		return;
	h->asking = nodecert_request(&h->cert, csr, &len) == 0 && h->ask(h->arg, csr, len) == 0;
	h->ask_at_ms = now + PAUSE_FIRST_MS;
	h->is_marked = false;
}

static void put_off(struct nodehttps *h, const char *why)
{
	h->pause_ms = h->pause_ms ? h->pause_ms * 2 : PAUSE_FIRST_MS;
	if (h->pause_ms > PAUSE_MAX_MS)
		h->pause_ms = PAUSE_MAX_MS;
	h->ask_at_ms = clock_boot_ms() + h->pause_ms;
	if (strcmp(h->refusal, why))
		log_warn("https", "no certificate: %s", why);
	snprintf(h->refusal, sizeof(h->refusal), "%s", why);
}

/* Handshakes from now on show it; connections that are there go on. */
static void show(struct nodehttps *h)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/" NODECERT_FILE, h->conf->state_dir);
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < ARRAY_LEN(listeners) && h->server; i++) {
		if (h->listens[i] && server_change_cert(h->server, listeners[i], path, path))
			log_error("https", "the new certificate is not shown");
	}
	pthread_mutex_unlock(&h->lock);
}

void nodehttps_answer(struct nodehttps *h, bool failed, const void *p, size_t len)
{
	Pb__IssueCertificateResponse *pb = NULL;
	char words[sizeof(h->refusal)];
	int r = -EBADMSG;

	h->asking = false;
	if (failed) {
		snprintf(words, sizeof(words), "%.*s", (int)len, (const char *)p);
		put_off(h, words);
		return;
	}
	pb = (Pb__IssueCertificateResponse *)unpack_message(
		&pb__issue_certificate_response__descriptor, NULL, p, len);
	if (pb && pb->certificate)
		r = nodecert_take(&h->cert, h->conf->state_dir, pb->certificate);
	if (pb)
		pb__issue_certificate_response__free_unpacked(pb, NULL);
	if (r) {
		put_off(h, r == -EBADMSG ? "what the Control Panel sent is none for this node"
					 : strerror(-r));
		return;
	}
	/* What was told while it was under way may be newer than what it was signed by. */
	if (!h->is_marked)
		snprintf(h->mark, sizeof(h->mark), "%s", h->cert.mark);
	show(h);
	if (nodecert_is_due(&h->cert, h->names, "", clock_wall_ms())) {
		put_off(h, "what the Control Panel gives is over, or for another name: "
			   "are the clocks right?");
		return;
	}
	h->pause_ms = 0;
	h->refusal[0] = '\0';
}

/* --- listening --- */

static void write_hosts(const struct nodehttps *h, char ret[CERT_NAMES_MAX])
{
	char ip4[CIDR_TEXT_LEN + 1], ip6[CIDR_TEXT_LEN + 1];
	int len = (int)strcspn(h->names, " ");

	len = snprintf(ret, CERT_NAMES_MAX, "%.*s %s", len, h->names,
		       cidr_addr_text(&h->own[0], ip4));
	if (h->own[1].family)
		snprintf(ret + len, CERT_NAMES_MAX - (size_t)len, " [%s]",
			 cidr_addr_text(&h->own[1], ip6));
}

static int listen_at(struct nodehttps *h, size_t i)
{
	const struct tenantrec *t = members_tenant(h->replica->list);
	char path[512], hosts[CERT_NAMES_MAX], ip[CIDR_TEXT_LEN + 1], address[CIDR_TEXT_LEN + 16];
	struct listener_options options = {.kind = LISTENER_TLS,
					   .address = address,
					   .cert_file = path,
					   .key_file = path,
					   .http2 = h->conf->http2,
					   .name = listeners[i],
					   .hosts = hosts,
					   .from = {t->range4, t->range6},
					   .quiet = true};

	snprintf(path, sizeof(path), "%s/" NODECERT_FILE, h->conf->state_dir);
	snprintf(address, sizeof(address), i ? "[%s]:%u" : "%s:%u", cidr_addr_text(&h->own[i], ip),
		 (unsigned)h->conf->mesh_port);
	write_hosts(h, hosts);
	return server_listen(h->server, &options, NULL);
}

/* A host without IPv6 still has a mesh. */
static void start_listening(struct nodehttps *h)
{
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < ARRAY_LEN(listeners) && h->server; i++) {
		int r = h->listens[i] || !h->own[i].family ? 0 : listen_at(h, i);

		if (!h->listens[i] && h->own[i].family)
			h->listens[i] = r == 0;
		if (i == 0)
			h->refused = r;
		else if (r)
			log_debug("https", "not on the IPv6 address: %s", strerror(-r));
	}
	pthread_mutex_unlock(&h->lock);
}

static void stop_listening(struct nodehttps *h)
{
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < ARRAY_LEN(listeners); i++) {
		if (h->server && h->listens[i])
			server_unlisten(h->server, listeners[i]);
		h->listens[i] = false;
	}
	pthread_mutex_unlock(&h->lock);
}

static void rename_hosts(struct nodehttps *h)
{
	char hosts[CERT_NAMES_MAX];

	write_hosts(h, hosts);
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < ARRAY_LEN(listeners) && h->server; i++) {
		if (h->listens[i] && server_change_hosts(h->server, listeners[i], hosts))
			log_error("https", "the new name is not known yet");
	}
	pthread_mutex_unlock(&h->lock);
}

/* The list says who we are. */
static void take_names(struct nodehttps *h, const struct member *self)
{
	char names[CERT_NAMES_MAX], ip4[CIDR_TEXT_LEN + 1], ip6[CIDR_TEXT_LEN + 1] = "";
	struct cidr own[2] = {cidr_v4(self->ip4, 32)};
	bool moved;

	if (self->has_ip6)
		own[1] = cidr_v6(self->ip6, 128);
	if (own[1].family)
		cidr_addr_text(&own[1], ip6);
	snprintf(names, sizeof(names), "%s" ZONE " %s%s%s", self->slug,
		 cidr_addr_text(&own[0], ip4), *ip6 ? " " : "", ip6);
	if (strcmp(names, h->names) == 0)
		return;
	moved = !cidr_equal(&own[0], &h->own[0]) || !cidr_equal(&own[1], &h->own[1]);
	strcpy(h->names, names);
	memcpy(h->own, own, sizeof(own));
	hurry(h);
	if (moved)
		stop_listening(h);
	else
		rename_hosts(h);
}

bool nodehttps_look(struct nodehttps *h)
{
	const struct member *self = members_get(h->replica->list, &h->replica->self);

	if (clock_boot_ms() >= h->spread_at_ms)
		h->spread_at_ms = 0;
	if (!h->conf->mesh_port || !h->server)
		return false;
	if (!h->has_cert) {
		if (nodecert_load(h->conf->state_dir, &h->cert))
			return false;
		h->has_cert = true;
	}
	/* Removed: nobody is to be served here any more. */
	if (!self && h->names[0]) {
		stop_listening(h);
		h->names[0] = '\0';
		memset(h->own, 0, sizeof(h->own));
	}
	if (self && self->ip4 && h->replica->interface.active) {
		take_names(h, self);
		ask(h);
		if (h->cert.has_leaf)
			start_listening(h);
	}
	return publish(h);
}
