/* SPDX-License-Identifier: Apache-2.0 */
/* Calls as pipes over the callbacks of qmesh.h; see qstream.h. */
#include "client/qstream.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/queue.h>

#include "client/channel.h"
#include "client/mdlist.h"
#include "client/qcall.h"

/* So much may wait to be received; then the server waits. */
#define AHEAD_MAX (64 * 1024)

struct arrival {
	TAILQ_ENTRY(arrival) link;
	size_t len;
	uint8_t *bytes;
};

struct qm_stream {
	struct qm_client *client;
	struct qm_call *call;
	enum qm_kind kind;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	TAILQ_HEAD(, arrival) arrivals;
	size_t waiting; /* their bytes */
	struct mdlist headers, trailers;
	bool got_headers, over, told, paused, no_memory, unwanted, cancelled;
	struct status status;
};

static void wipe_free(uint8_t *p, size_t len)
{
	explicit_bzero(p, len);
	free(p);
}

static void copy_md(struct qm_stream *s, struct mdlist *to, const struct qm_md *md, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (mdlist_add(to, md[i].name, strlen(md[i].name), md[i].value, md[i].value_len) <
		    0)
			s->no_memory = true;
}

/* --- on the I/O thread --- */

static void on_metadata(void *arg, const struct qm_md *md, size_t n)
{
	struct qm_stream *s = arg;

	pthread_mutex_lock(&s->lock);
	copy_md(s, &s->headers, md, n);
	s->got_headers = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void on_trailers(void *arg, const struct qm_md *md, size_t n)
{
	struct qm_stream *s = arg;

	pthread_mutex_lock(&s->lock);
	copy_md(s, &s->trailers, md, n);
	pthread_mutex_unlock(&s->lock);
}

static struct arrival *make_arrival(const uint8_t *p, size_t len)
{
	struct arrival *a = malloc(sizeof(*a));

	if (!a)
		return NULL;
	a->len = len;
	a->bytes = malloc(len + 1);
	if (!a->bytes) {
		free(a);
		return NULL;
	}
	memcpy(a->bytes, p, len);
	a->bytes[len] = 0;
	return a;
}

static void on_message(void *arg, const uint8_t *p, size_t len)
{
	struct arrival *a = make_arrival(p, len);
	struct qm_stream *s = arg;

	pthread_mutex_lock(&s->lock);
	s->got_headers = true;
	if (!a || s->unwanted) {
		s->no_memory |= !a;
		if (a) {
			wipe_free(a->bytes, a->len);
			free(a);
		}
	} else {
		TAILQ_INSERT_TAIL(&s->arrivals, a, link);
		s->waiting += len;
	}
	if (s->waiting >= AHEAD_MAX && !s->paused) {
		s->paused = true;
		qm_call_read(s->call, false);
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void on_writable(void *arg)
{
	struct qm_stream *s = arg;

	pthread_mutex_lock(&s->lock);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* What the server made of it came behind the caller's word, whether it was here already or not. */
static void set_cancelled(struct qm_stream *s)
{
	status_set(&s->status, ERR_CANCELLED, "the call was cancelled");
}

static void on_done(void *arg, const struct status *status)
{
	struct qm_stream *s = arg;

	pthread_mutex_lock(&s->lock);
	if (status_copy(status, &s->status) < 0)
		s->status = (struct status){.code = status->code, .err = status->err};
	if (s->cancelled)
		set_cancelled(s);
	s->over = s->got_headers = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* --- on the caller's threads --- */

static int start_call(struct qm_stream *s, const char *path, const struct qm_call_options *options)
{
	static const struct qm_handler handler = {.metadata = on_metadata,
						  .message = on_message,
						  .done = on_done,
						  .trailers = on_trailers,
						  .writable = on_writable};
	/* Requests come one by one here whatever the kind; how many answers there are stays. */
	struct qcall_spec spec = {.path = path,
				  .options = options,
				  .handler = &handler,
				  .arg = s,
				  .kind = s->kind == QM_UNARY ? QM_CLIENT_STREAM : s->kind};
	int r;

	if (s->kind == QM_SERVER_STREAM)
		spec.kind = QM_BIDI;
	/* Callbacks may come before the handle is known: they wait for the lock. */
	pthread_mutex_lock(&s->lock);
	r = qmesh_submit(s->client, &spec, &s->call);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void drop(struct qm_stream *s)
{
	struct arrival *a;

	while ((a = TAILQ_FIRST(&s->arrivals))) {
		TAILQ_REMOVE(&s->arrivals, a, link);
		wipe_free(a->bytes, a->len);
		free(a);
	}
	s->waiting = 0;
}

static void destroy(struct qm_stream *s)
{
	drop(s);
	mdlist_done(&s->headers);
	mdlist_done(&s->trailers);
	status_done(&s->status);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int qm_stream_open(struct qm_client *client, const char *path, enum qm_kind kind,
		   const struct qm_call_options *options, struct qm_stream **ret_stream)
{
	struct qm_stream *s;
	int r;

	if (qmesh_is_io_thread(client))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->client = client;
	s->kind = kind;
	TAILQ_INIT(&s->arrivals);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	r = start_call(s, path, options);
	if (r < 0) {
		destroy(s);
		return r;
	}
	*ret_stream = s;
	return 0;
}

/* Under the lock: what comes now is dropped, and nothing holds the end back. */
static void read_on(struct qm_stream *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	qm_call_read(s->call, true);
}

static void wait_for_end(struct qm_stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->unwanted = true;
	drop(s);
	read_on(s);
	while (!s->over)
		pthread_cond_wait(&s->changed, &s->lock);
	s->told = true;
	pthread_mutex_unlock(&s->lock);
}

void qm_stream_free(struct qm_stream *s)
{
	if (!s)
		return;
	qm_call_cancel(s->call);
	wait_for_end(s);
	qm_call_release(s->call);
	destroy(s);
}

int qm_stream_send(struct qm_stream *s, const void *request, size_t len)
{
	int r;

	pthread_mutex_lock(&s->lock);
	while ((r = qm_call_send(s->call, request, len)) == -EAGAIN && !s->over)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	if (r == 0 && (s->kind == QM_UNARY || s->kind == QM_SERVER_STREAM))
		qm_call_end(s->call);
	return r == -EAGAIN ? -EPIPE : r;
}

void qm_stream_end(struct qm_stream *s)
{
	qm_call_end(s->call);
}

int qm_stream_receive(struct qm_stream *s, uint8_t **ret_p, size_t *ret_len)
{
	struct arrival *a;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	while (!(a = TAILQ_FIRST(&s->arrivals)) && !s->over && !s->no_memory)
		pthread_cond_wait(&s->changed, &s->lock);
	if (a) {
		TAILQ_REMOVE(&s->arrivals, a, link);
		s->waiting -= a->len;
		if (s->waiting < AHEAD_MAX / 2)
			read_on(s);
		*ret_p = a->bytes;
		*ret_len = a->len;
		free(a);
		r = 1;
	} else if (s->no_memory) {
		r = -ENOMEM;
	} else {
		s->told = true;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

void qm_stream_cancel(struct qm_stream *s)
{
	pthread_mutex_lock(&s->lock);
	if (!s->told) {
		s->cancelled = s->unwanted = true;
		drop(s);
		read_on(s);
		if (s->over)
			set_cancelled(s);
	}
	pthread_mutex_unlock(&s->lock);
	qm_call_cancel(s->call);
}

const struct status *qm_stream_status(struct qm_stream *s)
{
	wait_for_end(s);
	return &s->status;
}

const struct qm_md *qm_stream_headers(struct qm_stream *s, size_t *ret_n)
{
	pthread_mutex_lock(&s->lock);
	while (!s->got_headers)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	*ret_n = s->headers.n;
	return s->headers.v;
}

const struct qm_md *qm_stream_trailers(struct qm_stream *s, size_t *ret_n)
{
	pthread_mutex_lock(&s->lock);
	*ret_n = s->over ? s->trailers.n : 0;
	pthread_mutex_unlock(&s->lock);
	return s->trailers.v;
}
