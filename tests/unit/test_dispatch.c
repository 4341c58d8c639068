/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loopback calls through a door made here: the order of the guards, who may
 * call what, every way a call ends, each exactly once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "grpc/health/v1/health.pb-c.h"
#include "quazzar/mesh/v1/auth.pb-c.h"
#include "server/rpc/dispatch.h"

typedef int (*answer_fn)(struct call *call, const void *in, void *out);

static struct {
	char steps[256]; /* a letter per step, in order */
	struct caller who;
	int authenticate_r, licence_r, admit_r, decode_r;
	char service[300];
	answer_fn handler;
	int n_done, n_messages, n_secret, n_finished, finished_r, n_end;
	enum err err;
	enum grpc_code code;
	char words[256];
	struct call *parked;
	bool shares_frames;
	int n_accepted;
} t;

static void step(char c)
{
	t.steps[strlen(t.steps)] = c;
}

static int authenticate(struct call *call, void *owner)
{
	(void)owner;
	step('a');
	if (t.who.audience)
		call->caller = t.who;
	return t.authenticate_r;
}

static int licence(struct call *call, void *owner)
{
	(void)call;
	(void)owner;
	step('l');
	return t.licence_r;
}

static int admit(struct call *call, void *owner)
{
	(void)call;
	(void)owner;
	step('p');
	return t.admit_r;
}

static void finished(struct call *call, int r, void *owner)
{
	(void)call;
	(void)owner;
	t.n_finished++;
	t.finished_r = r;
}

static int forward(struct call *call, void *owner)
{
	(void)call;
	(void)owner;
	step('f');
	return 0;
}

static int decode(struct call *call, ProtobufCMessage **ret_in)
{
	Grpc__Health__V1__HealthCheckRequest *in;

	step('d');
	if (t.decode_r)
		return t.decode_r;
	in = arena_new(&call->arena, Grpc__Health__V1__HealthCheckRequest);
	grpc__health__v1__health_check_request__init(in);
	in->service = t.service;
	*ret_in = &in->base;
	return 0;
}

static int encode(struct call *call, const ProtobufCMessage *msg, struct frame **ret_frame)
{
	(void)call;
	step('e');
	*ret_frame = frame_new(protobuf_c_message_get_packed_size(msg));
	protobuf_c_message_pack(msg, (*ret_frame)->bytes + FRAME_HEAD_LEN);
	return 0;
}

static void message(struct call *call, struct frame *frame)
{
	(void)call;
	t.n_messages++;
	t.n_secret += frame->secret;
	frame_unref(frame);
}

static void done(struct call *call)
{
	t.n_done++;
	t.err = call->status.err;
	t.code = call->status.code;
	snprintf(t.words, sizeof(t.words), "%s", call->status.message ? call->status.message : "");
	call_unref(call);
}

static void accepted(struct call *call)
{
	(void)call;
	t.n_accepted++;
}

static const struct call_door door = {
	.name = "test",
	.decode = decode,
	.encode = encode,
	.message = message,
	.done = done,
	.accepted = accepted,
};

static int handler(struct call *call, const void *in, void *out)
{
	step('h');
	return t.handler ? t.handler(call, in, out) : 0;
}

static struct method row = {
	.path = "/t.T/M",
	.name = "M",
	.in = &grpc__health__v1__health_check_request__descriptor,
	.out = &grpc__health__v1__health_check_response__descriptor,
};
static struct service desc = {.name = "t.T", .methods = &row, .n_methods = 1};

static void on_end(struct call *call, void *arg)
{
	(void)call;
	(void)arg;
	t.n_end++;
}

/* One call by the row as it stands now. */
static void run_with(bool bound)
{
	const struct service_hooks hooks = {.authenticate = authenticate,
					    .licence = licence,
					    .admit = admit,
					    .finished = finished,
					    .forward = forward};
	const handler_fn handlers[] = {bound ? handler : NULL};
	struct services *s = services_new(&hooks);
	struct call *call;

	row.service = &desc;
	row.policy.lane = LANE_INLINE;
	row.policy.body_limit = 65536;
	assert_int_equal(service_add(s, &desc, handlers, NULL), 0);
	assert_true(service_add(s, &desc, handlers, NULL) < 0);
	call = call_new(s, &row, NULL, &door, NULL, 0);
	assert_non_null(call);
	assert_int_equal(strlen(call->request_id), 32);
	call->shares_frames = t.shares_frames;
	call_on_end(call, on_end, NULL);
	dispatch(s, call);
	if (t.parked) {
		assert_int_equal(t.n_done, 0);
		call_finish(t.parked, 0);
		call_finish(t.parked, ERR_INTERNAL);
		assert_true(call_is_over(t.parked));
		call_unref(t.parked);
	}
	assert_int_equal(t.n_done, 1);
	assert_int_equal(t.n_end, 1);
	services_free(s);
}

static void run(void)
{
	run_with(true);
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	memset(&row.policy, 0, sizeof(row.policy));
	row.policy.audience = AUDIENCE_PUBLIC;
	row.kind = METHOD_UNARY;
	row.out = &grpc__health__v1__health_check_response__descriptor;
	return 0;
}

static void straight_line(void **state)
{
	(void)state;
	run();
	assert_string_equal(t.steps, "alpdhe");
	assert_int_equal(t.n_messages, 1);
	assert_int_equal(t.code, GRPC_OK);
	assert_int_equal(t.n_finished, 0);
}

static void each_guard_ends_it(void **state)
{
	(void)state;
	t.authenticate_r = ERR_TOKEN_INVALID;
	run();
	assert_string_equal(t.steps, "a");
	assert_int_equal(t.err, ERR_TOKEN_INVALID);
	assert_int_equal(t.n_finished, 1);
	setup(NULL);
	row.policy.audience = AUDIENCE_USER;
	run();
	assert_string_equal(t.steps, "a");
	assert_int_equal(t.err, ERR_TOKEN_MISSING);
	setup(NULL);
	t.licence_r = ERR_PLAN_LACKS_FEATURE;
	run();
	assert_string_equal(t.steps, "al");
	setup(NULL);
	t.admit_r = ERR_RATE_LIMITED;
	run();
	assert_string_equal(t.steps, "alp"); /* and is not decoded */
	assert_int_equal(t.err, ERR_RATE_LIMITED);
	setup(NULL);
	t.decode_r = ERR_MESSAGE_INVALID;
	run();
	assert_string_equal(t.steps, "alpd");
	assert_int_equal(t.code, GRPC_INTERNAL);
	setup(NULL);
	memset(t.service, 'x', 201); /* the .proto says 200 */
	run();
	assert_string_equal(t.steps, "alpd");
	assert_int_equal(t.err, ERR_FIELD_INVALID);
	assert_non_null(strstr(t.words, "service"));
	setup(NULL);
	strcpy(t.service, "\xff");
	run();
	assert_int_equal(t.err, ERR_FIELD_INVALID);
}

static void audiences(void **state)
{
	static const struct {
		enum audience needs;
		unsigned roles;
		enum audience is;
		enum role role;
		enum err err;
	} rows[] = {
		{AUDIENCE_PUBLIC, 0, AUDIENCE_AGENT, 0, 0},
		{AUDIENCE_USER, 0, AUDIENCE_USER, ROLE_AUDITOR, 0},
		{AUDIENCE_USER, ROLE_BIT(ROLE_ADMIN), AUDIENCE_USER, ROLE_ADMIN, 0},
		{AUDIENCE_USER, ROLE_BIT(ROLE_ADMIN), AUDIENCE_USER, ROLE_MEMBER,
		 ERR_ROLE_REQUIRED},
		{AUDIENCE_USER, ROLE_BIT(ROLE_ADMIN), AUDIENCE_USER, 0, ERR_ROLE_REQUIRED},
		{AUDIENCE_USER, 0, AUDIENCE_AGENT, 0, ERR_ROLE_REQUIRED},
		{AUDIENCE_USER, 0, AUDIENCE_PUBLIC, 0, ERR_TOKEN_MISSING},
		{AUDIENCE_AGENT, 0, AUDIENCE_AGENT, 0, 0},
		{AUDIENCE_AGENT, 0, AUDIENCE_USER, ROLE_ADMIN, ERR_ROLE_REQUIRED},
		{AUDIENCE_AGENT, 0, AUDIENCE_PUBLIC, 0, ERR_TOKEN_MISSING},
		{AUDIENCE_OPERATOR, 0, AUDIENCE_OPERATOR, 0, 0},
		{AUDIENCE_OPERATOR, 0, AUDIENCE_USER, ROLE_ADMIN, ERR_ROLE_REQUIRED},
		{AUDIENCE_OPERATOR, ROLE_BIT(ROLE_ADMIN), AUDIENCE_USER, ROLE_ADMIN, 0},
		{AUDIENCE_OPERATOR, ROLE_BIT(ROLE_ADMIN), AUDIENCE_USER, ROLE_MEMBER,
		 ERR_ROLE_REQUIRED},
		{AUDIENCE_OPERATOR, 0, AUDIENCE_PUBLIC, 0, ERR_ROLE_REQUIRED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		setup(NULL);
		row.policy.audience = rows[i].needs;
		row.policy.roles = rows[i].roles;
		t.who.audience = rows[i].is;
		t.who.role = rows[i].role;
		run();
		assert_int_equal(t.err, rows[i].err);
		if (row.policy.audience == AUDIENCE_USER && row.policy.roles && t.err)
			assert_non_null(strstr(t.words, "needs the role admin; yours is"));
		else if (t.err == ERR_ROLE_REQUIRED)
			assert_memory_equal(t.words, "Only ", 5);
	}
}

static int breaks(struct call *call, const void *in, void *out)
{
	(void)call;
	(void)in;
	(void)out;
	return -EIO;
}

static int refuses(struct call *call, const void *in, void *out)
{
	(void)in;
	(void)out;
	return call_fail(call, ERR_LABEL_TAKEN, "taken, try %s", "other");
}

static int refuses_bare(struct call *call, const void *in, void *out)
{
	(void)call;
	(void)in;
	(void)out;
	return ERR_NOT_FOUND;
}

static int parks(struct call *call, const void *in, void *out)
{
	(void)in;
	(void)out;
	t.parked = call_ref(call);
	assert_int_equal(t.n_accepted, 0);
	return CALL_PARKED;
}

static int finishes_at_once(struct call *call, const void *in, void *out)
{
	(void)in;
	(void)out;
	call_finish(call, 0);
	assert_int_equal(t.n_done, 0); /* not while a handler runs */
	return CALL_PARKED;
}

static void endings(void **state)
{
	(void)state;
	t.handler = breaks;
	run();
	assert_int_equal(t.code, GRPC_INTERNAL);
	assert_null(strstr(t.words, "I/O"));
	assert_int_equal(t.n_messages, 0);
	setup(NULL);
	t.handler = refuses;
	row.policy.audit = "x.y";
	run();
	assert_int_equal(t.err, ERR_LABEL_TAKEN);
	assert_string_equal(t.words, "taken, try other");
	assert_int_equal(t.n_finished, 1);
	assert_int_equal(t.finished_r, ERR_LABEL_TAKEN);
	setup(NULL);
	t.handler = refuses_bare;
	run();
	assert_int_equal(t.err, ERR_NOT_FOUND);
	setup(NULL);
	t.handler = parks;
	row.policy.audit = "x.y";
	run();
	assert_string_equal(t.steps, "alpdhe");
	assert_int_equal(t.n_messages, 1);
	assert_int_equal(t.n_finished, 1);
	assert_int_equal(t.finished_r, 0);
	setup(NULL);
	t.handler = finishes_at_once;
	run();
	assert_int_equal(t.n_messages, 1);
}

static void unbound_rows(void **state)
{
	(void)state;
	run_with(false);
	assert_int_equal(t.err, ERR_UNIMPLEMENTED);
	setup(NULL);
	row.policy.runs_on = RUNS_ON_FORWARD;
	run_with(false);
	assert_string_equal(t.steps, "alpdfe");
	assert_int_equal(t.code, GRPC_OK);
}

static int cancelled_inside(struct call *call, const void *in, void *out)
{
	(void)in;
	(void)out;
	dispatch_cancel(call, ERR_CANCELLED);
	assert_int_equal(t.n_end, 1);  /* at once */
	assert_int_equal(t.n_done, 0); /* after the handler */
	assert_int_equal(call_send(call, &(ProtobufCMessage){0}), ERR_CANCELLED);
	return 0;
}

static void cancel(void **state)
{
	(void)state;
	t.handler = cancelled_inside;
	row.policy.audit = "x.y";
	run();
	assert_int_equal(t.err, ERR_CANCELLED);
	assert_int_equal(t.n_messages, 0);
	assert_int_equal(t.n_finished, 1); /* what was done is audited */
	assert_int_equal(t.finished_r, 0);
}

static int passes_on(struct call *call, const void *in, void *out)
{
	(void)in;
	(void)out;
	call_finish_bytes(call, "", 0);
	return CALL_PARKED;
}

/* Another server's answer is wiped as our own would be. */
static void secrets_passed_on(void **state)
{
	(void)state;
	t.handler = passes_on;
	t.shares_frames = true;
	run();
	assert_int_equal(t.n_messages, 1);
	assert_int_equal(t.n_secret, 0);
	setup(NULL);
	t.handler = passes_on;
	t.shares_frames = true;
	row.out = &pb__login_response__descriptor;
	run();
	assert_int_equal(t.n_secret, 1);
}

static void *sender(void *arg)
{
	struct call *call = arg;
	Grpc__Health__V1__HealthCheckResponse m = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	for (int i = 0; i < 100; i++)
		assert_int_equal(call_send(call, &m.base), 0);
	call_finish(call, 0);
	assert_int_equal(call_send(call, &m.base), ERR_CANCELLED);
	call_unref(call);
	return NULL;
}

static pthread_t thread;

static int streams(struct call *call, const void *in, void *out)
{
	(void)in;
	assert_null(out);
	pthread_create(&thread, NULL, sender, call_ref(call));
	pthread_join(thread, NULL);
	return CALL_PARKED;
}

static void stream(void **state)
{
	(void)state;
	row.kind = METHOD_SERVER_STREAM;
	t.handler = streams;
	run();
	assert_int_equal(t.n_messages, 100);
	assert_int_equal(t.code, GRPC_OK);
	assert_int_equal(t.n_accepted, 0); /* it was over when its handler returned */
}

/* A door may show a stream when its handler has parked it, and neither before nor otherwise. */
static void stream_is_accepted(void **state)
{
	row.kind = METHOD_SERVER_STREAM;
	t.handler = parks;
	run();
	assert_int_equal(t.n_accepted, 1);
	setup(state);
	row.kind = METHOD_SERVER_STREAM;
	t.handler = parks;
	t.authenticate_r = ERR_TOKEN_INVALID;
	run();
	assert_int_equal(t.err, ERR_TOKEN_INVALID);
	assert_int_equal(t.n_accepted, 0);
	setup(state);
	t.handler = parks; /* a single answer has nothing to show */
	run();
	assert_int_equal(t.n_accepted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(straight_line, setup),
		cmocka_unit_test_setup(each_guard_ends_it, setup),
		cmocka_unit_test_setup(audiences, setup),
		cmocka_unit_test_setup(endings, setup),
		cmocka_unit_test_setup(unbound_rows, setup),
		cmocka_unit_test_setup(cancel, setup),
		cmocka_unit_test_setup(stream, setup),
		cmocka_unit_test_setup(stream_is_accepted, setup),
		cmocka_unit_test_setup(secrets_passed_on, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
