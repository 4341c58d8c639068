/* SPDX-License-Identifier: Apache-2.0 */
/* When a call goes out once more; the rules are those of gRFC A6 and RFC 9113, 8.7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "client/retry.h"

static void on_done(void *arg, const struct status *status)
{
	(void)arg;
	(void)status;
}

static struct qm_call *make(bool idempotent, enum qm_kind kind)
{
	static const struct qm_handler handler = {.done = on_done};
	struct qm_call_options options = {.idempotent = idempotent};
	struct qcall_spec spec = {.path = "/a.B/C",
				  .request = "x",
				  .len = 1,
				  .options = &options,
				  .handler = &handler,
				  .kind = kind};
	struct qm_call *call;

	assert_int_equal(qcall_new(&spec, &call), 0);
	qcall_reset(call, 100);
	return call;
}

static void test_jitter(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint64_t ms = retry_jitter(1000);

		assert_in_range(ms, 800, 1200);
		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	assert_true(least < 850 && most > 1150);
}

static void test_five_tries(void **state)
{
	struct qm_call *call = make(true, QM_UNARY);
	uint64_t at = 0;

	(void)state;
	for (unsigned i = 0; i < RETRY_MAX_TRIES - 1; i++) {
		uint64_t ms = (uint64_t)RETRY_FIRST_MS << i;

		assert_true(retry_later(call, 5000, &at));
		assert_in_range(at - 5000, ms * 4 / 5, ms * 6 / 5);
		assert_int_equal(call->tries, i + 1);
	}
	assert_false(retry_later(call, 5000, &at));
	qcall_unref(call);
}

static void test_never(void **state)
{
	struct qm_call *call;
	uint64_t at = 7;

	(void)state;
	call = make(false, QM_UNARY);
	assert_false(retry_later(call, 0, &at));
	qcall_unref(call);
	call = make(true, QM_UNARY);
	call->committed = true;
	assert_false(retry_later(call, 0, &at));
	qcall_unref(call);
	call = make(true, QM_UNARY);
	call->pushback_ms = QCALL_PUSHBACK_NEVER;
	assert_false(retry_later(call, 0, &at));
	qcall_unref(call);
	/* Nothing that could only come too late. */
	call = make(true, QM_UNARY);
	call->deadline = 1050;
	assert_false(retry_later(call, 1000, &at));
	qcall_unref(call);
	call = make(true, QM_BIDI);
	call->requests.cut = true;
	assert_false(retry_later(call, 0, &at));
	assert_false(retry_now(call, QCALL_UNTOUCHED));
	call->requests.cut = false;
	qcall_unref(call);
	assert_int_equal(at, 7);
}

static void test_the_servers_word(void **state)
{
	struct qm_call *call = make(true, QM_UNARY);
	uint64_t at;

	(void)state;
	call->pushback_ms = 1;
	assert_true(retry_later(call, 1000, &at));
	assert_int_equal(at, 1001);
	call->pushback_ms = QCALL_PUSHBACK_NONE;
	call->status.retry_ms = 60000;
	assert_true(retry_later(call, 1000, &at));
	assert_int_equal(at, 61000);
	/* Of the two the one made for this decides. */
	call->pushback_ms = 5000;
	assert_true(retry_later(call, 1000, &at));
	assert_int_equal(at, 6000);
	qcall_unref(call);
}

static void test_untouched(void **state)
{
	struct qm_call *call = make(false, QM_UNARY);

	(void)state;
	assert_true(retry_now(call, QCALL_REFUSED));
	assert_false(retry_now(call, QCALL_REFUSED));
	for (int i = 0; i < 4; i++)
		assert_true(retry_now(call, QCALL_UNTOUCHED));
	assert_false(retry_now(call, QCALL_UNTOUCHED));
	assert_int_equal(call->tries, 0);
	qcall_unref(call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jitter),    cmocka_unit_test(test_five_tries),
		cmocka_unit_test(test_never),     cmocka_unit_test(test_the_servers_word),
		cmocka_unit_test(test_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
