/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 and IPv6 addresses and prefixes. */
#ifndef QM_CIDR_H
#define QM_CIDR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

enum { CIDR_V4 = 4, CIDR_V6 = 6 };
#define CIDR_TEXT_LEN 49

/* An address with a prefix length; v4 uses the first four bytes, network order. */
struct cidr {
	uint8_t family; /* CIDR_V4 or CIDR_V6; 0: none */
	uint8_t bits;
	uint8_t addr[16];
};

/* "10.64.0.0/16"; without a length: /32 or /128. -EINVAL; host bits are kept. */
int cidr_parse(const char *s, struct cidr *ret);
/* With the length; ret must hold CIDR_TEXT_LEN + 1. */
const char *cidr_text(const struct cidr *c, char *ret);
/* Without the length. */
const char *cidr_addr_text(const struct cidr *c, char *ret);
struct cidr cidr_v4(uint32_t host_order, uint8_t bits);
struct cidr cidr_v6(const uint8_t addr[16], uint8_t bits);
uint32_t cidr_host4(const struct cidr *c); /* host byte order */
bool cidr_equal(const struct cidr *a, const struct cidr *b);
/* Same network: host bits clear. */
struct cidr cidr_network(const struct cidr *c);
bool cidr_contains(const struct cidr *net, const struct cidr *addr);
bool cidr_overlaps(const struct cidr *a, const struct cidr *b);

/* "host:port", "1.2.3.4:51820", "[2001:db8::1]:51820"; host name by LDH rules. -EINVAL. */
int hostport_check(const char *s);
/* Splits; ret_host must hold 256. Brackets are taken off. -EINVAL. */
int hostport_split(const char *s, char *ret_host, uint16_t *ret_port);

#endif
