/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mobile/phone_wire.h"

#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CALL_LIMIT_MS 20000

static struct {
	int fd;
	nghttp2_session *session;
	char authority[128];
	struct phone_call *call;
	int32_t stream_id;
	bool ended;
	char status[4], message[1024], details[4096];
	bool has_status, has_message, has_details;
} wire = {.fd = -1};

static int connect_unix(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(at.sun_path))
		return -1;
	strcpy(at.sun_path, path);
	return connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 ? fd : -1;
}

static int connect_port(const char *target)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	const char *colon = strrchr(target, ':');
	char host[64];
	int fd;

	if (!colon || (size_t)(colon - target) >= sizeof(host))
		return -1;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - target), target);
	at.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &at.sin_addr) != 1)
		return -1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 ? fd : -1;
}

static void keep(char *to, size_t cap, bool *has, const uint8_t *value, size_t len)
{
	if (len >= cap)
		return;
	memcpy(to, value, len);
	to[len] = '\0';
	*has = true;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	(void)session, (void)flags, (void)arg;
	if (frame->hd.stream_id != wire.stream_id)
		return 0;
	if (name_len == 11 && !memcmp(name, "grpc-status", 11))
		keep(wire.status, sizeof(wire.status), &wire.has_status, value, len);
	else if (name_len == 12 && !memcmp(name, "grpc-message", 12))
		keep(wire.message, sizeof(wire.message), &wire.has_message, value, len);
	else if (name_len == 23 && !memcmp(name, "grpc-status-details-bin", 23))
		keep(wire.details, sizeof(wire.details), &wire.has_details, value, len);
	return 0;
}

static void cancel(void)
{
	nghttp2_submit_rst_stream(wire.session, NGHTTP2_FLAG_NONE, wire.stream_id, NGHTTP2_CANCEL);
	wire.ended = true;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
		   size_t len, void *arg)
{
	struct phone_call *call = wire.call;
	const uint8_t *p;
	size_t n;

	(void)session, (void)flags, (void)arg;
	if (stream_id != wire.stream_id || wire.ended)
		return 0;
	if (!qmn_reader_push(call->reader, data, len)) {
		cancel();
		return 0;
	}
	while (call->frame && !wire.ended && qmn_reader_next(call->reader, &p, &n) == 1)
		if (!call->frame(call->arg, p, n))
			cancel();
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *arg)
{
	(void)session, (void)code, (void)arg;
	if (stream_id == wire.stream_id)
		wire.ended = true;
	return 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *p, size_t len, int flags, void *arg)
{
	ssize_t n = send(wire.fd, p, len, MSG_NOSIGNAL);

	(void)session, (void)flags, (void)arg;
	return n < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : n;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t cap,
			 uint32_t *data_flags, nghttp2_data_source *source, void *arg)
{
	struct phone_call *call = source->ptr;
	size_t n = call->body_len - call->body_sent;

	(void)session, (void)stream_id, (void)arg;
	if (n > cap)
		n = cap;
	memcpy(buf, call->body + call->body_sent, n);
	call->body_sent += n;
	if (call->body_sent == call->body_len)
		*data_flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

bool phone_wire_open(const char *target, const char *authority)
{
	nghttp2_session_callbacks *callbacks;
	bool fine;

	wire.fd = strncmp(target, "unix:", 5) ? connect_port(target) : connect_unix(target + 5);
	if (wire.fd < 0 || nghttp2_session_callbacks_new(&callbacks))
		return false;
	snprintf(wire.authority, sizeof(wire.authority), "%s", authority);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	fine = !nghttp2_session_client_new(&wire.session, callbacks, NULL) &&
	       !nghttp2_submit_settings(wire.session, NGHTTP2_FLAG_NONE, NULL, 0);
	nghttp2_session_callbacks_del(callbacks);
	return fine;
}

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
			    strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static bool submit(struct phone_call *call)
{
	nghttp2_data_provider body = {.source = {.ptr = call}, .read_callback = read_body};
	char bearer[1100];
	nghttp2_nv headers[] = {
		header(":method", "POST"),
		header(":scheme", "http"),
		header(":authority", wire.authority),
		header(":path", call->path),
		header("te", "trailers"),
		header("content-type", "application/grpc"),
		header("grpc-timeout", "15S"),
		{0},
	};
	size_t n = sizeof(headers) / sizeof(headers[0]) - 1;

	if (call->token) {
		snprintf(bearer, sizeof(bearer), "Bearer %s", call->token);
		headers[n] = header("authorization", bearer);
		headers[n++].flags = NGHTTP2_NV_FLAG_NO_INDEX;
	}
	wire.stream_id = nghttp2_submit_request(wire.session, NULL, headers, n, &body, NULL);
	return wire.stream_id > 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool receive_some(int64_t until_ms)
{
	struct pollfd p = {.fd = wire.fd, .events = POLLIN};
	int64_t left = until_ms - now_ms();
	uint8_t buf[16384];
	ssize_t n;

	if (left <= 0 || poll(&p, 1, (int)left) <= 0)
		return false;
	n = recv(wire.fd, buf, sizeof(buf), 0);
	return n > 0 && nghttp2_session_mem_recv(wire.session, buf, (size_t)n) == n;
}

bool phone_wire_run(struct phone_call *call, struct qmn_status *ret_status)
{
	struct qmn_status_headers headers = {0};
	int64_t until_ms = now_ms() + CALL_LIMIT_MS;

	wire.call = call;
	wire.ended = wire.has_status = wire.has_message = wire.has_details = false;
	if (!submit(call))
		return false;
	while (!wire.ended)
		if (nghttp2_session_send(wire.session) || !receive_some(until_ms))
			return false;
	nghttp2_session_send(wire.session);
	if (wire.has_status)
		headers.status = (struct qmn_text){wire.status, strlen(wire.status)};
	if (wire.has_message)
		headers.message = (struct qmn_text){wire.message, strlen(wire.message)};
	if (wire.has_details)
		headers.details = (struct qmn_text){wire.details, strlen(wire.details)};
	qmn_status_parse(&headers, ret_status);
	return true;
}

void phone_wire_close(void)
{
	nghttp2_session_del(wire.session);
	close(wire.fd);
	wire.session = NULL;
	wire.fd = -1;
}
