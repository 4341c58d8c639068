/* SPDX-License-Identifier: Apache-2.0 */
/* A method takes one message: a second one is refused as soon as its first byte is here. */
#include "gateway/inlet.h"

#include <string.h>

#include "base/gzip.h"

#define TEXT_PIECE 4096 /* characters of base64 at a time; a multiple of four */

static const char too_large[] = "A message is larger than this method takes.";
static const char no_memory[] = "Out of memory.";
static const char one_message[] = "This method takes one request message, not more.";

static int refuse(enum err e, const char *why, const char **ret_why)
{
	*ret_why = why;
	return (int)e;
}

void inlet_init(struct inlet *in)
{
	frame_reader_init(&in->reader, in->max);
	in->body = TEXT_INIT(in->max);
}

void inlet_done(struct inlet *in)
{
	frame_reader_done(&in->reader);
	text_done(&in->body);
}

/* One out of its envelope, when it is whole: then have is set. */
static int cut_message(struct inlet *in, const char **ret_why)
{
	uint8_t flags = 0;
	int r = frame_reader_next(&in->reader, &flags, &in->msg, &in->msg_len);

	if (r == -EMSGSIZE)
		return refuse(ERR_MESSAGE_TOO_LARGE, too_large, ret_why);
	if (r == 0)
		return 0;
	if (flags & ~INLET_ZIPPED)
		return refuse(in->malformed, "A message has flags that nothing knows.", ret_why);
	if (flags && !in->gzip)
		return refuse(ERR_MESSAGE_INVALID,
			      "A message is compressed, but the head names no encoding.", ret_why);
	in->have = true;
	in->zipped = flags & INLET_ZIPPED;
	return 0;
}

static int take_message(struct inlet *in, const char **ret_why)
{
	int r = cut_message(in, ret_why);

	if (!r && in->have && frame_reader_rest(&in->reader) > 0)
		return refuse(ERR_UNIMPLEMENTED, one_message, ret_why);
	return r;
}

static int add_bytes(struct inlet *in, const uint8_t *p, size_t len, const char **ret_why)
{
	if (len == 0)
		return 0;
	if (!in->enveloped) {
		if (len > in->max - in->body.len)
			return refuse(ERR_MESSAGE_TOO_LARGE, too_large, ret_why);
		text_add(&in->body, p, len);
		return in->body.failed ? refuse(ERR_INTERNAL, no_memory, ret_why) : 0;
	}
	if (in->have)
		return refuse(ERR_UNIMPLEMENTED, "This method takes one request message, not more.",
			      ret_why);
	if (frame_reader_add(&in->reader, p, len) < 0)
		return refuse(ERR_INTERNAL, no_memory, ret_why);
	return in->many ? 0 : take_message(in, ret_why);
}

static int add_text(struct inlet *in, const char *s, size_t len, const char **ret_why)
{
	uint8_t bytes[TEXT_PIECE / 4 * 3];
	size_t n;

	if (text_unbase64(s, len, bytes, sizeof(bytes), &n) < 0)
		return refuse(in->malformed, "The body is not base64.", ret_why);
	return add_bytes(in, bytes, n, ret_why);
}

/* A client may pad each piece it sends: padding ends a group, not the text. */
static int add_pieces(struct inlet *in, const char *s, size_t len, const char **ret_why)
{
	char piece[TEXT_PIECE];

	while (len) {
		size_t room = sizeof(piece) - in->n_quad;
		size_t n = len < room ? len : room;
		size_t whole = (in->n_quad + n) & ~(size_t)3;
		const char *pad;
		int r;

		memcpy(piece, in->quad, in->n_quad);
		memcpy(piece + in->n_quad, s, n);
		if (whole == 0) {
			memcpy(in->quad + in->n_quad, s, n);
			in->n_quad += n;
			return 0;
		}
		pad = memchr(piece, '=', whole);
		if (pad)
			whole = ((size_t)(pad - piece) & ~(size_t)3) + 4;
		r = add_text(in, piece, whole, ret_why);
		if (r)
			return r;
		s += whole - in->n_quad;
		len -= whole - in->n_quad;
		in->n_quad = 0;
	}
	return 0;
}

int inlet_add(struct inlet *in, const uint8_t *p, size_t len, const char **ret_why)
{
	if (in->base64)
		return add_pieces(in, (const char *)p, len, ret_why);
	return add_bytes(in, p, len, ret_why);
}

int inlet_end(struct inlet *in, const char **ret_why)
{
	size_t left = in->n_quad;
	int r;

	in->n_quad = 0;
	if (left) {
		r = add_text(in, in->quad, left, ret_why);
		if (r)
			return r;
	}
	if (in->many)
		return 0;
	if (!in->enveloped) {
		in->msg = in->body.len ? (const uint8_t *)in->body.s : (const uint8_t *)"";
		in->msg_len = in->body.len;
		in->zipped = in->gzip;
		in->have = true;
	}
	if (in->have)
		return 0;
	if (frame_reader_rest(&in->reader) > 0)
		return refuse(in->malformed, "The request message is cut short.", ret_why);
	return refuse(ERR_UNIMPLEMENTED, "This method takes one request message, not none.",
		      ret_why);
}

int inlet_give(struct inlet *in, const uint8_t *p, size_t len, const char **ret_why)
{
	return add_bytes(in, p, len, ret_why);
}

int inlet_plain(const struct inlet *in, struct text *room, const uint8_t **ret_p, size_t *ret_len,
		const char **ret_why)
{
	int r;

	/* Nothing stays nothing: some clients mark an empty message as compressed. */
	if (!in->zipped || in->msg_len == 0) {
		*ret_p = in->msg;
		*ret_len = in->msg_len;
		return 0;
	}
	*room = TEXT_INIT(in->max);
	r = gzip_inflate(in->msg, in->msg_len, room);
	if (r == -EMSGSIZE)
		return refuse(ERR_MESSAGE_TOO_LARGE,
			      "A message is larger than this method takes once it is inflated.",
			      ret_why);
	if (r == -EBADMSG)
		return refuse(in->malformed, "A message that should be gzip is not.", ret_why);
	if (r)
		return refuse(ERR_INTERNAL, no_memory, ret_why);
	*ret_p = room->s ? (const uint8_t *)room->s : (const uint8_t *)"";
	*ret_len = room->len;
	return 0;
}

int inlet_next(struct inlet *in, struct text *room, const uint8_t **ret_p, size_t *ret_len,
	       const char **ret_why)
{
	int r;

	in->have = false;
	r = cut_message(in, ret_why);
	if (r)
		return r;
	if (in->have)
		return inlet_plain(in, room, ret_p, ret_len, ret_why);
	*ret_p = NULL;
	return 0;
}

bool inlet_is_cut(const struct inlet *in)
{
	return frame_reader_rest(&in->reader) > 0;
}
