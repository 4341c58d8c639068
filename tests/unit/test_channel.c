/* SPDX-License-Identifier: Apache-2.0 */
/* A client and its calls from birth to end, with a server that accepts and says nothing. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/qmesh.h"
#include "client/qstream.h"
#include "client/qwatch.h"

static char target[128];
static int silent = -1;

static int set_up(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	(void)state;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/qmesh-channel-%d", getpid());
	snprintf(target, sizeof(target), "unix:%s", addr.sun_path);
	silent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (silent < 0 || bind(silent, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -1;
	return listen(silent, 64);
}

static int tear_down(void **state)
{
	(void)state;
	close(silent);
	return unlink(target + strlen("unix:"));
}

static struct qm_client *make(void)
{
	struct qm_options o = {.target = target, .connect_ms = 60000};
	struct qm_client *client;

	assert_int_equal(qm_client_new(&o, &client), 0);
	return client;
}

struct seen {
	struct qm_client *client;
	atomic_uint n_done;
	enum err err;
	int nested, blocking;
};

static void on_done(void *arg, const struct status *status)
{
	static const struct qm_handler never = {.done = on_done};
	struct qm_call_options o = {.timeout_ms = 100};
	struct seen *seen = arg;
	struct qm_reply reply;

	seen->err = status->err;
	seen->nested = qm_start(seen->client, "/a.B/C", "", 0, NULL, &never, NULL, NULL);
	seen->blocking = qm_unary(seen->client, "/a.B/C", "", 0, &o, &reply);
	atomic_fetch_add(&seen->n_done, 1);
}

static void test_free_ends_calls(void **state)
{
	static const struct qm_handler handler = {.done = on_done};
	struct seen seen[20] = {0};
	struct qm_call *calls[20];
	struct qm_client *client = make();

	(void)state;
	for (int i = 0; i < 20; i++) {
		seen[i].client = client;
		assert_int_equal(
			qm_start(client, "/a.B/C", "x", 1, NULL, &handler, &seen[i], &calls[i]), 0);
	}
	qm_client_free(client);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(seen[i].n_done, 1);
		assert_int_equal(seen[i].err, ERR_CANCELLED);
		/* Nothing starts any more, and nobody waits for itself. */
		assert_int_equal(seen[i].nested, -ECANCELED);
		assert_int_equal(seen[i].blocking, -EINVAL);
		/* A handle outlives its client. */
		qm_call_cancel(calls[i]);
		qm_call_read(calls[i], false);
		qm_call_read(calls[i], true);
		qm_call_release(calls[i]);
	}
}

static void count_done(void *arg, const struct status *status)
{
	struct seen *seen = arg;

	seen->err = status->err;
	atomic_fetch_add(&seen->n_done, 1);
}

static void test_cancel(void **state)
{
	static const struct qm_handler handler = {.done = count_done};
	struct qm_client *client = make();
	struct seen seen = {0};
	struct qm_call *call;

	(void)state;
	assert_int_equal(qm_start(client, "/a.B/C", "", 0, NULL, &handler, &seen, &call), 0);
	qm_call_cancel(call);
	qm_call_cancel(call);
	for (int i = 0; i < 500 && !seen.n_done; i++)
		usleep(10000);
	assert_int_equal(seen.n_done, 1);
	assert_int_equal(seen.err, ERR_CANCELLED);
	qm_call_cancel(call);
	qm_call_release(call);
	qm_client_free(client);
	assert_int_equal(seen.n_done, 1);
}

static void test_deadline_while_connecting(void **state)
{
	struct qm_call_options o = {.timeout_ms = 50, .idempotent = true};
	struct qm_client *client = make();
	struct qm_reply reply;

	(void)state;
	assert_int_equal(qm_unary(client, "/a.B/C", "", 0, &o, &reply), 0);
	assert_int_equal(reply.status.code, GRPC_DEADLINE_EXCEEDED);
	assert_int_equal(reply.status.err, ERR_DEADLINE_EXCEEDED);
	assert_null(reply.message);
	assert_null(qm_reply_get(&reply, "x"));
	qm_reply_done(&reply);
	qm_client_free(client);
}

/* A thread that waits for room, and another that cancels under it. */
static void *send_without_end(void *arg)
{
	struct qm_stream *s = arg;
	static char block[65536];
	int r, n = 0;

	while ((r = qm_stream_send(s, block, sizeof(block))) == 0 && n < 100)
		n++;
	/* 256 KiB wait, the rest was held back. */
	assert_in_range(n, 4, 5);
	return (void *)(intptr_t)r;
}

static void test_stream_that_is_stuck(void **state)
{
	struct qm_client *client = make();
	struct qm_stream *s;
	pthread_t thread;
	uint8_t *p;
	void *r;
	size_t n;

	(void)state;
	assert_int_equal(qm_stream_open(client, "nowhere", QM_BIDI, NULL, &s), -EINVAL);
	assert_int_equal(qm_stream_open(client, "/a.B/C", QM_BIDI, NULL, &s), 0);
	pthread_create(&thread, NULL, send_without_end, s);
	usleep(100000);
	qm_stream_cancel(s);
	pthread_join(thread, &r);
	assert_int_equal((int)(intptr_t)r, -EPIPE);
	assert_int_equal(qm_stream_receive(s, &p, &n), 0);
	assert_int_equal(qm_stream_status(s)->err, ERR_CANCELLED);
	assert_null(qm_stream_headers(s, &n));
	assert_int_equal(n, 0);
	assert_null(qm_stream_trailers(s, &n));
	qm_stream_free(s);
	/* Freed as it is: half open, nothing sent. */
	assert_int_equal(qm_stream_open(client, "/a.B/C", QM_UNARY, NULL, &s), 0);
	qm_stream_free(s);
	qm_client_free(client);
}

static void test_sending_after_the_end(void **state)
{
	static const struct qm_handler handler = {.done = count_done};
	struct qm_client *client = make();
	struct seen seen = {0};
	struct qm_call *call;

	(void)state;
	assert_int_equal(qm_open(client, "/a.B/C", NULL, &handler, &seen, &call), 0);
	assert_int_equal(qm_call_send(call, "x", 1), 0);
	assert_int_equal(qm_call_send(call, NULL, 1), -EINVAL);
	qm_call_end(call);
	assert_int_equal(qm_call_send(call, "x", 1), -EPIPE);
	qm_client_free(client);
	assert_int_equal(seen.n_done, 1);
	assert_int_equal(qm_call_send(call, "x", 1), -EPIPE);
	qm_call_end(call);
	qm_call_release(call);
}

static void no_message(void *arg, const uint8_t *p, size_t len, uint64_t version)
{
	(void)arg;
	(void)p;
	(void)len;
	(void)version;
}

static void test_watch(void **state)
{
	static const struct qm_watch_handler handler = {.message = no_message, .done = count_done};
	static const struct qm_watch_handler no_done = {.message = no_message};
	struct qm_watch_options o = {.path = "/a.B/C", .request_field = 1, .answer_field = 1};
	struct qm_client *client = make();
	struct seen seen = {0};
	struct qm_watch *w;

	(void)state;
	assert_int_equal(qm_watch_start(client, &o, &no_done, &seen, &w), -EINVAL);
	o.answer_field = 1u << 29;
	assert_int_equal(qm_watch_start(client, &o, &handler, &seen, &w), -EINVAL);
	o.answer_field = 0;
	assert_int_equal(qm_watch_start(client, &o, &handler, &seen, &w), -EINVAL);
	o.answer_field = 1;
	o.path = "nowhere";
	assert_int_equal(qm_watch_start(client, &o, &handler, &seen, &w), -EINVAL);
	o.path = "/a.B/C";
	o.version = 12;
	assert_int_equal(qm_watch_start(client, &o, &handler, &seen, &w), 0);
	assert_int_equal(qm_watch_version(w), 12);
	qm_client_free(client);
	assert_int_equal(seen.n_done, 1);
	assert_int_equal(seen.err, ERR_CANCELLED);
	qm_watch_cancel(w);
	qm_watch_read(w, false);
	qm_watch_release(w);
}

static void test_options(void **state)
{
	uint8_t pins[9][32] = {{0}};
	struct qm_options o = {.target = "https://localhost", .pins = (const uint8_t(*)[32])pins};
	struct qm_client *client;

	(void)state;
	assert_int_equal(qm_client_new(NULL, &client), -EINVAL);
	assert_int_equal(qm_client_new(&(struct qm_options){0}, &client), -EINVAL);
	o.n_pins = 9;
	assert_int_equal(qm_client_new(&o, &client), -EINVAL);
	o.n_pins = 8;
	assert_int_equal(qm_client_new(&o, &client), 0);
	assert_int_equal(qm_client_set_pins(client, o.pins, 9), -EINVAL);
	assert_int_equal(qm_client_set_pins(client, NULL, 1), -EINVAL);
	assert_int_equal(qm_client_set_pins(client, o.pins, 1), 0);
	qm_client_free(client);
	qm_client_free(NULL);
	o.ca_file = "/dev/null";
	assert_int_equal(qm_client_new(&o, &client), -EINVAL);
	o.ca_file = "/nowhere";
	assert_int_equal(qm_client_new(&o, &client), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_ends_calls),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_deadline_while_connecting),
		cmocka_unit_test(test_stream_that_is_stuck),
		cmocka_unit_test(test_sending_after_the_end),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
