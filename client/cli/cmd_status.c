/* SPDX-License-Identifier: Apache-2.0 */
/* The mesh in one look: status, features. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/unpack.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "client/qwatch.h"
#include "gen/rpc/stubs.h"

static int64_t ms_of(const Google__Protobuf__Timestamp *t)
{
	return t->seconds * 1000 + t->nanos / 1000000;
}

static void line(const char *what, const char *value)
{
	print_line(stdout, "%-12s %s", what, value && value[0] ? value : "-");
}

/* How long devices are served without word from the Control Panel. */
static void show_lease(const Pb__State *s)
{
	uint64_t left = s->lease_left_s;

	if (!s->lease_s)
		line("lease", "for ever");
	else if (s->lease_over)
		line("lease", "over: devices are not served until the Control Panel answers");
	else if (left >= 2 * 86400)
		printf("%-12s %" PRIu64 " days left\n", "lease", left / 86400);
	else if (left)
		printf("%-12s %" PRIu64 ":%02u:%02u left\n", "lease", left / 3600,
		       (unsigned)(left / 60 % 60), (unsigned)(left % 60));
	else
		printf("%-12s %" PRIu64 " h without the Control Panel\n", "lease",
		       s->lease_s / 3600);
}

/* Is everyone up to date, and if not who, since when and why. */
static void show_nodes(const Pb__State *s)
{
	char when[32];

	printf("%-12s %" PRIu64 "%s\n", "generation", s->generation,
	       s->converged ? ", on every node that is up" : ", not yet on every node");
	if (s->nodes == 0)
		return;
	printf("%-12s %u of %u up to date", "nodes", s->nodes_current, s->nodes);
	if (s->nodes_lagging)
		printf(", %u not", s->nodes_lagging);
	putchar('\n');
	for (size_t i = 0; i < s->n_laggards; i++) {
		const Pb__Laggard *l = s->laggards[i];

		print_line(stdout, "%-12s %s: %s%s%s", "", l->label, l->why,
			   l->since ? ", since " : "",
			   l->since ? print_ago(ms_of(l->since), clock_wall_ms(), when) : "");
	}
	if (s->nodes_lagging > s->n_laggards)
		printf("%-12s and %u more: qmesh node list\n", "",
		       s->nodes_lagging - (uint32_t)s->n_laggards);
}

static void show(const Pb__State *s)
{
	char text[64], when[32];

	line("mesh", s->active ? "up" : "down");
	if (s->node_label[0])
		line("node", s->node_label);
	if (s->mesh_ip[0])
		line("address", s->mesh_ip);
	line("range", s->range);
	if (s->endpoint[0])
		line("endpoint", s->endpoint);
	if (s->backend[0])
		printf("%-12s %s, UDP port %u\n", "wireguard", s->backend, s->listen_port);
	if (s->backend_why[0])
		line("", s->backend_why);
	printf("%-12s %u\n", "peers", s->peer_count);
	line("dns", s->dns_status);
	if (s->https_status[0])
		line("https", s->https_status);
	if (s->https_url[0])
		line("", s->https_url);
	if (s->forwarding[0])
		line("forwarding", s->forwarding);
	print_enum(&pb__plan__descriptor, (int)s->plan, "PLAN_", text);
	if (s->devices_cap)
		printf("%-12s %s, %u of %u devices\n", "plan", text, s->devices_used,
		       s->devices_cap);
	else
		printf("%-12s %s, %u devices\n", "plan", text, s->devices_used);
	for (size_t i = 0; i < s->n_notices; i++)
		line("", s->notices[i]);
	if (s->cp_connected)
		line("control", "connected");
	else if (s->cp_lost_at)
		printf("%-12s lost %s; the list is as old\n", "control",
		       print_ago(ms_of(s->cp_lost_at), clock_wall_ms(), when));
	else
		line("control", "not connected");
	show_lease(s);
	show_nodes(s);
}

/*
 * WatchState on the I/O thread; the main thread only waits for its end. Once it has shown
 * something it goes on over restarts and lost connections; before that, who cannot be reached
 * is an error as with every other command.
 */
struct watch {
	pthread_mutex_t lock;
	pthread_cond_t ready;
	struct qm_watch *stream;
	bool seen, done, json;
	struct status status;
};

static void print_change(const Pb__WatchStateResponse *out)
{
	_cleanup_(text_done) struct text topics = TEXT_INIT(256);
	const Pb__State *s = out->state;
	char when[32];

	for (size_t i = 0; i < out->n_topics; i++)
		text_addf(&topics, "%s%s", i ? "," : "", out->topics[i]);
	clock_rfc3339(clock_wall_ms(), when);
	if (!s)
		print_line(stdout, "%s %s", when, topics.s ? topics.s : "-");
	else
		print_line(stdout,
			   "%s %s: mesh %s, %u peers, %u devices, generation %" PRIu64
			   " on %u of %u nodes%s",
			   when, topics.s ? topics.s : "-", s->active ? "up" : "down",
			   s->peer_count, s->devices_used, s->generation, s->nodes_current,
			   s->nodes, s->cp_connected ? "" : ", control lost");
}

static void on_change(void *arg, const uint8_t *p, size_t len, uint64_t version)
{
	struct watch *w = arg;
	Pb__WatchStateResponse *out = (Pb__WatchStateResponse *)unpack_message(
		&pb__watch_state_response__descriptor, NULL, p, len);

	(void)version;
	w->seen = true;
	if (!out)
		return;
	/* A line that has no JSON form is left out; the next one comes. */
	if (!w->json)
		print_change(out);
	else if (print_json(stdout, "qmesh.state.change/1", &out->base) < 0)
		fputs("error: a change could not be shown\n", stderr);
	fflush(stdout);
	pb__watch_state_response__free_unpacked(out, NULL);
}

/* The first end that counts is kept; under the lock. */
static void keep_end(struct watch *w, const struct status *status)
{
	if (!w->done && status_copy(status, &w->status) < 0)
		w->status.code = GRPC_INTERNAL;
	w->done = true;
	pthread_cond_signal(&w->ready);
}

static void on_lost(void *arg, const struct status *status, uint64_t pause_ms)
{
	struct watch *w = arg;

	(void)pause_ms;
	if (w->seen) {
		print_problem(NULL, "the stream ended (%s), trying again",
			      status->message && status->message[0] ? status->message
								    : "the server closed it");
		return;
	}
	pthread_mutex_lock(&w->lock);
	keep_end(w, status);
	pthread_mutex_unlock(&w->lock);
}

static void on_done(void *arg, const struct status *status)
{
	struct watch *w = arg;

	pthread_mutex_lock(&w->lock);
	keep_end(w, status);
	pthread_mutex_unlock(&w->lock);
}

static int start_watch(struct cli *cli, struct watch *w)
{
	static const struct qm_watch_handler handler = {
		.message = on_change, .done = on_done, .lost = on_lost};
	struct qm_watch_options options = {
		.path = "/quazzar.mesh.v1.MeshService/WatchState",
		.request_field = 1, /* version, in both */
		.answer_field = 1,
		.call = &cli->call,
	};

	cli->call.timeout_ms = 0;
	return qm_watch_start(cli->client, &options, &handler, w, &w->stream);
}

static int watch_state(struct cli *cli)
{
	struct watch w = {.lock = PTHREAD_MUTEX_INITIALIZER,
			  .ready = PTHREAD_COND_INITIALIZER,
			  .json = cli->json};
	int code, r;

	r = start_watch(cli, &w);
	if (r < 0) {
		print_problem(NULL, "the call was not made: %s", strerror(-r));
		return EXIT_OTHER;
	}
	pthread_mutex_lock(&w.lock);
	while (!w.done)
		pthread_cond_wait(&w.ready, &w.lock);
	pthread_mutex_unlock(&w.lock);
	qm_watch_release(w.stream);
	reach_close(cli); /* nothing of the watch runs behind this */
	code = reach_exit_code(&w.status);
	if (code)
		print_failure(&w.status, cli->json);
	status_done(&w.status);
	return code;
}

static int run_status(struct cli *cli)
{
	_cleanup_(reach_free) Pb__GetStateResponse *out = NULL;
	Pb__GetStateRequest in = PB__GET_STATE_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	code = reach_open(cli);
	if (code)
		return code;
	if (args_has(&cli->args, "--watch"))
		return watch_state(cli);
	code = reach_outcome(cli, qm_get_state(cli->client, &cli->call, &in, &reply, &out), &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.state/1", &out->base) < 0 ? EXIT_OTHER : 0;
	if (out->state)
		show(out->state);
	return EXIT_DONE;
}

static int run_features(struct cli *cli)
{
	_cleanup_(reach_free) Pb__GetOrbitFeaturesResponse *out = NULL;
	Pb__GetOrbitFeaturesRequest in = PB__GET_ORBIT_FEATURES_REQUEST__INIT;
	struct print_table t;
	struct qm_reply reply;
	char text[64];
	int code;

	code = reach_open(cli);
	if (code)
		return code;
	code = reach_outcome(cli, qm_get_orbit_features(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.features/1", &out->base) < 0 ? EXIT_OTHER : 0;
	printf("plan %s\n", print_enum(&pb__plan__descriptor, (int)out->plan, "PLAN_", text));
	print_table_init(&t, "FEATURE|ON|USED|CAP|WHY");
	for (size_t i = 0; i < out->n_features; i++) {
		const Pb__Feature *f = out->features[i]->value;

		if (!f)
			continue;
		print_cell(&t, out->features[i]->key);
		print_cell(&t, f->enabled ? "yes" : "no");
		print_cellf(&t, "%u", f->used);
		if (f->cap)
			print_cellf(&t, "%u", f->cap);
		else
			print_cell(&t, NULL);
		print_cell(&t, f->why);
	}
	print_table_done(&t, stdout);
	return EXIT_DONE;
}

static const struct flag status_flags[] = {
	{"--watch", NULL, "a line at each change, until interrupted; goes on after a restart"},
	{NULL, NULL, NULL},
};

const struct command cmd_status_table[] = {
	{"status", "", "The mesh in one look", 0, 0, status_flags, run_status},
	{"features", "", "What the plan has, and what is used of it", 0, 0, NULL, run_features},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
