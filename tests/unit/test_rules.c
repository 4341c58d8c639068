/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generated bounds against the descriptors: every message of a call has
 * its row, in protobuf-c's field order, and secrets are seen through nesting.
 */
#include "gen/rpc/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "gen/rpc/admin_service.h"
#include "gen/rpc/agent_service.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/descriptors.h"
#include "gen/rpc/health_service.h"
#include "gen/rpc/mesh_service.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "quazzar/mesh/v1/member.pb-c.h"

static const struct field_rule *rule(const ProtobufCMessageDescriptor *desc, const char *name)
{
	const struct message_rules *r = rules_find(desc);
	const ProtobufCFieldDescriptor *field;

	assert_non_null(r);
	assert_ptr_equal(r->desc, desc);
	field = protobuf_c_message_descriptor_get_field_by_name(desc, name);
	assert_non_null(field);
	return &r->fields[field - desc->fields];
}

/* Every string, bytes and list of ours is bounded, however deep. */
static void check_message(const ProtobufCMessageDescriptor *desc)
{
	const struct message_rules *r = rules_find(desc);

	if (!strncmp(desc->name, "google.", 7)) {
		assert_null(r);
		return;
	}
	assert_non_null(r);
	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];

		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			assert_true(r->fields[i].max_items > 0);
		if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES)
			assert_true(r->fields[i].max_len > 0);
		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			check_message(f->descriptor);
	}
}

static void test_every_message(void **state)
{
	static const struct service *const services[] = {
		&mesh_service_desc,  &auth_service_desc,   &agent_service_desc,
		&admin_service_desc, &health_service_desc,
	};

	(void)state;
	for (size_t s = 0; s < sizeof(services) / sizeof(services[0]); s++)
		for (size_t i = 0; i < services[s]->n_methods; i++) {
			check_message(services[s]->methods[i].in);
			check_message(services[s]->methods[i].out);
		}
	check_message(&pb__member__descriptor);
	check_message(&pb__peer_list__descriptor);
}

static void test_values(void **state)
{
	const struct field_rule *r;

	(void)state;
	r = rule(&pb__create_device_request__descriptor, "label");
	assert_int_equal(r->max_len, 1024);
	r = rule(&pb__create_device_request__descriptor, "wait_ms");
	assert_int_equal(r->max, 5000);
	r = rule(&pb__create_device_request__descriptor, "wished_ip");
	assert_string_equal(r->shape, "ip4");
	r = rule(&pb__get_device_request__descriptor, "id");
	assert_int_equal(r->min_len, 36);
	assert_int_equal(r->max_len, 36);
	r = rule(&pb__enroll_request__descriptor, "host_routes");
	assert_int_equal(r->max_items, 1024);
	assert_int_equal(r->max_len, 49);
	r = rule(&pb__update_user_request__descriptor, "password");
	assert_true(r->secret);
	r = rule(&pb__update_device_request__descriptor, "label"); /* in a oneof */
	assert_int_equal(r->max_len, 1024);
}

/* A map's max_len bounds its keys. */
static void test_map(void **state)
{
	const ProtobufCMessageDescriptor *desc = &pb__get_orbit_features_response__descriptor;
	const ProtobufCFieldDescriptor *features =
		protobuf_c_message_descriptor_get_field_by_name(desc, "features");

	(void)state;
	assert_int_equal(rule(desc, "features")->max_items, 16);
	assert_int_equal(rule(desc, "features")->max_len, 0);
	assert_int_equal(rule(features->descriptor, "key")->max_len, 32);
}

static void test_secret(void **state)
{
	(void)state;
	assert_true(rules_find(&pb__login_request__descriptor)->has_secret);
	assert_true(rules_find(&pb__create_device_response__descriptor)->has_secret);
	/* Keys, two levels down. */
	assert_true(rules_find(&pb__subscribe_response__descriptor)->has_secret);
	assert_false(rules_find(&pb__list_devices_response__descriptor)->has_secret);
	assert_false(rules_find(&pb__member__descriptor)->has_secret);
	assert_null(rules_find(&google__protobuf__timestamp__descriptor));
}

/* The blob is a FileDescriptorSet: field 1, length, file, again and again. */
static void test_descriptors(void **state)
{
	const uint8_t *p = descriptors;

	(void)state;
	for (size_t i = 0; i < n_descriptor_files; i++) {
		size_t len = 0;

		assert_int_equal(*p++, 0x0a);
		for (int shift = 0;; shift += 7) {
			len |= (size_t)(*p & 0x7f) << shift;
			if (!(*p++ & 0x80))
				break;
		}
		assert_ptr_equal(p, descriptor_files[i].p);
		assert_int_equal(len, descriptor_files[i].len);
		/* FileDescriptorProto.name comes first. */
		assert_int_equal(p[0], 0x0a);
		assert_int_equal(p[1], strlen(descriptor_files[i].name));
		assert_memory_equal(p + 2, descriptor_files[i].name, p[1]);
		p += len;
	}
	assert_int_equal(p - descriptors, descriptors_len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_message), cmocka_unit_test(test_values),
		cmocka_unit_test(test_map),           cmocka_unit_test(test_secret),
		cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
