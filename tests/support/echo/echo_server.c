/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport with nothing behind it: an Echo service, a plain HTTP door and
 * all three kinds of listeners. Prints the ports it got, then "ready". With
 * --web gRPC-Web and Connect too, for pages of these origins ("" for none).
 *
 *   echo_server [--plain] [--tls CERT KEY] [--unix PATH] [--loops N] [--http1] [--grace MS]
 *               [--web ORIGINS] [--age MS GRACE_MS]
 *
 * SIGTERM drains. Exit 0 when every call and exchange was given back.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "echo.pb-c.h"
#include "gateway/connect.h"
#include "gateway/grpcweb.h"
#include "gateway/webcall.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/grpc.h"
#include "server/rpc/server.h"
#include "server/rpc/timer.h"

#define STREAM_QUEUE_MAX 64
#define STREAM_BYTES_MAX (1u << 20)

static struct server *server;
static struct web web;
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
	static const char *const names[] = {"x-echo", "x-echo-bin"};
	const char *value;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		value = call_metadata(call, names[i]);

		if (value && call_header(call, names[i], "%s", value) < 0)
			return -ENOMEM;
	}
	value = call_metadata(call, "x-end");
	if (value && (call_trailer(call, "x-end", "%s", value) < 0 ||
		      call_trailer(call, "x-end", "again") < 0))
		return -ENOMEM;
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

#define BLOCK_MAX_MS 10000 /* whatever a mutator asks for: a stop waits for the worker */

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static int block(struct call *call, const void *in, void *out)
{
	const uint32_t ms = ((const Qmesh__Test__Msg *)in)->ms;

	count(call);
	sleep_ms(ms < BLOCK_MAX_MS ? ms : BLOCK_MAX_MS);
	return copy(call, in, out);
}

#define LEAVE_DEEP 24576 /* out of the way of what the thread does next */

__attribute__((noinline)) static void leave_behind(uint32_t n)
{
	char deep[LEAVE_DEEP];

	memset(deep, 0, sizeof(deep));
	snprintf(deep, 64, "left%012u", n);
	__asm__ volatile("" : : "r"(deep) : "memory");
}

static int leave(struct call *call, const void *in, void *out)
{
	leave_behind(((const Qmesh__Test__Msg *)in)->n);
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

static void publisher(void *arg)
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
}

static int server_stream(struct call *call, const void *in, void *out)
{
	const Qmesh__Test__Msg *m = in;

	(void)out;
	count(call);
	if (call_metadata(call, "x-end") &&
	    (call_trailer(call, "x-end", "one") < 0 || call_trailer(call, "x-end", "two") < 0))
		return -ENOMEM;
	if (m->data.len == 0) {
		pump(call, NULL);
		return CALL_PARKED;
	}
	if (server_work(server, publisher, call_ref(call)) < 0) {
		call_unref(call);
		return -EAGAIN;
	}
	return CALL_PARKED;
}

static int subscribe(struct call *call, const void *in, void *out)
{
	(void)in;
	(void)out;
	count(call);
	return CALL_PARKED;
}

static int sum_one(struct call *call, const ProtobufCMessage *msg, void *arg)
{
	Qmesh__Test__Msg *out = (Qmesh__Test__Msg *)call->out;

	(void)arg;
	out->n += ((const Qmesh__Test__Msg *)msg)->n;
	out->size++;
	return 0;
}

static int sum_end(struct call *call, void *arg)
{
	Qmesh__Test__Msg *out = (Qmesh__Test__Msg *)call->out;

	(void)arg;
	out->text = arena_printf(&call->arena, "%u", out->size);
	return out->text ? 0 : -ENOMEM;
}

static int client_stream(struct call *call, const void *out, void *none)
{
	static const struct call_receiver receiver = {.message = sum_one, .half_closed = sum_end};
	int r;

	(void)out;
	(void)none;
	count(call);
	r = call_receive(call, &receiver, NULL);
	return r ? r : CALL_PARKED;
}

static void go_on(struct call *call, void *arg)
{
	(void)arg;
	call_hold(call, false);
}

static int both_one(struct call *call, const ProtobufCMessage *msg, void *arg)
{
	const Qmesh__Test__Msg *in = (const Qmesh__Test__Msg *)msg;

	(void)arg;
	if (in->n == 999)
		return call_fail(call, ERR_FIELD_INVALID, "999 is not liked");
	if (in->ms) {
		call_hold(call, true);
		call_after(call, in->ms, go_on, NULL);
	}
	return call_send(call, msg);
}

static int both_end(struct call *call, void *arg)
{
	(void)arg;
	return call_trailer(call, "x-end", "%s", "half-closed");
}

static int both(struct call *call, const void *in, void *out)
{
	static const struct call_receiver receiver = {.message = both_one, .half_closed = both_end};
	int r;

	(void)in;
	(void)out;
	count(call);
	r = call_receive(call, &receiver, NULL);
	return r ? r : CALL_PARKED;
}

extern const struct service echo_desc;

/* clang-format off */
#define ROW(i, name_, kind_, audience_, lane_)                                 \
	{                                                                      \
		.path = "/qmesh.test.Echo/" name_, .name = name_,              \
		.service = &echo_desc, .index = i, .kind = kind_,              \
		.in = &qmesh__test__msg__descriptor,                           \
		.out = &qmesh__test__msg__descriptor,                          \
		.policy = {.audience = audience_, .lane = lane_,               \
			   .body_limit = 4 << 20, .http_status = 200,          \
			   .no_side_effects = (i) == ASK,                      \
			   .secret = (i) == HUSH || (i) == HUSH + 1},          \
	}
/* clang-format on */

#define ASK 10
#define HUSH 16

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
	ROW(ASK, "Ask", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_INLINE),
	ROW(11, "Both", METHOD_BIDI, AUDIENCE_PUBLIC, LANE_INLINE),
	ROW(12, "BothWork", METHOD_BIDI, AUDIENCE_PUBLIC, LANE_WORKER),
	ROW(13, "BothOperate", METHOD_BIDI, AUDIENCE_OPERATOR, LANE_INLINE),
	ROW(14, "Leave", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_WORKER),
	ROW(15, "LeaveInline", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_INLINE),
	ROW(HUSH, "Hush", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_WORKER),
	ROW(17, "HushInline", METHOD_UNARY, AUDIENCE_PUBLIC, LANE_INLINE),
};

const struct service echo_desc = {
	.name = "qmesh.test.Echo", .methods = methods, .n_methods = ARRAY_LEN(methods)};

static const handler_fn handlers[] = {
	unary,         unary, slow, block, fail, server_stream, subscribe, NULL,  unary,
	client_stream, unary, both, both,  both, leave,         leave,     leave, leave,
};

/*
 * --- the plain door ---
 * /stats, /sse, /empty; /later?MS moves the server's clock on; /secret sends the body back masked
 * and marked; /pause takes its body with rests; /big sends BIG_LEN bytes as they drain; everything
 * else comes back as it was sent.
 */

#define BIG_LEN (32u << 20)
#define BIG_ROOM 65536

struct http {
	struct text body;
	struct exchange *x;
	struct timer rest;
	size_t big_sent;
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
	h->body = TEXT_INIT(2 << 20);
	h->x = x;
	x->user = h;
}

static void http_rested(struct timer *t)
{
	exchange_pause(CONTAINER_OF(t, struct http, rest)->x, false);
}

static void http_data(struct exchange *x, const uint8_t *p, size_t len)
{
	struct http *h = x->user;

	text_add(&h->body, p, len);
	if (strcmp(x->path, "/pause") == 0 && h->rest.slot == 0) {
		h->rest.fn = http_rested;
		exchange_pause(x, true);
		if (exchange_timer_set(x, &h->rest, 20) < 0)
			exchange_reset(x, 2);
	}
}

static void http_drained(struct exchange *x)
{
	static const uint8_t zeros[4096];
	struct http *h = x->user;

	if (strcmp(x->path, "/big") != 0)
		return;
	while (h->big_sent < BIG_LEN && exchange_queued(x) < BIG_ROOM) {
		exchange_write(x, zeros, sizeof(zeros));
		h->big_sent += sizeof(zeros);
	}
	if (h->big_sent == BIG_LEN)
		exchange_finish(x, NULL, 0);
}

/* Time stands still from the first of these on; on the loop, of which there must be one. */
static void go_on_by(uint64_t ms)
{
	clock_fake(1, clock_boot_ms() + ms, clock_wall_ms() + (int64_t)ms, "");
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
	if (strcmp(x->path, "/big") == 0) {
		exchange_head(x, 200, &type, 1);
		http_drained(x);
		return;
	}
	if (strcmp(x->path, "/empty") == 0) {
		exchange_head(x, 204, NULL, 0);
		exchange_finish(x, NULL, 0);
		return;
	}
	if (strcmp(x->path, "/later") == 0 && x->query)
		go_on_by((uint64_t)atoi(x->query));
	if (strcmp(x->path, "/stats") == 0) {
		text_done(&h->body);
		h->body = TEXT_INIT(4096);
		server_metrics(server, &h->body);
		text_addf(&h->body, "started %ld\nended %ld\nhttp %ld\n", (long)n_started,
			  (long)n_ended, (long)n_http);
	}
	if (strcmp(x->path, "/secret") == 0) {
		exchange_mark_secret(x);
		for (size_t i = 0; i < h->body.len; i++)
			h->body.s[i] ^= 0x5a;
	}
	exchange_head(x, h->body.failed ? 413 : 200, &type, 1);
	if (!h->body.failed)
		exchange_write(x, h->body.s, h->body.len);
	exchange_finish(x, NULL, 0);
}

static void http_gone(struct exchange *x)
{
	struct http *h = x->user;

	exchange_timer_clear(x, &h->rest);
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
	.drained = http_drained,
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

struct wishes {
	struct listener_options tls, plain, path;
	bool with_plain;
	const char *web; /* origins; NULL: no such doors */
	unsigned loops;
	uint64_t grace_ms, age_ms, age_grace_ms;
};

static void parse(int argc, char **argv, struct wishes *w)
{
	bool http2 = true;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--plain") == 0)
			w->with_plain = true;
		else if (strcmp(argv[i], "--http1") == 0)
			http2 = false;
		else if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc)
			w->tls.cert_file = argv[++i], w->tls.key_file = argv[++i];
		else if (strcmp(argv[i], "--unix") == 0 && i + 1 < argc)
			w->path.address = argv[++i];
		else if (strcmp(argv[i], "--web") == 0 && i + 1 < argc)
			w->web = argv[++i];
		else if (strcmp(argv[i], "--loops") == 0 && i + 1 < argc)
			w->loops = (unsigned)atoi(argv[++i]);
		else if (strcmp(argv[i], "--age") == 0 && i + 2 < argc) {
			w->age_ms = (uint64_t)atoi(argv[++i]);
			w->age_grace_ms = (uint64_t)atoi(argv[++i]);
		} else if (strcmp(argv[i], "--grace") == 0 && i + 1 < argc)
			w->grace_ms = (uint64_t)atoi(argv[++i]);
		else
			die("unknown option");
	}
	w->tls.http2 = w->plain.http2 = w->path.http2 = http2;
}

static int add_web(const char *origins, struct services *services)
{
	int r;

	if (!origins)
		return 0;
	web.services = services;
	r = cors_new(origins, &web.cors);
	if (!r)
		r = server_add_door(server, &grpcweb_door, &web);
	return r ? r : server_add_door(server, &connect_door, &web);
}

/* TLS last and late, as a node's mesh address comes. */
static void start(const struct wishes *w, struct services *services)
{
	const struct server_options options = {.loops = w->loops,
					       .services = services,
					       .conn_age_ms = w->age_ms,
					       .conn_grace_ms = w->age_grace_ms};

	if (service_add(services, &echo_desc, handlers, NULL) < 0 ||
	    server_new(&options, &server) < 0 ||
	    server_add_door(server, &grpc_door, services) < 0 || add_web(w->web, services) < 0 ||
	    server_add_door(server, &http_door, NULL) < 0)
		die("cannot make a server");
	if ((w->with_plain && open_listener("plain", &w->plain) < 0) ||
	    (w->path.address && open_listener("unix", &w->path) < 0) || server_start(server) < 0 ||
	    (w->tls.cert_file && open_listener("tls", &w->tls) < 0))
		die("cannot start");
}

int main(int argc, char **argv)
{
	struct services *services = services_new(NULL);
	struct wishes w = {
		.tls = {.kind = LISTENER_TLS, .address = "127.0.0.1:0"},
		.plain = {.kind = LISTENER_PLAIN, .address = "127.0.0.1:0"},
		.path = {.kind = LISTENER_UNIX, .admin_gid = (gid_t)-1},
		.loops = 1,
		.grace_ms = 3000,
	};
	sigset_t set;
	int sig;

	parse(argc, argv, &w);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	start(&w, services);
	printf("ready\n");
	fflush(stdout);
	sigwait(&set, &sig);
	server_stop(server, w.grace_ms);
	server_free(server);
	services_free(services);
	cors_free(web.cors);
	fprintf(stderr, "started %ld ended %ld http %ld\n", (long)n_started, (long)n_ended,
		(long)n_http);
	return n_started == n_ended && n_http == 0 ? 0 : 3;
}
