/* SPDX-License-Identifier: Apache-2.0 */
/* A call of the client without a connection: codes, timeouts, the order of an answer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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

static const struct qm_handler handler = {on_metadata, on_message, on_done};

static struct qm_call *make(struct seen *seen)
{
	struct qm_call *call;

	memset(seen, 0, sizeof(*seen));
	assert_int_equal(
		qcall_new(&(struct qcall_spec){"/a.B/C", "xyz", 3, NULL, &handler, seen}, &call),
		0);
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
	static const struct qm_handler no_done = {on_metadata, on_message, NULL};
	struct qm_call *call;

	(void)state;
	assert_int_equal(
		qcall_new(&(struct qcall_spec){"/a.B/C", NULL, 3, NULL, &handler, NULL}, &call),
		-EINVAL);
	assert_int_equal(
		qcall_new(&(struct qcall_spec){"/a.B/C", "", 0, NULL, &no_done, NULL}, &call),
		-EINVAL);
	assert_int_equal(
		qcall_new(&(struct qcall_spec){"a.B/C", "", 0, NULL, &handler, NULL}, &call),
		-EINVAL);
	assert_int_equal(qcall_new(&(struct qcall_spec){"/aB", "", 0, NULL, &handler, NULL}, &call),
			 -EINVAL);
	assert_int_equal(qcall_new(&(struct qcall_spec){NULL, "", 0, NULL, &handler, NULL}, &call),
			 -EINVAL);
	assert_int_equal(
		qcall_new(&(struct qcall_spec){"/a B/C", "", 0, NULL, &handler, NULL}, &call),
		-EINVAL);
	assert_int_equal(
		qcall_new(&(struct qcall_spec){"/a.B/C", "xyz", 3, NULL, &handler, NULL}, &call),
		0);
	assert_int_equal(call->request_len, 8);
	assert_memory_equal(call->request, "\0\0\0\0\3xyz", 8);
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
	assert_int_equal(qcall_closed(call, 0), QCALL_FINAL);
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
	assert_int_equal(qcall_closed(call, 0), QCALL_FINAL);
	assert_true(qcall_has_waiting(call));
	assert_true(qcall_deliver_rest(call));
	atomic_store(&call->read_on, true);
	assert_false(qcall_deliver_rest(call));
	assert_int_equal(seen.n_messages, 2);
	assert_string_equal(seen.last, "b");
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
	assert_int_equal(qcall_closed(call, 7), QCALL_UNTOUCHED);
	qcall_unref(call);
	call = make(&seen);
	good_head(call);
	assert_int_equal(qcall_closed(call, 7), QCALL_FINAL);
	assert_int_equal(call->status.code, GRPC_UNAVAILABLE);
	qcall_unref(call);
	call = make(&seen);
	good_head(call);
	assert_int_equal(qcall_closed(call, 0), QCALL_FINAL);
	assert_int_equal(call->status.code, GRPC_UNKNOWN);
	qcall_unref(call);
	/* Trailers beat the reset that follows them. */
	call = make(&seen);
	good_head(call);
	assert_int_equal(head(call, "grpc-status", "5"), 0);
	assert_int_equal(head(call, "grpc-message", "a%20b"), 0);
	assert_int_equal(qcall_headers_end(call, true), 0);
	assert_int_equal(qcall_closed(call, 8), QCALL_FINAL);
	assert_int_equal(call->status.code, GRPC_NOT_FOUND);
	assert_string_equal(call->status.message, "a b");
	qcall_unref(call);
}

static void test_codes(void **state)
{
	static const struct {
		unsigned from;
		enum grpc_code to;
	} http[] = {{400, 13}, {401, 16}, {403, 7},  {404, 12}, {429, 14}, {431, 13},
		    {502, 14}, {503, 14}, {504, 14}, {500, 2},  {200, 2},  {0, 2}},
	  h2[] = {{0, 13}, {1, 13}, {7, 14}, {8, 1}, {11, 8}, {12, 7}, {13, 13}, {1000, 13}};

	(void)state;
	for (size_t i = 0; i < sizeof(http) / sizeof(http[0]); i++)
		assert_int_equal(qcall_code_of_http(http[i].from), http[i].to);
	for (size_t i = 0; i < sizeof(h2) / sizeof(h2[0]); i++)
		assert_int_equal(qcall_code_of_h2(h2[i].from), h2[i].to);
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
		cmocka_unit_test(test_arguments), cmocka_unit_test(test_answer),
		cmocka_unit_test(test_pause),     cmocka_unit_test(test_over_the_limit),
		cmocka_unit_test(test_ends),      cmocka_unit_test(test_codes),
		cmocka_unit_test(test_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
