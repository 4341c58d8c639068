/* SPDX-License-Identifier: Apache-2.0 */
/* The public face of libqmesh; see qmesh.h. The work is in channel.c and qcall.c. */
#include "client/qmesh.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "client/channel.h"

struct qm_client {
	struct channel *channel;
};

int qm_client_new(const struct qm_options *options, struct qm_client **ret_client)
{
	struct qm_client *client;
	int r;

	if (!options || !options->target)
		return -EINVAL;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	r = channel_new(options, &client->channel);
	if (r < 0) {
		free(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

void qm_client_free(struct qm_client *client)
{
	if (!client)
		return;
	channel_stop(client->channel);
	free(client);
}

int qm_client_set_pins(struct qm_client *client, const uint8_t (*pins)[32], size_t n)
{
	return channel_set_pins(client->channel, pins, n);
}

int qmesh_submit(struct qm_client *client, const struct qcall_spec *spec, struct qm_call **ret_call)
{
	_cleanup_(qcall_unrefp) struct qm_call *call = NULL;
	int r;

	r = qcall_new(spec, &call);
	if (r < 0)
		return r;
	call->channel = channel_ref(client->channel);
	r = channel_submit(client->channel, call);
	if (r == 0 && ret_call)
		*ret_call = TAKE(call);
	return r;
}

bool qmesh_is_io_thread(const struct qm_client *client)
{
	return channel_is_self(client->channel);
}

int qm_start(struct qm_client *client, const char *path, const void *request, size_t len,
	     const struct qm_call_options *options, const struct qm_handler *handler, void *arg,
	     struct qm_call **ret_call)
{
	struct qcall_spec spec = {path, request, len, options, handler, arg, QM_SERVER_STREAM, 0};

	return qmesh_submit(client, &spec, ret_call);
}

int qm_open(struct qm_client *client, const char *path, const struct qm_call_options *options,
	    const struct qm_handler *handler, void *arg, struct qm_call **ret_call)
{
	bool one_answer = options && options->one_answer;
	struct qcall_spec spec = {.path = path,
				  .options = options,
				  .handler = handler,
				  .arg = arg,
				  .kind = one_answer ? QM_CLIENT_STREAM : QM_BIDI};

	return qmesh_submit(client, &spec, ret_call);
}

int qm_call_send(struct qm_call *call, const void *request, size_t len)
{
	int r = outbox_add(&call->requests, request, len);

	if (r == 0)
		channel_poke(call->channel, call);
	return r;
}

void qm_call_end(struct qm_call *call)
{
	outbox_end(&call->requests);
	if (!atomic_load(&call->ended))
		channel_poke(call->channel, call);
}

void qm_call_cancel(struct qm_call *call)
{
	if (!atomic_load(&call->ended))
		channel_cancel(call->channel, call);
}

void qm_call_release(struct qm_call *call)
{
	qcall_unref(call);
}

void qm_call_read(struct qm_call *call, bool on)
{
	if (atomic_exchange(&call->read_on, on) != on && on && !atomic_load(&call->ended))
		channel_poke(call->channel, call);
}

/* A blocking call being collected. The waiter owns it and outlives done. */
struct unary {
	pthread_mutex_t lock;
	pthread_cond_t ready;
	bool done;
	struct qm_reply reply;
	struct mdlist md;
	size_t n_initial;
	bool no_memory;
};

static void note_metadata(struct unary *u, const struct qm_md *md, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (mdlist_add(&u->md, md[i].name, strlen(md[i].name), md[i].value,
			       md[i].value_len) < 0)
			u->no_memory = true;
}

static void unary_metadata(void *arg, const struct qm_md *md, size_t n)
{
	struct unary *u = arg;

	note_metadata(u, md, n);
	u->n_initial = u->md.n;
}

static void unary_trailers(void *arg, const struct qm_md *md, size_t n)
{
	note_metadata(arg, md, n);
}

static void unary_message(void *arg, const uint8_t *p, size_t len)
{
	struct unary *u = arg;

	u->reply.message = malloc(len + 1);
	if (!u->reply.message) {
		u->no_memory = true;
		return;
	}
	memcpy(u->reply.message, p, len);
	u->reply.message[len] = 0;
	u->reply.len = len;
}

static void unary_done(void *arg, const struct status *status)
{
	struct unary *u = arg;

	if (status_copy(status, &u->reply.status) < 0)
		u->no_memory = true;
	pthread_mutex_lock(&u->lock);
	u->done = true;
	pthread_cond_signal(&u->ready);
	pthread_mutex_unlock(&u->lock);
}

static void drop_message(struct qm_reply *reply)
{
	if (reply->message)
		explicit_bzero(reply->message, reply->len);
	free(reply->message);
	reply->message = NULL;
	reply->len = 0;
}

/* Everything is in: brings the reply into the shape that the header promises. */
static int settle(struct unary *u)
{
	struct status *s = &u->reply.status;

	u->reply.metadata = u->md.v;
	u->reply.n_metadata = u->md.n;
	u->reply.n_initial = u->n_initial;
	if (u->no_memory) {
		qm_reply_done(&u->reply);
		return -ENOMEM;
	}
	if (s->code != GRPC_OK)
		drop_message(&u->reply);
	return 0;
}

int qm_unary(struct qm_client *client, const char *path, const void *request, size_t len,
	     const struct qm_call_options *options, struct qm_reply *ret_reply)
{
	static const struct qm_handler handler = {.metadata = unary_metadata,
						  .message = unary_message,
						  .done = unary_done,
						  .trailers = unary_trailers};
	struct unary u = {.lock = PTHREAD_MUTEX_INITIALIZER, .ready = PTHREAD_COND_INITIALIZER};
	int r;

	/* The I/O thread would wait for itself. */
	if (channel_is_self(client->channel))
		return -EINVAL;
	r = qmesh_submit(
		client,
		&(struct qcall_spec){path, request, len, options, &handler, &u, QM_UNARY, 0}, NULL);
	if (r < 0)
		return r;
	pthread_mutex_lock(&u.lock);
	while (!u.done)
		pthread_cond_wait(&u.ready, &u.lock);
	pthread_mutex_unlock(&u.lock);
	r = settle(&u);
	if (r == 0)
		*ret_reply = u.reply;
	return r;
}

void qm_reply_done(struct qm_reply *reply)
{
	struct mdlist md = {.v = reply->metadata, .n = reply->n_metadata};

	status_done(&reply->status);
	drop_message(reply);
	mdlist_done(&md);
	reply->metadata = NULL;
	reply->n_metadata = reply->n_initial = 0;
}

const char *qm_reply_get(const struct qm_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->n_metadata; i++)
		if (strcmp(reply->metadata[i].name, name) == 0)
			return reply->metadata[i].value;
	return NULL;
}
