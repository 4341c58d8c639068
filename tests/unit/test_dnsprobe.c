/* SPDX-License-Identifier: Apache-2.0 */
/* A name server that this test plays: only the right answer to the right question counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/dns/dnsprobe.h"
#include "server/dns/dnswire.h"

#define WAIT_MS 20000

struct lab {
	struct dnsprobe probe;
	int server;
	struct sockaddr_in from;
	uint8_t query[200];
	size_t len;
};

static struct cidr at(const char *s)
{
	struct cidr c;

	assert_int_equal(cidr_parse(s, &c), 0);
	return c;
}

static int ask(struct lab *lab, const char *label)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	const struct cidr server = at("127.0.0.1"), wanted = at("10.77.0.9");

	lab->server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(lab->server, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(lab->server, (struct sockaddr *)&a, &len), 0);
	dnsprobe_init(&lab->probe);
	return dnsprobe_ask(&lab->probe, &server, ntohs(a.sin_port), label, &wanted);
}

static void take(struct lab *lab)
{
	struct pollfd p = {.fd = lab->server, .events = POLLIN};
	socklen_t from_len = sizeof(lab->from);

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	lab->len = (size_t)recvfrom(lab->server, lab->query, sizeof(lab->query), 0,
				    (struct sockaddr *)&lab->from, &from_len);
}

/* With an A record for 10.77.0.last, byte i changed by mask. */
static bool answered(struct lab *lab, uint8_t last, size_t i, uint8_t mask)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 77, 0};
	uint8_t a[300];
	size_t len = lab->len;
	struct pollfd p = {.fd = lab->probe.fd, .events = POLLIN};

	memcpy(a, lab->query, len);
	a[2] |= 0x80;
	a[7] = 1;
	memcpy(a + len, record, sizeof(record));
	len += sizeof(record);
	a[len++] = last;
	a[i] ^= mask;
	assert_int_equal(
		sendto(lab->server, a, len, 0, (struct sockaddr *)&lab->from, sizeof(lab->from)),
		len);
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	return dnsprobe_heard(&lab->probe);
}

static void done(struct lab *lab)
{
	dnsprobe_done(&lab->probe);
	close(lab->server);
}

static void right_answer_only(void **state)
{
	struct lab lab;

	(void)state;
	assert_int_equal(ask(&lab, "node-one"), 0);
	take(&lab);
	assert_memory_equal(lab.query + 12, "\x08node-one\7quazzar\4mesh\0\0\1\0\1", 27);
	assert_int_equal(lab.len, 12 + 27);
	assert_false(dnsprobe_heard(&lab.probe));
	assert_false(answered(&lab, 8, 0, 0));    /* another address */
	assert_false(answered(&lab, 9, 0, 1));    /* another number */
	assert_false(answered(&lab, 9, 2, 0x80)); /* a question */
	assert_false(answered(&lab, 9, 3, 3));    /* NXDOMAIN */
	assert_false(answered(&lab, 9, 14, 1));   /* another name */
	assert_false(answered(&lab, 9, 5, 3));    /* two questions */
	assert_true(answered(&lab, 9, 14, 0x20)); /* other letters */
	assert_false(dnsprobe_heard(&lab.probe));
	done(&lab);
}

static void nobody_there(void **state)
{
	struct lab lab;
	struct pollfd p = {.events = POLLIN};

	(void)state;
	assert_int_equal(ask(&lab, "n1"), 0);
	take(&lab);
	close(lab.server);
	lab.server = -1;
	/* The next one finds the port closed, and says so at once. */
	assert_true(send(lab.probe.fd, lab.query, lab.len, 0) > 0);
	p.fd = lab.probe.fd;
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_false(dnsprobe_heard(&lab.probe));
	dnsprobe_done(&lab.probe);
}

static void no_label(void **state)
{
	char label[65] = "";
	struct lab lab;

	(void)state;
	assert_true(ask(&lab, label) < 0);
	done(&lab);
	memset(label, 'a', 64);
	assert_true(ask(&lab, label) < 0);
	done(&lab);
	label[63] = '\0';
	assert_int_equal(ask(&lab, label), 0);
	take(&lab);
	assert_int_equal(lab.len, 12 + 64 + 18);
	done(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_answer_only),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(no_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
