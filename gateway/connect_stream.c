/* SPDX-License-Identifier: Apache-2.0 */
/* Once it is a stream every failure is told in its last envelope, never by HTTP. */
#include "gateway/connect_stream.h"

#include <string.h>

#include "gateway/connect_error.h"
#include "gateway/connect_trailer.h"
#include "server/rpc/packing.h"

#define TYPE_PROTO "application/connect+proto"
#define TYPE_JSON "application/connect+json"
#define FLAG_END 0x02
#define END_MAX_LEN (512u << 10)

static void send_head(struct webcall *w)
{
	struct answer a;

	webcall_answer(w, &a, w->head.type);
	answer_add(&a, "connect-accept-encoding", "gzip");
	if (w->head.gzip_out)
		answer_add(&a, "connect-content-encoding", "gzip");
	webcall_head(w, 200, &a);
}

static void send_message(struct webcall *w, struct frame *frame)
{
	if (!w->head_sent)
		send_head(w);
	exchange_write_frame(w->x, frame);
}

/* w: NULL where no call was made. */
static void send_last(struct exchange *x, const struct web *web, const struct status *st,
		      const struct webcall *w)
{
	_cleanup_(text_done) struct text json = TEXT_INIT(END_MAX_LEN);
	uint8_t head[FRAME_HEAD_LEN];

	text_adds(&json, "{");
	if (st->code != GRPC_OK) {
		text_adds(&json, "\"error\":");
		connect_error_json(st, service_types(web->services), &json);
	}
	if (w)
		connect_trailer_json(w, &json);
	text_adds(&json, "}");
	if (json.failed) {
		exchange_reset(x, 2);
		return;
	}
	frame_head(head, FLAG_END, (uint32_t)json.len);
	exchange_write(x, head, sizeof(head));
	exchange_write(x, json.s, json.len);
	exchange_finish(x, NULL, 0);
}

static void send_end(struct webcall *w)
{
	if (!w->head_sent)
		send_head(w);
	send_last(w->x, w->web, &w->call->status, w);
}

void connect_stream_refuse(struct exchange *x, const struct web *web, const struct web_head *h,
			   const struct status *why)
{
	struct answer a;

	answer_init_api(&a, h->type, NULL);
	cors_head(web->cors, x, 200, &a);
	send_last(x, web, why, NULL);
}

const struct web_protocol connect_stream_protocol = {
	.name = "connect",
	.enveloped = true,
	.malformed = ERR_FIELD_INVALID,
	.head = send_head,
	.message = send_message,
	.end = send_end,
};

bool connect_stream_head(const struct exchange *x, struct web_head *h)
{
	if (!web_codec(x, h, TYPE_PROTO, TYPE_JSON))
		return false;
	h->gzip_out = packing_lists_gzip(exchange_header(x, "connect-accept-encoding"));
	web_encoding(h, exchange_header(x, "connect-content-encoding"));
	return true;
}
