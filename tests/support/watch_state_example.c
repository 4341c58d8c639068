/* SPDX-License-Identifier: Apache-2.0 */
/* The second example of docs/client.md: follows the mesh, over losses too. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/unpack.h"
#include "client/qwatch.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

struct follower {
	pthread_mutex_t lock;
	pthread_cond_t ready;
	bool done;
	int code;
	long wanted; /* changes; 0: without end */
	struct qm_watch *watch;
};

/* These three run on the client's I/O thread. */
static void on_change(void *arg, const uint8_t *p, size_t len, uint64_t version)
{
	struct follower *f = arg;
	Pb__WatchStateResponse *change = (Pb__WatchStateResponse *)unpack_message(
		&pb__watch_state_response__descriptor, NULL, p, len);

	printf("version %llu\n", (unsigned long long)version);
	for (size_t i = 0; change && i < change->n_topics; i++)
		printf("  %s\n", change->topics[i]);
	if (change)
		pb__watch_state_response__free_unpacked(change, NULL);
	pthread_mutex_lock(&f->lock);
	if (--f->wanted == 0)
		qm_watch_cancel(f->watch);
	pthread_mutex_unlock(&f->lock);
}

static void on_lost(void *arg, const struct status *status, uint64_t pause_ms)
{
	(void)arg;
	fprintf(stderr, "lost (%s), again in %llu ms\n",
		status->message ? status->message : "ended", (unsigned long long)pause_ms);
}

static void on_done(void *arg, const struct status *status)
{
	struct follower *f = arg;

	pthread_mutex_lock(&f->lock);
	f->code = status->err == ERR_CANCELLED ? 0 : 1;
	f->done = true;
	pthread_cond_signal(&f->ready);
	pthread_mutex_unlock(&f->lock);
}

int main(int argc, char **argv)
{
	static const struct qm_watch_handler handler = {
		.message = on_change, .done = on_done, .lost = on_lost};
	struct follower f = {.lock = PTHREAD_MUTEX_INITIALIZER, .ready = PTHREAD_COND_INITIALIZER};
	struct qm_options options = {.target = argc > 1 ? argv[1] : "unix:/run/qmesh/noded.sock"};
	struct qm_watch_options watch = {
		.path = "/quazzar.mesh.v1.MeshService/WatchState",
		.request_field = 1, /* WatchStateRequest.version */
		.answer_field = 1,  /* WatchStateResponse.version */
	};
	struct qm_client *client;
	char bearer[1100];

	f.wanted = argc > 2 ? atol(argv[2]) : 0;
	if (!getenv("TOKEN") || qm_client_new(&options, &client) < 0)
		return 2;
	snprintf(bearer, sizeof(bearer), "Bearer %s", getenv("TOKEN"));

	struct qm_md metadata = {"authorization", bearer, strlen(bearer)};
	struct qm_call_options call = {.metadata = &metadata, .n_metadata = 1};

	watch.call = &call;
	pthread_mutex_lock(&f.lock);
	if (qm_watch_start(client, &watch, &handler, &f, &f.watch) < 0)
		return 2;
	while (!f.done)
		pthread_cond_wait(&f.ready, &f.lock);
	pthread_mutex_unlock(&f.lock);
	qm_watch_release(f.watch);
	qm_client_free(client);
	return f.code;
}
