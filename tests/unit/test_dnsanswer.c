/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query bytes made here by hand, answers read by hand: records and negatives
 * of our names, what is left to others, what is refused, malformed packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/dns/dnsanswer.h"

enum { A = 1, NS = 2, SOA = 6, PTR = 12, TXT = 16, AAAA = 28, OPT = 41, AXFR = 252, ANY = 255 };
enum { NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED };
enum { IN = 1, CH = 3 };

#define REVERSE6 "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.7.0.0.0.0.d.f.ip6.arpa"

static struct cidr at(const char *s)
{
	struct cidr c;

	assert_int_equal(cidr_parse(s, &c), 0);
	return c;
}

static struct zone *make_zone(void)
{
	const struct zone_head head = {.serial = 7,
				       .self = "n1",
				       .range4 = at("10.77.0.0/16"),
				       .range6 = at("fd00:77::/48")};
	const struct zone_host hosts[] = {
		{.name = "phone", .ip4 = at("10.77.0.9"), .ip6 = at("fd00:77::9")},
		{.name = "n1", .ip4 = at("10.77.0.1"), .ip6 = at("fd00:77::1")},
		{.name = "old", .ip4 = at("10.77.3.4")},
	};

	return zone_new(&head, hosts, ARRAY_LEN(hosts));
}

struct query {
	uint8_t bytes[600];
	size_t len;
};

static void put16(struct query *q, unsigned n)
{
	q->bytes[q->len++] = (uint8_t)(n >> 8);
	q->bytes[q->len++] = (uint8_t)n;
}

static struct query ask_class(const char *name, unsigned type, unsigned class)
{
	static const uint8_t head[] = {0xbe, 0xef, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
	struct query q = {.len = sizeof(head)};

	memcpy(q.bytes, head, sizeof(head));
	while (*name) {
		size_t len = strcspn(name, ".");

		q.bytes[q.len++] = (uint8_t)len;
		memcpy(q.bytes + q.len, name, len);
		q.len += len;
		name += len + (name[len] == '.');
	}
	q.bytes[q.len++] = 0;
	put16(&q, type);
	put16(&q, class);
	return q;
}

static struct query ask(const char *name, unsigned type)
{
	return ask_class(name, type, IN);
}

static void add_edns(struct query *q, unsigned size, unsigned version)
{
	q->bytes[11]++;
	q->bytes[q->len++] = 0;
	put16(q, OPT);
	put16(q, size);
	put16(q, version);
	put16(q, 0x8000);
	put16(q, 0);
}

struct seen {
	enum dnsanswer what;
	struct dnsanswer_packet packet;
	unsigned rcode, n[4]; /* questions, answers, authority, additional */
	bool aa, tc, ra;
	unsigned type, rdlen, ttl; /* of the first record */
};

static size_t skip_name(const uint8_t *p, size_t i)
{
	while (p[i] && p[i] < 64)
		i += 1u + p[i];
	return i + (p[i] ? 2 : 1);
}

static struct seen look(const struct query *q, size_t max, bool forwards)
{
	_cleanup_(zone_freep) struct zone *z = make_zone();
	const struct dnsanswer_terms terms = {.max = max, .forwards = forwards};
	struct seen s = {0};
	const uint8_t *p = s.packet.bytes;
	size_t i;

	s.what = dnsanswer_make(z, q->bytes, q->len, &terms, &s.packet);
	if (s.what != DNSANSWER_SEND)
		return s;
	assert_in_range(s.packet.len, 12, sizeof(s.packet.bytes));
	assert_memory_equal(p, q->bytes, 2);
	assert_true(p[2] & 0x80);
	s.aa = p[2] & 4;
	s.tc = p[2] & 2;
	s.ra = p[3] & 0x80;
	s.rcode = p[3] & 15;
	for (int k = 0; k < 4; k++)
		s.n[k] = dnswire_u16(p + 4 + 2 * k);
	if (s.n[0] && s.n[1] + s.n[2]) {
		i = skip_name(p, skip_name(p, 12) + 4);
		s.type = dnswire_u16(p + i);
		s.ttl = (unsigned)dnswire_u16(p + i + 4) << 16 | dnswire_u16(p + i + 6);
		s.rdlen = dnswire_u16(p + i + 8);
	}
	return s;
}

static struct seen answer(const char *name, unsigned type)
{
	struct query q = ask(name, type);
	struct seen s = look(&q, 0, true);

	/* The question comes back letter by letter. */
	if (s.what == DNSANSWER_SEND)
		assert_memory_equal(s.packet.bytes + 12, q.bytes + 12, q.len - 12);
	return s;
}

static void gives(const char *name, unsigned type, unsigned got, unsigned rdlen)
{
	struct seen s = answer(name, type);

	assert_int_equal(s.what, DNSANSWER_SEND);
	assert_int_equal(s.rcode, NOERROR);
	assert_int_equal(s.n[1], 1);
	assert_int_equal(s.n[2], 0);
	assert_int_equal(s.type, got);
	assert_int_equal(s.ttl, 30);
	assert_true(s.aa);
	if (rdlen)
		assert_int_equal(s.rdlen, rdlen);
}

static void has_not(const char *name, unsigned type, unsigned rcode)
{
	struct seen s = answer(name, type);

	assert_int_equal(s.what, DNSANSWER_SEND);
	assert_int_equal(s.rcode, rcode);
	assert_int_equal(s.n[1], 0);
	assert_int_equal(s.n[2], 1);
	assert_int_equal(s.type, SOA);
	assert_int_equal(s.ttl, 30);
	assert_true(s.aa);
}

static void records(void **state)
{
	struct seen s;

	(void)state;
	gives("phone.quazzar.mesh", A, A, 4);
	gives("phone.quazzar.mesh", AAAA, AAAA, 16);
	gives("pHoNe.QUAZZAR.meSH", A, A, 4);
	gives("phone.quazzar.mesh", ANY, A, 4);
	gives("quazzar.mesh", SOA, SOA, 0);
	gives("quazzar.mesh", NS, NS, 0);
	gives("quazzar.mesh", ANY, SOA, 0);
	gives("9.0.77.10.in-addr.arpa", PTR, PTR, 0);
	gives("9.0.77.10.IN-ADDR.arpa", ANY, PTR, 0);
	gives(REVERSE6, PTR, PTR, 0);
	gives("77.10.in-addr.arpa", SOA, SOA, 0);
	s = answer("phone.quazzar.mesh", A);
	assert_memory_equal(s.packet.bytes + s.packet.len - 4, "\x0a\x4d\x00\x09", 4);
	assert_true(s.ra);
}

static void negatives(void **state)
{
	(void)state;
	has_not("old.quazzar.mesh", AAAA, NOERROR);
	has_not("phone.quazzar.mesh", TXT, NOERROR);
	has_not("quazzar.mesh", A, NOERROR);
	has_not("nobody.quazzar.mesh", A, NXDOMAIN);
	has_not("a.phone.quazzar.mesh", A, NXDOMAIN);
	has_not("10.0.77.10.in-addr.arpa", PTR, NXDOMAIN);
	has_not("9.0.77.10.in-addr.arpa", A, NOERROR);
	has_not("0.77.10.in-addr.arpa", PTR, NOERROR);
	has_not("1.77.10.in-addr.arpa", PTR, NXDOMAIN);
	has_not("09.0.77.10.in-addr.arpa", PTR, NXDOMAIN);
	has_not("1.9.0.77.10.in-addr.arpa", PTR, NXDOMAIN);
	has_not("x.77.10.in-addr.arpa", PTR, NXDOMAIN);
	has_not("0.0.0.0.7.7.0.0.0.0.d.f.ip6.arpa", PTR, NOERROR);
}

static void others(void **state)
{
	static const char *const names[] = {"example.com",
					    "mesh",
					    "xquazzar.mesh",
					    "quazzar.mesh.example",
					    "",
					    "10.in-addr.arpa",
					    "9.0.78.10.in-addr.arpa",
					    "ip6.arpa",
					    "in-addr.arpa",
					    "arpa",
					    "d.f.ip6.arpa"};
	struct query q;
	struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		q = ask(names[i], A);
		assert_int_equal(look(&q, 0, true).what, DNSANSWER_FORWARD);
		s = look(&q, 0, false);
		assert_int_equal(s.what, DNSANSWER_SEND);
		assert_int_equal(s.rcode, REFUSED);
		assert_false(s.ra);
	}
	q = ask_class("phone.quazzar.mesh", A, CH);
	assert_int_equal(look(&q, 0, true).rcode, REFUSED);
	q = ask_class("version.bind", TXT, CH);
	assert_int_equal(look(&q, 0, true).rcode, REFUSED);
	q = ask_class("phone.quazzar.mesh", A, 255);
	assert_int_equal(look(&q, 0, true).rcode, REFUSED);
	q = ask("quazzar.mesh", AXFR);
	assert_int_equal(look(&q, 65535, true).rcode, REFUSED);
}

static void edns(void **state)
{
	struct query q = ask("phone.quazzar.mesh", A);
	struct seen s;
	const uint8_t *opt;

	(void)state;
	add_edns(&q, 4096, 0);
	s = look(&q, 0, true);
	assert_int_equal(s.n[1], 1);
	assert_int_equal(s.n[3], 1);
	assert_int_equal(s.packet.limit, LIMIT_DNS_UDP);
	opt = s.packet.bytes + s.packet.len - 11;
	assert_int_equal(dnswire_u16(opt + 1), OPT);
	assert_int_equal(dnswire_u16(opt + 3), LIMIT_DNS_UDP);
	assert_int_equal(opt[7] & 0x80, 0x80);
	q = ask("example.com", A);
	add_edns(&q, 100, 0);
	assert_int_equal(look(&q, 0, true).packet.limit, 512);
	assert_int_equal(look(&q, 65535, true).packet.limit, 65535);
	q = ask("example.com", A);
	assert_int_equal(look(&q, 0, true).packet.limit, 512);
	/* Two of them: RFC 6891, 6.1.1. */
	add_edns(&q, 1232, 0);
	add_edns(&q, 1232, 0);
	s = look(&q, 0, true);
	assert_int_equal(s.rcode, FORMERR);
	q = ask("example.com", A);
	/* BADVERS: 16, of which the high bits are in OPT. */
	add_edns(&q, 1232, 1);
	s = look(&q, 0, true);
	assert_int_equal(s.what, DNSANSWER_SEND);
	assert_int_equal(s.rcode, 0);
	assert_int_equal(s.packet.bytes[s.packet.len - 6], 1);
}

static void truncation(void **state)
{
	struct query q = ask("nobody.quazzar.mesh", A);
	struct seen s = look(&q, 60, true);

	(void)state;
	assert_true(s.tc);
	assert_int_equal(s.packet.len, q.len);
	assert_int_equal(s.n[0], 1);
	assert_int_equal(s.n[1] + s.n[2] + s.n[3], 0);
	s = look(&q, 0, true);
	assert_false(s.tc);
}

static void malformed(void **state)
{
	struct query good = ask("phone.quazzar.mesh", A), q;
	struct seen s;

	(void)state;
	for (size_t len = 0; len < good.len; len++) {
		q = good;
		q.len = len;
		s = look(&q, 0, true);
		if (len < 12)
			assert_int_equal(s.what, DNSANSWER_DROP);
		else
			assert_int_equal(s.rcode, FORMERR);
	}
	q = good;
	q.bytes[2] |= 0x80;
	assert_int_equal(look(&q, 0, true).what, DNSANSWER_DROP);
	q = good;
	q.bytes[2] |= 4 << 3;
	assert_int_equal(look(&q, 0, true).rcode, NOTIMP);
	for (int i = 5; i <= 11; i += 2) {
		q = good;
		q.bytes[i] = 9;
		assert_int_equal(look(&q, 0, true).rcode, FORMERR);
	}
	q = good;
	q.bytes[12] = 0xc0;
	q.bytes[13] = 12;
	assert_int_equal(look(&q, 0, true).rcode, FORMERR);
	q = good;
	q.bytes[13] = '\0';
	assert_int_equal(look(&q, 0, true).rcode, NXDOMAIN);
}

static void long_names(void **state)
{
	char name[256] = "";
	struct query q;

	(void)state;
	for (int i = 0; i < 120; i++)
		strcat(name, "a.");
	q = ask(strcat(name, "quazzar.mesh"), A);
	assert_int_equal(look(&q, 0, true).rcode, NXDOMAIN);
	memset(name, 'b', 64);
	name[64] = '\0';
	q = ask(name, A);
	assert_int_equal(look(&q, 0, true).rcode, FORMERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),    cmocka_unit_test(negatives),
		cmocka_unit_test(others),     cmocka_unit_test(edns),
		cmocka_unit_test(truncation), cmocka_unit_test(malformed),
		cmocka_unit_test(long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
