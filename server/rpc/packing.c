/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A secret is not compressed, for its length would tell about it; nor is what
 * fits one packet anyway.
 */
#include "server/rpc/packing.h"

#include <string.h>
#include <strings.h>

#include "base/gzip.h"
#include "gen/rpc/rules.h"

#define ZIP_MIN_LEN 1024

int packing_zip(struct frame **frame)
{
	size_t len = (*frame)->len - FRAME_HEAD_LEN;
	_cleanup_(text_done) struct text out = TEXT_INIT(len);
	struct frame *zipped;
	int r;

	if ((*frame)->secret || len < ZIP_MIN_LEN)
		return 0;
	r = gzip_deflate((*frame)->bytes + FRAME_HEAD_LEN, len, &out);
	if (r == -EMSGSIZE)
		return 0; /* it got longer */
	if (r)
		return err_trace(r);
	zipped = frame_new(out.len);
	if (!zipped)
		return err_origin(-ENOMEM);
	memcpy(zipped->bytes + FRAME_HEAD_LEN, out.s, out.len);
	zipped->bytes[0] = PACKING_ZIPPED;
	frame_unref(*frame);
	*frame = zipped;
	return 0;
}

int packing_frame(const ProtobufCMessage *msg, bool gzip, struct frame **ret_frame)
{
	const struct message_rules *rules = rules_find(msg->descriptor);
	size_t len = protobuf_c_message_get_packed_size(msg);
	struct frame *frame = frame_new(len);
	int r = 0;

	if (!frame)
		return err_origin(-ENOMEM);
	frame->secret = rules && rules->has_secret;
	protobuf_c_message_pack(msg, frame->bytes + FRAME_HEAD_LEN);
	if (gzip)
		r = packing_zip(&frame);
	if (r) {
		frame_unref(frame);
		return err_trace(r);
	}
	*ret_frame = frame;
	return 0;
}

int packing_inflate(const void *p, size_t len, struct text *room)
{
	int r = len ? gzip_inflate(p, len, room) : 0;

	if (r == -EMSGSIZE)
		return ERR_MESSAGE_TOO_LARGE;
	return r == -EBADMSG ? ERR_MESSAGE_INVALID : r;
}

/* ";q=0" behind a name is a way to say no (RFC 9110 12.4.2). */
static bool is_declined(const char *p)
{
	p += strspn(p, " \t");
	if (*p != ';')
		return false;
	p += 1 + strspn(p + 1, " \t");
	if (strncasecmp(p, "q=0", 3) != 0)
		return false;
	p += 3 + strspn(p + 3, ".0");
	return *p < '1' || *p > '9';
}

bool packing_lists_gzip(const char *list)
{
	const char *p = list ? list : "";

	while (*p) {
		size_t len;

		p += strspn(p, " \t,");
		len = strcspn(p, " \t,;");
		if (len == 4 && strncasecmp(p, "gzip", 4) == 0)
			return !is_declined(p + len);
		p += len + strcspn(p + len, ",");
	}
	return false;
}
