/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of a caller who streams, on a loopback call through a door made here:
 * one at a time, decoded and checked; held, choked, ended, each exactly once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "grpc/health/v1/health.pb-c.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/inflow.h"

#define MANY 65 /* one more answer than may wait */

static struct {
	struct services *services;
	struct call *call;
	char got[64]; /* first letter of each message, '.' for the half-close */
	unsigned n_got, n_receive, n_sent, n_done;
	int message_r, end_r;
	unsigned answers; /* to send for each message */
	bool hold;
	enum err err;
	char words[256];
} t;

static int encode(struct call *call, const ProtobufCMessage *msg, struct frame **ret_frame)
{
	(void)call;
	*ret_frame = frame_new(protobuf_c_message_get_packed_size(msg));
	protobuf_c_message_pack(msg, (*ret_frame)->bytes + FRAME_HEAD_LEN);
	return 0;
}

static void message(struct call *call, struct frame *frame)
{
	(void)call;
	t.n_sent++;
	frame_unref(frame);
}

static void done(struct call *call)
{
	t.n_done++;
	t.err = call->status.err;
	snprintf(t.words, sizeof(t.words), "%s", call->status.message ? call->status.message : "");
	call_unref(call);
}

static void receive(struct call *call)
{
	assert_true(inflow_ready(call));
	t.n_receive++;
}

static const struct call_door door = {
	.name = "test", .encode = encode, .message = message, .done = done, .receive = receive};

static int on_message(struct call *call, const ProtobufCMessage *msg, void *arg)
{
	const Grpc__Health__V1__HealthCheckRequest *in = (const void *)msg;
	Grpc__Health__V1__HealthCheckResponse out = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	assert_ptr_equal(arg, &t);
	if (t.n_got < sizeof(t.got) - 1)
		t.got[t.n_got] = in->service[0] ? in->service[0] : '_';
	t.n_got++;
	for (unsigned i = 0; i < t.answers; i++)
		assert_int_equal(call_send(call, &out.base), 0);
	if (t.hold)
		call_hold(call, true);
	return t.message_r;
}

static int on_half_closed(struct call *call, void *arg)
{
	(void)call;
	assert_ptr_equal(arg, &t);
	t.got[t.n_got++] = '.';
	return t.end_r;
}

static int handler(struct call *call, const void *in, void *out)
{
	static const struct call_receiver receiver = {.message = on_message,
						      .half_closed = on_half_closed};
	int r;

	(void)in;
	(void)out;
	r = call_receive(call, &receiver, &t);
	return r ? r : CALL_PARKED;
}

static struct method row = {
	.path = "/t.T/M",
	.name = "M",
	.kind = METHOD_BIDI,
	.in = &grpc__health__v1__health_check_request__descriptor,
	.out = &grpc__health__v1__health_check_response__descriptor,
	.policy = {.audience = AUDIENCE_PUBLIC, .lane = LANE_INLINE, .body_limit = 4096},
};
static struct service desc = {.name = "t.T", .methods = &row, .n_methods = 1};

static int setup(void **state)
{
	static const handler_fn handlers[] = {handler};

	(void)state;
	memset(&t, 0, sizeof(t));
	row.service = &desc;
	t.services = services_new(NULL);
	assert_int_equal(service_add(t.services, &desc, handlers, NULL), 0);
	t.call = call_ref(call_new(t.services, &row, NULL, &door, NULL, 0));
	dispatch(t.services, t.call);
	assert_int_equal(t.n_receive, 1);
	assert_true(inflow_ready(t.call));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_false(inflow_ready(t.call));
	assert_int_equal(t.n_done, 1);
	call_unref(t.call);
	services_free(t.services);
	return 0;
}

/* A request whose service has so many letters, none of its own length bytes over 127. */
static void give(char letter, unsigned n)
{
	uint8_t bytes[4096] = {0x0a};
	size_t at = 1;

	if (n > 127)
		bytes[at++] = (uint8_t)(0x80 | (n & 0x7f));
	bytes[at++] = (uint8_t)(n > 127 ? n >> 7 : n);
	memset(bytes + at, letter, n);
	inflow_message(t.call, bytes, at + n);
}

static void in_order(void **state)
{
	(void)state;
	give('a', 1);
	give('b', 100);
	inflow_message(t.call, NULL, 0);
	assert_int_equal(t.n_done, 0);
	inflow_end(t.call);
	assert_string_equal(t.got, "ab_.");
	assert_int_equal(t.err, 0);
}

/* Each message has the arena to itself. */
static void without_end(void **state)
{
	(void)state;
	for (int i = 0; i < 50000; i++)
		give('a', 200);
	assert_int_equal(t.n_got, 50000);
	assert_int_equal(t.n_done, 0);
	t.n_got = 0;
	inflow_end(t.call);
}

static void no_message(void **state)
{
	(void)state;
	inflow_message(t.call, "\xff", 1);
	assert_int_equal(t.err, ERR_MESSAGE_INVALID);
	assert_int_equal(t.n_got, 0);
}

static void out_of_bounds(void **state)
{
	(void)state;
	give('a', 2000);
	assert_int_equal(t.err, ERR_FIELD_INVALID);
	assert_non_null(strstr(t.words, "service"));
	assert_int_equal(t.n_got, 0);
}

static void refused(void **state)
{
	(void)state;
	t.message_r = ERR_LABEL_TAKEN;
	give('a', 1);
	assert_int_equal(t.err, ERR_LABEL_TAKEN);
	assert_int_equal(t.n_got, 1);
}

static void held(void **state)
{
	(void)state;
	t.hold = true;
	give('a', 1);
	assert_false(inflow_ready(t.call));
	assert_int_equal(t.n_receive, 1);
	t.hold = false;
	call_hold(t.call, false);
	assert_true(inflow_ready(t.call));
	assert_int_equal(t.n_receive, 2);
	give('b', 1);
	inflow_end(t.call);
	assert_string_equal(t.got, "ab.");
}

/* A caller who takes no answers is not read from. */
static void choked(void **state)
{
	(void)state;
	t.answers = MANY;
	give('a', 1);
	assert_int_equal(t.n_sent, MANY);
	assert_false(inflow_ready(t.call));
	t.answers = 0;
	call_drained(t.call);
	assert_int_equal(t.n_receive, 2);
	assert_true(inflow_ready(t.call));
	call_drained(t.call);
	assert_int_equal(t.n_receive, 2);
	inflow_end(t.call);
}

static void answered_later(void **state)
{
	(void)state;
	t.end_r = CALL_PARKED;
	inflow_end(t.call);
	assert_int_equal(t.n_done, 0);
	call_finish(t.call, ERR_LABEL_TAKEN);
	call_finish(t.call, 0);
	assert_int_equal(t.err, ERR_LABEL_TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(without_end, setup, teardown),
		cmocka_unit_test_setup_teardown(no_message, setup, teardown),
		cmocka_unit_test_setup_teardown(out_of_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(held, setup, teardown),
		cmocka_unit_test_setup_teardown(choked, setup, teardown),
		cmocka_unit_test_setup_teardown(answered_later, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
