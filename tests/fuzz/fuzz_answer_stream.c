/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server may send to libqmesh: HTTP/2 from its first byte on, with a
 * unary and a bidi call open. The first byte says in which pieces it arrives
 * and whether the bidi call pauses. Each call ends once, whatever comes.
 */
#include <assert.h>
#include <stdint.h>

#include "client/h2session.h"
#include "client/outcome.h"

#define MESSAGE_MAX 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned n_done;
static size_t most;

static void on_metadata(void *arg, const struct qm_md *md, size_t n)
{
	(void)arg;
	assert(n <= QCALL_MAX_HEADERS);
	for (size_t i = 0; i < n; i++)
		assert(md[i].name[0] != ':' && md[i].value[md[i].value_len] == '\0');
}

static void on_message(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)p;
	most = len > most ? len : most;
}

static void on_done(void *arg, const struct status *status)
{
	(void)arg;
	assert((unsigned)status->code <= GRPC_UNAUTHENTICATED);
	n_done++;
}

static void closed(void *arg, struct qm_call *call, uint32_t h2_error)
{
	(void)arg;
	(void)outcome_of(call, h2_error);
	qcall_finish(call);
}

static void broken(void *arg, struct qm_call *call)
{
	(void)arg;
	assert(call->status.code != GRPC_OK);
	qcall_finish(call);
}

static void goaway(void *arg, bool too_many_pings)
{
	(void)arg;
	(void)too_many_pings;
}

static void settings(void *arg)
{
	(void)arg;
}

static struct qm_call *make(struct h2session *s, enum qm_kind kind)
{
	static const struct qm_handler handler = {
		.metadata = on_metadata, .message = on_message, .done = on_done};
	struct qcall_spec spec = {.path = "/a.B/C", .handler = &handler, .kind = kind};
	struct qm_call *call = NULL;

	assert(qcall_new(&spec, &call) == 0);
	qcall_reset(call, MESSAGE_MAX);
	assert(h2session_open(s, call, 1000) == 0);
	return call;
}

/* Sends what is due into the void. */
static int drain(struct h2session *s)
{
	const uint8_t *p;
	size_t len;
	int r;

	while ((r = h2session_pull(s, &p, &len)) == 0 && len > 0)
		h2session_sent(s, len);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct h2session_events events = {closed, broken, goaway, settings};
	const struct h2session_options o = {
		.scheme = "http", .authority = "a", .user_agent = "f", .events = &events};
	struct qm_call *calls[2];
	struct h2session *s;
	size_t piece;

	if (len < 1 || h2session_new(&o, &s) < 0)
		return 0;
	piece = (data[0] & 127u) + 1u;
	n_done = 0;
	most = 0;
	calls[0] = make(s, QM_UNARY);
	calls[1] = make(s, QM_BIDI);
	if (data[0] & 128)
		atomic_store(&calls[1]->read_on, false);
	(void)drain(s);
	for (size_t at = 1; at < len; at += piece)
		if (h2session_feed(s, data + at, piece < len - at ? piece : len - at) < 0 ||
		    drain(s) < 0)
			break;
	for (int i = 0; i < 2; i++) {
		if (calls[i]->place != QCALL_ENDED) {
			h2session_drop(s, calls[i]);
			qcall_finish(calls[i]);
		}
		qcall_unref(calls[i]);
	}
	assert(n_done == 2 && most <= MESSAGE_MAX);
	h2session_free(s);
	return 0;
}
