/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets in thousandths of a token, so that a slow refill is exact; header fields are
 * counted while their block is still compressed. Owned by one connection.
 */
#include "server/rpc/guard.h"

#include "base/limits.h"

#define UNIT 1000u
/*
 * What is a little over the limits of a head is decoded, for the sake of the compression state, and
 * its stream alone refused (h2open.c): one caller with too much metadata must not end the calls of
 * the others. What is over this many times the limits is not touched.
 */
#define BEYOND 2

static const struct {
	uint32_t burst, per_s;
	const char *words;
} rules[GUARD_N_EVENTS] = {
	[GUARD_RESET] = {LIMIT_RATE(RESETS), "too many resets"},
	[GUARD_STREAM_ERROR] = {LIMIT_RATE(STREAM_ERRORS), "too many stream errors"},
	[GUARD_PING] = {LIMIT_RATE(PINGS), "too_many_pings"},
	[GUARD_SETTINGS] = {LIMIT_RATE(SETTINGS), "too many SETTINGS frames"},
	[GUARD_PRIORITY] = {LIMIT_RATE(PRIORITIES), "too many PRIORITY frames"},
	[GUARD_WINDOW_UPDATE] = {LIMIT_RATE(WINDOW_UPDATES), "too many WINDOW_UPDATE frames"},
	[GUARD_EMPTY_DATA] = {LIMIT_RATE(EMPTY_DATA), "too many empty DATA frames"},
	[GUARD_UNKNOWN] = {LIMIT_RATE(UNKNOWN_FRAMES), "too many unknown frames"},
	[GUARD_STALE] = {LIMIT_RATE(STALE_FRAMES), "too many frames for closed streams"},
};

void guard_init(struct guard *g, uint64_t now_ms)
{
	*g = (struct guard){0};
	for (int i = 0; i < GUARD_N_EVENTS; i++)
		g->buckets[i] = (struct bucket){
			.tokens = rules[i].burst * UNIT,
			.burst = rules[i].burst,
			.per_s = rules[i].per_s,
			.at_ms = now_ms,
		};
}

static void refill(struct bucket *b, uint64_t now_ms)
{
	if (now_ms <= b->at_ms)
		return;
	uint64_t gain = (now_ms - b->at_ms) * b->per_s; /* per_s a second = thousandths a ms */
	uint64_t full = (uint64_t)b->burst * UNIT;

	b->tokens = (uint32_t)(b->tokens + gain < full ? b->tokens + gain : full);
	b->at_ms = now_ms;
}

const char *guard_count(struct guard *g, enum guard_event event, uint64_t now_ms)
{
	struct bucket *b = &g->buckets[event];

	refill(b, now_ms);
	if (b->tokens < UNIT)
		return rules[event].words;
	b->tokens -= UNIT;
	return NULL;
}

static void earn(struct bucket *b, uint32_t n)
{
	uint64_t tokens = (uint64_t)b->tokens + (uint64_t)n * UNIT;
	uint64_t full = (uint64_t)b->burst * UNIT;

	b->tokens = (uint32_t)(tokens < full ? tokens : full);
}

bool guard_head_too_large(const struct guard *g)
{
	return g->block_len > LIMIT_HEAD_BYTES || g->fields.n > LIMIT_FIELDS;
}

void guard_earn(struct guard *g, uint32_t n)
{
	earn(&g->buckets[GUARD_WINDOW_UPDATE], n);
}

void guard_answered(struct guard *g)
{
	earn(&g->buckets[GUARD_RESET], 1);
}

const char *guard_ping(struct guard *g, bool has_streams, uint64_t now_ms)
{
	uint64_t every = has_streams ? LIMIT_PING_EVERY_MS : LIMIT_PING_IDLE_EVERY_MS;
	bool soon = g->pinged_ms != 0 && now_ms - g->pinged_ms < every;

	g->pinged_ms = now_ms;
	if (soon && ++g->strikes > LIMIT_PING_STRIKES)
		return rules[GUARD_PING].words;
	return NULL;
}

void guard_sent(struct guard *g)
{
	/* grpc-go probes once per round trip while it receives: on a fast network 1,000 a second */
	earn(&g->buckets[GUARD_PING], 1);
	g->pinged_ms = 0;
	g->strikes = 0;
}

static const char *block_piece(struct guard *g, const uint8_t *p, size_t len)
{
	g->block_len += (uint32_t)len;
	if (g->block_len > BEYOND * LIMIT_HEAD_BYTES)
		return "header block too large";
	if (h2fields_add(&g->fields, p, len) < 0)
		return "header block is malformed";
	if (g->fields.n > BEYOND * LIMIT_FIELDS)
		return "too many header fields";
	return NULL;
}

static const char *headers(struct guard *g, const struct h2frame *f, const uint8_t *payload)
{
	const uint8_t *p;
	size_t len;

	g->fields = (struct h2fields){0};
	g->block_len = 0;
	g->n_continuations = 0;
	if (h2frame_payload(f, payload, &p, &len) < 0)
		return NULL; /* the engine has the right error for it */
	return block_piece(g, p, len);
}

const char *guard_frame(struct guard *g, const struct h2frame *f, const uint8_t *payload,
			uint64_t now_ms)
{
	switch (f->type) {
	case H2_DATA:
		if (f->len == 0 && !(f->flags & H2_END_STREAM))
			return guard_count(g, GUARD_EMPTY_DATA, now_ms);
		return NULL;
	case H2_HEADERS:
		return headers(g, f, payload);
	case H2_CONTINUATION:
		if (++g->n_continuations > LIMIT_CONTINUATIONS ||
		    (f->len == 0 && !(f->flags & H2_END_HEADERS)))
			return "too many CONTINUATION frames";
		return block_piece(g, payload, f->len);
	case H2_PRIORITY:
		return guard_count(g, GUARD_PRIORITY, now_ms);
	case H2_SETTINGS:
		return guard_count(g, GUARD_SETTINGS, now_ms);
	case H2_PING:
		return guard_count(g, GUARD_PING, now_ms);
	case H2_WINDOW_UPDATE:
		return guard_count(g, GUARD_WINDOW_UPDATE, now_ms);
	case H2_RST_STREAM: /* what it costs depends on its stream: h2conn_reset */
	case H2_PUSH_PROMISE:
	case H2_GOAWAY:
		return NULL;
	default:
		return guard_count(g, GUARD_UNKNOWN, now_ms);
	}
}
