/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface as the network sees it, by rtnetlink: address, MTU, up, routes
 * of the host. The same messages for kernel and userspace interfaces.
 */
#ifndef QM_NETIF_H
#define QM_NETIF_H

#include <stddef.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/cleanup.h"

#define NETIF_KIND_LEN 16

/* A new interface of a kind, "wireguard". -EEXIST, -EOPNOTSUPP: the kernel has none such. */
int netif_create(const char *interface, const char *kind) _must_check_;
/* 0 when there is none. */
int netif_delete(const char *interface) _must_check_;
/* "wireguard", "tun", "veth"; "" of a plain one. -ENODEV. */
int netif_kind(const char *interface, char ret_kind[NETIF_KIND_LEN]) _must_check_;
/* Adds the address with the prefix length given, which also makes the route; again is fine. */
int netif_add_address(const char *interface, const struct cidr *address) _must_check_;
/* Removes all addresses of the interface but keep[n]; link-local ones stay. */
int netif_keep_addresses(const char *interface, const struct cidr *keep, size_t n) _must_check_;
int netif_up(const char *interface, uint32_t mtu) _must_check_;
/* Routes of the main table, at most cap, but default ones and those through skip. Count or < 0. */
int netif_routes(const char *skip, struct cidr *ret_routes, size_t cap) _must_check_;

#endif
