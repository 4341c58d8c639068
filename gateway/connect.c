/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unary answer waits for the end of its call: only then is it known whether
 * HTTP says 200. Which door a path is for is told by its shape alone, since
 * no page and no REST route looks like /package.Service/Method.
 */
#include "gateway/connect.h"

#include <string.h>

#include "base/err.h"
#include "gateway/connect_error.h"
#include "gateway/connect_get.h"
#include "gateway/connect_stream.h"
#include "gateway/connect_trailer.h"
#include "gateway/webcall.h"
#include "server/rpc/packing.h"

#define TYPE_PROTO "application/proto"
#define TYPE_JSON "application/json"
#define GRPC_TYPES                                                                                 \
	"application/grpc, application/grpc+proto, application/grpc+json, application/grpc-web, "  \
	"application/grpc-web+proto, application/grpc-web+json, application/grpc-web-text, "       \
	"application/grpc-web-text+proto, application/grpc-web-text+json"
#define UNARY_TYPES TYPE_PROTO ", " TYPE_JSON ", " GRPC_TYPES
#define STREAM_TYPES "application/connect+proto, application/connect+json, " GRPC_TYPES
#define VERSION "1"
#define TIMEOUT_DIGITS 10
#define TIMEOUT_MAX_MS 9999999999

int connect_timeout_parse(const char *s, uint64_t *ret_ms)
{
	uint64_t ms;

	if (strlen(s) > TIMEOUT_DIGITS || text_parse_u64(s, TIMEOUT_MAX_MS, &ms) < 0)
		return -EINVAL;
	*ret_ms = ms ? ms : 1;
	return 0;
}

/* --- unary: the answer --- */

static void keep_message(struct webcall *w, struct frame *frame)
{
	frame_unref(w->kept);
	w->kept = frame_ref(frame);
}

static void send_answer(struct webcall *w)
{
	struct frame *f = w->kept;
	struct answer a;

	if (w->call->status.code != GRPC_OK || !f) {
		connect_error_send(w);
		return;
	}
	webcall_answer(w, &a, w->head.type);
	connect_trailer_headers(w, &a);
	if (f->bytes[0] & INLET_ZIPPED)
		answer_add(&a, "content-encoding", "gzip");
	webcall_head(w, 200, &a);
	exchange_write(w->x, f->bytes + FRAME_HEAD_LEN, f->len - FRAME_HEAD_LEN);
	exchange_finish(w->x, NULL, 0);
}

static void send_nothing(struct webcall *w)
{
	(void)w; /* a unary call has no head before its end */
}

static const struct web_protocol unary_protocol = {
	.name = "connect",
	.malformed = ERR_FIELD_INVALID,
	.head = send_nothing,
	.message = keep_message,
	.end = send_answer,
};

/* --- the request --- */

/* /package.Service/Method */
static bool claims(const struct exchange *x)
{
	const char *slash = x->path[0] == '/' ? strchr(x->path + 1, '/') : NULL;
	const char *dot = slash ? memchr(x->path, '.', (size_t)(slash - x->path)) : NULL;

	return dot && slash[1] && !strchr(slash + 1, '/');
}

static bool unary_head(const struct exchange *x, struct web_head *h)
{
	if (!web_codec(x, h, TYPE_PROTO, TYPE_JSON))
		return false;
	web_encoding(h, exchange_header(x, "content-encoding"));
	return true;
}

/* Version and deadline: of every request. */
static void common_head(const struct exchange *x, struct web_head *h)
{
	const char *version = exchange_header(x, "connect-protocol-version");
	const char *timeout = exchange_header(x, "connect-timeout-ms");

	if (h->refusal)
		return;
	if (version && strcmp(version, VERSION) != 0)
		h->why = "connect-protocol-version must be " VERSION ".";
	else if (timeout && connect_timeout_parse(timeout, &h->timeout_ms) < 0)
		h->why = "connect-timeout-ms is a number of at most ten digits.";
	if (h->why)
		h->refusal = ERR_FIELD_INVALID;
}

/* Without words: what HTTP says is all there is, and a header tells how it is done. */
static void refuse(struct exchange *x, const struct web *web, unsigned http, const char *name,
		   const char *value)
{
	struct answer a;

	answer_init_api(&a, NULL, NULL);
	answer_add(&a, name, value);
	cors_head(web->cors, x, http, &a);
	exchange_finish(x, NULL, 0);
}

static void open_post(struct exchange *x, struct web *web, const struct method *method)
{
	bool is_unary = method->kind == METHOD_UNARY;
	struct web_head head = {.codec = CODEC_PROTO};

	if (!(is_unary ? unary_head(x, &head) : connect_stream_head(x, &head))) {
		refuse(x, web, 415, "accept-post", is_unary ? UNARY_TYPES : STREAM_TYPES);
		return;
	}
	if (is_unary)
		head.gzip_out = packing_lists_gzip(exchange_header(x, "accept-encoding"));
	common_head(x, &head);
	(void)!webcall_open(x, web, method, is_unary ? &unary_protocol : &connect_stream_protocol,
			    &head);
}

static void open_get(struct exchange *x, struct web *web, const struct method *method)
{
	struct web_head head = {
		.gzip_out = packing_lists_gzip(exchange_header(x, "accept-encoding")),
	};

	common_head(x, &head);
	connect_get_open(x, web, method, &unary_protocol, &head);
}

static void refuse_unknown(struct exchange *x, const struct web *web)
{
	static const char words[] = "No such method here.";
	const struct status why = {.code = GRPC_UNIMPLEMENTED, .message = (char *)(uintptr_t)words};

	connect_error_refuse(x, web, 404, &why);
}

static bool door_refuse(struct exchange *x, void *owner, unsigned http, const struct status *why)
{
	struct web_head head = {.codec = CODEC_PROTO};

	if (connect_stream_head(x, &head))
		connect_stream_refuse(x, owner, &head, why);
	else
		connect_error_refuse(x, owner, http, why);
	return true;
}

static void door_open(struct exchange *x, void *owner)
{
	struct web *web = owner;
	const struct method *method;
	bool may_get;

	x->user = NULL;
	method = service_find(web->services, x->path, strlen(x->path), NULL, NULL);
	if (!method) {
		refuse_unknown(x, web);
		return;
	}
	may_get = method->kind == METHOD_UNARY && method->policy.no_side_effects;
	if (cors_preflight(web->cors, x, may_get ? "GET, POST" : "POST"))
		return;
	if (strcmp(x->method, "POST") == 0)
		open_post(x, web, method);
	else if (may_get && strcmp(x->method, "GET") == 0)
		open_get(x, web, method);
	else
		refuse(x, web, 405, "allow", may_get ? "GET, POST" : "POST");
}

/* A body that comes behind a GET: some clients end theirs by an empty frame, which is none. */
static void door_data(struct exchange *x, const uint8_t *p, size_t len)
{
	struct webcall *w = x->user;

	if (!w || !w->given || len == 0) {
		webcall_data(x, p, len);
		return;
	}
	if (w->dispatched)
		return;
	refuse(x, w->web, 415, NULL, NULL);
	webcall_drop(w);
}

const struct door connect_door = {
	.name = "connect",
	.claims = claims,
	.open = door_open,
	.refuse = door_refuse,
	.data = door_data,
	.end = webcall_end,
	.drained = webcall_drained,
	.gone = webcall_gone,
};
