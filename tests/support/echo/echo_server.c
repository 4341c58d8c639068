/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport with nothing behind it: an Echo service, a plain HTTP door and
 * all three kinds of listeners. Prints the ports it got, then "ready".
 *
 *   echo_server [--plain] [--tls CERT KEY] [--unix PATH] [--loops N] [--http1] [--grace MS]
 *
 * SIGTERM drains. Exit 0 when every call and exchange was given back.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"
#include "echo.pb-c.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/grpc.h"
#include "server/rpc/server.h"

#define STREAM_QUEUE_MAX 64
#define STREAM_BYTES_MAX (1u << 20)

static struct server *server;
static atomic_long n_ended, n_started, n_http;

static void count_end(struct call *call, void *arg)
{
	(void)call;
	(void)arg;
	n_ended++;
}

static void count(struct call *call)
{
	n_started++;
	call_on_end(call, count_end, NULL);
}

static int copy(struct call *call, const Qmesh__Test__Msg *in, Qmesh__Test__Msg *out)
{
	(void)call;
	out->data = in->data;
	out->n = in->n;
	out->text = in->text;
	return 0;
}

static int unary(struct call *call, const void *in, void *out)
{
	return copy(call, in, out);
}

static void slow_answer(struct call *call, void *arg)
{
	(void)arg;
	copy(call, (const Qmesh__Test__Msg *)call->in, (Qmesh__Test__Msg *)call->out);
	call_finish(call, 0);
}

static int slow(struct call *call, const void *in, void *out)
{
	(void)out;
	count(call);
	call_after(call, ((const Qmesh__Test__Msg *)in)->ms, slow_answer, NULL);
	return CALL_PARKED;
}

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static int block(struct call *call, const void *in, void *out)
{
	count(call);
	sleep_ms(((const Qmesh__Test__Msg *)in)->ms);
	return copy(call, in, out);
}

static int fail(struct call *call, const void *in, void *out)
{
	const Qmesh__Test__Msg *m = in;

	(void)out;
	if (m->n == 0)
		return -EIO;
	return call_fail(call, (enum err)m->n, "%s", m->text);
}

static int send_one(struct call *call, unsigned n)
{
	const Qmesh__Test__Msg *in = (const Qmesh__Test__Msg *)call->in;
	_cleanup_(freep) uint8_t *data = calloc(1, in->size + 1);
	Qmesh__Test__Msg m = QMESH__TEST__MSG__INIT;

	m.n = n;
	m.data.data = data;
	m.data.len = in->size;
	return call_send(call, &m.base);
}

/* On the loop: as many as fit the queue, the rest later. */
static void pump(struct call *call, void *arg)
{
	const Qmesh__Test__Msg *in = (const Qmesh__Test__Msg *)call->in;
	uintptr_t sent = (uintptr_t)call->user;
	size_t room = STREAM_BYTES_MAX / (in->size + 1) + 1;

	(void)arg;
	room = room < STREAM_QUEUE_MAX ? room : STREAM_QUEUE_MAX;
	while (sent < in->n && call_queued(call) < room) {
		if (send_one(call, (unsigned)sent++))
			return;
		call->user = (void *)sent;
		if (in->ms)
			break;
	}
	if (sent == in->n)
		call_finish(call, 0);
	else
		call_after(call, in->ms ? in->ms : 2, pump, NULL);
}

static void *publisher(void *arg)
{
	struct call *call = arg;
	const Qmesh__Test__Msg *in = (const Qmesh__Test__Msg *)call->in;

	for (unsigned i = 0; i < in->n; i++) {
		if (send_one(call, i))
			break;
		if (in->ms)
			sleep_ms(in->ms);
	}
	call_finish(call, 0);
	call_unref(call);
	return NULL;
}

static int server_stream(struct call *call, const void *in, void *out)
{
	const Qmesh__Test__Msg *m = in;
	pthread_t thread;

	(void)out;
	count(call);
	if (m->data.len == 0) {
		pump(call, NULL);
		return CALL_PARKED;
	}
	if (pthread_create(&thread, NULL, publisher, call_ref(call)) != 0) {
		call_unref(call);
		return -EAGAIN;
	}
	pthread_detach(thread);
	return CALL_PARKED;
}

static int subscribe(struct call *call, const void *in, void *out)
{
	(void)in;
	(void)out;
	count(call);
	return CALL_PARKED;
}

extern const struct service echo_desc;

#define ROW(i, name_, kind_, audience_, lane_)                                                     \
	{                                                                                          \
		.path = "/qmesh.test.Echo/" name_, .name = name_, .service = &echo_desc,           \
		.index = i, .kind = kind_, .in = &qmesh__test__msg__descriptor,                    \
		.out = &qmesh__test__msg__descriptor,                                              \
		.policy = {.audience = audience_,                                                  \
			   .lane = lane_,                                                          \
			   .body_limit = 4 << 20,                                                  \
			   .http_status = 200},                                                    \
	}

static const struct method methods[] = {
	ROW(0, "Unary", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_INLINE),
	ROW(1, "Work", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_WORKER),
	ROW(2, "Slow", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_INLINE),
	ROW(3, "Block", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_WORKER),
	ROW(4, "Fail", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_INLINE),
	ROW(5, "ServerStream", METHOD_SERVER_STREAM, AUDIENCE_PUBLIC, LANE_INLINE),
	ROW(6, "Subscribe", METHOD_SERVER_STREAM, AUDIENCE_PUBLIC, LANE_INLINE),
	ROW(7, "Nobody", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_INLINE),
	ROW(8, "Operate", METHOD_UNARY, AUDIENCE_OPERATOR, LANE_INLINE),
	ROW(9, "ClientStream", METHOD_CLIENT_STREAM, AUDIENCE_PUBLIC, LANE_INLINE),
};

const struct service echo_desc = {
	.name = "qmesh.test.Echo", .methods = methods, .n_methods = ARRAY_LEN(methods)};

static const handler_fn handlers[] = {
	unary, unary, slow, block, fail, server_stream, subscribe, NULL, unary, NULL,
};

/* --- the plain door: /stats, /sse, everything else comes back as it was sent --- */

struct http {
	struct text body;
	bool answered;
};

static bool http_claims(const struct exchange *x)
{
	(void)x;
	return true;
}

static void http_open(struct exchange *x, void *owner)
{
	struct http *h = calloc(1, sizeof(*h));

	(void)owner;
	n_http++;
	h->body = TEXT_INIT(1 << 20);
	x->user = h;
}

static void http_data(struct exchange *x, const uint8_t *p, size_t len)
{
	text_add(&((struct http *)x->user)->body, p, len);
}

static void http_end(struct exchange *x)
{
	static const struct header type = {"content-type", "text/plain", 10};
	static const struct header events = {"content-type", "text/event-stream", 17};
	struct http *h = x->user;

	if (strcmp(x->path, "/sse") == 0) {
		exchange_head(x, 200, &events, 1);
		exchange_write(x, "data: hello\n\n", 13);
		return;
	}
	if (strcmp(x->path, "/empty") == 0) {
		exchange_head(x, 204, NULL, 0);
		exchange_finish(x, NULL, 0);
		return;
	}
	if (strcmp(x->path, "/stats") == 0) {
		text_done(&h->body);
		h->body = TEXT_INIT(4096);
		server_metrics(server, &h->body);
		text_addf(&h->body, "started %ld\nended %ld\nhttp %ld\n", (long)n_started,
			  (long)n_ended, (long)n_http);
	}
	exchange_head(x, h->body.failed ? 413 : 200, &type, 1);
	if (!h->body.failed)
		exchange_write(x, h->body.s, h->body.len);
	exchange_finish(x, NULL, 0);
}

static void http_gone(struct exchange *x)
{
	struct http *h = x->user;

	text_done(&h->body);
	free(h);
	n_http--;
}

static const struct door http_door = {
	.name = "http",
	.claims = http_claims,
	.open = http_open,
	.data = http_data,
	.end = http_end,
	.gone = http_gone,
};

static int open_listener(const char *word, const struct listener_options *o)
{
	uint16_t port = 0;
	int r = server_listen(server, o, &port);

	if (r == 0)
		printf("%s %u\n", word, port);
	return r;
}

static void die(const char *what)
{
	fprintf(stderr, "echo_server: %s\n", what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct services *services = services_new(NULL);
	struct server_options options = {.loops = 1, .services = services};
	struct listener_options tls = {.kind = LISTENER_TLS, .address = "127.0.0.1:0"};
	struct listener_options plain = {.kind = LISTENER_PLAIN, .address = "127.0.0.1:0"};
	struct listener_options path = {.kind = LISTENER_UNIX, .admin_gid = (gid_t)-1};
	bool http2 = true, with_plain = false;
	uint64_t grace = 3000;
	sigset_t set;
	int sig, r;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--plain") == 0)
			with_plain = true;
		else if (strcmp(argv[i], "--http1") == 0)
			http2 = false;
		else if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc)
			tls.cert_file = argv[++i], tls.key_file = argv[++i];
		else if (strcmp(argv[i], "--unix") == 0 && i + 1 < argc)
			path.address = argv[++i];
		else if (strcmp(argv[i], "--loops") == 0 && i + 1 < argc)
			options.loops = (unsigned)atoi(argv[++i]);
		else if (strcmp(argv[i], "--grace") == 0 && i + 1 < argc)
			grace = (uint64_t)atoi(argv[++i]);
		else
			die("unknown option");
	}
	tls.http2 = plain.http2 = path.http2 = http2;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigdelset(&set, SIGPIPE);
	if (service_add(services, &echo_desc, handlers, NULL) < 0 ||
	    server_new(&options, &server) < 0 ||
	    server_add_door(server, &grpc_door, services) < 0 ||
	    server_add_door(server, &http_door, NULL) < 0)
		die("cannot make a server");
	r = with_plain ? open_listener("plain", &plain) : 0;
	if (r == 0 && path.address)
		r = open_listener("unix", &path);
	if (r < 0 || server_start(server) < 0)
		die("cannot start");
	if (tls.cert_file && open_listener("tls", &tls) < 0) /* late, as a node's mesh address */
		die("cannot listen");
	printf("ready\n");
	fflush(stdout);
	sigwait(&set, &sig);
	server_stop(server, grace);
	server_free(server);
	services_free(services);
	fprintf(stderr, "started %ld ended %ld http %ld\n", (long)n_started, (long)n_ended,
		(long)n_http);
	return n_started == n_ended && n_http == 0 ? 0 : 3;
}
