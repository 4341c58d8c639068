/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phone's typed calls against protobuf-c, the other code from the same
 * contract: what one writes the other reads, and nothing larger than the
 * bounds or cut short gets in.
 */
#include "gen/nano/qmn_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quazzar/mesh/v1/auth.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

static uint8_t frame[256 * 1024];

/* A message of protobuf-c as one frame. */
static size_t framed(const ProtobufCMessage *msg)
{
	size_t len = protobuf_c_message_get_packed_size(msg);

	assert_true(len + QMN_FRAME_LEN <= sizeof(frame));
	frame[0] = 0;
	for (int i = 0; i < 4; i++)
		frame[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	protobuf_c_message_pack(msg, frame + QMN_FRAME_LEN);
	return len + QMN_FRAME_LEN;
}

static void test_create_request(void **state)
{
	static qmn_CreateDeviceRequest in;
	uint8_t buf[QMN_CREATE_DEVICE_REQUEST_MAX];
	Pb__CreateDeviceRequest *out;
	size_t len = 0;

	(void)state;
	memset(in.label, 'x', 1024);
	in.type = qmn_DeviceType_DEVICE_TYPE_IPHONE;
	in.which_keepalive_choice = qmn_CreateDeviceRequest_keepalive_tag;
	in.keepalive_choice.keepalive = false;
	in.dns = true;
	strcpy(in.wished_ip, "10.64.16.9");
	strcpy(in.node_id, "018f6f2e-7b1c-7d6a-9c55-0123456789ab");
	in.wait_ms = 5000;
	assert_true(qmn_create_device_encode(&in, buf, sizeof(buf), &len));
	out = pb__create_device_request__unpack(NULL, len - QMN_FRAME_LEN, buf + QMN_FRAME_LEN);
	assert_non_null(out);
	assert_string_equal(out->label, in.label);
	assert_int_equal(out->type, PB__DEVICE_TYPE__DEVICE_TYPE_IPHONE);
	assert_int_equal(out->keepalive_choice_case,
			 PB__CREATE_DEVICE_REQUEST__KEEPALIVE_CHOICE_KEEPALIVE);
	assert_false(out->keepalive);
	assert_true(out->dns);
	assert_string_equal(out->wished_ip, "10.64.16.9");
	assert_int_equal(out->wait_ms, 5000);
	pb__create_device_request__free_unpacked(out, NULL);
	/* No buffer that is too small is written past or accepted. */
	for (size_t cap = 0; cap < len; cap++) {
		uint8_t *small = malloc(cap ? cap : 1);
		size_t got = 12345;

		assert_non_null(small);
		assert_false(qmn_create_device_encode(&in, small, cap, &got));
		assert_int_equal(got, 12345);
		free(small);
	}
}

static Pb__Device device(char *label)
{
	Pb__Device d = PB__DEVICE__INIT;

	d.id = (char *)"018f6f2e-7b1c-7d6a-9c55-0123456789ab";
	d.label = label;
	d.type = PB__DEVICE_TYPE__DEVICE_TYPE_LAPTOP;
	d.mesh_ip = (char *)"10.64.16.1";
	d.status = PB__DEVICE_STATUS__DEVICE_STATUS_CONNECTED;
	d.applied = 1;
	d.key_version = 3;
	return d;
}

static size_t device_list(size_t n)
{
	Pb__ListDevicesResponse list = PB__LIST_DEVICES_RESPONSE__INIT;
	static Pb__Device devices[64];
	static Pb__Device *pointers[64];

	for (size_t i = 0; i < n; i++) {
		devices[i] = device((char *)"Renée's laptop");
		pointers[i] = &devices[i];
	}
	list.n_devices = n;
	list.devices = pointers;
	return framed(&list.base);
}

static void test_list(void **state)
{
	static qmn_ListDevicesResponse out;

	(void)state;
	assert_true(qmn_list_devices_decode(frame, device_list(32), &out));
	assert_int_equal(out.devices_count, 32);
	assert_string_equal(out.devices[31].label, "Renée's laptop");
	assert_int_equal(out.devices[31].status, qmn_DeviceStatus_DEVICE_STATUS_CONNECTED);
	assert_int_equal(out.devices[31].key_version, 3);
	/* One more than the phone has room for. */
	assert_false(qmn_list_devices_decode(frame, device_list(33), &out));
	assert_int_equal(out.devices_count, 0);
	assert_int_equal(out.devices[0].label[0], 0);
}

static void test_too_long(void **state)
{
	static qmn_GetDeviceResponse out;
	Pb__GetDeviceResponse response = PB__GET_DEVICE_RESPONSE__INIT;
	char label[300];
	Pb__Device d = device(label);

	(void)state;
	response.device = &d;
	memset(label, 'l', sizeof(label));
	label[256] = '\0';
	assert_true(qmn_get_device_decode(frame, framed(&response.base), &out));
	assert_true(out.has_device);
	assert_int_equal(strlen(out.device.label), 256);
	label[256] = 'l';
	label[257] = '\0';
	assert_false(qmn_get_device_decode(frame, framed(&response.base), &out));
}

/* The picture that the phone does not want is skipped, what follows is read. */
static void test_skipped(void **state)
{
	static qmn_CreateDeviceResponse out;
	Pb__CreateDeviceResponse response = PB__CREATE_DEVICE_RESPONSE__INIT;
	Pb__Device d = device((char *)"phone");
	static char svg[60001];
	size_t len;

	(void)state;
	memset(svg, 's', sizeof(svg) - 1);
	response.config = (char *)"[Interface]\n";
	response.qr_svg = svg;
	response.device = &d;
	len = framed(&response.base);
	assert_true(len <= QMN_CREATE_DEVICE_ANSWER_MAX);
	assert_true(qmn_create_device_decode(frame, len, &out));
	assert_string_equal(out.config, "[Interface]\n");
	assert_string_equal(out.device.label, "phone");
}

static void test_map(void **state)
{
	static qmn_GetOrbitFeaturesResponse out;
	Pb__GetOrbitFeaturesResponse response = PB__GET_ORBIT_FEATURES_RESPONSE__INIT;
	Pb__GetOrbitFeaturesResponse__FeaturesEntry entry =
		PB__GET_ORBIT_FEATURES_RESPONSE__FEATURES_ENTRY__INIT;
	Pb__GetOrbitFeaturesResponse__FeaturesEntry *entries[] = {&entry};
	Pb__Feature feature = PB__FEATURE__INIT;

	(void)state;
	feature.enabled = 1;
	feature.cap = 3;
	entry.key = (char *)"mesh_vpn";
	entry.value = &feature;
	response.plan = PB__PLAN__PLAN_FREE;
	response.n_features = 1;
	response.features = entries;
	assert_true(qmn_get_orbit_features_decode(frame, framed(&response.base), &out));
	assert_int_equal(out.plan, qmn_Plan_PLAN_FREE);
	assert_int_equal(out.features_count, 1);
	assert_string_equal(out.features[0].key, "mesh_vpn");
	assert_int_equal(out.features[0].value.cap, 3);
}

static void test_empty(void **state)
{
	qmn_GetStateRequest in = qmn_GetStateRequest_init_zero;
	qmn_LogoutResponse out;
	uint8_t buf[QMN_GET_STATE_REQUEST_MAX];
	size_t len = 0;

	(void)state;
	assert_true(qmn_get_state_encode(&in, buf, sizeof(buf), &len));
	assert_int_equal(len, QMN_FRAME_LEN);
	assert_true(qmn_logout_decode(buf, len, &out));
	/* Compressed, too short, followed by more. */
	buf[0] = 1;
	assert_false(qmn_logout_decode(buf, len, &out));
	assert_false(qmn_logout_decode(buf, 0, &out));
	buf[0] = 0;
	assert_false(qmn_logout_decode(buf, len - 1, &out));
	memset(frame, 0, 10);
	assert_false(qmn_logout_decode(frame, 10, &out));
}

static void test_frame_next(void **state)
{
	const uint8_t huge[] = {0, 0xff, 0xff, 0xff, 0xff, 0};
	const uint8_t two[] = {0, 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0};
	size_t len = 0;

	(void)state;
	assert_int_equal(qmn_frame_next(huge, sizeof(huge), 1000, &len), -1);
	assert_int_equal(qmn_frame_next(huge, sizeof(huge), 4, &len), -1);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(qmn_frame_next(two, i, 100, &len), 0);
	assert_int_equal(qmn_frame_next(two, sizeof(two), 100, &len), 1);
	assert_int_equal(len, 7);
	assert_int_equal(qmn_frame_next(two, sizeof(two), 6, &len), -1);
	assert_int_equal(qmn_frame_next(two + 7, 5, 5, &len), 1);
	assert_int_equal(len, 5);
}

/* Cut at each byte, and with one bit turned: an answer or a refusal, no crash. */
static void test_mutations(void **state)
{
	static qmn_ListDevicesResponse out;
	size_t len = device_list(3);
	uint8_t *copy;

	(void)state;
	for (size_t cut = QMN_FRAME_LEN; cut <= len; cut++) {
		size_t body = cut - QMN_FRAME_LEN;

		copy = malloc(cut);
		assert_non_null(copy);
		memcpy(copy, frame, cut);
		copy[3] = (uint8_t)(body >> 8);
		copy[4] = (uint8_t)body;
		if (qmn_list_devices_decode(copy, cut, &out))
			assert_true(out.devices_count <= 3);
		free(copy);
	}
	copy = malloc(len);
	assert_non_null(copy);
	for (size_t bit = 8 * QMN_FRAME_LEN; bit < 8 * len; bit++) {
		memcpy(copy, frame, len);
		copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		if (qmn_list_devices_decode(copy, len, &out))
			assert_true(out.devices_count <= 32);
	}
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_request),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_skipped),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_frame_next),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
