/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface as the network sees it, by rtnetlink: address, MTU, up, routes
 * of the host. The same messages for kernel and userspace interfaces.
 */
#ifndef QM_NETIF_H
#define QM_NETIF_H

#include <stdint.h>

#include "base/cidr.h"
#include "base/cleanup.h"

/* Adds the address with the prefix length given, which also makes the route; again is fine. */
int netif_add_address(const char *interface, const struct cidr *address) _must_check_;
/* Removes all addresses of the interface but keep[n]; link-local ones stay. */
int netif_keep_addresses(const char *interface, const struct cidr *keep, size_t n) _must_check_;
int netif_up(const char *interface, uint32_t mtu) _must_check_;
/* Routes of the main table, at most cap, but default ones and those through skip. Count or < 0. */
int netif_routes(const char *skip, struct cidr *ret_routes, size_t cap) _must_check_;

#endif
