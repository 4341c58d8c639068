/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/audithead.h"

#include <string.h>

static uint8_t *put(uint8_t *to, const void *p, size_t len)
{
	memcpy(to, p, len);
	return to + len;
}

static uint8_t *put_be64(uint8_t *to, uint64_t v)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		*to++ = (uint8_t)(v >> shift);
	return to;
}

void audithead_message(const struct audithead *head, uint8_t ret[AUDITHEAD_MESSAGE_LEN])
{
	static const char words[] = "qmesh-audit-head/1";

	ret = put(ret, words, sizeof(words));
	ret = put(ret, head->panel.b, sizeof(head->panel.b));
	ret = put(ret, head->tenant.b, sizeof(head->tenant.b));
	ret = put_be64(ret, head->seq);
	ret = put_be64(ret, (uint64_t)head->time_ms);
	put(ret, head->hash, sizeof(head->hash));
}

bool audithead_is_signed(const struct audithead *head, const uint8_t public[SIGN_PUBLIC_LEN])
{
	uint8_t message[AUDITHEAD_MESSAGE_LEN];

	audithead_message(head, message);
	return sign_verify(public, message, sizeof(message), head->signature);
}

void audithead_tell(struct audithead *head, struct audithead_telling *ret)
{
	pb__audit_head__init(&ret->pb);
	google__protobuf__timestamp__init(&ret->time);
	ret->time.seconds = head->time_ms / 1000;
	ret->time.nanos = (int32_t)(head->time_ms % 1000 * 1000000);
	text_hex(head->hash, sizeof(head->hash), ret->hash);
	ret->pb.control_panel = (char *)uuid_text(&head->panel, ret->panel);
	ret->pb.tenant = (char *)uuid_text(&head->tenant, ret->tenant);
	ret->pb.seq = head->seq;
	ret->pb.time = &ret->time;
	ret->pb.hash = ret->hash;
	ret->pb.kid = head->kid;
	ret->pb.signature = (ProtobufCBinaryData){.data = head->signature, .len = SIGN_LEN};
}

/* Whole milliseconds of the years that people write. */
static bool hear_time(const Google__Protobuf__Timestamp *t, int64_t *ret_ms)
{
	if (!t || t->seconds < 0 || t->seconds > INT64_C(253402300799) || t->nanos < 0 ||
	    t->nanos > 999999999 || t->nanos % 1000000)
		return false;
	*ret_ms = t->seconds * 1000 + t->nanos / 1000000;
	return true;
}

static const char *hear_signature(const Pb__AuditHead *pb, struct audithead *head)
{
	if (uuid_parse(pb->control_panel, &head->panel))
		return "control_panel";
	if (uuid_parse(pb->tenant, &head->tenant))
		return "tenant";
	if (!hear_time(pb->time, &head->time_ms))
		return "time";
	if (strlen(pb->kid) != AUDITHEAD_KID_LEN)
		return "kid";
	if (pb->signature.len != SIGN_LEN)
		return "signature";
	memcpy(head->kid, pb->kid, sizeof(head->kid));
	memcpy(head->signature, pb->signature.data, SIGN_LEN);
	return NULL;
}

const char *audithead_hear(const Pb__AuditHead *pb, struct audithead *ret_head)
{
	struct audithead head = {.seq = pb->seq};
	const char *wrong = NULL;

	if (pb->seq > INT64_MAX)
		return "seq";
	if (strlen(pb->hash) != TEXT_HEX_LEN(HASH_LEN) || text_unhex(pb->hash, head.hash, HASH_LEN))
		return "hash";
	if (pb->signature.len)
		wrong = hear_signature(pb, &head);
	if (!wrong)
		*ret_head = head;
	return wrong;
}
