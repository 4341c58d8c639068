/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server that gRPC's own interop clients judge: our transport with
 * grpc.testing.TestService behind, as grpc/grpc doc/interop-test-descriptions.md
 * wants it. Prints the port it listens on, serves all doors until SIGTERM, then
 * drains. Payloads are zeros; every call runs on its loop.
 *
 *   interop-server [--port N] [--tls CERT KEY] [--unix PATH] [--origins LIST]
 *
 * --port 0 takes a free one. With --tls that port speaks TLS, else clear text.
 * --origins: pages of these may call (CORS).
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gateway/connect.h"
#include "gateway/grpcweb.h"
#include "gateway/webcall.h"
#include "grpc/testing/test.pb-c.h"
#include "server/rpc/call.h"
#include "server/rpc/exchange.h"
#include "server/rpc/grpc.h"
#include "server/rpc/health.h"
#include "server/rpc/packing.h"
#include "server/rpc/server.h"

#define MESSAGE_LIMIT (4u << 20)
#define GRACE_MS 3000
#define FRAMES_AHEAD 16 /* answers given to the engine before it took some */
#define BYTES_AHEAD (1u << 20)
#define ROOM_AGAIN_MS 2
#define ECHO_INITIAL "x-grpc-test-echo-initial"
#define ECHO_TRAILING "x-grpc-test-echo-trailing-bin"

typedef Grpc__Testing__SimpleRequest simple_request;
typedef Grpc__Testing__SimpleResponse simple_response;
typedef Grpc__Testing__StreamingOutputCallRequest output_request;
typedef Grpc__Testing__StreamingOutputCallResponse output_response;
typedef Grpc__Testing__StreamingInputCallRequest input_request;
typedef Grpc__Testing__StreamingInputCallResponse input_response;

/* One answer that is still to be sent. */
struct wish {
	uint32_t len;
	uint32_t interval_us;
	enum { AS_NEGOTIATED, PLAIN, ZIPPED } form;
};

/* A call that takes more than one step; in its arena. */
struct script {
	struct wish *wishes;
	size_t n_wishes, cap, at;
	bool waited;      /* the interval of the wish at hand is over */
	bool half_closed; /* the caller is done */
	bool half_duplex; /* nothing is answered before that */
	uint64_t n_bytes; /* of all payloads of a StreamingInputCall */
};

static uint8_t zeros[MESSAGE_LIMIT];

/* --- what every method does --- */

/* Sends back the metadata that asks for it. */
static int echo_metadata(struct call *call)
{
	const struct header *all;
	size_t n;
	int r = 0;

	all = call_metadata_all(call, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (strcmp(all[i].name, ECHO_INITIAL) == 0)
			r = call_header(call, ECHO_INITIAL, "%s", all[i].value);
		else if (strcmp(all[i].name, ECHO_TRAILING) == 0)
			r = call_trailer(call, ECHO_TRAILING, "%s", all[i].value);
	}
	return r;
}

static int check_compressed(struct call *call, const Grpc__Testing__BoolValue *wanted)
{
	if (!wanted || (bool)wanted->value == call->zipped)
		return 0;
	return call_field(call, "expect_compressed", "the message came %s",
			  call->zipped ? "compressed" : "uncompressed");
}

static int check_type(struct call *call, Grpc__Testing__PayloadType type)
{
	if (type == GRPC__TESTING__PAYLOAD_TYPE__COMPRESSABLE)
		return 0;
	return call_field(call, "response_type", "there is no such type of payload");
}

static int check_size(struct call *call, const char *field, int32_t size)
{
	if (size >= 0 && (uint32_t)size <= sizeof(zeros))
		return 0;
	return call_field(call, field, "from 0 to %zu", sizeof(zeros));
}

/* 0: the request asks for no failure. */
static int fail_as_told(struct call *call, const Grpc__Testing__EchoStatus *told)
{
	_cleanup_(text_done) struct text no_details = TEXT_INIT(1);
	_cleanup_(status_done) struct status st = {.code = GRPC_OK};

	if (!told || told->code == GRPC_OK)
		return 0;
	if (told->code < 0 || told->code > GRPC_UNAUTHENTICATED)
		return call_field(call, "response_status.code", "there is no such code");
	status_set_foreign(&st, (enum grpc_code)told->code, told->message, &no_details);
	return call_fail_status(call, &st);
}

static Grpc__Testing__Payload *payload_of(struct call *call, uint32_t len)
{
	Grpc__Testing__Payload *p = arena_new(&call->arena, Grpc__Testing__Payload);

	if (!p)
		return NULL;
	grpc__testing__payload__init(p);
	p->body = (ProtobufCBinaryData){.data = zeros, .len = len};
	return p;
}

/* --- one request, one answer --- */

static int empty_call(struct call *call, const void *in, void *out)
{
	(void)in;
	(void)out;
	return echo_metadata(call);
}

/* The engine never compresses what comes as bytes. */
static int answer_plain(struct call *call, const ProtobufCMessage *out)
{
	size_t len = protobuf_c_message_get_packed_size(out);
	uint8_t *bytes = malloc(len + 1);

	if (!bytes)
		return -ENOMEM;
	call_finish_bytes(call, bytes, protobuf_c_message_pack(out, bytes));
	free(bytes);
	return CALL_PARKED;
}

static int unary_call(struct call *call, const void *in, void *out)
{
	const simple_request *q = in;
	simple_response *a = out;
	int r = echo_metadata(call);

	if (r == 0)
		r = check_compressed(call, q->expect_compressed);
	if (r == 0)
		r = check_type(call, q->response_type);
	if (r == 0)
		r = check_size(call, "response_size", q->response_size);
	if (r == 0)
		r = fail_as_told(call, q->response_status);
	if (r)
		return r;
	a->payload = payload_of(call, (uint32_t)q->response_size);
	if (q->fill_server_id)
		a->server_id = arena_printf(&call->arena, "interop-server-%d", (int)getpid());
	if (!a->payload || !a->server_id)
		return -ENOMEM;
	if (q->response_compressed && !q->response_compressed->value)
		return answer_plain(call, &a->base);
	return 0;
}

/* A moment, so that a cache in front shows: the same answer twice came from there. */
static int cacheable_unary_call(struct call *call, const void *in, void *out)
{
	simple_response *a = out;
	struct timespec now;
	char *text;

	(void)in;
	clock_gettime(CLOCK_REALTIME, &now);
	text = arena_printf(&call->arena, "%" PRId64,
			    (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
	a->payload = payload_of(call, 0);
	if (!text || !a->payload)
		return -ENOMEM;
	a->payload->body = (ProtobufCBinaryData){.data = (uint8_t *)text, .len = strlen(text)};
	return call_header(call, "cache-control", "max-age=60, public");
}

/* --- streams of answers --- */

static int add_wishes(struct call *call, struct script *s, const output_request *q)
{
	size_t n = q->n_response_parameters;

	if (s->at == s->n_wishes)
		s->at = s->n_wishes = 0;
	if (s->n_wishes + n > s->cap) {
		size_t cap = 2 * (s->n_wishes + n);
		struct wish *more = call_alloc(call, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		if (s->n_wishes)
			memcpy(more, s->wishes, s->n_wishes * sizeof(*more));
		s->wishes = more;
		s->cap = cap;
	}
	for (size_t i = 0; i < n; i++) {
		const Grpc__Testing__ResponseParameters *p = q->response_parameters[i];
		int r = check_size(call, "response_parameters.size", p->size);

		if (r)
			return r;
		s->wishes[s->n_wishes++] = (struct wish){
			.len = (uint32_t)p->size,
			.interval_us = p->interval_us > 0 ? (uint32_t)p->interval_us : 0,
			.form = !p->compressed         ? AS_NEGOTIATED
				: p->compressed->value ? ZIPPED
						       : PLAIN,
		};
	}
	return 0;
}

static int send_wish(struct call *call, const struct wish *w)
{
	bool may_zip = packing_lists_gzip(call_metadata(call, "grpc-accept-encoding"));
	_cleanup_(frame_unrefp) struct frame *frame = NULL;
	Grpc__Testing__Payload p = GRPC__TESTING__PAYLOAD__INIT;
	output_response a = GRPC__TESTING__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
	int r;

	p.body = (ProtobufCBinaryData){.data = zeros, .len = w->len};
	a.payload = &p;
	if (w->form == AS_NEGOTIATED || !call->shares_frames)
		return call_send(call, &a.base);
	r = packing_frame(&a.base, w->form == ZIPPED && may_zip, &frame);
	return r ? r : call_send_frame(call, frame);
}

static bool has_room(struct call *call)
{
	return call_queued(call) < FRAMES_AHEAD &&
	       (!call->exchange || exchange_queued(call->exchange) < BYTES_AHEAD);
}

static void go_on_later(struct call *call, void *arg);

/* As far as it goes now; CALL_PARKED: a wait, or more requests, come first. */
static int go_on(struct call *call)
{
	struct script *s = call->user;

	if (s->half_duplex && !s->half_closed)
		return CALL_PARKED;
	while (s->at < s->n_wishes) {
		const struct wish *w = &s->wishes[s->at];
		uint64_t ms = s->waited ? 0 : (w->interval_us + 999) / 1000;
		int r;

		if (ms > 0 || !has_room(call)) {
			s->waited = true;
			call_hold(call, true);
			call_after(call, ms ? ms : ROOM_AGAIN_MS, go_on_later, NULL);
			return CALL_PARKED;
		}
		s->waited = false;
		s->at++;
		r = send_wish(call, w);
		if (r)
			return r;
	}
	return s->half_closed ? 0 : CALL_PARKED;
}

static void go_on_later(struct call *call, void *arg)
{
	const struct script *s = call->user;
	int r = go_on(call);

	(void)arg;
	if (r != CALL_PARKED)
		call_finish(call, r);
	else if (s->at == s->n_wishes)
		call_hold(call, false);
}

static int take_output_request(struct call *call, struct script *s, const output_request *q)
{
	int r = check_type(call, q->response_type);

	if (r == 0)
		r = fail_as_told(call, q->response_status);
	return r ? r : add_wishes(call, s, q);
}

static int streaming_output_call(struct call *call, const void *in, void *out)
{
	struct script *s = call->user = arena_new(&call->arena, struct script);
	int r;

	(void)out;
	if (!s || echo_metadata(call))
		return -ENOMEM;
	s->half_closed = true;
	r = take_output_request(call, s, in);
	return r ? r : go_on(call);
}

/* --- streams of requests --- */

static int receive(struct call *call, const struct call_receiver *receiver, bool half_duplex)
{
	struct script *s = call->user = arena_new(&call->arena, struct script);

	if (!s || echo_metadata(call) || call_receive(call, receiver, NULL))
		return -ENOMEM;
	s->half_duplex = half_duplex;
	return CALL_PARKED;
}

static int input_one(struct call *call, const ProtobufCMessage *msg, void *arg)
{
	const input_request *q = (const input_request *)msg;
	struct script *s = call->user;

	(void)arg;
	s->n_bytes += q->payload ? q->payload->body.len : 0;
	if (s->n_bytes > INT32_MAX)
		return call_field(call, "payload", "more than the answer can tell");
	return check_compressed(call, q->expect_compressed);
}

static int input_end(struct call *call, void *arg)
{
	const struct script *s = call->user;

	(void)arg;
	((input_response *)call->out)->aggregated_payload_size = (int32_t)s->n_bytes;
	return 0;
}

static int streaming_input_call(struct call *call, const void *out, void *none)
{
	static const struct call_receiver receiver = {input_one, input_end};

	(void)out;
	(void)none;
	return receive(call, &receiver, false);
}

static int duplex_one(struct call *call, const ProtobufCMessage *msg, void *arg)
{
	int r = take_output_request(call, call->user, (const output_request *)msg);

	(void)arg;
	if (r == 0)
		r = go_on(call);
	return r == CALL_PARKED ? 0 : r;
}

static int duplex_end(struct call *call, void *arg)
{
	struct script *s = call->user;

	(void)arg;
	s->half_closed = true;
	return s->waited ? CALL_PARKED : go_on(call);
}

static const struct call_receiver duplex_receiver = {duplex_one, duplex_end};

static int full_duplex_call(struct call *call, const void *in, void *out)
{
	(void)in;
	(void)out;
	return receive(call, &duplex_receiver, false);
}

static int half_duplex_call(struct call *call, const void *in, void *out)
{
	(void)in;
	(void)out;
	return receive(call, &duplex_receiver, true);
}

/* --- the service --- */

extern const struct service interop_desc;

#define PATH "/grpc.testing.TestService/"
/* clang-format off */
#define ROW(i, name_, kind_, in_, out_)                                        \
	{                                                                      \
		.path = PATH name_, .name = name_, .kind = kind_,              \
		.service = &interop_desc, .index = i,                          \
		.in = &grpc__testing__##in_##__descriptor,                     \
		.out = &grpc__testing__##out_##__descriptor,                   \
		.policy = {.audience = AUDIENCE_PUBLIC, .lane = LANE_INLINE,   \
			   .body_limit = MESSAGE_LIMIT, .http_status = 200,    \
			   .no_side_effects = (i) == 2},                       \
	}
/* clang-format on */

static const struct method methods[] = {
	ROW(0, "EmptyCall", METHOD_UNARY, empty, empty),
	ROW(1, "UnaryCall", METHOD_UNARY, simple_request, simple_response),
	ROW(2, "CacheableUnaryCall", METHOD_UNARY, simple_request, simple_response),
	ROW(3, "StreamingOutputCall", METHOD_SERVER_STREAM, streaming_output_call_request,
	    streaming_output_call_response),
	ROW(4, "StreamingInputCall", METHOD_CLIENT_STREAM, streaming_input_call_request,
	    streaming_input_call_response),
	ROW(5, "FullDuplexCall", METHOD_BIDI, streaming_output_call_request,
	    streaming_output_call_response),
	ROW(6, "HalfDuplexCall", METHOD_BIDI, streaming_output_call_request,
	    streaming_output_call_response),
	ROW(7, "UnimplementedCall", METHOD_UNARY, empty, empty),
};

const struct service interop_desc = {
	.name = "grpc.testing.TestService",
	.methods = methods,
	.n_methods = ARRAY_LEN(methods),
};

static const handler_fn handlers[] = {
	empty_call,           unary_call,       cacheable_unary_call, streaming_output_call,
	streaming_input_call, full_duplex_call, half_duplex_call,     NULL,
};

/* --- the program --- */

struct wishes {
	struct listener_options tcp, path;
	const char *origins;
	char address[32];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "interop-server: %s\n", what);
	exit(1);
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: interop-server [--port N] [--tls CERT KEY] [--unix PATH] "
			"[--origins LIST]\n");
	exit(2);
}

static void set_port(struct wishes *w, const char *s)
{
	uint64_t port;

	if (text_parse_u64(s, UINT16_MAX, &port))
		usage();
	snprintf(w->address, sizeof(w->address), "127.0.0.1:%u", (unsigned)port);
}

static void parse(int argc, char **argv, struct wishes *w)
{
	for (int i = 1; i < argc; i++) {
		int left = argc - i - 1;

		if (strcmp(argv[i], "--port") == 0 && left > 0) {
			set_port(w, argv[++i]);
		} else if (strcmp(argv[i], "--tls") == 0 && left > 1) {
			w->tcp.kind = LISTENER_TLS;
			w->tcp.cert_file = argv[++i];
			w->tcp.key_file = argv[++i];
		} else if (strcmp(argv[i], "--unix") == 0 && left > 0) {
			w->path.address = argv[++i];
		} else if (strcmp(argv[i], "--origins") == 0 && left > 0) {
			w->origins = argv[++i];
		} else {
			usage();
		}
	}
	w->tcp.address = w->address;
}

static struct server *make_server(struct services *services, struct health *health, struct web *web)
{
	struct server *server;

	if (!services || service_add(services, &interop_desc, handlers, NULL) ||
	    health_add(services, health) ||
	    server_new(&(struct server_options){.loops = 2, .services = services}, &server))
		die("out of memory");
	if (server_add_door(server, &grpcweb_door, web) ||
	    server_add_door(server, &grpc_door, services) ||
	    server_add_door(server, &connect_door, web))
		die("out of memory");
	return server;
}

int main(int argc, char **argv)
{
	struct services *services = services_new(NULL);
	struct health *health = NULL;
	struct web web = {.services = services};
	struct wishes w = {
		.tcp = {.kind = LISTENER_PLAIN, .http2 = true},
		.path = {.kind = LISTENER_UNIX, .http2 = true, .admin_gid = (gid_t)-1},
		.address = "127.0.0.1:0",
	};
	struct server *server;
	uint16_t port = 0;
	sigset_t set;
	int sig;

	parse(argc, argv, &w);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	status_leave_reasons_out();
	if (w.origins && cors_new(w.origins, &web.cors))
		die("out of memory");
	if (health_new(NULL, NULL, &health) < 0)
		die("out of memory");
	server = make_server(services, health, &web);
	if (server_listen(server, &w.tcp, &port) ||
	    (w.path.address && server_listen(server, &w.path, NULL)) || server_start(server))
		die("cannot listen");
	printf("%u\n", (unsigned)port);
	fflush(stdout);
	sigwait(&set, &sig);
	server_stop(server, GRACE_MS);
	server_free(server);
	services_free(services);
	health_free(health);
	cors_free(web.cors);
	return 0;
}
