/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an audit chain, as the Control Panel signs it: kept elsewhere it
 * shows what was cut off behind it or written anew before it. One form for the
 * store, the answers and the files: the message AuditHead. Signed is, in this order,
 *
 *   bytes   what
 *   19      "qmesh-audit-head/1" and a NUL
 *   16      id of the Control Panel
 *   16      id of the tenant
 *   8       number of the row, big endian; 0: no row was there
 *   8       time of the signature in ms since 1970, big endian
 *   32      hash of the row; zeros where there was none
 */
#ifndef QM_AUDITHEAD_H
#define QM_AUDITHEAD_H

#include <stdint.h>

#include "base/sign.h"
#include "base/text.h"
#include "quazzar/mesh/v1/audit.pb-c.h"

#define AUDITHEAD_MESSAGE_LEN 99
#define AUDITHEAD_KID_LEN 16

struct audithead {
	struct uuid panel, tenant;
	uint64_t seq;
	int64_t time_ms;
	uint8_t hash[HASH_LEN];
	char kid[AUDITHEAD_KID_LEN + 1];
	uint8_t signature[SIGN_LEN];
};

/* What is signed. */
void audithead_message(const struct audithead *head, uint8_t ret[AUDITHEAD_MESSAGE_LEN]);
/* Is it as the owner of that key signed it? */
bool audithead_is_signed(const struct audithead *head, const uint8_t public[SIGN_PUBLIC_LEN]);

/* The texts of a message that tells it; they live in this struct. */
struct audithead_telling {
	Pb__AuditHead pb;
	Google__Protobuf__Timestamp time;
	char panel[UUID_TEXT_LEN + 1], tenant[UUID_TEXT_LEN + 1], hash[TEXT_HEX_LEN(HASH_LEN) + 1];
};

/* Borrows head, and points into ret: neither moves while it is used. */
void audithead_tell(struct audithead *head, struct audithead_telling *ret);
/*
 * From a message of anybody's. Without a signature it is a mark that the caller
 * vouches for: seq and hash count, the rest may be missing. NULL: taken; else
 * the field that is not right.
 */
const char *audithead_hear(const Pb__AuditHead *pb, struct audithead *ret_head);

#endif
