/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names under quazzar.mesh and the reverse names of the mesh's two ranges are
 * ours; all others are not. The question is looked at here, the answer is put
 * together and the query's other records are read by ldns.
 */
#include "server/dns/dnsanswer.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <string.h>

#define APEX "quazzar.mesh"
#define APEX_LABELS 2
#define REVERSE_LABELS 2
/* More records beside the question than any query has. */
#define ADDITIONAL_MAX 4
#define BADVERS_HIGH 1

/* Where in our names a question points. */
struct place {
	const struct zone_host *host; /* its node or device */
	size_t apex_labels;           /* of the zone it is in */
	bool is_apex, is_reverse, exists;
};

static bool read_octet(const uint8_t *label, uint8_t *ret)
{
	unsigned n = 0;

	if (label[0] == 0 || label[0] > 3 || (label[0] > 1 && label[1] == '0'))
		return false;
	for (unsigned i = 1; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return false;
		n = n * 10 + (label[i] - '0');
	}
	*ret = (uint8_t)n;
	return n <= 255;
}

static bool read_nibble(const uint8_t *label, uint8_t *ret)
{
	uint8_t c = label[1] | 0x20;

	if (label[0] != 1)
		return false;
	if (label[1] >= '0' && label[1] <= '9')
		*ret = label[1] - '0';
	else if (c >= 'a' && c <= 'f')
		*ret = (uint8_t)(c - 'a' + 10);
	else
		return false;
	return true;
}

/* The labels before "in-addr.arpa" or "ip6.arpa" as a network. False: not all of them are. */
static bool read_reverse(const struct dnswire_question *q, struct cidr *net)
{
	bool v4 = net->family == CIDR_V4, whole = true;
	unsigned unit = v4 ? 8 : 4, max = v4 ? 4 : 32, n = 0;

	for (size_t i = q->n_labels - REVERSE_LABELS; i-- > 0 && whole;) {
		uint8_t value = 0;

		whole = n < max &&
			(v4 ? read_octet(q->label[i], &value) : read_nibble(q->label[i], &value));
		if (!whole)
			break;
		if (v4)
			net->addr[n] = value;
		else
			net->addr[n / 2] |= n % 2 ? value : (uint8_t)(value << 4);
		n++;
	}
	net->bits = (uint8_t)(n * unit);
	return whole;
}

static bool find_reverse(const struct zone *z, const struct dnswire_question *q,
			 struct place *place)
{
	struct cidr net = {0};
	const struct cidr *range;
	unsigned unit;
	bool whole;

	if (!dnswire_is(q, q->n_labels - 1, "arpa"))
		return false;
	if (dnswire_is(q, q->n_labels - 2, "in-addr"))
		net.family = CIDR_V4;
	else if (dnswire_is(q, q->n_labels - 2, "ip6"))
		net.family = CIDR_V6;
	else
		return false;
	range = net.family == CIDR_V4 ? &zone_head(z)->range4 : &zone_head(z)->range6;
	unit = net.family == CIDR_V4 ? 8 : 4;
	whole = read_reverse(q, &net);
	if (!range->family || net.bits < range->bits || !cidr_contains(range, &net))
		return false;
	place->is_reverse = true;
	place->apex_labels = REVERSE_LABELS + (range->bits + unit - 1) / unit;
	place->is_apex = q->n_labels == place->apex_labels;
	if (!whole)
		return true;
	place->host = zone_within(z, &net);
	place->exists = place->host || place->is_apex;
	if (net.bits != (net.family == CIDR_V4 ? 32 : 128))
		place->host = NULL;
	return true;
}

/* False: not ours. */
static bool find_place(const struct zone *z, const struct dnswire_question *q, struct place *place)
{
	char name[64];
	size_t len;

	*place = (struct place){0};
	if (q->n_labels < APEX_LABELS)
		return false;
	if (!dnswire_is(q, q->n_labels - 1, "mesh") || !dnswire_is(q, q->n_labels - 2, "quazzar"))
		return find_reverse(z, q, place);
	place->apex_labels = APEX_LABELS;
	place->exists = place->is_apex = q->n_labels == APEX_LABELS;
	if (q->n_labels != APEX_LABELS + 1)
		return true;
	len = q->label[0][0];
	for (size_t i = 0; i < len; i++) {
		char c = (char)q->label[0][1 + i];

		name[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	name[len] = '\0';
	if (strlen(name) == len)
		place->host = zone_by_name(z, name);
	place->exists = place->host != NULL;
	return true;
}

/* --- records --- */

/* Takes owner and the fields; NULL when anything is missing. */
static ldns_rr *make_rr(ldns_rr_type type, ldns_rdf *owner, ldns_rdf **fields, size_t n)
{
	ldns_rr *rr = ldns_rr_new();
	bool whole = rr && owner;

	if (rr) {
		ldns_rr_set_type(rr, type);
		ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
		ldns_rr_set_ttl(rr, ZONE_TTL_S);
		ldns_rr_set_owner(rr, owner);
	} else {
		ldns_rdf_deep_free(owner);
	}
	for (size_t i = 0; i < n; i++) {
		if (fields[i] && rr && ldns_rr_push_rdf(rr, fields[i]))
			continue;
		ldns_rdf_deep_free(fields[i]);
		whole = false;
	}
	if (!whole) {
		ldns_rr_free(rr);
		return NULL;
	}
	return rr;
}

static ldns_rdf *mesh_name(const char *label)
{
	char name[96];

	snprintf(name, sizeof(name), "%s." APEX ".", label);
	return ldns_dname_new_frm_str(name);
}

static ldns_rdf *number(uint32_t n)
{
	return ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, n);
}

static ldns_rr *make_soa(const struct zone *z, ldns_rdf *owner)
{
	ldns_rdf *fields[] = {mesh_name(zone_head(z)->self),
			      mesh_name("hostmaster"),
			      number(zone_head(z)->serial),
			      number(3600),
			      number(600),
			      number(86400),
			      number(ZONE_TTL_S)};

	return make_rr(LDNS_RR_TYPE_SOA, owner, fields, ARRAY_LEN(fields));
}

static ldns_rr *make_address(const struct cidr *address, ldns_rdf *owner)
{
	bool v4 = address->family == CIDR_V4;
	ldns_rdf *field = ldns_rdf_new_frm_data(v4 ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA,
						v4 ? 4 : 16, address->addr);

	return make_rr(v4 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA, owner, &field, 1);
}

static ldns_rr *make_pointer(ldns_rr_type type, const char *label, ldns_rdf *owner)
{
	ldns_rdf *field = mesh_name(label);

	return make_rr(type, owner, &field, 1);
}

/* The record that is asked for. False: there is none of this type. To ANY one is enough. */
static bool pick(const struct zone *z, const struct place *at, uint16_t type, ldns_rdf *name,
		 ldns_rr **ret_rr)
{
	bool any = type == LDNS_RR_TYPE_ANY;

	if (at->is_apex && (any || type == LDNS_RR_TYPE_SOA))
		*ret_rr = make_soa(z, ldns_rdf_clone(name));
	else if (at->is_apex && type == LDNS_RR_TYPE_NS)
		*ret_rr = make_pointer(LDNS_RR_TYPE_NS, zone_head(z)->self, ldns_rdf_clone(name));
	else if (!at->host)
		return false;
	else if (at->is_reverse && (any || type == LDNS_RR_TYPE_PTR))
		*ret_rr = make_pointer(LDNS_RR_TYPE_PTR, at->host->name, ldns_rdf_clone(name));
	else if (at->is_reverse)
		return false;
	else if (at->host->ip4.family && (any || type == LDNS_RR_TYPE_A))
		*ret_rr = make_address(&at->host->ip4, ldns_rdf_clone(name));
	else if (at->host->ip6.family && (any || type == LDNS_RR_TYPE_AAAA))
		*ret_rr = make_address(&at->host->ip6, ldns_rdf_clone(name));
	else
		return false;
	return true;
}

static int fill(const struct zone *z, const struct dnswire_question *q, const struct place *at,
		ldns_pkt *answer)
{
	ldns_rdf *name = ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_question(answer), 0));
	ldns_pkt_section section = LDNS_SECTION_ANSWER;
	ldns_rr *rr = NULL;

	if (q->type == LDNS_RR_TYPE_AXFR || q->type == LDNS_RR_TYPE_IXFR) {
		ldns_pkt_set_rcode(answer, LDNS_RCODE_REFUSED);
		return 0;
	}
	ldns_pkt_set_aa(answer, true);
	if (!at->exists)
		ldns_pkt_set_rcode(answer, LDNS_RCODE_NXDOMAIN);
	if (!at->exists || !pick(z, at, q->type, name, &rr)) {
		section = LDNS_SECTION_AUTHORITY;
		rr = make_soa(
			z, ldns_dname_clone_from(name, (uint16_t)(q->n_labels - at->apex_labels)));
	}
	if (!rr)
		return -ENOMEM;
	if (!ldns_pkt_push_rr(answer, section, rr)) {
		ldns_rr_free(rr);
		return -ENOMEM;
	}
	return 0;
}

/* --- packets --- */

static ldns_pkt *start(const ldns_pkt *query, bool forwards)
{
	ldns_pkt *answer = ldns_pkt_new();
	ldns_rr *question = ldns_rr_clone(ldns_rr_list_rr(ldns_pkt_question(query), 0));

	if (!answer || !question || !ldns_pkt_push_rr(answer, LDNS_SECTION_QUESTION, question)) {
		ldns_rr_free(question);
		ldns_pkt_free(answer);
		return NULL;
	}
	ldns_pkt_set_id(answer, ldns_pkt_id(query));
	ldns_pkt_set_qr(answer, true);
	ldns_pkt_set_rd(answer, ldns_pkt_rd(query));
	ldns_pkt_set_cd(answer, ldns_pkt_cd(query));
	ldns_pkt_set_ra(answer, forwards);
	if (ldns_pkt_edns(query)) {
		ldns_pkt_set_edns_udp_size(answer, LIMIT_DNS_UDP);
		ldns_pkt_set_edns_do(answer, ldns_pkt_edns_do(query));
	}
	return answer;
}

static int finish(const ldns_pkt *answer, struct dnsanswer_packet *ret)
{
	uint8_t *wire = NULL;
	size_t len = 0;

	if (ldns_pkt2wire(&wire, answer, &len) != LDNS_STATUS_OK)
		return -ENOMEM;
	if (len > ret->limit || len > sizeof(ret->bytes))
		len = dnswire_cut(wire, len);
	memcpy(ret->bytes, wire, len);
	ret->len = len;
	ret->rcode = (unsigned)ldns_pkt_get_rcode(answer) |
		     (unsigned)ldns_pkt_edns_extended_rcode(answer) << 4;
	free(wire);
	return 0;
}

static size_t limit_of(const ldns_pkt *query, size_t max)
{
	size_t size = ldns_pkt_edns(query) ? ldns_pkt_edns_udp_size(query) : 0;

	if (max)
		return max;
	if (size < DNSWIRE_UDP_LEAST)
		return DNSWIRE_UDP_LEAST;
	return size < LIMIT_DNS_UDP ? size : LIMIT_DNS_UDP;
}

static enum dnsanswer fail(const uint8_t *query, size_t len, unsigned rcode,
			   struct dnsanswer_packet *ret)
{
	ret->len = dnswire_fail(query, len, rcode, ret->bytes);
	ret->rcode = rcode;
	return DNSANSWER_SEND;
}

static enum dnsanswer answer_read(const struct zone *z, const struct dnswire_question *q,
				  const ldns_pkt *query, bool forwards,
				  struct dnsanswer_packet *ret)
{
	struct place place;
	ldns_pkt *answer;
	bool ours = find_place(z, q, &place);
	int r = 0;

	if (q->class == LDNS_RR_CLASS_IN && !ours && ldns_pkt_edns_version(query) == 0 && forwards)
		return DNSANSWER_FORWARD;
	answer = start(query, forwards);
	if (!answer)
		return DNSANSWER_DROP;
	if (ldns_pkt_edns(query) && ldns_pkt_edns_version(query) != 0)
		ldns_pkt_set_edns_extended_rcode(answer, BADVERS_HIGH);
	else if (q->class != LDNS_RR_CLASS_IN || !ours)
		ldns_pkt_set_rcode(answer, LDNS_RCODE_REFUSED);
	else
		r = fill(z, q, &place, answer);
	if (!r)
		r = finish(answer, ret);
	ldns_pkt_free(answer);
	return r ? DNSANSWER_DROP : DNSANSWER_SEND;
}

/* More than one OPT: ldns takes them out, and the last one counts. */
static bool has_opts(const ldns_pkt *query, size_t n_additional)
{
	size_t n_left = ldns_rr_list_rr_count(ldns_pkt_additional(query));

	return n_additional > n_left + (ldns_pkt_tsig(query) != NULL) + 1;
}

enum dnsanswer dnsanswer_make(const struct zone *z, const uint8_t *query, size_t len,
			      const struct dnsanswer_terms *terms, struct dnsanswer_packet *ret)
{
	struct dnswire_question q;
	ldns_pkt *read = NULL;
	enum dnsanswer result;

	ret->limit = terms->max ? terms->max : DNSWIRE_UDP_LEAST;
	ret->has_edns = ret->wants_dnssec = false;
	/* An answer is never answered: two servers would talk for ever. */
	if (len < DNSWIRE_HEAD_LEN || query[2] & 0x80)
		return DNSANSWER_DROP;
	if (query[2] & 0x78)
		return fail(query, len, DNSWIRE_NOTIMP, ret);
	if (dnswire_read(query, len, &q) || dnswire_u16(query + 6) || dnswire_u16(query + 8) ||
	    dnswire_u16(query + 10) > ADDITIONAL_MAX)
		return fail(query, len, DNSWIRE_FORMERR, ret);
	if (ldns_wire2pkt(&read, query, len) != LDNS_STATUS_OK ||
	    ldns_rr_list_rr_count(ldns_pkt_question(read)) != 1 ||
	    has_opts(read, dnswire_u16(query + 10))) {
		ldns_pkt_free(read);
		return fail(query, len, DNSWIRE_FORMERR, ret);
	}
	ret->limit = limit_of(read, terms->max);
	ret->has_edns = ldns_pkt_edns(read);
	ret->wants_dnssec = ldns_pkt_edns_do(read);
	result = answer_read(z, &q, read, terms->forwards, ret);
	ldns_pkt_free(read);
	return result;
}
