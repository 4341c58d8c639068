/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant record to and from its wire form. Pure; any thread. */
#include "server/peers/tenantrec.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/unpack.h"
#include "quazzar/mesh/v1/member.pb-c.h"

static Google__Protobuf__Timestamp time_of(int64_t ms)
{
	Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	t.seconds = ms / 1000;
	t.nanos = (int32_t)(ms % 1000) * 1000000;
	return t;
}

static int64_t ms_of(const Google__Protobuf__Timestamp *t)
{
	/* Up to the year 9999: what follows is multiplied. */
	if (!t || t->seconds < 0 || t->seconds > INT64_C(253402300799))
		return 0;
	return t->seconds * 1000 + t->nanos / 1000000;
}

static void encode_licence(const struct tenantrec *t, Google__Protobuf__Timestamp times[2],
			   Pb__TenantRecord *pb)
{
	pb->plan_source = (Pb__PlanSource)t->plan_source;
	pb->licence_state = (Pb__LicenceState)t->licence_state;
	pb->licensed_plan = (Pb__Plan)t->licensed_plan;
	times[0] = time_of(t->licence_expires_ms);
	times[1] = time_of(t->licence_grace_ms);
	if (t->licence_expires_ms)
		pb->licence_expires_at = &times[0];
	if (t->licence_grace_ms)
		pb->licence_grace_until = &times[1];
}

int tenantrec_encode(const struct tenantrec *t, uint8_t **ret_bytes, size_t *ret_len)
{
	Pb__TenantRecord pb = PB__TENANT_RECORD__INIT;
	Google__Protobuf__Timestamp times[2];
	char *features[TENANTREC_MAX_FEATURES];
	uint8_t *bytes;

	pb.id = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)t->id.b};
	pb.name = (char *)t->name;
	if (t->range4.family == CIDR_V4) {
		pb.range4 = cidr_host4(&t->range4);
		pb.prefix4 = t->range4.bits;
	}
	if (t->range6.family == CIDR_V6) {
		pb.range6 = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)t->range6.addr};
		pb.prefix6 = t->range6.bits;
	}
	pb.plan = (Pb__Plan)t->plan;
	pb.cap = t->cap;
	for (size_t i = 0; i < t->n_features; i++)
		features[i] = (char *)t->features[i];
	pb.n_features = t->n_features;
	pb.features = features;
	pb.lease_s = t->lease_s;
	encode_licence(t, times, &pb);
	bytes = malloc(pb__tenant_record__get_packed_size(&pb) + 1);
	if (!bytes)
		return err_origin(-ENOMEM);
	*ret_len = pb__tenant_record__pack(&pb, bytes);
	*ret_bytes = bytes;
	return 0;
}

static bool is_well_formed(const Pb__TenantRecord *pb)
{
	return pb->id.len == 16 && strlen(pb->name) < 64 && pb->prefix4 <= 32 &&
	       pb->prefix6 <= 128 && (pb->range6.len == 0 || pb->range6.len == 16) &&
	       pb->n_features <= TENANTREC_MAX_FEATURES;
}

static int fill(const Pb__TenantRecord *pb, struct tenantrec *t)
{
	memcpy(t->id.b, pb->id.data, 16);
	strcpy(t->name, pb->name);
	if (pb->prefix4)
		t->range4 = cidr_v4(pb->range4, (uint8_t)pb->prefix4);
	if (pb->range6.len)
		t->range6 = cidr_v6(pb->range6.data, (uint8_t)pb->prefix6);
	t->plan = (enum plan)pb->plan;
	t->cap = pb->cap;
	t->lease_s = pb->lease_s;
	t->plan_source = (enum plans_source)pb->plan_source;
	t->licence_state = (enum plans_licence)pb->licence_state;
	t->licence_expires_ms = ms_of(pb->licence_expires_at);
	t->licence_grace_ms = ms_of(pb->licence_grace_until);
	t->licensed_plan = (enum plan)pb->licensed_plan;
	for (size_t i = 0; i < pb->n_features; i++) {
		if (strlen(pb->features[i]) >= sizeof(t->features[0]))
			return -EBADMSG;
		strcpy(t->features[t->n_features++], pb->features[i]);
	}
	return 0;
}

int tenantrec_decode(const void *p, size_t len, struct tenantrec *ret)
{
	struct tenantrec t = {0};
	Pb__TenantRecord *pb;
	int r = -EBADMSG;

	if (len > TENANTREC_MAX_LEN)
		return -EBADMSG;
	pb = (Pb__TenantRecord *)unpack_message(&pb__tenant_record__descriptor, NULL, p, len);
	if (!pb)
		return -EBADMSG;
	if (is_well_formed(pb))
		r = fill(pb, &t);
	pb__tenant_record__free_unpacked(pb, NULL);
	if (!r)
		*ret = t;
	return r;
}

bool tenantrec_has(const struct tenantrec *t, const char *feature)
{
	for (size_t i = 0; i < t->n_features; i++)
		if (strcmp(t->features[i], feature) == 0)
			return true;
	return false;
}
