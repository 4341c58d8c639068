/* SPDX-License-Identifier: Apache-2.0 */
/* The calls run on the caller's thread: a loopback call has no loop. */
#include "tests/support/panel.h"

#include <stdio.h>
#include <string.h>

#include "server/cp/cphealth.h"
#include "server/rpc/call_queue.h"
#include "server/rpc/health.h"

static int decode(struct call *call, ProtobufCMessage **ret_in)
{
	struct panel_answer *a = call->door_data;

	*ret_in = (ProtobufCMessage *)(uintptr_t)a->in;
	return 0;
}

static int encode(struct call *call, const ProtobufCMessage *msg, struct frame **ret_frame)
{
	struct frame *frame = frame_new(protobuf_c_message_get_packed_size(msg));

	(void)call;
	if (!frame)
		return -ENOMEM;
	protobuf_c_message_pack(msg, frame->bytes + FRAME_HEAD_LEN);
	*ret_frame = frame;
	return 0;
}

static void message(struct call *call, struct frame *frame)
{
	struct panel_answer *a = call->door_data;
	size_t len = frame->len - FRAME_HEAD_LEN;

	pthread_mutex_lock(&a->lock);
	a->n_messages++;
	if (a->on_message) {
		a->on_message(a->arg, frame->bytes + FRAME_HEAD_LEN, len);
	} else if (len <= sizeof(a->bytes)) {
		memcpy(a->bytes, frame->bytes + FRAME_HEAD_LEN, len);
		a->len = len;
	}
	pthread_mutex_unlock(&a->lock);
	frame_unref(frame);
	call_drained(call);
}

static void done(struct call *call)
{
	struct panel_answer *a = call->door_data;

	pthread_mutex_lock(&a->lock);
	a->n_done++;
	a->err = call->status.err;
	a->code = call->status.code;
	a->retry_ms = call->status.retry_ms;
	snprintf(a->words, sizeof(a->words), "%s",
		 call->status.message ? call->status.message : "");
	pthread_cond_signal(&a->ended);
	pthread_mutex_unlock(&a->lock);
	call_unref(call);
}

static const struct call_door door = {
	.name = "panel", .decode = decode, .encode = encode, .message = message, .done = done};

int panel_init(struct panel *p)
{
	char state[80];
	char *argv[] = {(char *)"panel", (char *)"--state-dir",
			state,           (char *)"--apply-wait",
			(char *)"0s",    (char *)"--provision-limit",
			(char *)"100",   (char *)"--provision-period",
			(char *)"1s",    (char *)"--log-level",
			(char *)"error"};
	int exit_code = -1, rest[ARRAY_LEN(argv)];
	const char *where = getenv("TMPDIR");
	size_t n_rest = 0;

	memset(p, 0, sizeof(*p));
	snprintf(p->dir, sizeof(p->dir), "%.40s/qmesh-panel-XXXXXX", where ? where : "/tmp");
	if (!mkdtemp(p->dir))
		return -errno;
	snprintf(state, sizeof(state), "%s/state", p->dir);
	return conf_load(&cp_conf_table, &p->conf, ARRAY_LEN(argv), argv, &exit_code, rest,
			 &n_rest);
}

int panel_open(struct panel *p)
{
	int r = cp_new(&p->conf, &p->cp);

	if (!r)
		r = health_new(cphealth_probe, p->cp, &p->cp->health);
	if (r) {
		panel_close(p);
		return r;
	}
	p->services = cp_services(p->cp);
	if (p->services)
		return 0;
	panel_close(p);
	return -ENOMEM;
}

void panel_close(struct panel *p)
{
	if (p->cp)
		health_free(p->cp->health);
	cp_free(TAKE(p->cp));
	if (p->services)
		services_free(TAKE(p->services));
}

void panel_done(struct panel *p)
{
	char command[128];

	panel_close(p);
	conf_done(&cp_conf_table, &p->conf);
	snprintf(command, sizeof(command), "rm -r %s", p->dir);
	if (*p->dir && system(command))
		fprintf(stderr, "panel: %s stays behind\n", p->dir);
}

void panel_answer_init(struct panel_answer *a)
{
	memset(a, 0, sizeof(*a));
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->ended, NULL);
}

/* As server/rpc copies them from a request. */
static int set_metadata(struct call *call, const struct panel_who *who)
{
	struct live *l = live_of(call);
	struct header *h = call_alloc(call, 2 * sizeof(*h));
	const char *bearer = arena_printf(&call->arena, "Bearer %s", who->token ? who->token : "");

	if (!h || !bearer)
		return -ENOMEM;
	l->metadata = h;
	if (who->token)
		h[l->n_metadata++] = (struct header){
			.name = "authorization", .value = bearer, .value_len = strlen(bearer)};
	if (who->idempotency_key)
		h[l->n_metadata++] = (struct header){.name = "idempotency-key",
						     .value = who->idempotency_key,
						     .value_len = strlen(who->idempotency_key)};
	return 0;
}

int panel_stream(struct panel *p, const struct panel_who *who, const struct method *method,
		 const void *in, struct panel_answer *ret)
{
	struct call *call;

	ret->n_messages = ret->n_done = 0;
	ret->err = ERR_NONE;
	ret->code = GRPC_OK;
	ret->words[0] = '\0';
	ret->len = 0;
	ret->in = in;
	ret->call = NULL;
	call = call_new(p->services, method, NULL, &door, ret, 0);
	if (!call)
		return -ENOMEM;
	if (set_metadata(call, who)) {
		call_unref(call);
		return -ENOMEM;
	}
	call->peer_is_operator = who->is_operator;
	call->shares_frames = true;
	strcpy(call->caller.address, "192.0.2.1");
	ret->call = call_ref(call);
	dispatch(p->services, call);
	return 0;
}

bool panel_is_over(struct panel_answer *a)
{
	bool over;

	pthread_mutex_lock(&a->lock);
	over = a->n_done > 0;
	pthread_mutex_unlock(&a->lock);
	return over;
}

void panel_cut(struct panel_answer *a)
{
	if (!a->call)
		return;
	if (!panel_is_over(a))
		dispatch_cancel(a->call, ERR_CANCELLED);
	pthread_mutex_lock(&a->lock);
	while (!a->n_done)
		pthread_cond_wait(&a->ended, &a->lock);
	pthread_mutex_unlock(&a->lock);
	call_unref(TAKE(a->call));
}

int panel_call(struct panel *p, const struct panel_who *who, const struct method *method,
	       const void *in, struct panel_answer *ret)
{
	int r = panel_stream(p, who, method, in, ret);

	if (r)
		return r;
	pthread_mutex_lock(&ret->lock);
	while (!ret->n_done)
		pthread_cond_wait(&ret->ended, &ret->lock);
	pthread_mutex_unlock(&ret->lock);
	call_unref(TAKE(ret->call));
	return 0;
}
