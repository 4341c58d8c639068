/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server that connectrpc's conformance runner judges: our transport with
 * its ConformanceService behind. Reads one ServerCompatRequest from stdin,
 * tells its port on stdout, serves until SIGTERM. A call does what its request
 * says: metadata, delays, messages, a failure.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/wire.h"
#include "connectrpc/conformance_service.pb-c.h"
#include "gateway/connect.h"
#include "gateway/grpcweb.h"
#include "gateway/webcall.h"
#include "server/rpc/call.h"
#include "server/rpc/exchange.h"
#include "server/rpc/grpc.h"
#include "server/rpc/server.h"

#define CF(name) Connectrpc__Conformance__V1__##name
#define ANY_URL "type.googleapis.com/"
#define MESSAGE_LIMIT (4u << 20)
#define INFO CF(ConformancePayload__RequestInfo)

typedef CF(UnaryResponseDefinition) unary_def;
typedef CF(StreamResponseDefinition) stream_def;
typedef CF(ConformancePayload) payload;

/* A call that takes more than one step; in its arena. */
struct script {
	Google__Protobuf__Any **requests; /* since they were last told */
	size_t n_requests, cap;
	const void *def; /* unary_def or stream_def; NULL: the caller said nothing */
	bool any_request, full_duplex, half_closed, waits, delayed;
	size_t n_received, n_sent;
};

/* --- requests as the answer tells them --- */

/* Its first field is the definition of the answer, in every request. */
static const void *def_of(const ProtobufCMessage *in)
{
	return *(void *const *)((const char *)in + in->descriptor->fields[0].offset);
}

static void set_payload(ProtobufCMessage *out, payload *p)
{
	*(payload **)((char *)out + out->descriptor->fields[0].offset) = p;
}

static Google__Protobuf__Any *any_of(struct call *call, const ProtobufCMessage *msg)
{
	Google__Protobuf__Any *any = arena_new(&call->arena, Google__Protobuf__Any);
	size_t len = protobuf_c_message_get_packed_size(msg);
	uint8_t *bytes = call_alloc(call, len);

	if (!any || !bytes)
		return NULL;
	google__protobuf__any__init(any);
	any->type_url = arena_printf(&call->arena, ANY_URL "%s", msg->descriptor->name);
	any->value = (ProtobufCBinaryData){
		.data = bytes,
		.len = protobuf_c_message_pack(msg, bytes),
	};
	return any->type_url ? any : NULL;
}

/* The request's metadata, values of one name together. */
static int tell_headers(struct call *call, INFO *info)
{
	const struct header *all;
	size_t n;

	all = call_metadata_all(call, &n);
	info->request_headers = call_alloc(call, n * sizeof(*info->request_headers));
	if (!info->request_headers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		CF(Header) *h = NULL;

		for (size_t at = 0; at < info->n_request_headers && !h; at++)
			if (strcmp(info->request_headers[at]->name, all[i].name) == 0)
				h = info->request_headers[at];
		if (!h) {
			h = arena_new(&call->arena, CF(Header));
			if (!h)
				return -ENOMEM;
			connectrpc__conformance__v1__header__init(h);
			h->name = (char *)(uintptr_t)all[i].name;
			h->value = call_alloc(call, n * sizeof(*h->value));
			if (!h->value)
				return -ENOMEM;
			info->request_headers[info->n_request_headers++] = h;
		}
		h->value[h->n_value++] = (char *)(uintptr_t)all[i].value;
	}
	return 0;
}

/* With all: metadata and deadline too, not the requests alone. Takes the requests. */
static INFO *make_info(struct call *call, struct script *s, bool all)
{
	INFO *info = arena_new(&call->arena, INFO);

	if (!info)
		return NULL;
	connectrpc__conformance__v1__conformance_payload__request_info__init(info);
	info->requests = s->requests;
	info->n_requests = s->n_requests;
	s->requests = NULL;
	s->n_requests = s->cap = 0;
	if (!all)
		return info;
	if (call->deadline_ms) {
		info->has_timeout_ms_case =
			CONNECTRPC__CONFORMANCE__V1__CONFORMANCE_PAYLOAD__REQUEST_INFO__HAS_TIMEOUT_MS_TIMEOUT_MS;
		info->timeout_ms = (int64_t)call_remaining_ms(call);
	}
	return tell_headers(call, info) == 0 ? info : NULL;
}

static int note_request(struct call *call, struct script *s, const ProtobufCMessage *msg)
{
	if (s->n_requests == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 8;
		void *more = call_alloc(call, cap * sizeof(*s->requests));

		if (!more)
			return -ENOMEM;
		if (s->n_requests)
			memcpy(more, s->requests, s->n_requests * sizeof(*s->requests));
		s->requests = more;
		s->cap = cap;
	}
	s->requests[s->n_requests] = any_of(call, msg);
	return s->requests[s->n_requests++] ? 0 : -ENOMEM;
}

/* --- what the caller wants --- */

static int add_metadata(struct call *call, CF(Header) * *headers, size_t n, bool behind)
{
	for (size_t i = 0; i < n; i++) {
		char *name = arena_strdup(&call->arena, headers[i]->name);

		for (char *p = name; p && *p; p++)
			*p |= *p >= 'A' && *p <= 'Z' ? 0x20 : 0;
		for (size_t v = 0; v < headers[i]->n_value; v++) {
			int r = behind ? call_trailer(call, name, "%s", headers[i]->value[v])
				       : call_header(call, name, "%s", headers[i]->value[v]);

			if (r)
				return r;
		}
	}
	return 0;
}

static void add_detail(struct text *to, const ProtobufCMessage *any)
{
	size_t len = protobuf_c_message_get_packed_size(any);
	_cleanup_(freep) uint8_t *bytes = malloc(len + 1);

	if (!bytes)
		return;
	protobuf_c_message_pack(any, bytes);
	wire_put_bytes(to, 3, bytes, len);
}

/* info may be NULL: it was told already. */
static int fail_as_told(struct call *call, const CF(Error) * e, const INFO *info)
{
	_cleanup_(text_done) struct text details = TEXT_INIT(1u << 20);
	_cleanup_(status_done) struct status st = {.code = GRPC_OK};
	Google__Protobuf__Any *any = info ? any_of(call, &info->base) : NULL;

	for (size_t i = 0; i < e->n_details; i++)
		add_detail(&details, &e->details[i]->base);
	if (any)
		add_detail(&details, &any->base);
	status_set_foreign(&st, (enum grpc_code)e->code, e->message, &details);
	return call_fail_status(call, &st);
}

/* --- one answer --- */

static int answer_once(struct call *call)
{
	struct script *s = call->user;
	const unary_def *def = s->def;
	INFO *info = make_info(call, s, true);
	payload *p = arena_new(&call->arena, payload);

	if (!info || !p)
		return -ENOMEM;
	if (def && def->response_case ==
			   CONNECTRPC__CONFORMANCE__V1__UNARY_RESPONSE_DEFINITION__RESPONSE_ERROR)
		return fail_as_told(call, def->error, info);
	connectrpc__conformance__v1__conformance_payload__init(p);
	p->request_info = info;
	if (def &&
	    def->response_case ==
		    CONNECTRPC__CONFORMANCE__V1__UNARY_RESPONSE_DEFINITION__RESPONSE_RESPONSE_DATA)
		p->data = def->response_data;
	set_payload(call->out, p);
	return 0;
}

static void answer_later(struct call *call, void *arg)
{
	(void)arg;
	call_finish(call, answer_once(call));
}

static int begin_once(struct call *call)
{
	struct script *s = call->user;
	const unary_def *def = s->def;
	int r;

	if (!def)
		return answer_once(call);
	r = add_metadata(call, def->response_headers, def->n_response_headers, false);
	if (r == 0)
		r = add_metadata(call, def->response_trailers, def->n_response_trailers, true);
	if (r)
		return r;
	if (def->response_delay_ms == 0)
		return answer_once(call);
	call_after(call, def->response_delay_ms, answer_later, NULL);
	return CALL_PARKED;
}

static int unary(struct call *call, const void *in, void *out)
{
	struct script *s = call->user = arena_new(&call->arena, struct script);

	(void)out;
	if (!s || note_request(call, s, in))
		return -ENOMEM;
	s->def = def_of(in);
	return begin_once(call);
}

/* --- streams of answers --- */

static int begin_stream(struct call *call, const stream_def *def)
{
	int r;

	if (!def)
		return 0;
	r = add_metadata(call, def->response_headers, def->n_response_headers, false);
	return r ? r : add_metadata(call, def->response_trailers, def->n_response_trailers, true);
}

static int send_next(struct call *call, struct script *s, const stream_def *def)
{
	payload p = CONNECTRPC__CONFORMANCE__V1__CONFORMANCE_PAYLOAD__INIT;
	bool tells = s->n_sent == 0 || (s->full_duplex && !s->half_closed);
	ProtobufCMessage *out = call_alloc(call, call->method->out->sizeof_message);

	if (!out)
		return -ENOMEM;
	protobuf_c_message_init(call->method->out, out);
	p.data = def->response_data[s->n_sent];
	if (tells) {
		p.request_info = make_info(call, s, s->n_sent == 0);
		if (!p.request_info)
			return -ENOMEM;
	}
	set_payload(out, &p);
	s->n_sent++;
	return call_send(call, out);
}

static int end_stream(struct call *call, struct script *s, const stream_def *def)
{
	if (!def || !def->error)
		return 0;
	return fail_as_told(call, def->error, s->n_sent == 0 ? make_info(call, s, true) : NULL);
}

static void on_delay(struct call *call, void *arg);

/* As far as it goes now; CALL_PARKED: something is still to come. */
static int go_on(struct call *call)
{
	struct script *s = call->user;
	const stream_def *def = s->def;
	size_t n = def ? def->n_response_data : 0;
	int r;

	for (;;) {
		bool may_send = s->half_closed || (s->full_duplex && s->n_sent < s->n_received);

		if (s->waits || !may_send)
			return CALL_PARKED;
		if (s->n_sent >= n)
			return end_stream(call, s, def);
		if (def->response_delay_ms && !s->delayed) {
			s->waits = true;
			call_hold(call, true);
			call_after(call, def->response_delay_ms, on_delay, NULL);
			return CALL_PARKED;
		}
		s->delayed = false;
		r = send_next(call, s, def);
		if (r)
			return r;
	}
}

static void on_delay(struct call *call, void *arg)
{
	struct script *s = call->user;
	int r;

	(void)arg;
	s->waits = false;
	s->delayed = true;
	r = go_on(call);
	if (r != CALL_PARKED)
		call_finish(call, r);
	else if (!s->waits)
		call_hold(call, false);
}

static int server_stream(struct call *call, const void *in, void *out)
{
	struct script *s = call->user = arena_new(&call->arena, struct script);
	int r;

	(void)out;
	if (!s || note_request(call, s, in))
		return -ENOMEM;
	s->def = def_of(in);
	s->half_closed = true;
	r = begin_stream(call, s->def);
	return r ? r : go_on(call);
}

/* --- streams of requests --- */

/* Messages of a stream are gone after the step: what is needed later is copied. */
static int note_message(struct call *call, const ProtobufCMessage *msg)
{
	struct script *s = call->user;
	const Google__Protobuf__Any *any;
	const ProtobufCMessage *copy;

	if (note_request(call, s, msg))
		return -ENOMEM;
	s->n_received++;
	if (s->any_request)
		return 0;
	s->any_request = true;
	any = s->requests[s->n_requests - 1];
	copy = protobuf_c_message_unpack(msg->descriptor, arena_pb(&call->arena), any->value.len,
					 any->value.data);
	if (!copy)
		return -ENOMEM;
	s->def = def_of(copy);
	return 0;
}

static int one_up(struct call *call, const ProtobufCMessage *msg, void *arg)
{
	(void)arg;
	return note_message(call, msg);
}

static int all_up(struct call *call, void *arg)
{
	(void)arg;
	return begin_once(call);
}

static int both_one(struct call *call, const ProtobufCMessage *msg, void *arg)
{
	struct script *s = call->user;
	bool is_first = !s->any_request;
	int r = note_message(call, msg);

	(void)arg;
	if (r == 0 && is_first) {
		s->full_duplex = ((const CF(BidiStreamRequest) *)msg)->full_duplex;
		r = begin_stream(call, s->def);
	}
	if (r)
		return r;
	r = go_on(call);
	if (r == CALL_PARKED)
		return 0;
	call_finish(call, r);
	return 0;
}

static int both_end(struct call *call, void *arg)
{
	struct script *s = call->user;

	(void)arg;
	s->half_closed = true;
	return go_on(call);
}

static int receive(struct call *call, const struct call_receiver *receiver)
{
	call->user = arena_new(&call->arena, struct script);
	if (!call->user || call_receive(call, receiver, NULL))
		return -ENOMEM;
	return CALL_PARKED;
}

static int client_stream(struct call *call, const void *out, void *none)
{
	static const struct call_receiver receiver = {one_up, all_up};

	(void)out;
	(void)none;
	return receive(call, &receiver);
}

static int bidi(struct call *call, const void *in, void *out)
{
	static const struct call_receiver receiver = {both_one, both_end};

	(void)in;
	(void)out;
	return receive(call, &receiver);
}

/* --- the service --- */

extern const struct service conformance_desc;

#define PATH "/connectrpc.conformance.v1.ConformanceService/"
/* clang-format off */
#define ROW(i, name_, kind_, in_, out_)                                        \
	{                                                                      \
		.path = PATH name_, .name = name_, .kind = kind_,              \
		.service = &conformance_desc, .index = i,                      \
		.in = &connectrpc__conformance__v1__##in_##__descriptor,       \
		.out = &connectrpc__conformance__v1__##out_##__descriptor,     \
		.policy = {.audience = AUDIENCE_PUBLIC, .lane = LANE_INLINE,   \
			   .body_limit = MESSAGE_LIMIT, .http_status = 200,    \
			   .no_side_effects = (i) == 5},                       \
	}
/* clang-format on */

static struct method methods[] = {
	ROW(0, "Unary", METHOD_UNARY, unary_request, unary_response),
	ROW(1, "ServerStream", METHOD_SERVER_STREAM, server_stream_request, server_stream_response),
	ROW(2, "ClientStream", METHOD_CLIENT_STREAM, client_stream_request, client_stream_response),
	ROW(3, "BidiStream", METHOD_BIDI, bidi_stream_request, bidi_stream_response),
	ROW(4, "Unimplemented", METHOD_UNARY, unimplemented_request, unimplemented_response),
	ROW(5, "IdempotentUnary", METHOD_UNARY, idempotent_unary_request,
	    idempotent_unary_response),
};

const struct service conformance_desc = {
	.name = "connectrpc.conformance.v1.ConformanceService",
	.methods = methods,
	.n_methods = ARRAY_LEN(methods),
};

static const handler_fn handlers[] = {unary, server_stream, client_stream, bidi, NULL, unary};

/* What the runner puts into an Any, and what we do. */
#define TYPE(name) &connectrpc__conformance__v1__##name##__descriptor
static const ProtobufCMessageDescriptor *const all_types[] = {
	TYPE(unary_request),
	TYPE(idempotent_unary_request),
	TYPE(server_stream_request),
	TYPE(client_stream_request),
	TYPE(bidi_stream_request),
	TYPE(conformance_payload__request_info),
	TYPE(header),
};
static const struct json_types types = {.all = all_types, .n = ARRAY_LEN(all_types)};

/* --- the program --- */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "conformance-server: %s\n", what);
	exit(1);
}

static CF(ServerCompatRequest) * read_wishes(void)
{
	CF(ServerCompatRequest) * wishes;
	uint8_t *bytes;
	uint32_t len;

	if (fread(&len, sizeof(len), 1, stdin) != 1)
		die("no request");
	len = ntohl(len);
	bytes = len < MESSAGE_LIMIT ? malloc(len + 1) : NULL;
	if (!bytes || fread(bytes, 1, len, stdin) != len)
		die("the request is cut short");
	wishes = connectrpc__conformance__v1__server_compat_request__unpack(NULL, len, bytes);
	free(bytes);
	if (!wishes)
		die("the request does not decode");
	return wishes;
}

static void tell_port(uint16_t port, const CF(ServerCompatRequest) * wishes)
{
	CF(ServerCompatResponse) out = CONNECTRPC__CONFORMANCE__V1__SERVER_COMPAT_RESPONSE__INIT;
	static char host[] = "127.0.0.1";
	static uint8_t bytes[65536];
	uint32_t len;

	out.host = host;
	out.port = port;
	if (wishes->use_tls)
		out.pem_cert = wishes->server_creds->cert;
	if (connectrpc__conformance__v1__server_compat_response__get_packed_size(&out) >
	    sizeof(bytes))
		die("the certificate is too large");
	len = (uint32_t)connectrpc__conformance__v1__server_compat_response__pack(&out, bytes);
	fwrite(&(uint32_t){htonl(len)}, sizeof(len), 1, stdout);
	fwrite(bytes, 1, len, stdout);
	fflush(stdout);
}

static void write_file(char *path, const ProtobufCBinaryData *bytes)
{
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, bytes->data, bytes->len) != (ssize_t)bytes->len)
		die("cannot write a temporary file");
	close(fd);
}

static uint16_t listen_as_told(struct server *server, const CF(ServerCompatRequest) * wishes)
{
	char cert[] = "/tmp/qmesh-conformance-XXXXXX", key[] = "/tmp/qmesh-conformance-XXXXXX";
	struct listener_options o = {
		.kind = LISTENER_PLAIN, .address = "127.0.0.1:0", .http2 = true};
	uint16_t port = 0;
	int r;

	if (!wishes->use_tls) {
		if (server_listen(server, &o, &port))
			die("cannot listen");
		return port;
	}
	if (!wishes->server_creds)
		die("TLS without a certificate");
	write_file(cert, &wishes->server_creds->cert);
	write_file(key, &wishes->server_creds->key);
	o.kind = LISTENER_TLS;
	o.cert_file = cert;
	o.key_file = key;
	r = server_listen(server, &o, &port);
	unlink(cert);
	unlink(key);
	if (r)
		die("cannot listen with TLS");
	return port;
}

int main(void)
{
	struct services *services = services_new(&(struct service_hooks){.types = &types});
	static struct web web;
	CF(ServerCompatRequest) * wishes;
	struct server *server;
	uint16_t port;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	wishes = read_wishes();
	status_leave_reasons_out();
	for (size_t i = 0; i < ARRAY_LEN(methods) && wishes->message_receive_limit; i++)
		methods[i].policy.body_limit = wishes->message_receive_limit;
	if (!services || service_add(services, &conformance_desc, handlers, NULL) ||
	    server_new(&(struct server_options){.loops = 2, .services = services}, &server))
		die("out of memory");
	web.services = services;
	if (server_add_door(server, &grpcweb_door, &web) ||
	    server_add_door(server, &grpc_door, services) ||
	    server_add_door(server, &connect_door, &web))
		die("out of memory");
	port = listen_as_told(server, wishes);
	if (server_start(server))
		die("cannot start");
	tell_port(port, wishes);
	sigwait(&set, &sig);
	server_stop(server, 1000);
	server_free(server);
	services_free(services);
	connectrpc__conformance__v1__server_compat_request__free_unpacked(wishes, NULL);
	return 0;
}
