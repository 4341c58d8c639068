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

#include "base/gzip.h"
#include "client/channel.h"
#include "client/outcome.h"

/* An hour. */
#define PUSHBACK_MAX_MS 3600000

uint64_t qcall_now_ms(void)
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

static bool spec_allowed(const struct qcall_spec *spec)
{
	return path_allowed(spec->path) && spec->handler && spec->handler->done &&
	       spec->len <= INT32_MAX && (spec->len == 0 || spec->request);
}

static int take_metadata(struct qm_call *call, const struct qm_call_options *options)
{
	int r = 0;

	for (size_t i = 0; i < options->n_metadata && r == 0; i++)
		r = mdlist_add_own(&call->out, &options->metadata[i]);
	if (r < 0)
		return r;
	if (call->out.n > QCALL_MAX_HEADERS || call->out.bytes > QCALL_MAX_HEADER_BYTES)
		return -EINVAL;
	return 0;
}

/* Calls of one request have it from the start. */
static int take_request(struct qm_call *call, const struct qcall_spec *spec)
{
	int r;

	if (spec->kind == QM_CLIENT_STREAM || spec->kind == QM_BIDI)
		return 0;
	r = outbox_add(&call->requests, spec->request, spec->len);
	outbox_end(&call->requests);
	return r;
}

int qcall_new(const struct qcall_spec *spec, struct qm_call **ret_call)
{
	static const struct qm_call_options none;
	const struct qm_call_options *options = spec->options ? spec->options : &none;
	_cleanup_(qcall_unrefp) struct qm_call *call = NULL;
	int r;

	if (!spec_allowed(spec))
		return -EINVAL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	atomic_init(&call->refs, 1);
	atomic_init(&call->read_on, true);
	atomic_init(&call->ended, false);
	frame_reader_init(&call->reader, 0);
	outbox_init(&call->requests, options->gzip);
	call->path = strdup(spec->path);
	if (!call->path)
		return -ENOMEM;
	r = take_metadata(call, options);
	if (r == 0)
		r = take_request(call, spec);
	if (r < 0)
		return r;
	call->handler = *spec->handler;
	call->arg = spec->arg;
	call->idempotent = options->idempotent;
	call->secret = options->secret;
	call->gzip = options->gzip;
	call->one_answer = spec->kind == QM_UNARY || spec->kind == QM_CLIENT_STREAM;
	if (options->timeout_ms > 0)
		call->deadline = qcall_now_ms() + options->timeout_ms;
	if (spec->delay_ms > 0)
		call->retry_at = qcall_now_ms() + spec->delay_ms;
	*ret_call = TAKE(call);
	return 0;
}

/* Counts only at the very end: in front of a body it is not yet true. */
static void forget_status(struct qm_call *call)
{
	call->has_grpc_status = false;
	call->grpc_status = 0;
	free(call->grpc_message);
	free(call->details);
	call->grpc_message = NULL;
	call->details = NULL;
	call->details_len = 0;
}

/* The answer so far: metadata, status parts, buffered bytes. */
static void drop_answer(struct qm_call *call)
{
	frame_reader_done(&call->reader);
	text_done(&call->inflated);
	mdlist_done(&call->md);
	forget_status(call);
	status_done(&call->status);
}

void qcall_unref(struct qm_call *call)
{
	if (!call || atomic_fetch_sub(&call->refs, 1) != 1)
		return;
	drop_answer(call);
	outbox_done(&call->requests);
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
	call->headers_sent = false;
	call->held_len = 0;
	call->http_status = 0;
	call->got_headers = call->is_grpc = call->committed = call->trailing = false;
	call->encoding = ENCODING_IDENTITY;
	call->held = false;
	call->n_messages = 0;
	call->pushback_ms = QCALL_PUSHBACK_NONE;
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

/* What is no number means the same as a negative one: do not come again (gRFC A6). */
static int64_t pushback(const char *value, size_t len)
{
	unsigned n = number(value, len, PUSHBACK_MAX_MS);

	return n <= PUSHBACK_MAX_MS ? (int64_t)n : QCALL_PUSHBACK_NEVER;
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

/* Answers in another codec are none that anybody here can read. */
static bool is_our_type(const char *value, size_t len)
{
	static const char grpc[] = "application/grpc", proto[] = "application/grpc+proto";
	const char *parameters = memchr(value, ';', len);

	if (parameters)
		len = (size_t)(parameters - value);
	while (len > 0 && value[len - 1] == ' ')
		len--;
	return is(value, len, grpc) || is(value, len, proto);
}

/* The headers that are the protocol's own. 1: taken. */
static int take_own(struct qm_call *call, const char *name, size_t name_len, const char *value,
		    size_t value_len)
{
	char *text;

	if (is(name, name_len, ":status")) {
		call->http_status = number(value, value_len, 999);
	} else if (is(name, name_len, "content-type")) {
		call->is_grpc = is_our_type(value, value_len);
	} else if (is(name, name_len, "grpc-encoding")) {
		call->encoding = is(value, value_len, "identity") ? ENCODING_IDENTITY
				 : is(value, value_len, "gzip")   ? ENCODING_GZIP
								  : ENCODING_FOREIGN;
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
		call->pushback_ms = pushback(value, value_len);
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
	forget_status(call);
	call->got_headers = true;
	if (call->http_status != 200 || !call->is_grpc)
		return 0;
	call->committed = true;
	outbox_commit(&call->requests);
	if (call->handler.metadata && call->md.n > 0)
		call->handler.metadata(call->arg, call->md.v, call->md.n);
	mdlist_done(&call->md);
	return 0;
}

static int refuse_message(struct qm_call *call, enum err e, const char *why)
{
	status_set(&call->status, e, "%s", why);
	return 1;
}

static int too_large(struct qm_call *call)
{
	status_set(&call->status, ERR_MESSAGE_TOO_LARGE,
		   "the answer is over the limit of %zu bytes", call->reader.max);
	return 1;
}

/* Inflates a message in place of itself. The limit holds for both of its sizes. */
static int open_message(struct qm_call *call, uint8_t flag, const uint8_t **p, size_t *len)
{
	int r;

	if (flag == 0)
		return 0;
	if (flag != 1)
		return refuse_message(call, ERR_MESSAGE_INVALID,
				      "the server sent a message with an unknown flag");
	if (call->encoding == ENCODING_IDENTITY)
		return refuse_message(call, ERR_MESSAGE_INVALID,
				      "the server sent a compressed message without grpc-encoding");
	if (call->encoding == ENCODING_FOREIGN)
		return refuse_message(call, ERR_MESSAGE_INVALID,
				      "the server compressed a message in a way that was not "
				      "offered to it");
	if (*len == 0)
		return 0;
	text_done(&call->inflated);
	call->inflated = TEXT_INIT(call->reader.max);
	r = gzip_inflate(*p, *len, &call->inflated);
	if (r == -EMSGSIZE)
		return too_large(call);
	if (r == -ENOMEM)
		return refuse_message(call, ERR_INTERNAL, "out of memory");
	if (r < 0)
		return refuse_message(call, ERR_MESSAGE_INVALID,
				      "the server sent a message that is no gzip");
	*p = (const uint8_t *)(call->inflated.s ? call->inflated.s : "");
	*len = call->inflated.len;
	return 0;
}

int qcall_deliver(struct qm_call *call)
{
	const uint8_t *p;
	uint8_t flag;
	size_t len;
	int r;

	while (!(call->held = !atomic_load(&call->read_on))) {
		r = frame_reader_next(&call->reader, &flag, &p, &len);
		if (r == 0)
			return 0;
		if (r < 0)
			return too_large(call);
		r = open_message(call, flag, &p, &len);
		if (r > 0)
			return r;
		if (call->one_answer && call->n_messages > 0)
			return refuse_message(call, ERR_UNIMPLEMENTED,
					      "the server answered with more than one message");
		call->n_messages++;
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
	return call->held && frame_reader_rest(&call->reader) > 0;
}

bool qcall_deliver_rest(struct qm_call *call)
{
	if (qcall_deliver(call) > 0)
		return false;
	if (qcall_has_waiting(call))
		return true;
	outcome_check(call);
	return false;
}

static void tell_trailers(struct qm_call *call)
{
	const struct qm_handler *h = &call->handler;

	if (!call->trailing || !call->has_grpc_status || call->md.n == 0)
		return;
	if (h->trailers)
		h->trailers(call->arg, call->md.v, call->md.n);
	else if (h->metadata)
		h->metadata(call->arg, call->md.v, call->md.n);
}

void qcall_finish(struct qm_call *call)
{
	if (atomic_exchange(&call->ended, true))
		return;
	call->place = QCALL_ENDED;
	outbox_end(&call->requests);
	tell_trailers(call);
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
