/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forwarded call is parked; libqmesh's thread brings the answer. If the
 * caller goes away first, the call to the Control Panel is cancelled.
 */
#include "server/node/forward.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/key.h"
#include "client/qmesh.h"
#include "gen/rpc/auth_service.h"
#include "server/node/link.h"
#include "server/node/node.h"
#include "server/node/nodeauth.h"
#include "server/node/watchers.h"

#define MAX_TIMEOUT_MS 20000

/* Lives from the start of the call to the CP until both ends are done. */
struct passage {
	pthread_mutex_t lock;
	struct call *call;
	struct qm_call *upstream;
	unsigned refs;
	bool over; /* upstream has answered */
	uint64_t begun_at_ms;
	uint8_t *answer;
	size_t answer_len;
};

static void passage_unref(struct passage *p)
{
	bool last;

	pthread_mutex_lock(&p->lock);
	last = --p->refs == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	if (p->upstream)
		qm_call_release(p->upstream);
	if (p->answer) {
		key_wipe_bytes(p->answer, p->answer_len);
		free(p->answer);
	}
	call_unref(p->call);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Names that the CP answers with and the caller may see. */
static void on_metadata(void *arg, const struct qm_md *md, size_t n)
{
	struct passage *p = arg;

	for (size_t i = 0; i < n && !call_is_over(p->call); i++)
		if (strncmp(md[i].name, "qmesh-", 6) == 0)
			(void)call_header(p->call, md[i].name, "%.*s", (int)md[i].value_len,
					  md[i].value);
}

static void on_message(void *arg, const uint8_t *bytes, size_t len)
{
	struct passage *p = arg;

	if (p->answer)
		return;
	p->answer = malloc(len ? len : 1);
	if (p->answer) {
		memcpy(p->answer, bytes, len);
		p->answer_len = len;
	}
}

/* The Control Panel tells all nodes; here it holds before the person is told that it does. */
static void end_session(struct call *call)
{
	struct node *n = call->owner;

	if (replica_revoke(&n->replica, &call->caller.session_id) == 0)
		watchers_end_revoked(n->watchers);
}

static void finish(struct passage *p, const struct status *status)
{
	struct call *call = p->call;
	const char *credential;

	if (status->code == GRPC_OK && call->method == &auth_service_methods[METHOD_AUTH_LOGOUT])
		end_session(call);
	if (status->code == GRPC_OK && p->answer) {
		call_finish_bytes(call, p->answer, p->answer_len);
		return;
	}
	if (status->code == GRPC_OK) {
		call_finish(call, call_fail(call, ERR_INTERNAL, "The Control Panel said nothing."));
		return;
	}
	/* Our token is not good there: that is between the CP and us, no fault of the caller's. */
	credential = status->err == ERR_TOKEN_INVALID ? status_get(status, "credential") : NULL;
	if (credential && strcmp(credential, "agent") == 0) {
		struct node *n = call->owner;

		link_refused(n->link, p->begun_at_ms);
		call_finish(call, call_fail(call, ERR_CP_UNREACHABLE,
					    "The Control Panel does not accept this node just "
					    "now. Nothing was changed; try again later."));
		return;
	}
	if (status->err == ERR_CP_UNREACHABLE ||
	    (status->code == GRPC_UNAVAILABLE && status->err == ERR_NONE)) {
		call_finish(call, call_fail(call, ERR_CP_UNREACHABLE,
					    "The Control Panel cannot be reached. Nothing was "
					    "changed; try again later."));
		return;
	}
	call_finish(call, call_fail_status(call, status));
}

static void on_done(void *arg, const struct status *status)
{
	struct passage *p = arg;

	pthread_mutex_lock(&p->lock);
	p->over = true;
	pthread_mutex_unlock(&p->lock);
	finish(p, status);
	passage_unref(p);
}

static void on_end(struct call *call, void *arg)
{
	struct passage *p = arg;
	struct qm_call *upstream;

	(void)call;
	pthread_mutex_lock(&p->lock);
	upstream = p->over ? NULL : p->upstream;
	pthread_mutex_unlock(&p->lock);
	if (upstream)
		qm_call_cancel(upstream);
	passage_unref(p);
}

static void add_md(struct qm_md *md, size_t *n, const char *name, const char *value)
{
	if (value && value[0])
		md[(*n)++] =
			(struct qm_md){.name = name, .value = value, .value_len = strlen(value)};
}

static int start(struct node *n, struct passage *p, const char *bearer)
{
	const struct qm_handler handler = {
		.metadata = on_metadata, .message = on_message, .done = on_done};
	struct call *call = p->call;
	uint64_t left = call_remaining_ms(call);
	struct qm_call *upstream = NULL;
	struct qm_call_options options = {.idempotent = call->method->policy.idempotent,
					  .secret = call->method->policy.secret};
	struct qm_md md[6];
	const uint8_t *bytes;
	size_t len;
	int r;

	options.timeout_ms = left < MAX_TIMEOUT_MS ? (uint32_t)left : MAX_TIMEOUT_MS;
	add_md(md, &options.n_metadata, "authorization", bearer);
	add_md(md, &options.n_metadata, "x-qmesh-user", nodeauth_session(call));
	add_md(md, &options.n_metadata, "x-qmesh-client-addr", call->caller.address);
	add_md(md, &options.n_metadata, "x-request-id", call->request_id);
	add_md(md, &options.n_metadata, "idempotency-key", call_metadata(call, "idempotency-key"));
	options.metadata = md;
	r = call_request_bytes(call, &bytes, &len);
	if (r)
		return err_trace(r);
	/* done may run before qm_start returns. */
	r = qm_start(link_client(n->link), call->method->path, bytes, len, &options, &handler, p,
		     &upstream);
	if (r)
		return err_origin(r);
	pthread_mutex_lock(&p->lock);
	p->upstream = upstream;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

int forward_call(struct call *call, void *owner)
{
	char bearer[LINK_TOKEN_MAX + 16] = "Bearer ";
	uint64_t begun_at_ms = clock_boot_ms();
	struct node *n = owner;
	struct passage *p;
	int r;

	if (!link_token(n->link, bearer + 7))
		return call_fail(call, ERR_CP_UNREACHABLE,
				 "The Control Panel cannot be reached. Try again later.");
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_origin(-ENOMEM);
	pthread_mutex_init(&p->lock, NULL);
	p->call = call_ref(call);
	p->begun_at_ms = begun_at_ms;
	/* This function's, and that of done. */
	p->refs = 2;
	r = start(n, p, bearer);
	explicit_bzero(bearer, sizeof(bearer));
	if (r) {
		p->refs = 1;
		passage_unref(p);
		return r;
	}
	/* Becomes that of on_end. */
	call_on_end(call, on_end, p);
	return CALL_PARKED;
}
