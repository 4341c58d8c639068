/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and prefixes of both families as one small value. Pure, any thread. */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"

static unsigned max_bits(const struct cidr *c)
{
	return c->family == CIDR_V4 ? 32 : 128;
}

static size_t addr_len(const struct cidr *c)
{
	return c->family == CIDR_V4 ? 4 : 16;
}

/* "010" and "+8" mean different things to different programs: refused. */
static int parse_small(const char *s, uint64_t max, uint64_t *ret_n)
{
	if (s[0] == '0' && s[1])
		return -EINVAL;
	return text_parse_u64(s, max, ret_n) == 0 ? 0 : -EINVAL;
}

int cidr_parse(const char *s, struct cidr *ret)
{
	const char *slash = strchr(s, '/');
	size_t len = slash ? (size_t)(slash - s) : strlen(s);
	struct cidr c = {0};
	char addr[INET6_ADDRSTRLEN];
	uint64_t bits;

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, s, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, c.addr) == 1)
		c.family = CIDR_V4;
	else if (inet_pton(AF_INET6, addr, c.addr) == 1)
		c.family = CIDR_V6;
	else
		return -EINVAL;
	bits = max_bits(&c);
	if (slash && parse_small(slash + 1, bits, &bits) != 0)
		return -EINVAL;
	c.bits = (uint8_t)bits;
	*ret = c;
	return 0;
}

const char *cidr_addr_text(const struct cidr *c, char *ret)
{
	if (c->family != CIDR_V4 && c->family != CIDR_V6)
		ret[0] = '\0';
	else
		inet_ntop(c->family == CIDR_V4 ? AF_INET : AF_INET6, c->addr, ret, CIDR_TEXT_LEN);
	return ret;
}

const char *cidr_text(const struct cidr *c, char *ret)
{
	size_t len;

	cidr_addr_text(c, ret);
	len = strlen(ret);
	if (len)
		snprintf(ret + len, CIDR_TEXT_LEN + 1 - len, "/%u", c->bits);
	return ret;
}

struct cidr cidr_v4(uint32_t host_order, uint8_t bits)
{
	struct cidr c = {.family = CIDR_V4, .bits = bits > 32 ? 32 : bits};
	uint32_t net = htonl(host_order);

	memcpy(c.addr, &net, sizeof(net));
	return c;
}

struct cidr cidr_v6(const uint8_t addr[16], uint8_t bits)
{
	struct cidr c = {.family = CIDR_V6, .bits = bits > 128 ? 128 : bits};

	memcpy(c.addr, addr, sizeof(c.addr));
	return c;
}

uint32_t cidr_host4(const struct cidr *c)
{
	uint32_t net;

	memcpy(&net, c->addr, sizeof(net));
	return ntohl(net);
}

bool cidr_equal(const struct cidr *a, const struct cidr *b)
{
	return a->family == b->family && a->bits == b->bits &&
	       memcmp(a->addr, b->addr, addr_len(a)) == 0;
}

struct cidr cidr_network(const struct cidr *c)
{
	struct cidr net = *c;

	for (size_t i = 0; i < sizeof(net.addr); i++) {
		size_t kept = net.bits > i * 8 ? net.bits - i * 8 : 0;

		if (kept < 8)
			net.addr[i] &= (uint8_t)(0xff00 >> kept);
	}
	return net;
}

bool cidr_contains(const struct cidr *net, const struct cidr *addr)
{
	struct cidr a = *addr, b = cidr_network(net);

	if (a.family != b.family || a.family == 0 || a.bits < b.bits)
		return false;
	a.bits = b.bits;
	a = cidr_network(&a);
	return cidr_equal(&a, &b);
}

bool cidr_overlaps(const struct cidr *a, const struct cidr *b)
{
	return cidr_contains(a, b) || cidr_contains(b, a);
}

/* Letters, digits and inner hyphens, dots between; a name of digits only would pass for an address.
 */
static bool host_name_ok(const char *s)
{
	size_t total = strlen(s), label_len = 0;
	bool digits_only = true;

	if (total == 0 || total > 253)
		return false;
	for (const char *p = s; *p; p++) {
		bool digit = *p >= '0' && *p <= '9';
		bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');

		if (*p == '.') {
			/* One dot may end the name. */
			if (label_len == 0 || p[-1] == '-')
				return false;
			if (p[1])
				digits_only = true;
			label_len = 0;
			continue;
		}
		if (!digit && !letter && (*p != '-' || label_len == 0))
			return false;
		if (!digit)
			digits_only = false;
		if (++label_len > 63)
			return false;
	}
	return !digits_only && s[total - 1] != '-';
}

int hostport_split(const char *s, char *ret_host, uint16_t *ret_port)
{
	const char *colon = strrchr(s, ':');
	struct in6_addr addr;
	char host[256];
	uint64_t port;
	size_t len;

	if (!colon || colon == s || (size_t)(colon - s) >= sizeof(host) ||
	    parse_small(colon + 1, 65535, &port) != 0 || port == 0)
		return -EINVAL;
	len = (size_t)(colon - s);
	if (s[0] == '[') {
		if (len < 3 || s[len - 1] != ']')
			return -EINVAL;
		memcpy(host, s + 1, len - 2);
		host[len - 2] = '\0';
		if (inet_pton(AF_INET6, host, &addr) != 1)
			return -EINVAL;
	} else {
		memcpy(host, s, len);
		host[len] = '\0';
		if (inet_pton(AF_INET, host, &addr) != 1 && !host_name_ok(host))
			return -EINVAL;
	}
	memcpy(ret_host, host, strlen(host) + 1);
	*ret_port = (uint16_t)port;
	return 0;
}

int hostport_check(const char *s)
{
	char host[256];
	uint16_t port;

	return hostport_split(s, host, &port);
}
