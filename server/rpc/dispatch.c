/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a door's request to a handler, in one straight line (run). Everything
 * from the credentials on happens on the method's lane.
 */
#include "server/rpc/dispatch.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/key.h"
#include "base/limits.h"
#include "server/rpc/bounds.h"
#include "server/rpc/call_queue.h"

/* When no worker is free: a full queue takes about as long. */
#define BUSY_RETRY_MS 2000

bool dispatch_id_ok(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n == 32 || (!isalnum((unsigned char)s[n]) && s[n] != '-' && s[n] != '_'))
			return false;
	return n > 0;
}

/* Unique, not secret: 16 random bytes per thread, then counting. */
static void id_make(char ret[33])
{
	static __thread uint8_t seed[8];
	static __thread uint64_t count;

	if (count++ == 0 && getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		memcpy(seed, &(void *){ret}, sizeof(seed));
	text_hex(seed, sizeof(seed), ret);
	for (int i = 0; i < 16; i++)
		ret[16 + i] = "0123456789abcdef"[count >> (60 - 4 * i) & 15];
	ret[32] = '\0';
}

/* Workers read the request's headers when the exchange may be gone. */
static int copy_metadata(struct live *l, const struct exchange *x)
{
	size_t total = 0;
	char *p;

	for (size_t i = 0; i < x->n_headers; i++)
		total += strlen(x->headers[i].name) + x->headers[i].value_len + 2;
	l->metadata = arena_alloc(&l->call.arena, x->n_headers * sizeof(struct header) + total + 1);
	if (!l->metadata)
		return -ENOMEM;
	p = (char *)(l->metadata + x->n_headers);
	for (size_t i = 0; i < x->n_headers; i++) {
		const struct header *from = &x->headers[i];
		size_t len = strlen(from->name) + 1;

		l->metadata[i] = (struct header){.name = p, .value_len = from->value_len};
		memcpy(p, from->name, len);
		p += len;
		l->metadata[i].value = p;
		memcpy(p, from->value, from->value_len);
		p += from->value_len;
		*p++ = '\0';
	}
	l->n_metadata = x->n_headers;
	return 0;
}

struct call *call_new(struct services *s, const struct method *method, struct exchange *x,
		      const struct call_door *door, void *door_data, uint64_t timeout_ms)
{
	struct live *l = call_queue_alloc(x ? x->loop : NULL);
	uint64_t limit = method->policy.deadline_ms;
	const char *id;

	if (!l)
		return NULL;
	arena_reuse(&l->call.arena, LIMIT_CALL_ARENA + 4 * (size_t)method->policy.body_limit);
	pthread_mutex_init(&l->lock, NULL);
	l->refs = 1;
	l->services = s;
	l->tail = &l->head;
	l->call.method = method;
	l->call.door = door;
	l->call.door_data = door_data;
	l->call.exchange = x;
	l->call.caller.audience = AUDIENCE_PUBLIC;
	if (x) {
		l->loop = x->loop;
		l->server = x->loop->server;
		call_queue_secret(l);
		l->call.peer_is_operator = x->peer_is_operator;
		memccpy(l->call.caller.address, x->peer_text, '\0',
			sizeof(l->call.caller.address) - 1);
		if (copy_metadata(l, x) < 0) {
			call_unref(&l->call);
			return NULL;
		}
	}
	id = call_metadata(&l->call, "x-request-id");
	if (id && dispatch_id_ok(id))
		strcpy(l->call.request_id, id);
	else
		id_make(l->call.request_id);
	l->call.log.request = l->call.request_id;
	if (limit == 0 || (timeout_ms != 0 && timeout_ms < limit))
		limit = timeout_ms;
	if (limit)
		l->call.deadline_ms = clock_boot_ms() + limit;
	return &l->call;
}

/* --- guards --- */

/* A person is let in here through a node alone: its token beside the person's session. */
static int check_agent(struct call *call)
{
	const struct caller *who = &call->caller;

	if (!call->agents_only || who->audience == AUDIENCE_AGENT || who->via_agent ||
	    call->method->policy.audience != AUDIENCE_USER)
		return 0;
	return call_fail(call, ERR_TOKEN_MISSING,
			 "This address is for nodes: send the node's token as authorization and "
			 "the person's session as x-qmesh-user.");
}

/* Says which role it takes, for people ask their admin for it. */
static int refuse_role(struct call *call, unsigned roles)
{
	static const char *const names[] = {"none", "member", "auditor", "admin"};
	char needs[32] = "";

	for (unsigned role = ROLE_MEMBER; role <= ROLE_ADMIN; role++)
		if (roles & ROLE_BIT(role))
			snprintf(needs + strlen(needs), sizeof(needs) - strlen(needs), "%s%s",
				 needs[0] ? " or " : "", names[role]);
	call_fail(call, ERR_ROLE_REQUIRED, "This needs the role %s; yours is %s.", needs,
		  names[call->caller.role]);
	status_meta(&call->status, "needs", "%s", needs);
	status_meta(&call->status, "role", "%s", names[call->caller.role]);
	return ERR_ROLE_REQUIRED;
}

static int check_audience(struct call *call)
{
	const struct method_policy *p = &call->method->policy;
	const struct caller *who = &call->caller;
	bool role_fits = p->roles == 0 || (who->role && p->roles & ROLE_BIT(who->role));

	switch (p->audience) {
	case AUDIENCE_PUBLIC:
		return 0;
	case AUDIENCE_USER:
		if (who->audience != AUDIENCE_USER)
			break;
		return role_fits || who->pass_on ? 0 : refuse_role(call, p->roles);
	case AUDIENCE_AGENT:
		if (who->audience == AUDIENCE_AGENT)
			return 0;
		break;
	case AUDIENCE_OPERATOR:
		if (who->audience == AUDIENCE_OPERATOR)
			return 0;
		if (who->audience == AUDIENCE_USER && p->roles && role_fits)
			return 0;
		return call_fail(call, ERR_ROLE_REQUIRED,
				 "Only the operator may do this, on the daemon's own socket.");
	}
	if (who->audience == AUDIENCE_PUBLIC)
		return call_fail(call, ERR_TOKEN_MISSING, "Sign in first.");
	return call_fail(call, ERR_ROLE_REQUIRED,
			 p->audience == AUDIENCE_AGENT
				 ? "Only nodes may do this, with their own token."
				 : "Only people may do this: sign in as one of the tenant.");
}

/* The keys whose refused attempts count, the user's last; a node's address is not its people's. */
static size_t attempt_keys(const struct call *call, struct rate_key ret[2])
{
	const struct caller *who = &call->caller;
	char user[UUID_TEXT_LEN + 1];
	size_t n = 0;

	if ((who->audience != AUDIENCE_AGENT || who->names_client) && who->address[0])
		ret[n++] = rate_key_text(who->address);
	if (!uuid_is_nil(&who->user_id))
		ret[n++] = rate_key_text(uuid_text(&who->user_id, user));
	return n;
}

static int check_attempts(struct live *l)
{
	struct call *call = &l->call;
	struct rate_key keys[2];
	uint64_t now = clock_boot_ms(), longest = 0;
	size_t n, i = 0;
	int r;

	if (!l->server || call->method->policy.rate == RATE_WINDOW_NONE)
		return 0;
	n = attempt_keys(call, keys);
	/* Who is known answers for themselves: a guesser behind their address locks nobody out. */
	if (!uuid_is_nil(&call->caller.user_id))
		i = n - 1;
	for (; i < n; i++) {
		uint64_t wait = rate_wait(l->server->refused, &keys[i], LIMIT_REFUSED_PER_MIN, now);

		longest = wait > longest ? wait : longest;
	}
	if (!longest)
		return 0;
	r = call_fail(call, ERR_RATE_LIMITED, "Too many refused attempts. Try again in %llu s.",
		      (unsigned long long)(longest + 999) / 1000);
	status_retry(&call->status, longest);
	return r;
}

static void count_attempt(struct live *l, int r)
{
	struct rate_key keys[2];
	size_t n;

	if (!l->server || r <= 0 || r == CALL_PARKED ||
	    l->call.method->policy.rate == RATE_WINDOW_NONE)
		return;
	n = attempt_keys(&l->call, keys);
	for (size_t i = 0; i < n; i++)
		rate_hit(l->server->refused, &keys[i], clock_boot_ms());
}

static int check_bounds(struct call *call, const ProtobufCMessage *msg)
{
	struct bounds_error e;

	if (!bounds_check(msg, &e))
		return 0;
	return call_field(call, e.path, "%s", e.rule);
}

static int guards(struct live *l)
{
	const struct service_hooks *hooks = service_hooks(l->services);
	struct call *call = &l->call;
	const char *rule, *name = call_metadata_fault(call, &rule);
	int r;

	/* Which of two counts is not ours to guess. */
	if (name)
		return call_field(call, name, "%s", rule);
	if (call->peer_is_operator)
		call->caller.audience = AUDIENCE_OPERATOR;
	if (hooks->authenticate) {
		r = hooks->authenticate(call, hooks->owner);
		if (r)
			return err_trace(r);
	}
	r = check_agent(call);
	if (!r)
		r = check_audience(call);
	if (r)
		return r;
	r = check_attempts(l);
	if (r)
		return r;
	if (hooks->licence) {
		r = hooks->licence(call, hooks->owner);
		if (r)
			return err_trace(r);
	}
	if (hooks->admit) {
		r = hooks->admit(call, hooks->owner);
		if (r)
			return err_trace(r);
	}
	if (method_caller_streams(call->method))
		return 0; /* inflow.c decodes and checks each message */
	r = call->door->decode(call, &call->in);
	if (r)
		return err_trace(r);
	return check_bounds(call, call->in);
}

static int make_out(struct call *call)
{
	if (!method_answers_once(call->method))
		return 0;
	call->out = arena_alloc(&call->arena, call->method->out->sizeof_message);
	if (!call->out)
		return err_origin(-ENOMEM);
	protobuf_c_message_init(call->method->out, call->out);
	return 0;
}

static int handle(struct live *l)
{
	struct call *call = &l->call;

	if (!method_caller_streams(call->method))
		return l->fn(call, call->in, call->out);
	/* No request: the answer, if there is one, comes first. */
	return l->fn(call, call->out, NULL);
}

static bool can_forward(const struct call *call)
{
	enum runs_on at = call->method->policy.runs_on;

	if (call->caller.pass_on && at == RUNS_ON_BOTH)
		return call->method->kind == METHOD_UNARY;
	return at == RUNS_ON_FORWARD && !method_caller_streams(call->method);
}

static int answer(struct live *l)
{
	const struct service_hooks *hooks = service_hooks(l->services);
	struct call *call = &l->call;
	int r = make_out(call);

	if (r < 0)
		return r;
	if (l->fn && !call->caller.pass_on)
		return handle(l);
	if (hooks->forward && can_forward(call))
		return hooks->forward(call, hooks->owner);
	if (call->caller.pass_on)
		return call_fail(call, ERR_ROLE_REQUIRED,
				 "This node answers that to sessions alone: a service token is "
				 "known to the Control Panel only.");
	return call_fail(call, ERR_UNIMPLEMENTED, "This method is not served here.");
}

/* The straight line. */
static void run(struct live *l)
{
	const struct service_hooks *hooks = service_hooks(l->services);
	struct call *call = call_ref(&l->call);
	int r;

	if (call_is_over(call)) { /* cancelled while it waited for a worker */
		call_queue_ran(l, false);
		call_unref(call);
		return;
	}
	r = guards(l);
	if (r) {
		count_attempt(l, r);
		if (hooks->finished && !call->method->policy.audit)
			hooks->finished(call, r, hooks->owner); /* audited ones: by call_finish */
		call_finish(call, r);
	} else {
		call_clock_session(l);
		r = answer(l);
		count_attempt(l, r);
		if (r != CALL_PARKED)
			call_finish(call, r);
	}
	call_queue_ran(l, r == CALL_PARKED);
	call_unref(call);
}

static void on_lane(struct lane_job *job)
{
	struct live *l = CONTAINER_OF(job, struct live, job);
	bool secret = l->call.method->policy.secret;

	run(l);
	call_unref(&l->call);
	if (secret)
		key_wipe_stack();
}

void dispatch(struct services *s, struct call *call)
{
	struct live *l = live_of(call);

	(void)s;
	service_find(l->services, call->method->path, strlen(call->method->path), &l->fn,
		     &call->owner);
	if (l->server) {
		l->server->count.calls++;
		l->server->count.open_calls++;
	}
	call_ref(call);
	l->running = true; /* nobody else knows the call yet */
	call_queue_secret(l);
	call_queue_add(l);
	if (!l->loop || call->method->policy.lane != LANE_WORKER) {
		run(l);
	} else {
		l->job.fn = on_lane;
		call_ref(call);
		if (lane_post(l->server->lane, &l->job,
			      call->method->policy.audience == AUDIENCE_AGENT) < 0) {
			call_fail(call, ERR_DRAINING, "No worker is free. Try again.");
			status_retry(&call->status, BUSY_RETRY_MS);
			call_finish(call, ERR_DRAINING);
			call_queue_ran(l, false);
			call_unref(call);
		}
	}
	call_unref(call);
}

void dispatch_cancel(struct call *call, enum err why)
{
	struct live *l = live_of(call);

	call->exchange = NULL;
	if (l->server && !call_is_over(call))
		l->server->count.cancelled++;
	call_queue_cut(l, why);
}
