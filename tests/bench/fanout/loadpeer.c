/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/fanout/loadpeer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/member.pb-c.h"

enum {
	PER_ADDRESS = 500,
	HEAD = 9,
	UPDATE_EVERY = 262144,
	WINDOW = 1 << 24,
	BACKOFF_MIN_MS = 200,
	BACKOFF_MAX_MS = 15000,
};

enum {
	DATA = 0,
	HEADERS = 1,
	RST_STREAM = 3,
	SETTINGS = 4,
	PING = 6,
	GOAWAY = 7,
	WINDOW_UPDATE = 8
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

uint64_t load_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int load_tls(struct load *load)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	/* Pins and names are other tests' business: here the peer is ours. */
	if (!ctx || SSL_CTX_set_alpn_protos(ctx, (const uint8_t *)"\x02h2", 3) != 0)
		return -1;
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	load->tls = ctx;
	return 0;
}

/* --- frames out --- */

static void add_frame(struct loadpeer *p, uint8_t type, uint8_t flags, uint32_t stream,
		      const void *payload, size_t len)
{
	const uint8_t head[HEAD] = {(uint8_t)(len >> 16),
				    (uint8_t)(len >> 8),
				    (uint8_t)len,
				    type,
				    flags,
				    (uint8_t)(stream >> 24),
				    (uint8_t)(stream >> 16),
				    (uint8_t)(stream >> 8),
				    (uint8_t)stream};

	loadbuffer_add(&p->out, head, sizeof(head));
	loadbuffer_add(&p->out, payload, len);
}

static void add_number(struct loadbuffer *b, uint8_t bits, size_t n)
{
	const uint8_t max = (uint8_t)((1u << bits) - 1);
	uint8_t byte = n < max ? (uint8_t)n : max;

	loadbuffer_add(b, &byte, 1);
	if (n < max)
		return;
	for (n -= max; n >= 128; n >>= 7) {
		byte = (uint8_t)(n | 128);
		loadbuffer_add(b, &byte, 1);
	}
	byte = (uint8_t)n;
	loadbuffer_add(b, &byte, 1);
}

/* first: 0x40 goes into the table, 0x00 does not. */
static void add_literal(struct loadbuffer *b, uint8_t first, const char *name, const char *value)
{
	loadbuffer_add(b, &first, 1);
	add_number(b, 7, strlen(name));
	loadbuffer_add(b, name, strlen(name));
	add_number(b, 7, strlen(value));
	loadbuffer_add(b, value, strlen(value));
}

/* The second call with a token and each one after it take the table, as clients do. */
static void add_head(struct loadpeer *p, uint32_t stream, const char *path, bool with_token)
{
	struct loadbuffer b = {0};
	const uint8_t start[] = {0x83, p->load->tls ? 0x87 : 0x86};
	/* authorization, user-agent, te, content-type, authority: newest first from 62 on. */
	const uint8_t again[] = {0x80 | 66, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62};
	char *bearer;

	loadbuffer_add(&b, start, sizeof(start));
	add_literal(&b, 0x00, ":path", path);
	if (with_token && p->has_table) {
		loadbuffer_add(&b, again, sizeof(again));
	} else {
		uint8_t first = with_token ? 0x40 : 0x00;

		add_literal(&b, first, ":authority", p->load->authority);
		add_literal(&b, first, "content-type", "application/grpc");
		add_literal(&b, first, "te", "trailers");
		add_literal(&b, first, "user-agent", "fanout_load");
		if (with_token && asprintf(&bearer, "Bearer %s", p->token) > 0) {
			add_literal(&b, first, "authorization", bearer);
			free(bearer);
			p->has_table = true;
		}
	}
	add_frame(p, HEADERS, END_HEADERS, stream, b.p, b.len);
	free(b.p);
}

static void add_message(struct loadpeer *p, uint32_t stream, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	struct loadbuffer b = {0};
	uint8_t *at = loadbuffer_room(&b, 5 + len);

	at[0] = 0;
	at[1] = (uint8_t)(len >> 24);
	at[2] = (uint8_t)(len >> 16);
	at[3] = (uint8_t)(len >> 8);
	at[4] = (uint8_t)len;
	protobuf_c_message_pack(message, at + 5);
	add_frame(p, DATA, END_STREAM, stream, at, 5 + len);
	free(b.p);
}

static void lose(struct loadpeer *p);

/* What TCP takes now; the rest when it says so. */
static void flush_out(struct loadpeer *p)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};
	bool wants;

	while (p->out.len) {
		ssize_t n = p->ssl ? SSL_write(p->ssl, p->out.p, (int)p->out.len)
				   : write(p->fd, p->out.p, p->out.len);

		if (n <= 0) {
			int why = p->ssl ? SSL_get_error(p->ssl, (int)n) : 0;

			if (p->ssl ? why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE
				   : errno == EAGAIN)
				break;
			lose(p);
			return;
		}
		p->load->bytes_out += (uint64_t)n;
		loadbuffer_drop(&p->out, (size_t)n);
	}
	wants = p->out.len > 0;
	if (wants == p->wants_write)
		return;
	p->wants_write = wants;
	e.events |= wants ? EPOLLOUT : 0;
	if (epoll_ctl(p->load->epoll, EPOLL_CTL_MOD, p->fd, &e) < 0)
		lose(p);
}

/* --- calls --- */

static void start_call(struct loadpeer *p, int call, const char *path, bool with_token,
		       const ProtobufCMessage *message)
{
	p->call_stream = p->next_stream;
	p->next_stream += 2;
	p->call = call;
	p->call_answered = false;
	p->answer.len = 0;
	add_head(p, p->call_stream, path, with_token);
	add_message(p, p->call_stream, message);
	flush_out(p);
}

static void renew(struct loadpeer *p)
{
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Pb__RenewTokenRequest in = PB__RENEW_TOKEN_REQUEST__INIT;
	uint8_t text[7 + 16 + 8 + 16], nonce[16], signature[SIGN_LEN], *at = text;
	char id[UUID_TEXT_LEN + 1];
	struct timespec now;
	uint64_t ms;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	time.seconds = now.tv_sec;
	time.nanos = (int32_t)(ms % 1000) * 1000000;
	sign_random(nonce, sizeof(nonce));
	at = mempcpy(at, "renew/1", 7);
	at = mempcpy(at, p->id.b, 16);
	for (int shift = 56; shift >= 0; shift -= 8)
		*at++ = (uint8_t)(ms >> shift);
	memcpy(at, nonce, 16);
	sign_message(p->secret, text, sizeof(text), signature);
	in.node_id = (char *)uuid_text(&p->id, id);
	in.time = &time;
	in.nonce = (ProtobufCBinaryData){.data = nonce, .len = sizeof(nonce)};
	in.signature = (ProtobufCBinaryData){.data = signature, .len = sizeof(signature)};
	start_call(p, CALL_RENEW, "/quazzar.mesh.v1.AgentService/RenewToken", false, &in.base);
}

static void subscribe(struct loadpeer *p)
{
	Pb__SubscribeRequest in = PB__SUBSCRIBE_REQUEST__INIT;

	p->events_stream = p->next_stream;
	p->next_stream += 2;
	if (p->head_len) {
		in.epoch = p->epoch;
		in.generation = p->applied;
		in.head = (ProtobufCBinaryData){.data = p->head, .len = p->head_len};
		in.head_signature =
			(ProtobufCBinaryData){.data = p->signature, .len = sizeof(p->signature)};
		in.kid = p->kid;
	}
	add_head(p, p->events_stream, "/quazzar.mesh.v1.AgentService/Subscribe", true);
	add_message(p, p->events_stream, &in.base);
	flush_out(p);
}

void loadpeer_report(struct loadpeer *p)
{
	Pb__ReportRequest in = PB__REPORT_REQUEST__INIT;

	if (p->state != PEER_UP || p->call_stream || !p->events_stream) {
		p->must_report = true;
		return;
	}
	p->must_report = false;
	p->reporting = p->applied;
	in.epoch = p->epoch;
	in.applied_generation = p->applied;
	in.list_digest = (ProtobufCBinaryData){.data = p->digest, .len = sizeof(p->digest)};
	in.device_digest = in.list_digest;
	in.backend = (char *)"userspace";
	in.listen_port = 51820;
	in.dns_status = (char *)"serving";
	p->load->n_reports++;
	start_call(p, CALL_REPORT, "/quazzar.mesh.v1.AgentService/Report", true, &in.base);
}

void loadpeer_fetch(struct loadpeer *p)
{
	Pb__GetNodePeersRequest in = PB__GET_NODE_PEERS_REQUEST__INIT;
	char id[UUID_TEXT_LEN + 1];

	p->must_fetch = p->state != PEER_UP || p->call_stream;
	if (p->must_fetch)
		return;
	in.node_id = (char *)uuid_text(&p->id, id);
	in.page_size = 4096;
	start_call(p, CALL_FETCH, "/quazzar.mesh.v1.AgentService/GetNodePeers", true, &in.base);
}

static void take_token(struct loadpeer *p)
{
	Pb__RenewTokenResponse *out =
		p->answer.len > 5
			? pb__renew_token_response__unpack(NULL, p->answer.len - 5, p->answer.p + 5)
			: NULL;

	if (!out) {
		lose(p);
		return;
	}
	free(p->token);
	p->token = strdup(out->agent_token);
	pb__renew_token_response__free_unpacked(out, NULL);
	if (!p->token)
		abort();
	subscribe(p);
}

static uint32_t told_spread(const struct loadpeer *p)
{
	Pb__ReportResponse *out =
		p->answer.len > 5
			? pb__report_response__unpack(NULL, p->answer.len - 5, p->answer.p + 5)
			: NULL;
	uint32_t spread = out ? out->reconnect_spread_ms : 0;

	if (out)
		pb__report_response__free_unpacked(out, NULL);
	return spread;
}

static void call_ended(struct loadpeer *p)
{
	bool ok = p->call_answered;
	uint64_t before = p->reported;
	uint32_t spread;

	p->call_stream = 0;
	p->load->n_refused += !ok;
	p->must_fetch |= !ok && p->call == CALL_FETCH;
	if (p->call == CALL_RENEW) {
		take_token(p);
		loadbuffer_clear(&p->answer);
		return;
	}
	spread = p->call == CALL_REPORT ? told_spread(p) : 0;
	loadbuffer_drop(&p->answer, p->answer.len);
	if (p->call == CALL_FETCH && ok && p->load->mode == LOAD_POLL) {
		p->load->polled(p);
	} else if (p->call == CALL_FETCH && ok) {
		loadpeer_report(p);
	} else if (p->call == CALL_REPORT && ok) {
		p->failures = 0;
		p->spread_ms = spread;
		p->reported = p->reporting;
		p->load->reported(p, before, p->reported);
	} else if (p->call == CALL_REPORT) {
		/* Too often, or the server is busy: the token may be over, too. */
		free(p->token);
		p->token = NULL;
		lose(p);
		return;
	}
	if (p->must_report && p->state == PEER_UP)
		loadpeer_report(p);
}

/* --- events --- */

static uint64_t read_varint(const uint8_t **at, const uint8_t *end)
{
	uint64_t n = 0;

	for (int shift = 0; *at < end && shift < 64; shift += 7) {
		uint8_t byte = *(*at)++;

		n |= (uint64_t)(byte & 127) << shift;
		if (!(byte & 128))
			break;
	}
	return n;
}

/* The bytes of field `wanted` of a message, the first there is; false: none. */
static bool find_bytes(const uint8_t *at, size_t len, unsigned wanted, const uint8_t **ret,
		       size_t *ret_len)
{
	const uint8_t *end = at + len;

	while (at < end) {
		uint64_t tag = read_varint(&at, end), n = read_varint(&at, end);

		if ((tag & 7) == 0)
			continue;
		if ((tag & 7) != 2 || n > (uint64_t)(end - at))
			return false;
		if (tag >> 3 == wanted) {
			*ret = at;
			*ret_len = n;
			return true;
		}
		at += n;
	}
	return false;
}

static void keep_head(struct loadpeer *p, const uint8_t *update, size_t update_len,
		      const uint8_t *head, size_t head_len)
{
	const uint8_t *signature, *kid;
	size_t signature_len, kid_len;

	if (head_len > sizeof(p->head) ||
	    !find_bytes(update, update_len, 3, &signature, &signature_len) ||
	    !find_bytes(update, update_len, 4, &kid, &kid_len) ||
	    signature_len != sizeof(p->signature) || kid_len >= sizeof(p->kid))
		return;
	memcpy(p->head, head, head_len);
	p->head_len = head_len;
	memcpy(p->signature, signature, signature_len);
	memcpy(p->kid, kid, kid_len);
	p->kid[kid_len] = '\0';
}

static void take_update(struct loadpeer *p, const uint8_t *update, size_t update_len)
{
	const uint8_t *bytes;
	uint64_t before = p->applied;
	Pb__PeersHead *head;
	size_t len;

	if (!find_bytes(update, update_len, 1, &bytes, &len))
		return;
	head = pb__peers_head__unpack(NULL, len, bytes);
	if (!head)
		return;
	if (head->last && (head->epoch != p->epoch || head->to_generation > p->applied) &&
	    head->list_digest.len == sizeof(p->digest)) {
		if (head->epoch != p->epoch)
			before = 0;
		p->epoch = head->epoch;
		p->applied = head->to_generation;
		memcpy(p->digest, head->list_digest.data, sizeof(p->digest));
		keep_head(p, update, update_len, bytes, len);
		p->load->seen(p, before, p->applied);
		if (p->load->mode == LOAD_WHOLE && p->is_back)
			loadpeer_fetch(p);
		else if (p->load->mode == LOAD_REPORT || !p->is_back)
			loadpeer_report(p);
	}
	pb__peers_head__free_unpacked(head, NULL);
}

static void take_drain(struct loadpeer *p, const uint8_t *body, size_t len)
{
	Pb__Drain *drain = pb__drain__unpack(NULL, len, body);

	if (!drain)
		return;
	p->not_before_ms = load_now_ms() + drain->reconnect_after_ms +
			   (uint64_t)rand() % (drain->spread_ms + 1);
	pb__drain__free_unpacked(drain, NULL);
}

static void take_event(struct loadpeer *p, const uint8_t *message, size_t len)
{
	const uint8_t *event, *body;
	size_t event_len, body_len;

	p->load->n_events++;
	if (!find_bytes(message, len, 1, &event, &event_len))
		return;
	if (find_bytes(event, event_len, 2, &body, &body_len))
		take_update(p, body, body_len);
	else if (find_bytes(event, event_len, 4, &body, &body_len))
		take_drain(p, body, body_len);
	else if (find_bytes(event, event_len, 7, &body, &body_len) && !p->is_back && p->applied)
		/* Keys, then revocations: when nothing is newer, nothing else comes. */
		loadpeer_report(p);
}

static void take_events(struct loadpeer *p)
{
	size_t at = 0;

	while (p->event.len - at >= 5) {
		const uint8_t *m = p->event.p + at;
		size_t len = (size_t)m[1] << 24 | (size_t)m[2] << 16 | (size_t)m[3] << 8 | m[4];

		if (p->event.len - at < 5 + len)
			break;
		take_event(p, m + 5, len);
		if (p->state != PEER_UP)
			return;
		at += 5 + len;
	}
	loadbuffer_drop(&p->event, at);
}

/* --- frames in --- */

static void give_window(struct loadpeer *p, size_t len)
{
	uint8_t more[4] = {0, UPDATE_EVERY >> 16, 0, 0};

	p->in_since_update += len;
	if (p->in_since_update < UPDATE_EVERY)
		return;
	p->in_since_update -= UPDATE_EVERY;
	add_frame(p, WINDOW_UPDATE, 0, 0, more, sizeof(more));
	if (p->events_stream)
		add_frame(p, WINDOW_UPDATE, 0, p->events_stream, more, sizeof(more));
}

static void take_frame(struct loadpeer *p, const uint8_t *f, size_t len)
{
	uint32_t stream = (uint32_t)f[5] << 24 | (uint32_t)f[6] << 16 | (uint32_t)f[7] << 8 | f[8];
	bool ends = (f[3] == DATA || f[3] == HEADERS) && f[4] & END_STREAM;

	if (f[3] == DATA && stream == p->events_stream) {
		loadbuffer_add(&p->event, f + HEAD, len);
		give_window(p, len);
		take_events(p);
	} else if (f[3] == DATA && stream == p->call_stream) {
		if (p->call != CALL_FETCH)
			loadbuffer_add(&p->answer, f + HEAD, len);
		p->call_answered = true;
		give_window(p, len);
	} else if (f[3] == PING && !(f[4] & ACK)) {
		add_frame(p, PING, ACK, 0, f + HEAD, len);
	} else if (f[3] == SETTINGS && !(f[4] & ACK)) {
		add_frame(p, SETTINGS, ACK, 0, "", 0);
	} else if (f[3] == GOAWAY || (f[3] == RST_STREAM && stream == p->events_stream)) {
		lose(p);
		return;
	}
	if (p->state != PEER_UP || (!ends && f[3] != RST_STREAM))
		return;
	if (stream == p->events_stream)
		lose(p);
	else if (stream == p->call_stream)
		call_ended(p);
}

static void take_bytes(struct loadpeer *p)
{
	size_t at = 0;

	while (p->state == PEER_UP && p->in.len - at >= HEAD) {
		const uint8_t *f = p->in.p + at;
		size_t len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];

		if (p->in.len - at < HEAD + len)
			break;
		take_frame(p, f, len);
		at += HEAD + len;
	}
	if (p->state == PEER_UP)
		loadbuffer_drop(&p->in, at);
}

static void read_in(struct loadpeer *p)
{
	for (;;) {
		uint8_t *at = loadbuffer_room(&p->in, 16384);
		size_t room = p->in.cap - p->in.len;
		ssize_t n = p->ssl ? SSL_read(p->ssl, at, (int)room) : read(p->fd, at, room);
		int why;

		if (n <= 0) {
			why = p->ssl ? SSL_get_error(p->ssl, (int)n) : 0;
			if (p->ssl ? why == SSL_ERROR_WANT_READ : n < 0 && errno == EAGAIN)
				break;
			lose(p);
			return;
		}
		p->load->bytes_in += (uint64_t)n;
		p->in.len += (size_t)n;
		take_bytes(p);
		if (p->state != PEER_UP || (!p->ssl && (size_t)n < room))
			break;
	}
	if (p->state == PEER_UP && !p->in.len)
		loadbuffer_drop(&p->in, 0);
	if (p->state == PEER_UP)
		flush_out(p);
}

/* --- the connection --- */

void loadpeer_init(struct loadpeer *p, struct load *load, size_t number)
{
	p->load = load;
	p->number = number;
	p->fd = -1;
}

/* As a node does: 200 ms at first, twice as long each time, half of it by dice; a stream that stood
 * comes back within the spread, and not before a drain says. */
static uint64_t pause_ms(const struct loadpeer *p, uint64_t now)
{
	uint64_t ms = (uint64_t)BACKOFF_MIN_MS << (p->failures < 7 ? p->failures : 7);
	uint64_t spread = p->is_back ? (uint64_t)rand() % (p->spread_ms + 1) : 0;

	ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
	ms = ms / 2 + (uint64_t)rand() % (ms / 2 + 1);
	ms = ms > spread ? ms : spread;
	return p->not_before_ms > now + ms ? p->not_before_ms - now : ms;
}

static void lose(struct loadpeer *p)
{
	if (p->state == PEER_DOWN)
		return;
	p->load->n_opening -= p->state != PEER_UP;
	p->retry_at_ms = load_now_ms() + pause_ms(p, load_now_ms());
	p->failures++;
	p->load->n_lost++;
	p->state = PEER_DOWN;
	SSL_free(p->ssl);
	close(p->fd);
	p->ssl = NULL;
	p->fd = -1;
	loadbuffer_clear(&p->in);
	loadbuffer_clear(&p->out);
	loadbuffer_clear(&p->event);
	loadbuffer_clear(&p->answer);
	p->load->lost(p);
}

static void begin(struct loadpeer *p)
{
	/* INITIAL_WINDOW_SIZE 16 MiB, and as much for the connection. */
	static const uint8_t settings[] = {0, 4, 1, 0, 0, 0};
	const uint8_t more[4] = {1, 0, 0, 0};

	p->load->n_opening--;
	p->state = PEER_UP;
	p->wants_write = p->has_table = p->must_report = false;
	p->next_stream = 1;
	p->events_stream = p->call_stream = 0;
	p->in_since_update = 0;
	loadbuffer_add(&p->out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	add_frame(p, SETTINGS, 0, 0, settings, sizeof(settings));
	add_frame(p, WINDOW_UPDATE, 0, 0, more, sizeof(more));
	if (p->token)
		subscribe(p);
	else
		renew(p);
}

static void shake(struct loadpeer *p)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};
	int r = p->ssl ? SSL_connect(p->ssl) : 1, why;

	if (r != 1) {
		why = SSL_get_error(p->ssl, r);
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
			lose(p);
			return;
		}
		e.events = why == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT;
	}
	if (epoll_ctl(p->load->epoll, EPOLL_CTL_MOD, p->fd, &e) < 0)
		lose(p);
	else if (r == 1)
		begin(p);
}

void loadpeer_open(struct loadpeer *p)
{
	uint32_t from = 0x7f010000u + (uint32_t)(p->number / PER_ADDRESS) * 256 + 2;
	struct sockaddr_in me = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(p->load->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event e = {.events = EPOLLOUT, .data.ptr = p};
	int one = 1;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		abort();
	p->state = PEER_CONNECTING;
	p->load->n_opening++;
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (p->load->tls) {
		p->ssl = SSL_new(p->load->tls);
		if (!p->ssl || SSL_set_fd(p->ssl, p->fd) != 1)
			abort();
	}
	if (bind(p->fd, (struct sockaddr *)&me, sizeof(me)) < 0 ||
	    (connect(p->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) ||
	    epoll_ctl(p->load->epoll, EPOLL_CTL_ADD, p->fd, &e) < 0)
		lose(p);
}

void loadpeer_event(struct loadpeer *p, uint32_t events)
{
	/* A loss earlier in the same round. */
	if (p->state == PEER_DOWN)
		return;
	if (p->state == PEER_CONNECTING) {
		int error = 0;
		socklen_t len = sizeof(error);

		if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
			lose(p);
			return;
		}
		p->state = PEER_SHAKING;
	}
	if (p->state == PEER_SHAKING) {
		shake(p);
		return;
	}
	if (events & EPOLLOUT)
		flush_out(p);
	if (p->state == PEER_UP && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_in(p);
}
