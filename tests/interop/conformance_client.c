/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client that connectrpc's conformance runner judges: libqmesh's streams.
 * Reads ClientCompatRequests from stdin until its end, makes each call as it
 * says, writes one ClientCompatResponse for each to stdout. Several at a time,
 * over one connection per server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "base/wire.h"
#include "client/qstream.h"
#include "connectrpc/conformance_service.pb-c.h"

#define CF(name) Connectrpc__Conformance__V1__##name
#define MESSAGE_LIMIT (16u << 20)
#define AT_ONCE 16
#define MAX_SERVERS 256

typedef CF(ClientCompatRequest) order;
typedef CF(ClientResponseResult) result;

enum { COMPRESSION_GZIP = 2 };
enum { STREAM_UNARY = 1, STREAM_CLIENT, STREAM_SERVER, STREAM_HALF_DUPLEX, STREAM_FULL_DUPLEX };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "conformance-client: %s\n", what);
	exit(1);
}

static void *must(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

static void pause_ms(uint32_t ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

/* --- one client per server --- */

static struct server {
	char target[128];
	char *cert;
	size_t cert_len;
	uint32_t limit;
	struct qm_client *client;
} servers[MAX_SERVERS];
static size_t n_servers;

static struct qm_client *make_client(const order *o, const char *target)
{
	struct qm_options options = {.target = target, .max_message = o->message_receive_limit};
	char ca[] = "/tmp/qmesh-conformance-XXXXXX";
	struct qm_client *client = NULL;
	int fd = -1, r;

	if (o->server_tls_cert.len) {
		fd = mkstemp(ca);
		if (fd < 0 || write(fd, o->server_tls_cert.data, o->server_tls_cert.len) !=
				      (ssize_t)o->server_tls_cert.len)
			die("cannot write a temporary file");
		close(fd);
		options.ca_file = ca;
	}
	r = qm_client_new(&options, &client);
	if (fd >= 0)
		unlink(ca);
	return r < 0 ? NULL : client;
}

/* On the reading thread. */
static struct qm_client *client_for(const order *o)
{
	struct server *s = &servers[n_servers];
	char target[sizeof(s->target)];

	snprintf(target, sizeof(target), "%s://%s:%u", o->server_tls_cert.len ? "https" : "http",
		 o->host, o->port);
	for (size_t i = 0; i < n_servers; i++)
		if (strcmp(servers[i].target, target) == 0 &&
		    servers[i].limit == o->message_receive_limit &&
		    servers[i].cert_len == o->server_tls_cert.len &&
		    (servers[i].cert_len == 0 ||
		     memcmp(servers[i].cert, o->server_tls_cert.data, servers[i].cert_len) == 0))
			return servers[i].client;
	if (n_servers == MAX_SERVERS)
		die("too many servers");
	snprintf(s->target, sizeof(s->target), "%s", target);
	s->limit = o->message_receive_limit;
	s->cert_len = o->server_tls_cert.len;
	s->cert = must(malloc(s->cert_len + 1));
	if (s->cert_len > 0)
		memcpy(s->cert, o->server_tls_cert.data, s->cert_len);
	s->client = make_client(o, target);
	if (!s->client) {
		free(s->cert);
		return NULL;
	}
	n_servers++;
	return s->client;
}

/* --- metadata --- */

static bool is_bin(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, "-bin") == 0;
}

/* The runner writes names as HTTP/1.1 does, and binary values in base64. */
static struct qm_md make_md(const char *name, const char *value)
{
	struct qm_md md = {.name = must(strdup(name)), .value_len = strlen(value)};
	char *raw = must(malloc(md.value_len + 1));

	for (char *p = (char *)md.name; *p; p++)
		*p |= *p >= 'A' && *p <= 'Z' ? 0x20 : 0;
	memcpy(raw, value, md.value_len);
	if (is_bin(md.name) && md.value_len > 0 &&
	    text_unbase64(value, strlen(value), raw, md.value_len, &md.value_len) < 0)
		die("a binary header is no base64");
	md.value = raw;
	return md;
}

static struct qm_md *make_mds(const order *o, size_t *ret_n)
{
	size_t n = 0;
	struct qm_md *md;

	for (size_t i = 0; i < o->n_request_headers; i++)
		n += o->request_headers[i]->n_value;
	md = must(calloc(n + 1, sizeof(*md)));
	n = 0;
	for (size_t i = 0; i < o->n_request_headers; i++)
		for (size_t v = 0; v < o->request_headers[i]->n_value; v++)
			md[n++] = make_md(o->request_headers[i]->name,
					  o->request_headers[i]->value[v]);
	*ret_n = n;
	return md;
}

static void free_mds(struct qm_md *md, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free((char *)md[i].name);
		free((char *)md[i].value);
	}
	free(md);
}

static char *value_text(const struct qm_md *md)
{
	char *text = must(malloc(TEXT_BASE64_LEN(md->value_len) + 1));
	size_t len;

	if (!is_bin(md->name)) {
		memcpy(text, md->value, md->value_len);
		text[md->value_len] = '\0';
		return text;
	}
	text_base64(md->value, md->value_len, text);
	for (len = strlen(text); len > 0 && text[len - 1] == '='; len--)
		text[len - 1] = '\0';
	return text;
}

/* Values of one name together, in order. */
static void tell_headers(const struct qm_md *md, size_t n, CF(Header) * **ret, size_t *ret_n)
{
	CF(Header) **all = must(calloc(n + 1, sizeof(CF(Header) *)));
	size_t n_all = 0;

	for (size_t i = 0; i < n; i++) {
		CF(Header) *h = NULL;

		for (size_t k = 0; k < n_all && !h; k++)
			if (strcmp(all[k]->name, md[i].name) == 0)
				h = all[k];
		if (!h) {
			h = must(malloc(sizeof(CF(Header))));
			connectrpc__conformance__v1__header__init(h);
			h->name = must(strdup(md[i].name));
			h->value = must(calloc(n, sizeof(char *)));
			all[n_all++] = h;
		}
		h->value[h->n_value++] = value_text(&md[i]);
	}
	*ret = all;
	*ret_n = n_all;
}

/* --- one call --- */

struct job {
	order *o;
	struct qm_client *client;
	struct qm_stream *stream;
	result res;
	size_t cap, n_sent;
	bool receives_one;
};

static sem_t free_places;
static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;

static bool cancels(const struct job *j, int timing)
{
	return j->o->cancel && (int)j->o->cancel->cancel_timing_case == timing;
}

/* All answers have their payload as field 1. true: there was one. */
static bool receive(struct job *j)
{
	CF(UnaryResponse) * answer;
	uint8_t *bytes;
	size_t len;

	if (qm_stream_receive(j->stream, &bytes, &len) <= 0)
		return false;
	answer = connectrpc__conformance__v1__unary_response__unpack(NULL, len, bytes);
	free(bytes);
	if (!answer)
		die("an answer does not decode");
	if (j->res.n_payloads == j->cap) {
		j->cap = 2 * j->cap + 8;
		j->res.payloads = must(reallocarray(j->res.payloads, j->cap, sizeof(void *)));
	}
	if (!answer->payload) {
		answer->payload = must(malloc(sizeof(CF(ConformancePayload))));
		connectrpc__conformance__v1__conformance_payload__init(answer->payload);
	}
	j->res.payloads[j->res.n_payloads++] = TAKE(answer->payload);
	connectrpc__conformance__v1__unary_response__free_unpacked(answer, NULL);
	if (cancels(j,
		    CONNECTRPC__CONFORMANCE__V1__CLIENT_COMPAT_REQUEST__CANCEL__CANCEL_TIMING_AFTER_NUM_RESPONSES) &&
	    j->res.n_payloads == j->o->cancel->after_num_responses)
		qm_stream_cancel(j->stream);
	return true;
}

static void send_all(struct job *j)
{
	const order *o = j->o;

	for (size_t i = 0; i < o->n_request_messages; i++) {
		const Google__Protobuf__Any *any = o->request_messages[i];

		pause_ms(o->request_delay_ms);
		if (qm_stream_send(j->stream, any->value.data, any->value.len) < 0)
			break;
		j->n_sent++;
		if (o->stream_type == STREAM_FULL_DUPLEX && !receive(j))
			break;
	}
	j->res.num_unsent_requests = (int32_t)(o->n_request_messages - j->n_sent);
}

static void end_requests(struct job *j)
{
	if (cancels(j,
		    CONNECTRPC__CONFORMANCE__V1__CLIENT_COMPAT_REQUEST__CANCEL__CANCEL_TIMING_BEFORE_CLOSE_SEND)) {
		qm_stream_cancel(j->stream);
		return;
	}
	qm_stream_end(j->stream);
	if (cancels(j,
		    CONNECTRPC__CONFORMANCE__V1__CLIENT_COMPAT_REQUEST__CANCEL__CANCEL_TIMING_AFTER_CLOSE_SEND_MS) ||
	    cancels(j,
		    CONNECTRPC__CONFORMANCE__V1__CLIENT_COMPAT_REQUEST__CANCEL__CANCEL_TIMING__NOT_SET)) {
		pause_ms(j->o->cancel->after_close_send_ms);
		qm_stream_cancel(j->stream);
	}
}

/* Details have the same number here as in google.rpc.Status. */
static CF(Error) * make_error(const struct status *st)
{
	_cleanup_(text_done) struct text bytes = TEXT_INIT(1 << 20);
	CF(Error) * e;

	wire_put_varint(&bytes, 1, (uint64_t)st->code);
	wire_put_bytes(&bytes, 2, st->message ? st->message : "",
		       st->message ? strlen(st->message) : 0);
	if (st->others)
		text_add(&bytes, st->others, st->others_len);
	if (bytes.failed)
		die("out of memory");
	e = connectrpc__conformance__v1__error__unpack(NULL, bytes.len, (const uint8_t *)bytes.s);
	return must(e);
}

static void drop_payloads(struct job *j)
{
	while (j->res.n_payloads > 0)
		connectrpc__conformance__v1__conformance_payload__free_unpacked(
			j->res.payloads[--j->res.n_payloads], NULL);
}

static void collect(struct job *j)
{
	const struct status *st;
	const struct qm_md *md;
	size_t n;

	while (receive(j))
		;
	st = qm_stream_status(j->stream);
	if (st->code != GRPC_OK) {
		j->res.error = make_error(st);
		if (j->receives_one)
			drop_payloads(j);
	}
	md = qm_stream_headers(j->stream, &n);
	tell_headers(md, n, &j->res.response_headers, &j->res.n_response_headers);
	md = qm_stream_trailers(j->stream, &n);
	tell_headers(md, n, &j->res.response_trailers, &j->res.n_response_trailers);
}

static enum qm_kind kind_of(const order *o)
{
	switch (o->stream_type) {
	case STREAM_UNARY:
		return QM_UNARY;
	case STREAM_SERVER:
		return QM_SERVER_STREAM;
	case STREAM_CLIENT:
		return QM_CLIENT_STREAM;
	default:
		return QM_BIDI;
	}
}

static int make_call(struct job *j)
{
	const order *o = j->o;
	struct qm_call_options options = {.gzip = o->compression == COMPRESSION_GZIP};
	enum qm_kind kind = kind_of(o);
	struct qm_md *md;
	char path[300];
	int r;

	if (!j->client)
		return -ENOENT;
	if (o->has_timeout_ms_case)
		options.timeout_ms = o->timeout_ms ? o->timeout_ms : 1;
	options.metadata = md = make_mds(o, &options.n_metadata);
	snprintf(path, sizeof(path), "/%s/%s", o->service, o->method);
	j->receives_one = kind == QM_UNARY || kind == QM_CLIENT_STREAM;
	r = qm_stream_open(j->client, path, kind, &options, &j->stream);
	free_mds(md, options.n_metadata);
	if (r < 0)
		return r;
	send_all(j);
	end_requests(j);
	collect(j);
	qm_stream_free(j->stream);
	return 0;
}

static void tell(struct job *j, int r)
{
	CF(ClientCompatResponse) out = CONNECTRPC__CONFORMANCE__V1__CLIENT_COMPAT_RESPONSE__INIT;
	CF(ClientErrorResult) error = CONNECTRPC__CONFORMANCE__V1__CLIENT_ERROR_RESULT__INIT;
	uint8_t *bytes;
	size_t len;

	out.test_name = j->o->test_name;
	if (r < 0) {
		error.message = strerror(-r);
		out.error = &error;
		out.result_case = CONNECTRPC__CONFORMANCE__V1__CLIENT_COMPAT_RESPONSE__RESULT_ERROR;
	} else {
		out.response = &j->res;
		out.result_case =
			CONNECTRPC__CONFORMANCE__V1__CLIENT_COMPAT_RESPONSE__RESULT_RESPONSE;
	}
	len = connectrpc__conformance__v1__client_compat_response__get_packed_size(&out);
	bytes = must(malloc(len + 1));
	connectrpc__conformance__v1__client_compat_response__pack(&out, bytes);
	pthread_mutex_lock(&out_lock);
	fwrite(&(uint32_t){htonl((uint32_t)len)}, sizeof(uint32_t), 1, stdout);
	fwrite(bytes, 1, len, stdout);
	fflush(stdout);
	pthread_mutex_unlock(&out_lock);
	free(bytes);
}

static void free_headers(CF(Header) * *headers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		connectrpc__conformance__v1__header__free_unpacked(headers[i], NULL);
	free(headers);
}

static void *run(void *arg)
{
	struct job *j = arg;

	tell(j, make_call(j));
	drop_payloads(j);
	free(j->res.payloads);
	free_headers(j->res.response_headers, j->res.n_response_headers);
	free_headers(j->res.response_trailers, j->res.n_response_trailers);
	if (j->res.error)
		connectrpc__conformance__v1__error__free_unpacked(j->res.error, NULL);
	connectrpc__conformance__v1__client_compat_request__free_unpacked(j->o, NULL);
	free(j);
	sem_post(&free_places);
	return NULL;
}

/* NULL at the end of stdin. */
static order *read_order(void)
{
	uint8_t *bytes;
	uint32_t len;
	order *o;

	if (fread(&len, sizeof(len), 1, stdin) != 1)
		return NULL;
	len = ntohl(len);
	if (len > MESSAGE_LIMIT)
		die("a request is too large");
	bytes = must(malloc(len + 1));
	if (fread(bytes, 1, len, stdin) != len)
		die("a request is cut short");
	o = connectrpc__conformance__v1__client_compat_request__unpack(NULL, len, bytes);
	free(bytes);
	if (!o)
		die("a request does not decode");
	return o;
}

int main(void)
{
	pthread_attr_t detached;
	pthread_t thread;
	order *o;

	sem_init(&free_places, 0, AT_ONCE);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	while ((o = read_order())) {
		struct job *j = must(calloc(1, sizeof(*j)));

		connectrpc__conformance__v1__client_response_result__init(&j->res);
		j->o = o;
		j->client = client_for(o);
		sem_wait(&free_places);
		if (pthread_create(&thread, &detached, run, j) != 0)
			die("no thread");
	}
	for (int i = 0; i < AT_ONCE; i++)
		sem_wait(&free_places);
	for (size_t i = 0; i < n_servers; i++) {
		qm_client_free(servers[i].client);
		free(servers[i].cert);
	}
	pthread_attr_destroy(&detached);
	return 0;
}
