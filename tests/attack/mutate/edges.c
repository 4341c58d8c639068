/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/attack/mutate/edges.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/limits.h"
#include "server/rpc/h2frame.h"

#define BOMB_LEN (32u << 20)
#define SETTINGS_INITIAL_WINDOW 4

static void put_frame(struct octets *out, unsigned type, unsigned flags, uint32_t stream,
		      const struct octets *payload)
{
	uint8_t head[H2FRAME_HEAD_LEN];
	struct h2frame f = {.len = payload ? (uint32_t)payload->len : 0,
			    .type = (uint8_t)type,
			    .flags = (uint8_t)flags,
			    .stream = stream};

	h2frame_write(head, &f);
	octets_add(out, head, sizeof(head));
	if (payload)
		octets_add(out, payload->p, payload->len);
}

/* Without an index, and short: RFC 7541, 6.2.2. */
static void put_field(struct octets *block, const char *name, const char *value)
{
	octets_byte(block, 0);
	octets_byte(block, (unsigned)strlen(name));
	octets_text(block, name);
	octets_byte(block, (unsigned)strlen(value));
	octets_text(block, value);
}

/* One that anybody may call. */
static const char *open_path(const struct seeds *seeds)
{
	for (size_t i = 0; i < seeds->n; i++) {
		const struct seed *s = &seeds->all[i];
		const char *last = strrchr(s->path, '/');

		if (!s->rest && strcmp(s->how, "unary") == 0 &&
		    (strcmp(last, "/Check") == 0 || strcmp(last, "/Unary") == 0))
			return s->path;
	}
	return "/grpc.health.v1.Health/Check";
}

static void make_block(struct octets *block, const char *path, bool gzip)
{
	put_field(block, ":method", "POST");
	put_field(block, ":scheme", "http");
	put_field(block, ":path", path);
	put_field(block, ":authority", "localhost");
	put_field(block, "content-type", "application/grpc");
	put_field(block, "te", "trailers");
	if (gzip)
		put_field(block, "grpc-encoding", "gzip");
}

static void put_window(struct octets *out, uint32_t window)
{
	struct octets payload = {0};

	octets_big_endian(&payload, SETTINGS_INITIAL_WINDOW, 2);
	octets_big_endian(&payload, window, 4);
	put_frame(out, H2_SETTINGS, 0, 0, &payload);
	octets_done(&payload);
}

/* --- the cases --- */

/* Answers of heads alone are finished, and not yet gone, when the window opens again. */
static size_t windows(struct octets *out, struct dice *d, const struct seeds *seeds)
{
	static const uint32_t wide[] = {1, 100, 65535, 0x7fffffff};
	static const char *const paths[] = {"/nothing/Here", "/healthz", "/"};
	size_t n = dice_below(d, 6) + 1;

	put_window(out, 0);
	for (size_t i = 0; i < n; i++) {
		struct octets block = {0}, step = {0};
		uint32_t stream = 2 * (uint32_t)i + 1;

		make_block(&block, dice_chance(d, 60) ? open_path(seeds) : dice_pick(d, paths),
			   false);
		put_frame(out, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, stream, &block);
		if (dice_chance(d, 30)) {
			octets_big_endian(&step, dice_pick(d, wide), 4);
			put_frame(out, H2_WINDOW_UPDATE, 0, stream, &step);
		}
		if (dice_chance(d, 70))
			put_window(out, dice_pick(d, wide));
		if (dice_chance(d, 40))
			put_window(out, 0);
		octets_done(&block);
		octets_done(&step);
	}
	put_window(out, dice_pick(d, wide));
	return n;
}

static size_t continuations(struct octets *out, struct dice *d, const struct seeds *seeds)
{
	size_t parts = LIMIT_CONTINUATIONS + 1 + dice_below(d, 30), at = 0;
	struct octets block = {0};

	put_frame(out, H2_SETTINGS, 0, 0, NULL);
	make_block(&block, open_path(seeds), false);
	for (size_t i = 0; i <= parts; i++) {
		size_t end = i == parts ? block.len : block.len * (i + 1) / (parts + 1);
		struct octets part = {.p = block.p + at, .len = end - at};

		put_frame(out, i ? H2_CONTINUATION : H2_HEADERS,
			  (i ? 0 : H2_END_STREAM) | (i == parts ? H2_END_HEADERS : 0), 1, &part);
		at = end;
	}
	octets_done(&block);
	return 1;
}

static size_t padding(struct octets *out, struct dice *d, const struct seeds *seeds)
{
	struct octets block = {0}, body = {0};

	put_frame(out, H2_SETTINGS, 0, 0, NULL);
	make_block(&block, open_path(seeds), false);
	put_frame(out, H2_HEADERS, H2_END_HEADERS, 1, &block);
	octets_byte(&body, (unsigned)(6 + dice_below(d, 200)));
	octets_fill(&body, 0, 5); /* a message of nothing */
	put_frame(out, H2_DATA, H2_PADDED | H2_END_STREAM, 1, &body);
	octets_done(&block);
	octets_done(&body);
	return 1;
}

/* Made once: the same for all. */
static const struct octets *bomb(void)
{
	static struct octets made;
	static uint8_t zeros[65536], packed[65536];
	z_stream z = {.next_out = packed, .avail_out = sizeof(packed)};

	if (made.len)
		return &made;
	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 9,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	for (size_t i = 0; i < BOMB_LEN / sizeof(zeros); i++) {
		z.next_in = zeros;
		z.avail_in = sizeof(zeros);
		if (deflate(&z, i + 1 == BOMB_LEN / sizeof(zeros) ? Z_FINISH : Z_NO_FLUSH) ==
		    Z_STREAM_ERROR)
			abort();
	}
	octets_byte(&made, 1);
	octets_big_endian(&made, z.total_out, 4);
	octets_add(&made, packed, z.total_out);
	deflateEnd(&z);
	return &made;
}

static size_t inflating(struct octets *out, const struct seeds *seeds)
{
	const struct octets *message = bomb();
	struct octets block = {0};

	put_frame(out, H2_SETTINGS, 0, 0, NULL);
	make_block(&block, open_path(seeds), true);
	put_frame(out, H2_HEADERS, H2_END_HEADERS, 1, &block);
	for (size_t at = 0; at < message->len;) {
		size_t n = message->len - at < 16384 ? message->len - at : 16384;
		struct octets part = {.p = message->p + at, .len = n};

		at += n;
		put_frame(out, H2_DATA, at == message->len ? H2_END_STREAM : 0, 1, &part);
	}
	octets_done(&block);
	return 1;
}

size_t edges_make(struct octets *out, struct dice *d, const struct seeds *seeds,
		  enum edge *ret_edge)
{
	octets_text(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	switch (dice_below(d, 20)) {
	case 0: /* costs the server as much as hundreds of others */
		*ret_edge = EDGE_BOMB;
		return inflating(out, seeds);
	case 1:
	case 2:
	case 3:
	case 4:
		*ret_edge = EDGE_CONTINUATIONS;
		return continuations(out, d, seeds);
	case 5:
	case 6:
		*ret_edge = EDGE_PADDING;
		return padding(out, d, seeds);
	default:
		*ret_edge = EDGE_WINDOWS;
		return windows(out, d, seeds);
	}
}
