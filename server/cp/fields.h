/* SPDX-License-Identifier: Apache-2.0 */
/* Members of answers, made in the call's arena. NULL: out of memory. */
#ifndef QM_FIELDS_H
#define QM_FIELDS_H

#include "google/protobuf/timestamp.pb-c.h"
#include "server/rpc/call.h"

/* A message of a generated type, initialised. */
#define FIELDS_NEW(call, type, init)                                                               \
	({                                                                                         \
		type *new_ = call_alloc((call), sizeof(type));                                     \
		if (new_)                                                                          \
			init(new_);                                                                \
		new_;                                                                              \
	})

/* NULL for 0: the field stays absent. */
Google__Protobuf__Timestamp *fields_time(struct call *call, int64_t ms);
Google__Protobuf__Timestamp *fields_time_in(struct arena *arena, int64_t ms);
int64_t fields_ms(const Google__Protobuf__Timestamp *t);
char *fields_uuid(struct call *call, const struct uuid *id);
char *fields_ip4(struct call *call, uint32_t ip4);
char *fields_ip6(struct call *call, const uint8_t ip6[16]);
char *fields_range4(struct call *call, uint32_t range4);
char *fields_range6(struct call *call, const uint8_t range6[16]);
char *fields_key(struct call *call, const uint8_t key[32]);
/* Page tokens are ids in hex; "" is the nil id. ERR_PAGE_TOKEN_INVALID by call_fail. */
int fields_page(struct call *call, const char *token, struct uuid *ret_after);
char *fields_page_token(struct call *call, const struct uuid *last);

#endif
