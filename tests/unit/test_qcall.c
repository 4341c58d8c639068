/* SPDX-License-Identifier: Apache-2.0 */
/* A call of the client without a connection: codes, timeouts, the order of an answer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/gzip.h"
#include "client/outcome.h"
#include "client/qcall.h"

struct seen {
	unsigned n_metadata, n_messages, n_done;
	char last[64];
	enum grpc_code code;
	enum err err;
};

static void on_metadata(void *arg, const struct qm_md *md, size_t n)
{
	struct seen *seen = arg;

	(void)md;
	seen->n_metadata += (unsigned)n;
}

static void on_message(void *arg, const uint8_t *p, size_t len)
{
	struct seen *seen = arg;

	seen->n_messages++;
	assert_true(len < sizeof(seen->last));
	memcpy(seen->last, p, len);
	seen->last[len] = '\0';
}

static void on_done(void *arg, const struct status *status)
{
	struct seen *seen = arg;

	seen->n_done++;
	seen->code = status->code;
	seen->err = status->err;
}

static const struct qm_handler handler = {
	.metadata = on_metadata, .message = on_message, .done = on_done};

static struct qm_call *make(struct seen *seen)
{
	struct qcall_spec spec = {.path = "/a.B/C",
				  .request = "xyz",
				  .len = 3,
				  .handler = &handler,
				  .arg = seen,
				  .kind = QM_SERVER_STREAM};
	struct qm_call *call;

	memset(seen, 0, sizeof(*seen));
	assert_int_equal(qcall_new(&spec, &call), 0);
	qcall_reset(call, 100);
	return call;
}

static int head(struct qm_call *call, const char *name, const char *value)
{
	return qcall_header(call, name, strlen(name), value, strlen(value));
}

static void good_head(struct qm_call *call)
{
	assert_int_equal(head(call, ":status", "200"), 0);
	assert_int_equal(head(call, "content-type", "application/grpc+proto"), 0);
	assert_int_equal(head(call, "x-a", "1"), 0);
	assert_int_equal(qcall_headers_end(call, false), 0);
}

static void test_arguments(void **state)
{
	static const struct qm_handler no_done = {.metadata = on_metadata, .message = on_message};
	struct qm_call *call;
	uint8_t bytes[8];
	bool last;

	(void)state;
	assert_int_equal(qcall_new(&(struct qcall_spec){.path = "/a.B/C",
							.request = NULL,
							.len = 3,
							.handler = &handler,
							.arg = NULL},
				   &call),
			 -EINVAL);
	assert_int_equal(qcall_new(&(struct qcall_spec){.path = "/a.B/C",
							.request = "",
							.len = 0,
							.handler = &no_done,
							.arg = NULL},
				   &call),
			 -EINVAL);
	assert_int_equal(qcall_new(&(struct qcall_spec){.path = "a.B/C",
							.request = "",
							.len = 0,
							.handler = &handler,
							.arg = NULL},
				   &call),
			 -EINVAL);
	assert_int_equal(qcall_new(&(struct qcall_spec){.path = "/aB",
							.request = "",
							.len = 0,
							.handler = &handler,
							.arg = NULL},
				   &call),
			 -EINVAL);
	assert_int_equal(qcall_new(&(struct qcall_spec){.path = NULL,
							.request = "",
							.len = 0,
							.handler = &handler,
							.arg = NULL},
				   &call),
			 -EINVAL);
	assert_int_equal(qcall_new(&(struct qcall_spec){.path = "/a B/C",
							.request = "",
							.len = 0,
							.handler = &handler,
							.arg = NULL},
				   &call),
			 -EINVAL);
	assert_int_equal(qcall_new(&(struct qcall_spec){.path = "/a.B/C",
							.request = "xyz",
							.len = 3,
							.handler = &handler,
							.arg = NULL},
				   &call),
			 0);
	assert_int_equal(outbox_ready(&call->requests, 100, &last), 8);
	assert_true(last);
	outbox_take(&call->requests, bytes, 8);
	assert_memory_equal(bytes, "\0\0\0\0\3xyz", 8);
	qcall_unref(call);
}

static void test_answer(void **state)
{
	struct seen seen;
	struct qm_call *call = make(&seen);

	(void)state;
	assert_int_equal(head(call, ":status", "103"), 0);
	assert_int_equal(head(call, "link", "early"), 0);
	assert_int_equal(qcall_headers_end(call, false), 0);
	assert_int_equal(seen.n_metadata, 0);
	good_head(call);
	assert_int_equal(seen.n_metadata, 1);
	/* A message in three pieces, and the head of the next. */
	assert_int_equal(qcall_data(call, (const uint8_t *)"\0\0\0", 3), 0);
	assert_int_equal(qcall_data(call, (const uint8_t *)"\0\2h", 3), 0);
	assert_int_equal(seen.n_messages, 0);
	assert_int_equal(qcall_data(call, (const uint8_t *)"i\0\0\0\0\0", 6), 0);
	assert_int_equal(seen.n_messages, 2);
	assert_int_equal(head(call, "grpc-status", "0"), 0);
	assert_int_equal(head(call, "x-b", "2"), 0);
	assert_int_equal(qcall_headers_end(call, true), 0);
	assert_int_equal(outcome_of(call, 0), QCALL_FINAL);
	assert_int_equal(seen.n_done, 0);
	qcall_finish(call);
	qcall_finish(call);
	assert_int_equal(seen.n_done, 1);
	assert_int_equal(seen.n_metadata, 2);
	assert_int_equal(seen.code, GRPC_OK);
	qcall_unref(call);
}

static void test_pause(void **state)
{
	struct seen seen;
	struct qm_call *call = make(&seen);

	(void)state;
	good_head(call);
	atomic_store(&call->read_on, false);
	assert_int_equal(qcall_data(call, (const uint8_t *)"\0\0\0\0\1a\0\0\0\0\1b", 12), 0);
	assert_int_equal(seen.n_messages, 0);
	assert_int_equal(head(call, "grpc-status", "0"), 0);
	assert_int_equal(qcall_headers_end(call, true), 0);
	assert_int_equal(outcome_of(call, 0), QCALL_FINAL);
	assert_true(qcall_has_waiting(call));
	assert_true(qcall_deliver_rest(call));
	atomic_store(&call->read_on, true);
	assert_false(qcall_deliver_rest(call));
	assert_int_equal(seen.n_messages, 2);
	assert_string_equal(seen.last, "b");
	assert_int_equal(call->status.code, GRPC_OK);
	qcall_unref(call);
}

/* The reader goes on between the last DATA and the end: nothing of what waits is lost. */
static void test_reader_and_end_race(void **state)
{
	struct seen seen;
	struct qm_call *call = make(&seen);

	(void)state;
	good_head(call);
	atomic_store(&call->read_on, false);
	assert_int_equal(qcall_data(call, (const uint8_t *)"\0\0\0\0\1a\0\0\0\0\1b", 12), 0);
	atomic_store(&call->read_on, true);
	assert_int_equal(head(call, "grpc-status", "0"), 0);
	assert_int_equal(qcall_headers_end(call, true), 0);
	assert_int_equal(outcome_of(call, 0), QCALL_FINAL);
	assert_int_equal(call->status.code, GRPC_OK);
	assert_true(qcall_has_waiting(call));
	assert_false(qcall_deliver_rest(call));
	assert_int_equal(seen.n_messages, 2);
	assert_int_equal(call->status.code, GRPC_OK);
	qcall_unref(call);
}

static void test_over_the_limit(void **state)
{
	struct seen seen;
	struct qm_call *call = make(&seen);

	(void)state;
	good_head(call);
	assert_int_equal(qcall_data(call, (const uint8_t *)"\0\0\0\0\145", 5), 1);
	assert_int_equal(call->status.err, ERR_MESSAGE_TOO_LARGE);
	qcall_unref(call);
	call = make(&seen);
	for (int i = 0; i < QCALL_MAX_HEADERS; i++)
		assert_int_equal(head(call, "x", "y"), 0);
	assert_int_equal(head(call, "x", "y"), 1);
	qcall_unref(call);
}

static void test_ends(void **state)
{
	struct seen seen;
	struct qm_call *call;

	(void)state;
	call = make(&seen);
	assert_int_equal(outcome_of(call, 7), QCALL_REFUSED);
	qcall_unref(call);
	call = make(&seen);
	good_head(call);
	assert_int_equal(outcome_of(call, 7), QCALL_FINAL);
	assert_int_equal(call->status.code, GRPC_UNAVAILABLE);
	qcall_unref(call);
	call = make(&seen);
	good_head(call);
	assert_int_equal(outcome_of(call, 0), QCALL_FINAL);
	assert_int_equal(call->status.code, GRPC_UNKNOWN);
	qcall_unref(call);
	/* Trailers beat the reset that follows them. */
	call = make(&seen);
	good_head(call);
	assert_int_equal(head(call, "grpc-status", "5"), 0);
	assert_int_equal(head(call, "grpc-message", "a%20b"), 0);
	assert_int_equal(qcall_headers_end(call, true), 0);
	assert_int_equal(outcome_of(call, 8), QCALL_FINAL);
	assert_int_equal(call->status.code, GRPC_NOT_FOUND);
	assert_string_equal(call->status.message, "a b");
	qcall_unref(call);
}

static int frame(struct qm_call *call, uint8_t flag, const void *p, size_t len)
{
	uint8_t bytes[300];

	frame_head(bytes, flag, (uint32_t)len);
	memcpy(bytes + FRAME_HEAD_LEN, p, len);
	return qcall_data(call, bytes, FRAME_HEAD_LEN + len);
}

static void test_gzip(void **state)
{
	_cleanup_(text_done) struct text small = TEXT_INIT(300), bomb = TEXT_INIT(300);
	char large[101] = "";
	struct seen seen;
	struct qm_call *call;

	(void)state;
	assert_int_equal(gzip_deflate("hello", 5, &small), 0);
	memset(large, 'x', sizeof(large));
	assert_int_equal(gzip_deflate(large, sizeof(large), &bomb), 0);

	call = make(&seen);
	assert_int_equal(head(call, "grpc-encoding", "gzip"), 0);
	good_head(call);
	assert_int_equal(frame(call, 1, small.s, small.len), 0);
	assert_string_equal(seen.last, "hello");
	assert_int_equal(frame(call, 0, "plain", 5), 0);
	assert_string_equal(seen.last, "plain");
	assert_int_equal(frame(call, 1, "", 0), 0);
	assert_string_equal(seen.last, "");
	/* 100 bytes are the limit, and what inflates to 101 is over it. */
	assert_int_equal(frame(call, 1, bomb.s, bomb.len), 1);
	assert_int_equal(call->status.err, ERR_MESSAGE_TOO_LARGE);
	qcall_unref(call);

	call = make(&seen);
	assert_int_equal(head(call, "grpc-encoding", "gzip"), 0);
	good_head(call);
	assert_int_equal(frame(call, 1, "no gzip", 7), 1);
	assert_int_equal(call->status.code, GRPC_INTERNAL);
	qcall_unref(call);

	/* Flagged, but in no way that was agreed upon. */
	for (int i = 0; i < 3; i++) {
		static const char *const encodings[] = {NULL, "identity", "br"};

		call = make(&seen);
		if (encodings[i])
			assert_int_equal(head(call, "grpc-encoding", encodings[i]), 0);
		good_head(call);
		assert_int_equal(frame(call, 1, small.s, small.len), 1);
		assert_int_equal(call->status.code, GRPC_INTERNAL);
		qcall_unref(call);
	}
}

static void end_well(struct qm_call *call)
{
	assert_int_equal(head(call, "grpc-status", "0"), 0);
	assert_int_equal(qcall_headers_end(call, true), 0);
	assert_int_equal(outcome_of(call, 0), QCALL_FINAL);
}

static void test_one_answer(void **state)
{
	struct seen seen;
	struct qm_call *call;

	(void)state;
	call = make(&seen);
	call->one_answer = true;
	good_head(call);
	end_well(call);
	assert_int_equal(call->status.code, GRPC_UNIMPLEMENTED);
	qcall_unref(call);
	call = make(&seen);
	call->one_answer = true;
	good_head(call);
	assert_int_equal(frame(call, 0, "a", 1), 0);
	end_well(call);
	assert_int_equal(call->status.code, GRPC_OK);
	qcall_unref(call);
	call = make(&seen);
	call->one_answer = true;
	good_head(call);
	assert_int_equal(frame(call, 0, "a", 1), 0);
	assert_int_equal(frame(call, 0, "b", 1), 1);
	assert_int_equal(call->status.code, GRPC_UNIMPLEMENTED);
	assert_int_equal(seen.n_messages, 1);
	qcall_unref(call);
}

static void test_pushback(void **state)
{
	static const struct {
		const char *value;
		int64_t ms;
	} cases[] = {{"0", 0},
		     {"250", 250},
		     {"3600000", 3600000},
		     {"3600001", QCALL_PUSHBACK_NEVER},
		     {"-1", QCALL_PUSHBACK_NEVER},
		     {"", QCALL_PUSHBACK_NEVER},
		     {"soon", QCALL_PUSHBACK_NEVER}};
	struct seen seen;
	struct qm_call *call;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		call = make(&seen);
		assert_int_equal(call->pushback_ms, QCALL_PUSHBACK_NONE);
		assert_int_equal(head(call, "grpc-retry-pushback-ms", cases[i].value), 0);
		assert_int_equal(call->pushback_ms, cases[i].ms);
		qcall_unref(call);
	}
}

static void test_timeouts(void **state)
{
	char text[16];

	(void)state;
	qcall_timeout_text(1, text);
	assert_string_equal(text, "1m");
	qcall_timeout_text(99999999, text);
	assert_string_equal(text, "99999999m");
	qcall_timeout_text(100000000, text);
	assert_string_equal(text, "100000S");
	qcall_timeout_text(UINT32_MAX, text);
	assert_string_equal(text, "4294967S");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),      cmocka_unit_test(test_answer),
		cmocka_unit_test(test_pause),          cmocka_unit_test(test_reader_and_end_race),
		cmocka_unit_test(test_over_the_limit), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_gzip),           cmocka_unit_test(test_one_answer),
		cmocka_unit_test(test_pushback),       cmocka_unit_test(test_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
