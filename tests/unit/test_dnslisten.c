/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole name server on loopback, which is the mesh here, with an upstream
 * that this test plays: forged and late answers, one that is too long, one
 * that never comes, a circle, bounds per client, TCP in pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/dns/dnslisten.h"
#include "server/dns/dnswire.h"

#define WAIT_MS 10000
/* Nothing comes: what is there comes within microseconds on loopback. */
#define QUIET_MS 150

struct lab {
	struct dnslisten *listen;
	int upstream; /* UDP */
	uint16_t port;
	struct dnscount count;
};

static struct cidr at(const char *s)
{
	struct cidr c;

	assert_int_equal(cidr_parse(s, &c), 0);
	return c;
}

static int udp(const char *ip, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(inet_pton(AF_INET, ip, &a.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

static struct zone *make_zone(const char *range)
{
	const struct zone_head head = {.serial = 1, .self = "n1", .range4 = at(range)};
	const struct zone_host host = {.name = "n1", .ip4 = at("127.0.0.9")};

	return zone_new(&head, &host, 1);
}

static void start(struct lab *lab, const char *range)
{
	struct dnslisten_options options = {.interface = "lo"};
	char upstream[64];
	int probe = udp("127.0.0.9", 0);

	memset(&lab->count, 0, sizeof(lab->count));
	options.count = &lab->count;
	lab->upstream = udp("127.0.1.1", 0);
	snprintf(upstream, sizeof(upstream), "127.0.1.1:%u", port_of(lab->upstream));
	options.own[0] = at("127.0.0.9");
	options.port = lab->port = port_of(probe);
	options.upstream = upstream;
	close(probe);
	assert_int_equal(dnslisten_new(&options, make_zone(range), &lab->listen), 0);
}

/* The thread has ended, so that every count is in. */
static void end(struct lab *lab)
{
	dnslisten_free(lab->listen);
	close(lab->upstream);
}

static void counted(const struct lab *lab, enum dnscount_kind kind, uint64_t want)
{
	assert_int_equal(lab->count.n[kind], want);
}

static int client(const struct lab *lab, const char *ip, int type)
{
	struct sockaddr_in a = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	inet_pton(AF_INET, ip, &a.sin_addr);
	inet_pton(AF_INET, "127.0.0.9", &to.sin_addr);
	to.sin_port = htons(lab->port);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static size_t make_query(uint8_t *q, uint16_t id, const char *label)
{
	size_t len = strlen(label);

	memset(q, 0, 12);
	dnswire_set_u16(q, id);
	q[2] = 1;
	q[5] = 1;
	q[12] = (uint8_t)len;
	memcpy(q + 13, label, len);
	memcpy(q + 13 + len, "\7example\0\0\1\0\1", 13);
	return 13 + len + 13;
}

static bool comes(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static size_t take(int fd, uint8_t *ret, size_t cap)
{
	ssize_t len;

	assert_true(comes(fd, WAIT_MS));
	len = recv(fd, ret, cap, 0);
	assert_true(len > 0);
	return (size_t)len;
}

struct asked {
	uint8_t bytes[600];
	size_t len;
	struct sockaddr_in from;
};

static void take_asked(const struct lab *lab, struct asked *ret)
{
	socklen_t from_len = sizeof(ret->from);

	assert_true(comes(lab->upstream, WAIT_MS));
	ret->len = (size_t)recvfrom(lab->upstream, ret->bytes, sizeof(ret->bytes), 0,
				    (struct sockaddr *)&ret->from, &from_len);
	assert_in_range(ret->len, 12, sizeof(ret->bytes));
}

static void reply(int fd, const struct asked *a, size_t padding)
{
	uint8_t p[4096] = {0};

	memcpy(p, a->bytes, a->len);
	p[2] |= 0x80;
	sendto(fd, p, a->len + padding, 0, (const struct sockaddr *)&a->from, sizeof(a->from));
}

static void forged_answers(void **state)
{
	struct lab lab;
	struct asked a, wrong;
	uint8_t q[64], got[2048];
	size_t len = make_query(q, 0x1234, "WwW");
	int fd, other;

	(void)state;
	start(&lab, "127.0.0.0/16");
	fd = client(&lab, "127.0.0.5", SOCK_DGRAM);
	other = udp("127.0.1.1", 0);
	assert_int_equal(send(fd, q, len, 0), len);
	take_asked(&lab, &a);
	assert_int_equal(a.len, len);
	assert_memory_equal(a.bytes + 2, q + 2, len - 2);
	reply(other, &a, 0); /* from another port */
	wrong = a;
	wrong.bytes[0] ^= 1;
	reply(lab.upstream, &wrong, 0); /* another number */
	wrong = a;
	wrong.bytes[13] = 'x';
	reply(lab.upstream, &wrong, 0); /* another question */
	sendto(lab.upstream, a.bytes, a.len, 0, (struct sockaddr *)&a.from, sizeof(a.from));
	sendto(lab.upstream, "x", 1, 0, (struct sockaddr *)&a.from, sizeof(a.from));
	assert_false(comes(fd, QUIET_MS));
	a.bytes[13] = 'w'; /* the case is the upstream's matter */
	reply(lab.upstream, &a, 0);
	assert_int_equal(take(fd, got, sizeof(got)), len);
	assert_memory_equal(got, "\x12\x34\x81", 3);
	assert_memory_equal(got + 12, q + 12, len - 12);
	reply(lab.upstream, &a, 0); /* once more, too late */
	assert_false(comes(fd, QUIET_MS));
	close(other);
	close(fd);
	end(&lab);
	counted(&lab, DNSCOUNT_FORWARDED, 1);
	counted(&lab, DNSCOUNT_FORWARD_ANSWERED, 1);
	counted(&lab, DNSCOUNT_FORWARD_FAILED, 0);
}

static void long_answer_is_cut(void **state)
{
	struct lab lab;
	struct asked a;
	uint8_t q[64], got[4096];
	size_t len = make_query(q, 7, "long");
	int fd;

	(void)state;
	start(&lab, "127.0.0.0/16");
	fd = client(&lab, "127.0.0.5", SOCK_DGRAM);
	send(fd, q, len, 0);
	take_asked(&lab, &a);
	reply(lab.upstream, &a, 600);
	assert_int_equal(take(fd, got, sizeof(got)), len);
	assert_true(got[2] & 2);
	close(fd);
	end(&lab);
}

static void silence_is_servfail(void **state)
{
	struct lab lab;
	struct asked a, again;
	uint8_t q[64], got[512];
	size_t len = make_query(q, 9, "late");
	int fd;

	(void)state;
	start(&lab, "127.0.0.0/16");
	fd = client(&lab, "127.0.0.5", SOCK_DGRAM);
	send(fd, q, len, 0);
	take_asked(&lab, &a);
	send(fd, q, len, 0); /* the client's own retry is no second question */
	take_asked(&lab, &again);
	assert_int_not_equal(a.from.sin_port, again.from.sin_port);
	assert_int_equal(take(fd, got, sizeof(got)), len);
	assert_memory_equal(got, "\0\x09", 2);
	assert_int_equal(got[3] & 15, DNSWIRE_SERVFAIL);
	assert_false(comes(lab.upstream, QUIET_MS));
	assert_false(comes(fd, QUIET_MS));
	close(fd);
	end(&lab);
	counted(&lab, DNSCOUNT_FORWARDED, 1);
	counted(&lab, DNSCOUNT_FORWARD_ANSWERED, 0);
	counted(&lab, DNSCOUNT_FORWARD_TIMEOUT, 2);
	counted(&lab, DNSCOUNT_FORWARD_FAILED, 1);
}

/* One host asks the same again and again while nobody answers. */
static void circle_is_broken(void **state)
{
	struct lab lab;
	uint8_t q[64], got[512];
	char why[DNSFORWARD_REASON_LEN];
	int fd;

	(void)state;
	start(&lab, "127.0.0.0/16");
	fd = client(&lab, "127.0.0.6", SOCK_DGRAM);
	for (uint16_t i = 0; i < 7; i++)
		send(fd, q, make_query(q, i, "circle"), 0);
	for (int i = 0; i < 3; i++) {
		take(fd, got, sizeof(got));
		assert_int_equal(got[3] & 15, DNSWIRE_SERVFAIL);
	}
	/* The thread tells how it is when it has nothing else to do. */
	dnslisten_why(lab.listen, why);
	for (int ms = 0; !why[0] && ms < WAIT_MS; ms++) {
		poll(NULL, 0, 1);
		dnslisten_why(lab.listen, why);
	}
	assert_string_equal(why, "an upstream asks this node back");
	close(fd);
	end(&lab);
	counted(&lab, DNSCOUNT_FORWARDED, 4);
	counted(&lab, DNSCOUNT_LOOP, 3);
}

static void many_questions(void **state)
{
	struct lab lab;
	uint8_t q[64], got[512];
	char label[16];
	int fd, other;

	(void)state;
	start(&lab, "127.0.0.0/16");
	fd = client(&lab, "127.0.0.7", SOCK_DGRAM);
	other = client(&lab, "127.0.0.8", SOCK_DGRAM);
	for (uint16_t i = 0; i < LIMIT_DNS_WAITING_SOURCE; i++) {
		snprintf(label, sizeof(label), "n%u", i);
		send(fd, q, make_query(q, i, label), 0);
	}
	send(fd, q, make_query(q, 0x7777, "toomany"), 0);
	take(fd, got, sizeof(got));
	assert_memory_equal(got, "\x77\x77", 2);
	assert_int_equal(got[3] & 15, DNSWIRE_SERVFAIL);
	/* Another one is not held up. */
	send(other, q, make_query(q, 1, "mine"), 0);
	assert_false(comes(other, QUIET_MS));
	close(fd);
	close(other);
	end(&lab);
	counted(&lab, DNSCOUNT_TOO_MANY, 1);
}

static void strangers(void **state)
{
	struct lab lab;
	uint8_t q[64];
	size_t len = make_query(q, 1, "www");
	int fd;

	(void)state;
	start(&lab, "127.0.0.0/24");
	fd = client(&lab, "127.0.2.1", SOCK_DGRAM);
	send(fd, q, len, 0);
	assert_false(comes(fd, QUIET_MS));
	assert_false(comes(lab.upstream, QUIET_MS));
	close(fd);
	fd = client(&lab, "127.0.2.1", SOCK_STREAM);
	assert_true(comes(fd, WAIT_MS));
	assert_true(recv(fd, q, sizeof(q), 0) <= 0);
	close(fd);
	end(&lab);
	counted(&lab, DNSCOUNT_OUTSIDE, 2);
	counted(&lab, DNSCOUNT_FORWARDED, 0);
}

static void tcp_in_pieces(void **state)
{
	static const uint8_t query[] =
		"\0\x21\xab\xcd\1\0\0\1\0\0\0\0\0\0\2n1\7quazzar\4mesh\0\0\1\0\1";
	struct lab lab;
	uint8_t got[512];
	size_t len = 0;
	int fd;

	(void)state;
	start(&lab, "127.0.0.0/16");
	fd = client(&lab, "127.0.0.5", SOCK_STREAM);
	for (size_t i = 0; i < sizeof(query) - 1; i++)
		assert_int_equal(send(fd, query + i, 1, MSG_NOSIGNAL), 1);
	/* Two more at once. */
	send(fd, query, sizeof(query) - 1, MSG_NOSIGNAL);
	send(fd, query, sizeof(query) - 1, MSG_NOSIGNAL);
	while (len < 3 * (2 + 0x21 + 16))
		len += take(fd, got + len, sizeof(got) - len);
	assert_int_equal(len, 3 * (2 + 0x21 + 16));
	assert_memory_equal(got + len - 4, "\x7f\0\0\x09", 4);
	/* A length that no query has ends it. */
	send(fd, "\xff\xff", 2, MSG_NOSIGNAL);
	assert_true(comes(fd, WAIT_MS));
	assert_true(recv(fd, got, sizeof(got), 0) <= 0);
	close(fd);
	end(&lab);
	counted(&lab, DNSCOUNT_NOERROR, 3);
}

/* One slow question holds up no other of the same connection; half closed, it still reads. */
static void tcp_side_by_side(void **state)
{
	static const uint8_t own[] =
		"\0\x21\xab\xcd\1\0\0\1\0\0\0\0\0\0\2n1\7quazzar\4mesh\0\0\1\0\1";
	const size_t own_len = 2 + 0x21 + 16;
	struct lab lab;
	struct sockaddr_in to = {.sin_family = AF_INET};
	uint8_t q[66], got[512], answer[66];
	size_t len = make_query(q + 2, 0x7788, "slow"), n = 0;
	int fd, asked, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	start(&lab, "127.0.0.0/16");
	/* The upstream's TCP side. */
	to.sin_port = htons(port_of(lab.upstream));
	inet_pton(AF_INET, "127.0.1.1", &to.sin_addr);
	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(listener, 1), 0);
	dnswire_set_u16(q, (uint16_t)len);
	fd = client(&lab, "127.0.0.5", SOCK_STREAM);
	send(fd, q, 2 + len, MSG_NOSIGNAL);
	send(fd, own, sizeof(own) - 1, MSG_NOSIGNAL);
	while (n < own_len)
		n += take(fd, got + n, sizeof(got) - n);
	assert_int_equal(n, own_len);
	assert_memory_equal(got + 2, "\xab\xcd", 2);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_true(comes(listener, WAIT_MS));
	asked = accept(listener, NULL, NULL);
	assert_true(asked >= 0);
	for (n = 0; n < 2 + len;)
		n += take(asked, answer + n, 2 + len - n);
	answer[4] |= 0x80;
	assert_int_equal(send(asked, answer, 2 + len, MSG_NOSIGNAL), 2 + len);
	for (n = 0; n < 2 + len;)
		n += take(fd, got + n, sizeof(got) - n);
	assert_memory_equal(got + 2, "\x77\x88\x81", 3);
	assert_true(comes(fd, WAIT_MS));
	assert_int_equal(recv(fd, got, sizeof(got), 0), 0);
	close(asked);
	close(fd);
	close(listener);
	end(&lab);
}

/* An OPT in the query is one in what we say ourselves: cut and failed. */
static void opt_is_kept(void **state)
{
	static const uint8_t opt[] = {0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0};
	struct lab lab;
	struct asked a;
	uint8_t q[64], got[4096];
	size_t len = make_query(q, 7, "long");
	int fd;

	(void)state;
	start(&lab, "127.0.0.0/16");
	fd = client(&lab, "127.0.0.5", SOCK_DGRAM);
	memcpy(q + len, opt, sizeof(opt));
	q[11] = 1;
	for (unsigned tries = 0; tries < 2; tries++) {
		q[1] = (uint8_t)tries;
		send(fd, q, len + sizeof(opt), 0);
		take_asked(&lab, &a);
		if (tries == 0)
			reply(lab.upstream, &a, 1300);
		assert_int_equal(take(fd, got, sizeof(got)), len + sizeof(opt));
		assert_int_equal(got[2] & 2, tries == 0 ? 2 : 0);
		assert_int_equal(got[3] & 15, tries == 0 ? 0 : DNSWIRE_SERVFAIL);
		assert_int_equal(got[11], 1);
		assert_memory_equal(got + len, opt, sizeof(opt));
	}
	close(fd);
	end(&lab);
}

/* What is answered at once, by its RCODE; what is no query is dropped. */
static void counted_by_kind(void **state)
{
	static const uint8_t own[] = "\xab\xcd\1\0\0\1\0\0\0\0\0\0\2n1\7quazzar\4mesh\0\0\1\0\1";
	static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 1, 0, 0, 0, 0}; /* version 1 */
	_cleanup_(text_done) struct text out = TEXT_INIT(4096);
	struct lab lab;
	uint8_t q[64], got[512];
	size_t len = sizeof(own) - 1;
	int fd;

	(void)state;
	start(&lab, "127.0.0.0/16");
	fd = client(&lab, "127.0.0.5", SOCK_DGRAM);
	memcpy(q, own, len);
	q[2] |= 0x80; /* an answer */
	send(fd, q, len, 0);
	for (int i = 0; i < 6; i++) {
		memcpy(q, own, len);
		if (i == 1)
			q[14] = '2'; /* n2 */
		else if (i == 2)
			q[len - 1] = 3; /* class CH */
		else if (i == 3)
			q[2] |= 0x20; /* another opcode */
		else if (i == 4)
			q[5] = 2; /* two questions */
		q[11] = i == 5;
		memcpy(q + len, opt, sizeof(opt));
		send(fd, q, len + (i == 5 ? sizeof(opt) : 0), 0);
		take(fd, got, sizeof(got));
	}
	close(fd);
	end(&lab);
	counted(&lab, DNSCOUNT_NOERROR, 1);
	counted(&lab, DNSCOUNT_NXDOMAIN, 1);
	counted(&lab, DNSCOUNT_REFUSED, 1);
	counted(&lab, DNSCOUNT_NOTIMP, 1);
	counted(&lab, DNSCOUNT_FORMERR, 1);
	counted(&lab, DNSCOUNT_OTHER, 1);
	counted(&lab, DNSCOUNT_NO_QUERY, 1);
	dnscount_tell(&lab.count, &out);
	assert_non_null(strstr(out.s, "qmesh_node_dns_answers_total{rcode=\"nxdomain\"} 1\n"));
	assert_non_null(strstr(out.s, "qmesh_node_dns_dropped_total{cause=\"no_query\"} 1\n"));
	assert_non_null(strstr(out.s, "qmesh_node_dns_forwarded_total 0\n"));
}

static void taken_port(void **state)
{
	struct dnslisten_options options = {.own = {at("127.0.0.9")}, .interface = "lo"};
	struct dnslisten *l = NULL;
	int fd = udp("0.0.0.0", 0);

	(void)state;
	options.port = port_of(fd);
	options.upstream = "";
	assert_int_equal(dnslisten_new(&options, make_zone("127.0.0.0/8"), &l), -EADDRINUSE);
	options.upstream = "not an address";
	assert_int_equal(dnslisten_new(&options, make_zone("127.0.0.0/8"), &l), -EINVAL);
	assert_null(l);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forged_answers),      cmocka_unit_test(long_answer_is_cut),
		cmocka_unit_test(silence_is_servfail), cmocka_unit_test(circle_is_broken),
		cmocka_unit_test(many_questions),      cmocka_unit_test(strangers),
		cmocka_unit_test(tcp_in_pieces),       cmocka_unit_test(tcp_side_by_side),
		cmocka_unit_test(opt_is_kept),         cmocka_unit_test(taken_port),
		cmocka_unit_test(counted_by_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
