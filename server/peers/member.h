/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One member of a tenant, node or device, as proto/.../member.proto has it.
 * Bytes once published are never encoded again: a decoded member carries the
 * bytes it came from, and those are what is stored, sent and hashed.
 */
#ifndef QM_MEMBER_H
#define QM_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/key.h"
#include "base/text.h"

#define MEMBER_MAX_LEN 2048

enum member_kind { MEMBER_NODE, MEMBER_DEVICE };

/* Numbers as in device.proto. */
enum member_device_type {
	MEMBER_DEVICE_IPHONE = 1,
	MEMBER_DEVICE_ANDROID,
	MEMBER_DEVICE_LAPTOP,
	MEMBER_DEVICE_OTHER
};

/* A key of a device; key_version 0: there is none. */
struct member_key {
	struct key public_key;
	uint32_t key_version;
	uint32_t psk_version;
	int64_t until_ms; /* pending keys: wall time when the overlap ends at the latest; 0: none */
};

/*
 * Strings are never NULL in a decoded member and live as long as it does; for
 * member_encode NULL means empty.
 */
struct member {
	struct uuid id;
	enum member_kind kind;
	bool suspended;
	const char *label, *slug;
	uint32_t ip4; /* host byte order; 0: none */
	uint8_t ip6[16];
	bool has_ip6;
	int64_t created_at_ms;
	struct {
		struct key public_key;
		const char *endpoint; /* host:port; empty: reaches out only */
	} node;
	struct {
		enum member_device_type type;
		struct uuid owner_id;
		const char *owner_name;
		struct uuid home;
		bool needs_new_config;
		struct member_key active, pending;
	} device;
	const uint8_t *bytes; /* as received; NULL in a member that was not decoded */
	size_t bytes_len;
};

/* Bytes on the heap. -EMSGSIZE over MEMBER_MAX_LEN, -ENOMEM. */
int member_encode(const struct member *m, uint8_t **ret_bytes, size_t *ret_len) _must_check_;
/* One allocation, with a copy of the bytes. -EBADMSG for what no member can be, -ENOMEM. */
int member_decode(const void *p, size_t len, struct member **ret_member) _must_check_;
void member_free(struct member *m);
CLEANUP_DEFINE(struct member, member_free);

/* The newest key of a device: the pending one while a rotation overlaps; NULL: none. */
const struct member_key *member_newest_key(const struct member *m);

#endif
