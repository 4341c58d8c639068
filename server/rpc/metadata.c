/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call's metadata: what came with the request, what goes in front of the
 * answer and behind it. Written by whoever holds the call, in its arena.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/rpc/call_queue.h"

#define VALUE_MAX_LEN 8192 /* clients take 8 KiB of metadata unless told otherwise */
#define VALUE_USUAL_LEN 256
#define IDEMPOTENCY_KEY 3 /* its place among those that may come once */

const char *call_metadata(const struct call *call, const char *name)
{
	const struct live *l = live_of(call);

	for (size_t i = 0; i < l->n_metadata; i++)
		if (l->metadata[i].name[0] == name[0] && strcmp(l->metadata[i].name, name) == 0)
			return l->metadata[i].value;
	return NULL;
}

/* What makes a call safe to repeat: told here, so that a node refuses what its panel would. */
static bool is_idempotency_key(const struct header *h)
{
	for (size_t i = 0; i < h->value_len; i++)
		if ((uint8_t)h->value[i] < 0x20 || (uint8_t)h->value[i] > 0x7e)
			return false;
	return h->value_len > 0 && h->value_len <= CALL_IDEMPOTENCY_KEY_MAX;
}

const char *call_metadata_fault(const struct call *call, const char **ret_rule)
{
	static const char *const once[] = {
		"authorization", "x-qmesh-user",
		"x-qmesh-client-addr", [IDEMPOTENCY_KEY] = "idempotency-key"};
	const struct live *l = live_of(call);
	unsigned seen = 0; /* a bit each */

	for (size_t k = 0; k < l->n_metadata; k++) {
		const char *name = l->metadata[k].name;

		if (name[0] != 'a' && name[0] != 'x' && name[0] != 'i')
			continue;
		for (size_t i = 0; i < ARRAY_LEN(once); i++) {
			if (strcmp(name, once[i]) != 0)
				continue;
			if (seen & 1u << i) {
				*ret_rule = "must not come twice";
				return once[i];
			}
			seen |= 1u << i;
			if (i == IDEMPOTENCY_KEY && !is_idempotency_key(&l->metadata[k])) {
				*ret_rule = "must be 1 to 128 printable ASCII characters";
				return once[i];
			}
		}
	}
	return NULL;
}

const struct header *call_metadata_all(const struct call *call, size_t *ret_n)
{
	*ret_n = live_of(call)->n_metadata;
	return live_of(call)->metadata;
}

static _printf_(4, 0) int add(struct call *call, struct header *h, const char *name,
			      const char *fmt, va_list ap)
{
	char usual[VALUE_USUAL_LEN], *value = NULL;
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(usual, sizeof(usual), fmt, ap);
	if (len >= 0 && len <= VALUE_MAX_LEN)
		value = call_alloc(call, (size_t)len + 1);
	if (value && (size_t)len < sizeof(usual))
		memcpy(value, usual, (size_t)len + 1);
	else if (value)
		vsnprintf(value, (size_t)len + 1, fmt, again);
	va_end(again);
	if (len < 0 || len > VALUE_MAX_LEN)
		return err_origin(-ENOBUFS);
	h->name = arena_strdup(&call->arena, name);
	h->value = value;
	h->value_len = (size_t)len;
	return h->name && h->value ? 0 : err_origin(-ENOMEM);
}

int call_header(struct call *call, const char *name, const char *fmt, ...)
{
	struct live *l = live_of(call);
	va_list ap;
	int r;

	if (l->n_headers == CALL_MAX_HEADERS)
		return err_origin(-ENOBUFS);
	va_start(ap, fmt);
	r = add(call, &l->headers[l->n_headers], name, fmt, ap);
	va_end(ap);
	if (r == 0)
		l->n_headers++;
	return r;
}

int call_trailer(struct call *call, const char *name, const char *fmt, ...)
{
	struct live *l = live_of(call);
	va_list ap;
	int r;

	if (!l->trailers)
		l->trailers = call_alloc(call, CALL_MAX_HEADERS * sizeof(*l->trailers));
	if (!l->trailers)
		return err_origin(-ENOMEM);
	if (l->n_trailers == CALL_MAX_HEADERS)
		return err_origin(-ENOBUFS);
	va_start(ap, fmt);
	r = add(call, &l->trailers[l->n_trailers], name, fmt, ap);
	va_end(ap);
	if (r == 0)
		l->n_trailers++;
	return r;
}

const struct header *call_headers(const struct call *call, size_t *ret_n)
{
	*ret_n = live_of(call)->n_headers;
	return live_of(call)->headers;
}

const struct header *call_trailers(const struct call *call, size_t *ret_n)
{
	*ret_n = live_of(call)->n_trailers;
	return live_of(call)->trailers;
}
