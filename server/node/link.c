/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link's loop: renew the token when two thirds of it are gone, keep one
 * stream open, send a report when one is due. Its calls block this thread
 * only; events of the stream arrive on libqmesh's thread and are posted on.
 */
#include "server/node/link.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/unpack.h"
#include "client/qmesh.h"
#include "gen/rpc/stubs.h"
#include "server/node/certask.h"
#include "server/node/keeper.h"
#include "server/node/node.h"
#include "server/node/pace.h"
#include "server/node/report.h"
#include "server/node/silence.h"

#define CALL_TIMEOUT_MS 10000
#define REPORT_AGAIN_MS 1000
#define RENEW_CONTEXT "renew/1"
/* The CP tells its time in whole seconds, and the answer takes its time too. */
#define CLOCK_SLACK_MS 2000
#define REPORT_PATH "/quazzar.mesh.v1.AgentService/Report"

struct link {
	struct node *node;
	struct qm_client *client;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	bool stop, resync, up, was_up;
	char token[LINK_TOKEN_MAX + 1];
	uint64_t token_given_at_ms, token_good_until_ms, token_renew_at_ms; /* boot time */
	uint64_t report_at_ms, quiet_until_ms;
	unsigned stream;
	bool stream_ended;
	struct pace pace;
	uint64_t hint_ms; /* of the last refusal: not before */
	uint8_t csr[LINK_CSR_MAX];
	size_t csr_len; /* 0: none waits */

	/* The thread's own. */
	struct qm_call *call;
	int64_t time_offset_ms; /* the CP's clock minus ours */
	struct silence silence;
	bool report_all;
};

static int make_client(struct node *n, struct qm_client **ret_client)
{
	const uint8_t(*pins)[32] = NULL;
	struct qm_options options = {.target = n->conf.cp,
				     .user_agent = "qmesh-noded/" QMESH_VERSION};

	if (n->replica.trust.n_pins) {
		pins = (const uint8_t(*)[32])n->replica.trust.pins;
		options.n_pins = n->replica.trust.n_pins;
	} else if (n->identity.has_pin) {
		pins = (const uint8_t(*)[32]) & n->identity.cp_pin;
		options.n_pins = 1;
	}
	options.pins = pins;
	return qm_client_new(&options, ret_client);
}

int link_new(struct node *n, struct link **ret_link)
{
	struct link *l = calloc(1, sizeof(*l));
	pthread_condattr_t attr;
	int r;

	if (!l)
		return err_origin(-ENOMEM);
	l->node = n;
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	r = make_client(n, &l->client);
	if (r) {
		link_free(l);
		return err_trace(r);
	}
	*ret_link = l;
	return 0;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	qm_client_free(l->client);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	explicit_bzero(l->token, sizeof(l->token));
	free(l);
}

static void unlock(pthread_mutex_t **lock)
{
	pthread_mutex_unlock(*lock);
}

#define LOCKED(l)                                                                                  \
	_cleanup_(unlock) pthread_mutex_t *locked_ = &(l)->lock;                                   \
	pthread_mutex_lock(locked_)

/* No call before that; one who is told more waits longer. */
static void be_quiet(struct link *l, uint64_t ms)
{
	uint64_t until = clock_boot_ms() + ms;

	if (until > l->quiet_until_ms)
		l->quiet_until_ms = until;
}

void link_report(struct link *l, uint64_t ms)
{
	LOCKED(l);
	uint64_t at = clock_boot_ms() + ms;

	if (at < l->report_at_ms) {
		l->report_at_ms = at;
		pthread_cond_signal(&l->changed);
	}
}

void link_resync(struct link *l)
{
	LOCKED(l);

	/* Asked for twice is asked for once. */
	if (!l->resync)
		be_quiet(l, pace_resync(&l->pace, clock_boot_ms()));
	l->resync = true;
	pthread_cond_signal(&l->changed);
}

void link_refresh(struct link *l)
{
	LOCKED(l);

	l->resync = true;
	pthread_cond_signal(&l->changed);
}

void link_drain(struct link *l, uint64_t ms, uint64_t spread_ms)
{
	uint16_t dice;
	LOCKED(l);

	sign_random(&dice, sizeof(dice));
	if (ms > PACE_HINT_MAX_MS)
		ms = PACE_HINT_MAX_MS;
	if (spread_ms > PACE_HINT_MAX_MS)
		spread_ms = PACE_HINT_MAX_MS;
	be_quiet(l, ms + pace_within(spread_ms, dice));
}

int link_certify(struct link *l, const uint8_t *csr, size_t len)
{
	LOCKED(l);

	if (len > sizeof(l->csr))
		return -EMSGSIZE;
	memcpy(l->csr, csr, len);
	l->csr_len = len;
	pthread_cond_signal(&l->changed);
	return 0;
}

void link_set_pins(struct link *l)
{
	const struct trust *t = &l->node->replica.trust;

	if (t->n_pins && qm_client_set_pins(l->client, (const uint8_t(*)[32])t->pins, t->n_pins))
		log_error("node", "new pins of the Control Panel were not taken");
}

bool link_token(struct link *l, char ret[LINK_TOKEN_MAX + 1])
{
	LOCKED(l);

	if (!l->token[0] || clock_boot_ms() >= l->token_good_until_ms)
		return false;
	strcpy(ret, l->token);
	return true;
}

bool link_can_call(struct link *l)
{
	LOCKED(l);

	return l->token[0] && clock_boot_ms() < l->token_good_until_ms;
}

struct qm_client *link_client(struct link *l)
{
	return l->client;
}

bool link_is_up(struct link *l)
{
	LOCKED(l);

	return l->up;
}

void link_refused(struct link *l, uint64_t used_at_ms)
{
	LOCKED(l);

	/* Late answers to the token before say nothing of this one. */
	if (l->token_given_at_ms > used_at_ms)
		return;
	l->token[0] = '\0';
	pthread_cond_signal(&l->changed);
}

void link_give_token(struct link *l, const char *token, int64_t expires_at_ms)
{
	int64_t left = expires_at_ms - (clock_wall_ms() + l->time_offset_ms);
	uint64_t now = clock_boot_ms();
	LOCKED(l);

	/* A wrong clock must not make us renew without end. */
	if (left < 3000)
		left = 3000;
	snprintf(l->token, sizeof(l->token), "%s", token);
	l->token_given_at_ms = now;
	l->token_good_until_ms = now + (uint64_t)left;
	l->token_renew_at_ms = now + (uint64_t)left * 2 / 3;
}

/* --- the thread --- */

static void wait_until(struct link *l, uint64_t at_ms)
{
	uint64_t now = clock_boot_ms(), ms = at_ms > now ? at_ms - now : 0;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&l->changed, &l->lock, &until);
}

static void pause_after(struct link *l, bool lost)
{
	uint16_t dice;
	LOCKED(l);

	sign_random(&dice, sizeof(dice));
	be_quiet(l, lost ? pace_lost(&l->pace, l->hint_ms, dice)
			 : pace_failed(&l->pace, l->hint_ms, dice));
	l->hint_ms = 0;
}

static void sign_renewal(struct link *l, Pb__RenewTokenRequest *req, uint8_t nonce[16],
			 uint8_t signature[SIGN_LEN], int64_t now_ms)
{
	uint8_t signed_bytes[sizeof(RENEW_CONTEXT) - 1 + 16 + 8 + 16], *p = signed_bytes;
	const struct identity *id = &l->node->identity;

	sign_random(nonce, 16);
	p = mempcpy(p, RENEW_CONTEXT, sizeof(RENEW_CONTEXT) - 1);
	p = mempcpy(p, id->node_id.b, 16);
	for (int shift = 56; shift >= 0; shift -= 8)
		*p++ = (uint8_t)((uint64_t)now_ms >> shift);
	memcpy(p, nonce, 16);
	sign_message(id->sign_secret, signed_bytes, sizeof(signed_bytes), signature);
	req->nonce = (ProtobufCBinaryData){.len = 16, .data = nonce};
	req->signature = (ProtobufCBinaryData){.len = SIGN_LEN, .data = signature};
}

/* A refusal tells the CP's time: ours may be wrong. */
static void learn_time(struct link *l, const struct status *status)
{
	const char *time = status_get(status, "time");
	struct tm tm = {0};

	if (!time || !strptime(time, "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	l->time_offset_ms = (int64_t)timegm(&tm) * 1000 - clock_wall_ms();
	if (llabs(l->time_offset_ms) < CLOCK_SLACK_MS) {
		l->time_offset_ms = 0;
		return;
	}
	log_warn("node", "clock differs from the Control Panel's by %lld ms",
		 (long long)-l->time_offset_ms);
}

static void take_hint(struct link *l, const struct status *status)
{
	LOCKED(l);

	l->hint_ms = status->retry_ms;
}

static int renew(struct link *l)
{
	const struct qm_call_options options = {.timeout_ms = CALL_TIMEOUT_MS};
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Pb__RenewTokenRequest req = PB__RENEW_TOKEN_REQUEST__INIT;
	int64_t now_ms = clock_wall_ms() + l->time_offset_ms;
	Pb__RenewTokenResponse *out = NULL;
	uint8_t nonce[16], signature[SIGN_LEN];
	char id[UUID_TEXT_LEN + 1];
	struct qm_reply reply;
	int r;

	req.node_id = (char *)uuid_text(&l->node->identity.node_id, id);
	time.seconds = now_ms / 1000;
	time.nanos = (int32_t)(now_ms % 1000) * 1000000;
	req.time = &time;
	sign_renewal(l, &req, nonce, signature, now_ms);
	r = qm_renew_token(l->client, &options, &req, &reply, &out);
	if (r)
		return err_trace(r);
	if (out) {
		link_give_token(l, out->agent_token,
				out->expires_at ? out->expires_at->seconds * 1000 : 0);
		explicit_bzero(out->agent_token, strlen(out->agent_token));
		pb__renew_token_response__free_unpacked(out, NULL);
	} else {
		log_warn("node", "no token from the Control Panel: %s",
			 reply.status.message ? reply.status.message : "refused");
		if (reply.status.err == ERR_TOKEN_INVALID)
			learn_time(l, &reply.status);
		take_hint(l, &reply.status);
		r = -EACCES;
	}
	qm_reply_done(&reply);
	return r;
}

static void on_message(void *arg, const uint8_t *p, size_t len)
{
	struct link *l = arg;
	unsigned stream;
	bool first;

	pthread_mutex_lock(&l->lock);
	stream = l->stream;
	first = !l->up;
	l->up = true;
	/* Reports that were due before go now: the thread slept as if there were nobody to tell. */
	if (first)
		pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	/* Up is what has answered, not what was dialled. */
	if (first)
		keeper_link(l->node->keeper, stream, true);
	keeper_event(l->node->keeper, stream, p, len);
}

static void on_done(void *arg, const struct status *status)
{
	struct link *l = arg;
	unsigned stream;
	bool was_up;

	pthread_mutex_lock(&l->lock);
	stream = l->stream;
	was_up = l->up;
	l->up = false;
	l->was_up = was_up;
	l->stream_ended = true;
	l->hint_ms = status->retry_ms;
	if (status->err == ERR_TOKEN_INVALID || status->err == ERR_TOKEN_MISSING)
		l->token[0] = '\0';
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	if (was_up) {
		log_info("node", "stream from the Control Panel ended: %s",
			 status->message ? status->message : "closed");
		keeper_link(l->node->keeper, stream, false);
	}
}

static void fill_hello(struct link *l, bool resync, Pb__SubscribeRequest *req)
{
	struct replica_head *h = &l->node->replica.head;

	req->version = (char *)QMESH_VERSION;
	if (!h->generation)
		return;
	/* The head proves how far the log was, even when all of it is asked for. */
	req->epoch = h->epoch;
	req->generation = resync ? 0 : h->generation;
	req->head = (ProtobufCBinaryData){.len = h->bytes_len, .data = h->bytes};
	req->head_signature = (ProtobufCBinaryData){.len = h->signature_len, .data = h->signature};
	req->kid = h->kid;
}

static int subscribe(struct link *l, bool resync)
{
	const struct qm_handler handler = {.message = on_message, .done = on_done};
	Pb__SubscribeRequest req = PB__SUBSCRIBE_REQUEST__INIT;
	char bearer[LINK_TOKEN_MAX + 16] = "Bearer ";
	const struct qm_md md = {.name = "authorization", .value = bearer};
	struct qm_call_options options = {.metadata = &md, .n_metadata = 1};
	struct qm_md with_len = md;
	int r;

	if (!link_token(l, bearer + 7))
		return -EACCES;
	with_len.value_len = strlen(bearer);
	options.metadata = &with_len;
	pthread_rwlock_rdlock(&l->node->replica.lock);
	fill_hello(l, resync, &req);
	pthread_mutex_lock(&l->lock);
	l->stream++;
	l->stream_ended = false;
	pthread_mutex_unlock(&l->lock);
	r = qm_subscribe_start(l->client, &options, &req, &handler, l, &l->call);
	pthread_rwlock_unlock(&l->node->replica.lock);
	explicit_bzero(bearer, sizeof(bearer));
	if (!r)
		link_report(l, LINK_REPORT_STATUS_MS);
	l->report_all = true;
	return r;
}

/* Waits for the end of the stream, so that no event of it comes later. */
static void end_stream(struct link *l)
{
	if (!l->call)
		return;
	qm_call_cancel(l->call);
	pthread_mutex_lock(&l->lock);
	while (!l->stream_ended)
		pthread_cond_wait(&l->changed, &l->lock);
	pthread_mutex_unlock(&l->lock);
	qm_call_release(l->call);
	l->call = NULL;
}

static struct silence_at newest(struct link *l)
{
	struct replica *r = &l->node->replica;
	struct silence_at at;

	pthread_rwlock_rdlock(&r->lock);
	at = (struct silence_at){.epoch = r->head.epoch, .generation = r->head.generation};
	pthread_rwlock_unlock(&r->lock);
	return at;
}

/* Fewer than ours: the store went back; the hello that follows proves it. */
static void compare_generation(struct link *l, struct silence_at had, const Pb__ReportResponse *out)
{
	const struct silence_at told = {.epoch = out->epoch, .generation = out->generation};

	switch (silence_note(&l->silence, had, told, newest(l), clock_boot_ms())) {
	case SILENCE_WATCH:
		link_report(l, SILENCE_MS + 100);
		break;
	case SILENCE_BROKEN:
		log_warn("node", "not at generation %llu and not told of it, asking for all",
			 (unsigned long long)out->generation);
		link_resync(l);
		break;
	default:
		break;
	}
}

/* What the answer says: it was made from the store after the report was sent, at asked_ms. */
static void take_answer(struct link *l, const struct qm_reply *reply, uint64_t asked_ms,
			struct silence_at had)
{
	Pb__ReportResponse *out = (Pb__ReportResponse *)unpack_message(
		&pb__report_response__descriptor, NULL, reply->message, reply->len);

	l->report_all = false;
	replica_renew_lease(&l->node->replica, asked_ms);
	keeper_lease(l->node->keeper);
	pthread_mutex_lock(&l->lock);
	pace_well(&l->pace);
	if (out)
		l->pace.spread_ms = out->reconnect_spread_ms;
	pthread_mutex_unlock(&l->lock);
	if (out) {
		replica_take_time(&l->node->replica, out->time);
		compare_generation(l, had, out);
		pb__report_response__free_unpacked(out, NULL);
	}
}

static int send_report(struct link *l)
{
	char bearer[LINK_TOKEN_MAX + 16] = "Bearer ";
	struct qm_md md = {.name = "authorization", .value = bearer};
	const struct qm_call_options options = {.timeout_ms = CALL_TIMEOUT_MS,
						.metadata = &md,
						.n_metadata = 1,
						.idempotent = true};
	bool interest = keeper_has_interest(l->node->keeper), more;
	_cleanup_(freep) uint8_t *bytes = NULL;
	uint64_t used_at_ms = clock_boot_ms();
	struct silence_at had = newest(l);
	struct qm_reply reply;
	size_t len;
	int r;

	if (!link_token(l, bearer + 7))
		return -EACCES;
	md.value_len = strlen(bearer);
	r = report_make(&l->node->replica, interest, l->report_all, &bytes, &len, &more);
	if (!r)
		r = qm_unary(l->client, REPORT_PATH, bytes, len, &options, &reply);
	explicit_bzero(bearer, sizeof(bearer));
	if (r)
		return err_trace(r);
	if (reply.status.code == GRPC_OK) {
		take_answer(l, &reply, used_at_ms, had);
		if (more)
			link_report(l, LINK_REPORT_STATUS_MS);
	} else {
		log_warn("node", "report refused: %s",
			 reply.status.message ? reply.status.message : "?");
		report_unsend(&l->node->replica);
		if (reply.status.err == ERR_TOKEN_INVALID)
			link_refused(l, used_at_ms);
		r = -EIO;
	}
	qm_reply_done(&reply);
	return r;
}

struct work {
	bool stop, renew, open, report, close, resync, certify;
};

/* When something is due, as far as is known now. */
static uint64_t next_at(const struct link *l, uint64_t now, bool quiet)
{
	uint64_t at = l->up ? l->report_at_ms : now + PACE_MAX_MS;

	if (quiet && l->quiet_until_ms < at)
		at = l->quiet_until_ms;
	if (!quiet && l->token_renew_at_ms < at)
		at = l->token_renew_at_ms;
	return at;
}

/* What is due now; waits until something is, or tells when it will be. */
static struct work next_work(struct link *l, bool wait, uint64_t *ret_at)
{
	struct work w = {0};
	LOCKED(l);

	*ret_at = 0;

	for (;;) {
		uint64_t now = clock_boot_ms(), at;
		bool quiet = now < l->quiet_until_ms;
		bool has_token = l->token[0] && now < l->token_good_until_ms;

		w.stop = l->stop;
		w.close = l->call && (l->stream_ended || l->resync);
		w.renew = !quiet && (!has_token || now >= l->token_renew_at_ms);
		w.open = !quiet && has_token && !l->call;
		w.resync = l->resync;
		w.report = l->up && now >= l->report_at_ms;
		w.certify = l->up && has_token && l->csr_len;
		if (w.stop || w.close || w.renew || w.open || w.report || w.certify)
			return w;
		at = next_at(l, now, quiet);
		if (!wait) {
			*ret_at = at;
			return w;
		}
		wait_until(l, at);
	}
}

/* The pause keeps two nodes with one identity from ending each other in a tight loop. */
static void close_stream(struct link *l, bool resync)
{
	end_stream(l);
	if (!resync)
		pause_after(l, l->was_up);
}

static void open_stream(struct link *l, bool resync)
{
	pthread_mutex_lock(&l->lock);
	l->resync = false;
	pthread_mutex_unlock(&l->lock);
	if (subscribe(l, resync))
		pause_after(l, false);
}

static void report(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	l->report_at_ms = clock_boot_ms() + LINK_HEARTBEAT_MS;
	pthread_mutex_unlock(&l->lock);
	if (send_report(l))
		link_report(l, REPORT_AGAIN_MS);
}

static void certify(struct link *l)
{
	uint8_t csr[LINK_CSR_MAX];
	size_t len;

	pthread_mutex_lock(&l->lock);
	len = l->csr_len;
	memcpy(csr, l->csr, len);
	l->csr_len = 0;
	pthread_mutex_unlock(&l->lock);
	certask_run(l->node, csr, len);
}

static void carry_out(struct link *l, const struct work *w)
{
	if (w->close)
		close_stream(l, w->resync);
	else if (w->renew && renew(l))
		pause_after(l, false);
	else if (!w->renew && w->report)
		report(l);
	else if (!w->renew && w->open)
		open_stream(l, w->resync);
	else if (!w->renew && w->certify)
		certify(l);
}

uint64_t link_turn(struct link *l)
{
	uint64_t at_ms;
	const struct work w = next_work(l, false, &at_ms);

	carry_out(l, &w);
	return at_ms;
}

static void *run(void *arg)
{
	struct link *l = arg;
	uint64_t at_ms;

	for (;;) {
		const struct work w = next_work(l, true, &at_ms);

		if (w.stop)
			break;
		carry_out(l, &w);
	}
	end_stream(l);
	return NULL;
}

int link_start(struct link *l)
{
	int r = -pthread_create(&l->thread, NULL, run, l);

	l->running = r == 0;
	return r ? err_origin(r) : 0;
}

void link_stop(struct link *l)
{
	if (!l || !l->running)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	l->running = false;
}
