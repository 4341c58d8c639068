/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams that go on; see qwatch.h. Each opening is a call of its own that the
 * client's I/O thread starts, with the pause before it, from the end of the
 * last. Counted: the caller's handle, the running call.
 */
#include "client/qwatch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/wire.h"
#include "client/mdlist.h"
#include "client/qcall.h"
#include "client/retry.h"

#define FIRST_PAUSE_MS 200
#define LAST_PAUSE_MS 15000
#define FIELD_MAX ((1u << 29) - 1)
#define VERSION_LEN 32

struct qm_watch {
	atomic_uint refs;
	struct qm_client *client;
	struct qm_watch_handler handler;
	void *arg;
	char *path;
	uint8_t *request;
	size_t request_len;
	unsigned request_field, answer_field;
	struct qm_call_options options;
	struct mdlist md; /* what options.metadata points into, unless it was renewed */
	uint32_t first_pause_ms, last_pause_ms;
	atomic_uint_fast64_t version;
	pthread_mutex_t lock;
	/* Under the lock. */
	struct qm_call *call;
	bool cancelled, paused;
	/* The I/O thread's. */
	unsigned failures;
};

static void unref(struct qm_watch *w)
{
	if (!w || atomic_fetch_sub(&w->refs, 1) != 1)
		return;
	if (w->call)
		qm_call_release(w->call);
	if (w->request)
		explicit_bzero(w->request, w->request_len);
	free(w->request);
	free(w->path);
	mdlist_done(&w->md);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
CLEANUP_DEFINE(struct qm_watch, unref);

/* The version of an answer; proto3 leaves out 0. -EBADMSG. */
static int read_version(const struct qm_watch *w, const uint8_t *p, size_t len,
			uint64_t *ret_version)
{
	struct wire_reader r = {.p = p, .len = len};
	uint64_t version = 0;
	struct wire_field f;
	int rc;

	while ((rc = wire_next(&r, &f)) > 0)
		if (f.number == w->answer_field && f.type == WIRE_VARINT)
			version = f.n;
	if (rc == 0)
		*ret_version = version;
	return rc;
}

static void on_message(void *arg, const uint8_t *p, size_t len)
{
	struct qm_watch *w = arg;
	uint64_t version = 0;

	/* What does not decode has no version, and its reader will say so. */
	if (read_version(w, p, len, &version) == 0) {
		if (version != 0 && version == atomic_load(&w->version))
			return;
		atomic_store(&w->version, version);
	}
	w->failures = 0;
	w->handler.message(w->arg, p, len, version);
}

/* Another opening may go better. */
static bool may_pass(enum grpc_code code)
{
	switch (code) {
	case GRPC_OK: /* a server that ends it, to restart or to age the connection */
	case GRPC_UNKNOWN:
	case GRPC_DEADLINE_EXCEEDED:
	case GRPC_RESOURCE_EXHAUSTED:
	case GRPC_ABORTED:
	case GRPC_INTERNAL:
	case GRPC_UNAVAILABLE:
	case GRPC_DATA_LOSS:
		return true;
	default:
		return false;
	}
}

static uint64_t next_pause(struct qm_watch *w, const struct status *status)
{
	uint64_t ms = w->first_pause_ms;

	for (unsigned i = 0; i < w->failures && ms < w->last_pause_ms; i++)
		ms *= 2;
	if (ms > w->last_pause_ms)
		ms = w->last_pause_ms;
	if (w->failures < UINT32_MAX)
		w->failures++;
	ms = retry_jitter(ms);
	return status->retry_ms > ms ? status->retry_ms : ms;
}

static void on_done(void *arg, const struct status *status);

static int open_stream(struct qm_watch *w, uint64_t pause_ms)
{
	static const struct qm_handler handler = {.message = on_message, .done = on_done};
	_cleanup_(text_done) struct text request = TEXT_INIT(w->request_len + VERSION_LEN);
	uint64_t version = atomic_load(&w->version);
	struct qcall_spec spec = {.path = w->path,
				  .options = &w->options,
				  .handler = &handler,
				  .arg = w,
				  .kind = QM_SERVER_STREAM,
				  .delay_ms =
					  pause_ms < UINT32_MAX ? (uint32_t)pause_ms : UINT32_MAX};
	struct qm_call *before;
	int r;

	/* Of a field that stands twice the last counts. */
	text_add(&request, w->request, w->request_len);
	if (version)
		wire_put_varint(&request, w->request_field, version);
	if (request.failed)
		return -ENOMEM;
	spec.request = request.s;
	spec.len = request.len;
	atomic_fetch_add(&w->refs, 1);
	/* Callbacks and cancel wait until the handle is known. */
	pthread_mutex_lock(&w->lock);
	before = w->call;
	w->call = NULL;
	r = w->cancelled ? -ECANCELED : qmesh_submit(w->client, &spec, &w->call);
	if (r == 0 && w->paused)
		qm_call_read(w->call, false);
	pthread_mutex_unlock(&w->lock);
	if (before)
		qm_call_release(before);
	if (r < 0)
		unref(w);
	return r;
}

static int renew(struct qm_watch *w)
{
	const struct qm_md *md = w->options.metadata;
	size_t n = w->options.n_metadata;
	int r;

	if (!w->handler.renew)
		return 0;
	r = w->handler.renew(w->arg, &md, &n);
	w->options.metadata = md;
	w->options.n_metadata = n;
	return r;
}

static bool is_cancelled(struct qm_watch *w)
{
	bool cancelled;

	pthread_mutex_lock(&w->lock);
	cancelled = w->cancelled;
	pthread_mutex_unlock(&w->lock);
	return cancelled;
}

static void on_done(void *arg, const struct status *status)
{
	_cleanup_(status_done) struct status why = {.code = GRPC_OK};
	struct qm_watch *w = arg;
	uint64_t pause_ms;
	int r = 0;

	if (may_pass(status->code) && !is_cancelled(w)) {
		pause_ms = next_pause(w, status);
		if (w->handler.lost)
			w->handler.lost(w->arg, status, pause_ms);
		r = renew(w);
		if (r == 0)
			r = open_stream(w, pause_ms);
		if (r == 0) {
			unref(w);
			return;
		}
	}
	if (r == -ECANCELED)
		status_set(&why, ERR_CANCELLED, "the watch was cancelled");
	else if (r < 0)
		status_set(&why, ERR_INTERNAL, "the stream could not be opened again");
	w->handler.done(w->arg, r < 0 ? &why : status);
	unref(w);
}

static int fill_options(struct qm_watch *w, const struct qm_call_options *from)
{
	if (!from)
		return 0;
	w->options = *from;
	for (size_t i = 0; i < from->n_metadata; i++) {
		const struct qm_md *md = &from->metadata[i];

		if (!md->name || (md->value_len > 0 && !md->value))
			return -EINVAL;
		if (mdlist_add(&w->md, md->name, strlen(md->name), md->value, md->value_len) < 0)
			return -ENOMEM;
	}
	w->options.metadata = w->md.v;
	return 0;
}

static int fill(struct qm_watch *w, const struct qm_watch_options *o)
{
	int r = fill_options(w, o->call);

	if (r < 0)
		return r;
	w->path = strdup(o->path);
	w->request = malloc(o->request_len + 1);
	if (!w->path || !w->request)
		return -ENOMEM;
	if (o->request_len > 0)
		memcpy(w->request, o->request, o->request_len);
	w->request_len = o->request_len;
	w->request_field = o->request_field;
	w->answer_field = o->answer_field;
	w->first_pause_ms = o->first_pause_ms ? o->first_pause_ms : FIRST_PAUSE_MS;
	w->last_pause_ms = o->last_pause_ms ? o->last_pause_ms : LAST_PAUSE_MS;
	atomic_init(&w->version, o->version);
	return 0;
}

static bool field_allowed(unsigned number)
{
	return number >= 1 && number <= FIELD_MAX;
}

int qm_watch_start(struct qm_client *client, const struct qm_watch_options *options,
		   const struct qm_watch_handler *handler, void *arg, struct qm_watch **ret_watch)
{
	_cleanup_(unrefp) struct qm_watch *w = NULL;
	int r;

	if (!options->path || !handler->message || !handler->done ||
	    (options->request_len > 0 && !options->request) ||
	    !field_allowed(options->request_field) || !field_allowed(options->answer_field))
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	atomic_init(&w->refs, 1);
	pthread_mutex_init(&w->lock, NULL);
	w->client = client;
	w->handler = *handler;
	w->arg = arg;
	r = fill(w, options);
	if (r == 0)
		r = open_stream(w, 0);
	if (r < 0)
		return r;
	if (ret_watch)
		*ret_watch = TAKE(w);
	return 0;
}

void qm_watch_cancel(struct qm_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->cancelled = true;
	if (w->call)
		qm_call_cancel(w->call);
	pthread_mutex_unlock(&w->lock);
}

void qm_watch_read(struct qm_watch *w, bool on)
{
	pthread_mutex_lock(&w->lock);
	w->paused = !on;
	if (w->call)
		qm_call_read(w->call, on);
	pthread_mutex_unlock(&w->lock);
}

uint64_t qm_watch_version(struct qm_watch *w)
{
	return atomic_load(&w->version);
}

void qm_watch_release(struct qm_watch *w)
{
	unref(w);
}
