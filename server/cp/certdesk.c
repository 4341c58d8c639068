/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/certdesk.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/cp/events.h"
#include "server/cp/ipam.h"
#include "server/cp/keyring.h"
#include "server/cp/manners.h"
#include "server/cp/meshca.h"
#include "server/cp/misdeeds.h"
#include "server/rpc/calist.h"
#include "server/store/ca_row.h"
#include "server/store/node_row.h"
#include "server/store/tenant_row.h"

#define MARK_ROOM 128
/* A root key may change between the look at which one signs and its use. */
enum { MAX_LOOKS = 3, RETRY_MS = 1000 };

/* The live root keys, the one that signs first. */
struct roots {
	struct keyring_info keys[KEYRING_MAX_LIVE + 1];
	size_t n;
};

static int find_roots(struct cp *cp, struct roots *ret)
{
	_cleanup_(freep) struct keyring_info *infos = NULL;
	struct roots roots = {.n = 1};
	size_t n;
	int r;

	r = keyring_list(cp->keyring, &infos, &n);
	if (r)
		return r;
	for (size_t i = 0; i < n && roots.n < ARRAY_LEN(roots.keys); i++) {
		if (infos[i].use != KEYRING_CA || infos[i].state == KEYRING_RETIRED)
			continue;
		if (infos[i].state == KEYRING_ACTIVE)
			roots.keys[0] = infos[i];
		else
			roots.keys[roots.n++] = infos[i];
	}
	*ret = roots;
	return 0;
}

static void write_mark(const struct roots *roots, char ret[MARK_ROOM])
{
	size_t len = 0;

	*ret = '\0';
	for (size_t i = 0; i < roots->n && len < MARK_ROOM; i++)
		len += (size_t)snprintf(ret + len, MARK_ROOM - len, "%s%s", i ? " " : "",
					roots->keys[i].kid);
}

struct frame *certdesk_frame(struct cp *cp)
{
	Pb__Certificate certificate = PB__CERTIFICATE__INIT;
	Pb__AgentEvent event = PB__AGENT_EVENT__INIT;
	char mark[MARK_ROOM];
	struct roots roots;

	if (find_roots(cp, &roots))
		return NULL;
	write_mark(&roots, mark);
	certificate.mark = mark;
	event.type = (char *)"mesh.certificate";
	event.body_case = PB__AGENT_EVENT__BODY_CERTIFICATE;
	event.certificate = &certificate;
	return events_frame(&event, false);
}

/* --- CAs of a tenant --- */

struct look {
	struct uuid tenant_id, node_id;
	struct tenant_row tenant;
	struct node_row node;
	struct ca_row ca;
};

static int find_tenant(struct txn *txn, void *ctx)
{
	struct look *l = ctx;

	return tenant_row_get(txn, &l->tenant_id, &l->tenant);
}

static int find_node(struct txn *txn, void *ctx)
{
	struct look *l = ctx;
	int r = find_tenant(txn, l);

	return r ? r : node_row_get(txn, &l->tenant_id, &l->node_id, &l->node);
}

static int get_ca(struct txn *txn, void *ctx)
{
	struct look *l = ctx;

	return ca_row_get(txn, &l->ca);
}

/* Two who are the first get the same one. */
static int put_ca(struct txn *txn, void *ctx)
{
	struct look *l = ctx;
	int r = ca_row_put(txn, &l->ca);

	return r ? err_trace(r) : ca_row_get(txn, &l->ca);
}

/* l->ca by a root key, made if it is not there yet. ERR_NOT_FOUND: too late to make it. */
static int find_ca(struct cp *cp, struct look *l, const struct keyring_info *root)
{
	const struct meshca_tenant tenant = {.name = l->tenant.name,
					     .range4 = cidr_v4(l->tenant.range4, 16),
					     .range6 = cidr_v6(l->tenant.range6, 48)};
	uint8_t secret[KEYRING_CA_LEN];
	int r;

	l->ca = (struct ca_row){.tenant = l->tenant_id};
	memcpy(l->ca.kid, root->kid, sizeof(l->ca.kid));
	r = store_read(cp->store, get_ca, l);
	if (r != ERR_NOT_FOUND)
		return r;
	r = keyring_ca_secret(cp->keyring, root->kid, l->tenant_id.b, secret);
	if (r)
		return r;
	r = meshca_make(secret, &tenant, clock_wall_ms(), l->ca.der, &l->ca.len);
	key_wipe_bytes(secret, sizeof(secret));
	return r ? err_trace(r) : store_write(cp->store, put_ca, NULL, l);
}

/* PEM of all, in the order of roots. */
static int bundle(struct cp *cp, struct look *l, const struct roots *roots, struct text *out)
{
	char pem[MESHCA_PEM_MAX];
	int r = 0;

	for (size_t i = 0; !r && i < roots->n; i++) {
		r = find_ca(cp, l, &roots->keys[i]);
		/* One that retires and never signed for this tenant. */
		if (r == ERR_NOT_FOUND && i) {
			r = 0;
			continue;
		}
		if (!r)
			r = meshca_pem(l->ca.der, l->ca.len, pem);
		if (!r)
			text_adds(out, pem);
	}
	return r ? r : out->failed ? -ENOMEM : 0;
}

static int is_changing(struct call *call)
{
	call_fail(call, ERR_CALL_IN_PROGRESS,
		  "The CAs are being changed at this moment. Ask again in a second.");
	status_retry(&call->status, RETRY_MS);
	return ERR_CALL_IN_PROGRESS;
}

int certdesk_ca(struct call *call, const Pb__GetMeshCaRequest *in, Pb__GetMeshCaResponse *out)
{
	_cleanup_(text_done) struct text pem = TEXT_INIT(CALIST_PEM_MAX);
	struct look l = {.tenant_id = call->caller.tenant_id};
	struct cp *cp = call->owner;
	struct roots roots;
	int r;

	(void)in;
	r = store_read(cp->store, find_tenant, &l);
	if (r)
		return err_trace(r);
	r = ERR_NOT_FOUND;
	for (unsigned looks = 0; r == ERR_NOT_FOUND && looks < MAX_LOOKS; looks++) {
		text_done(&pem);
		r = find_roots(cp, &roots);
		if (!r)
			r = bundle(cp, &l, &roots, &pem);
	}
	if (r == ERR_NOT_FOUND)
		return is_changing(call);
	return r ? err_trace(r) : calist_fill(&call->arena, pem.s, out);
}

/* --- a node's --- */

static int sign(struct cp *cp, struct look *l, const struct roots *roots,
		const ProtobufCBinaryData *csr, char ret_pem[MESHCA_PEM_MAX])
{
	struct meshca_node node = {.slug = l->node.slug, .ip4 = cidr_v4(l->node.ip4, 32)};
	uint8_t secret[KEYRING_CA_LEN], ip6[16];
	struct meshca ca = {.secret = secret, .der = l->ca.der};
	int r;

	ipam_address6(&l->tenant, l->node.ip4, ip6);
	node.ip6 = cidr_v6(ip6, 128);
	r = find_ca(cp, l, &roots->keys[0]);
	if (!r)
		r = keyring_ca_secret(cp->keyring, l->ca.kid, l->tenant_id.b, secret);
	if (r)
		return err_trace(r);
	ca.der_len = l->ca.len;
	r = meshca_issue(&ca, csr->data, csr->len, &node, clock_wall_ms(), ret_pem);
	key_wipe_bytes(secret, sizeof(secret));
	return r;
}

/* What an answer is made of. */
struct made {
	struct roots roots;
	char chain[MESHCA_PEM_MAX];
	struct text ca;
};

static void made_done(struct made *m)
{
	text_done(&m->ca);
}

/* ERR_NOT_FOUND: the roots have changed meanwhile. */
static int make(struct cp *cp, struct look *l, const ProtobufCBinaryData *csr, struct made *m)
{
	int r;

	text_done(&m->ca);
	r = find_roots(cp, &m->roots);
	if (!r)
		r = sign(cp, l, &m->roots, csr, m->chain);
	return r ? r : bundle(cp, l, &m->roots, &m->ca);
}

static int too_often(struct call *call, uint64_t wait_ms)
{
	struct cp *cp = call->owner;
	int r;

	misdeeds_note(cp->misdeeds, call, "node.certificates", "asks for certificates too often");
	r = call_fail(call, ERR_RATE_LIMITED, "This node asks for certificates too often.");
	status_retry(&call->status, wait_ms);
	return r;
}

static int answer(struct call *call, const struct roots *roots, const char *chain, const char *ca,
		  Pb__IssueCertificateResponse *out)
{
	Pb__Certificate *c = arena_new(&call->arena, Pb__Certificate);
	char mark[MARK_ROOM];

	if (!c)
		return -ENOMEM;
	pb__certificate__init(c);
	write_mark(roots, mark);
	c->chain = arena_strdup(&call->arena, chain);
	c->ca = arena_strdup(&call->arena, ca);
	c->mark = arena_strdup(&call->arena, mark);
	out->certificate = c;
	return c->chain && c->ca && c->mark ? 0 : -ENOMEM;
}

int certdesk_issue(struct call *call, const Pb__IssueCertificateRequest *in,
		   Pb__IssueCertificateResponse *out)
{
	struct look l = {.tenant_id = call->caller.tenant_id, .node_id = call->caller.node_id};
	_cleanup_(made_done) struct made made = {.ca = TEXT_INIT(CALIST_PEM_MAX)};
	struct cp *cp = call->owner;
	uint64_t wait_ms;
	int r;

	wait_ms = manners_admit(cp->manners, &l.node_id, MANNERS_CERTIFICATE, 1);
	if (wait_ms)
		return too_often(call, wait_ms);
	r = store_read(cp->store, find_node, &l);
	if (r == ERR_NOT_FOUND)
		return call_fail(call, ERR_TOKEN_INVALID, "This node was removed.");
	if (r)
		return err_trace(r);
	r = ERR_NOT_FOUND;
	for (unsigned looks = 0; r == ERR_NOT_FOUND && looks < MAX_LOOKS; looks++)
		r = make(cp, &l, &in->csr, &made);
	if (r == ERR_NOT_FOUND)
		return is_changing(call);
	if (r == -EBADMSG)
		return call_field(call, "csr", "must be a PKCS #10 request signed by its own key");
	if (r == -ENOKEY)
		return call_field(call, "csr", "must be for a key on P-256");
	if (r)
		return err_trace(r);
	log_line(LOG_LEVEL_INFO, "cert", &call->log,
		 "%s.quazzar.mesh has a certificate for %d days", l.node.slug, MESHCA_NODE_DAYS);
	return answer(call, &made.roots, made.chain, made.ca.s, out);
}
