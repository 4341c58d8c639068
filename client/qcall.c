/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a gRPC call is on the client's side: its request as bytes, the rules by
 * which headers, messages and trailers become handler calls and one status.
 * Knows nothing of connections; nothing here blocks.
 */
#include "client/qcall.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "client/channel.h"

/* HTTP/2 error codes (RFC 9113, 7) that gRPC maps. */
enum {
	H2_NO_ERROR = 0x0,
	H2_REFUSED_STREAM = 0x7,
	H2_CANCEL = 0x8,
	H2_ENHANCE_YOUR_CALM = 0xb,
	H2_INADEQUATE_SECURITY = 0xc,
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool path_allowed(const char *path)
{
	size_t len = path ? strlen(path) : 0;

	if (len < 4 || len > 512 || path[0] != '/' || !strchr(path + 1, '/'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (path[i] <= 0x20 || path[i] > 0x7e)
			return false;
	return true;
}

static int take_request(struct qm_call *call, const void *request, size_t len)
{
	call->request = malloc(FRAME_HEAD_LEN + len);
	if (!call->request)
		return -ENOMEM;
	frame_head(call->request, 0, (uint32_t)len);
	if (len > 0)
		memcpy(call->request + FRAME_HEAD_LEN, request, len);
	call->request_len = FRAME_HEAD_LEN + len;
	return 0;
}

int qcall_new(const struct qcall_spec *spec, struct qm_call **ret_call)
{
	static const struct qm_call_options none;
	const struct qm_call_options *options = spec->options ? spec->options : &none;
	_cleanup_(qcall_unrefp) struct qm_call *call = NULL;
	int r = 0;

	if (!path_allowed(spec->path) || !spec->handler || !spec->handler->done ||
	    spec->len > INT32_MAX || (spec->len > 0 && !spec->request))
		return -EINVAL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	atomic_init(&call->refs, 1);
	atomic_init(&call->read_on, true);
	atomic_init(&call->ended, false);
	frame_reader_init(&call->reader, 0);
	call->path = strdup(spec->path);
	if (!call->path || take_request(call, spec->request, spec->len) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < options->n_metadata && r == 0; i++)
		r = mdlist_add_own(&call->out, &options->metadata[i]);
	if (r < 0)
		return r;
	if (call->out.n > QCALL_MAX_HEADERS || call->out.bytes > QCALL_MAX_HEADER_BYTES)
		return -EINVAL;
	call->handler = *spec->handler;
	call->arg = spec->arg;
	call->idempotent = options->idempotent;
	if (options->timeout_ms > 0)
		call->deadline = now_ms() + options->timeout_ms;
	*ret_call = TAKE(call);
	return 0;
}

/* The answer so far: metadata, status parts, buffered bytes. */
static void drop_answer(struct qm_call *call)
{
	frame_reader_done(&call->reader);
	mdlist_done(&call->md);
	free(call->grpc_message);
	free(call->details);
	call->grpc_message = NULL;
	call->details = NULL;
	call->details_len = 0;
	status_done(&call->status);
}

void qcall_unref(struct qm_call *call)
{
	if (!call || atomic_fetch_sub(&call->refs, 1) != 1)
		return;
	drop_answer(call);
	if (call->request)
		explicit_bzero(call->request, call->request_len);
	free(call->request);
	mdlist_done(&call->out);
	free(call->path);
	if (call->channel)
		channel_unref(call->channel);
	free(call);
}

void qcall_reset(struct qm_call *call, size_t max_message)
{
	drop_answer(call);
	frame_reader_init(&call->reader, max_message);
	call->stream_id = 0;
	call->sent_len = 0;
	call->headers_sent = false;
	call->held_len = 0;
	call->http_status = 0;
	call->got_headers = call->is_grpc = call->committed = call->trailing = false;
	call->has_grpc_status = call->compressed = false;
	call->grpc_status = 0;
	call->pushback_ms = 0;
}

static void set_code(struct status *s, enum grpc_code code, const char *message)
{
	status_done(s);
	s->code = code;
	s->message = strdup(message ? message : "");
}

static bool is(const char *name, size_t len, const char *want)
{
	return len == strlen(want) && memcmp(name, want, len) == 0;
}

/* Up to 9 digits; max + 1 when it is none. */
static unsigned number(const char *value, size_t len, unsigned max)
{
	char digits[10];
	uint64_t n;

	if (len == 0 || len >= sizeof(digits))
		return max + 1;
	memcpy(digits, value, len);
	digits[len] = '\0';
	if (text_parse_u64(digits, max, &n) < 0)
		return max + 1;
	return (unsigned)n;
}

static int take_details(struct qm_call *call, const char *value, size_t len)
{
	free(call->details);
	call->details = malloc(len + 1);
	if (!call->details)
		return -ENOMEM;
	/* Broken details are no reason to lose the code and the words beside them. */
	if (text_unbase64(value, len, call->details, len, &call->details_len) < 0)
		call->details_len = 0;
	return 0;
}

/* The headers that are the protocol's own. 1: taken. */
static int take_own(struct qm_call *call, const char *name, size_t name_len, const char *value,
		    size_t value_len)
{
	char *text;

	if (is(name, name_len, ":status")) {
		call->http_status = number(value, value_len, 999);
	} else if (is(name, name_len, "content-type")) {
		call->is_grpc = value_len >= 16 && memcmp(value, "application/grpc", 16) == 0 &&
				(value_len == 16 || value[16] == '+' || value[16] == ';');
	} else if (is(name, name_len, "grpc-encoding")) {
		call->compressed = !is(value, value_len, "identity");
	} else if (is(name, name_len, "grpc-status")) {
		call->has_grpc_status = true;
		call->grpc_status = number(value, value_len, 16);
		if (call->grpc_status > 16)
			call->grpc_status = GRPC_UNKNOWN;
	} else if (is(name, name_len, "grpc-message")) {
		text = strndup(value, value_len);
		free(call->grpc_message);
		call->grpc_message = text ? status_unpercent(text) : NULL;
		free(text);
	} else if (is(name, name_len, "grpc-status-details-bin")) {
		return take_details(call, value, value_len) < 0 ? -ENOMEM : 1;
	} else if (is(name, name_len, "grpc-retry-pushback-ms")) {
		call->pushback_ms = number(value, value_len, 60000);
	} else {
		return name_len > 0 && (name[0] == ':' || strncmp(name, "grpc-", 5) == 0);
	}
	return 1;
}

int qcall_header(struct qm_call *call, const char *name, size_t name_len, const char *value,
		 size_t value_len)
{
	int r;

	r = take_own(call, name, name_len, value, value_len);
	if (r == 1)
		return 0;
	if (r == 0)
		r = mdlist_add_wire(&call->md, name, name_len, value, value_len);
	if (r == -EBADMSG) {
		status_set(&call->status, ERR_MESSAGE_INVALID,
			   "the server's metadata is not well-formed");
		return 1;
	}
	if (r < 0) {
		status_set(&call->status, ERR_INTERNAL, "out of memory");
		return 1;
	}
	if (call->md.n > QCALL_MAX_HEADERS || call->md.bytes > QCALL_MAX_HEADER_BYTES) {
		status_set(&call->status, ERR_MESSAGE_TOO_LARGE,
			   "the server's metadata is over %d bytes", QCALL_MAX_HEADER_BYTES);
		return 1;
	}
	return 0;
}

int qcall_headers_end(struct qm_call *call, bool end_stream)
{
	if (call->got_headers || end_stream) {
		call->got_headers = true;
		call->trailing = true;
		return 0;
	}
	if (call->http_status >= 100 && call->http_status < 200) {
		mdlist_done(&call->md);
		return 0;
	}
	call->got_headers = true;
	if (call->http_status != 200 || !call->is_grpc)
		return 0;
	call->committed = true;
	if (call->handler.metadata && call->md.n > 0)
		call->handler.metadata(call->arg, call->md.v, call->md.n);
	mdlist_done(&call->md);
	return 0;
}

int qcall_deliver(struct qm_call *call)
{
	const uint8_t *p;
	uint8_t flag;
	size_t len;
	int r;

	while (atomic_load(&call->read_on)) {
		r = frame_reader_next(&call->reader, &flag, &p, &len);
		if (r == 0)
			return 0;
		if (r < 0) {
			status_set(&call->status, ERR_MESSAGE_TOO_LARGE,
				   "the answer is over the limit of %zu bytes", call->reader.max);
			return 1;
		}
		if (flag != 0) {
			status_set(&call->status, ERR_MESSAGE_INVALID,
				   "the server sent a compressed message that was not asked for");
			return 1;
		}
		if (call->handler.message)
			call->handler.message(call->arg, p, len);
	}
	return 0;
}

int qcall_data(struct qm_call *call, const uint8_t *p, size_t len)
{
	/* Pages of proxies and other foreign bodies are not messages. */
	if (!call->committed)
		return 0;
	if (frame_reader_add(&call->reader, p, len) < 0) {
		status_set(&call->status, ERR_INTERNAL, "out of memory");
		return 1;
	}
	return qcall_deliver(call);
}

bool qcall_has_waiting(const struct qm_call *call)
{
	return !atomic_load(&call->read_on) && frame_reader_rest(&call->reader) > 0;
}

bool qcall_deliver_rest(struct qm_call *call)
{
	if (qcall_deliver(call) > 0)
		return false;
	if (qcall_has_waiting(call))
		return true;
	if (call->status.code == GRPC_OK && frame_reader_rest(&call->reader) > 0)
		status_set(&call->status, ERR_MESSAGE_INVALID, "the answer ends inside a message");
	return false;
}

enum grpc_code qcall_code_of_http(unsigned http_status)
{
	switch (http_status) {
	case 400:
	case 431:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

enum grpc_code qcall_code_of_h2(uint32_t h2_error)
{
	switch (h2_error) {
	case H2_REFUSED_STREAM:
		return GRPC_UNAVAILABLE;
	case H2_CANCEL:
		return GRPC_CANCELLED;
	case H2_ENHANCE_YOUR_CALM:
		return GRPC_RESOURCE_EXHAUSTED;
	case H2_INADEQUATE_SECURITY:
		return GRPC_PERMISSION_DENIED;
	default:
		return GRPC_INTERNAL;
	}
}

/* code, words and details from the trailers. */
static void status_of_trailers(struct qm_call *call)
{
	struct status *s = &call->status;

	if (call->grpc_status != 0 && call->details_len > 0 &&
	    status_decode(call->details, call->details_len, s) == 0 &&
	    (unsigned)s->code == call->grpc_status)
		return;
	set_code(s, (enum grpc_code)call->grpc_status, call->grpc_message);
}

enum qcall_end qcall_closed(struct qm_call *call, uint32_t h2_error)
{
	char words[128];

	if (call->has_grpc_status) {
		status_of_trailers(call);
		if (call->status.code == GRPC_OK && frame_reader_rest(&call->reader) > 0 &&
		    !qcall_has_waiting(call))
			status_set(&call->status, ERR_MESSAGE_INVALID,
				   "the answer ends inside a message");
		return QCALL_FINAL;
	}
	if (h2_error == H2_REFUSED_STREAM && !call->got_headers) {
		set_code(&call->status, GRPC_UNAVAILABLE, "the server refused the call unread");
		return QCALL_UNTOUCHED;
	}
	if (call->got_headers && (call->http_status != 200 || !call->is_grpc)) {
		snprintf(words, sizeof(words), "the server answered HTTP %u without a gRPC status",
			 call->http_status);
		set_code(&call->status, qcall_code_of_http(call->http_status), words);
	} else if (h2_error != H2_NO_ERROR) {
		snprintf(words, sizeof(words), "the server ended the call with HTTP/2 error %u",
			 h2_error);
		set_code(&call->status, qcall_code_of_h2(h2_error), words);
	} else {
		set_code(&call->status, GRPC_UNKNOWN, "the server ended the call without a status");
	}
	return QCALL_FINAL;
}

void qcall_finish(struct qm_call *call)
{
	if (atomic_exchange(&call->ended, true))
		return;
	call->place = QCALL_ENDED;
	if (call->trailing && call->has_grpc_status && call->handler.metadata && call->md.n > 0)
		call->handler.metadata(call->arg, call->md.v, call->md.n);
	call->handler.done(call->arg, &call->status);
}

void qcall_timeout_text(uint64_t timeout_ms, char *ret)
{
	/* At most eight digits. */
	if (timeout_ms < 100000000)
		snprintf(ret, 16, "%um", (unsigned)timeout_ms);
	else
		snprintf(ret, 16, "%uS", (unsigned)(timeout_ms / 1000 % 100000000));
}
