/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters are bytes, not text: a protobuf message may stand there in
 * percent-encoding. What is not ours is let pass, as caches and proxies add
 * theirs; what is ours stands there once.
 */
#include "gateway/connect_get.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/connect_error.h"

struct param {
	uint8_t *bytes; /* NUL-terminated; NULL: not given */
	size_t len;
};

struct params {
	struct param encoding, message, base64, compression, connect;
	const char *why; /* what is wrong with them */
};

static void params_done(struct params *p)
{
	struct param *all[] = {&p->encoding, &p->message, &p->base64, &p->compression, &p->connect};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		free(all[i]->bytes);
}

/* -EINVAL for a broken escape, -ENOMEM. */
static int decode_param(const char *s, size_t len, struct param *ret)
{
	_cleanup_(freep) uint8_t *bytes = malloc(len + 1);
	size_t n = 0;

	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		if (s[i] != '%') {
			bytes[n++] = s[i] == '+' ? ' ' : (uint8_t)s[i];
			continue;
		}
		if (len - i < 3 || text_hex_digit(s[i + 1]) < 0 || text_hex_digit(s[i + 2]) < 0)
			return -EINVAL;
		bytes[n++] = (uint8_t)(text_hex_digit(s[i + 1]) << 4 | text_hex_digit(s[i + 2]));
		i += 2;
	}
	bytes[n] = '\0';
	ret->bytes = TAKE(bytes);
	ret->len = n;
	return 0;
}

static struct param *param_named(struct params *p, const char *name, size_t len)
{
	const struct {
		const char *name;
		struct param *at;
	} all[] = {
		{"encoding", &p->encoding},       {"message", &p->message}, {"base64", &p->base64},
		{"compression", &p->compression}, {"connect", &p->connect},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strlen(all[i].name) == len && memcmp(all[i].name, name, len) == 0)
			return all[i].at;
	return NULL;
}

static void read_params(const char *query, struct params *ret)
{
	const char *p = query ? query : "";

	while (*p && !ret->why) {
		size_t len = strcspn(p, "&"), name_len = strcspn(p, "=&");
		struct param *to = param_named(ret, p, name_len);

		if (to && to->bytes)
			ret->why = "A parameter stands there twice.";
		else if (to && decode_param(p + name_len + (name_len < len),
					    len - name_len - (name_len < len), to) < 0)
			ret->why = "A parameter has a broken percent-escape.";
		p += len;
		p += *p == '&';
	}
}

static bool param_is(const struct param *p, const char *value)
{
	return p->bytes && p->len == strlen(value) && memcmp(p->bytes, value, p->len) == 0;
}

/* In place; false: not base64. */
static bool unbase64(struct param *message)
{
	size_t len;

	if (text_unbase64((const char *)message->bytes, message->len, message->bytes, message->len,
			  &len) < 0)
		return false;
	message->len = len;
	return true;
}

/* What the parameters are worth; into h, the refusal too. */
static void judge(struct params *p, struct web_head *h)
{
	if (!p->why && p->connect.bytes && !param_is(&p->connect, "v1"))
		p->why = "connect must be v1.";
	if (!p->why && !p->message.bytes)
		p->why = "The parameter message is missing.";
	if (!p->why && p->base64.bytes && !param_is(&p->base64, "1") && !param_is(&p->base64, "0"))
		p->why = "base64 is 0 or 1.";
	if (!p->why && param_is(&p->base64, "1") && !unbase64(&p->message))
		p->why = "The message is not base64.";
	if (p->why && !h->refusal) {
		h->refusal = ERR_FIELD_INVALID;
		h->why = p->why;
	}
	if (!h->refusal)
		web_encoding(h, (const char *)p->compression.bytes);
}

/* Some clients end a GET over HTTP/2 by an empty frame: that is no body. */
static bool announces_body(const struct exchange *x)
{
	const char *len = exchange_header(x, "content-length");

	return x->http_major < 2 ? x->body_expected : len && strcmp(len, "0") != 0;
}

void connect_get_open(struct exchange *x, struct web *web, const struct method *method,
		      const struct web_protocol *protocol, struct web_head *head)
{
	_cleanup_(params_done) struct params p = {.why = NULL};
	struct webcall *w;
	struct answer a;

	read_params(x->query, &p);
	if (announces_body(x) || (p.encoding.bytes && !param_is(&p.encoding, "proto") &&
				  !param_is(&p.encoding, "json"))) {
		answer_init_api(&a, NULL, NULL);
		cors_head(web->cors, x, 415, &a);
		exchange_finish(x, NULL, 0);
		return;
	}
	if (!p.why && !p.encoding.bytes)
		p.why = "The parameter encoding is missing.";
	head->codec = param_is(&p.encoding, "json") ? CODEC_JSON : CODEC_PROTO;
	head->type = head->codec == CODEC_JSON ? "application/json" : "application/proto";
	judge(&p, head);
	w = webcall_open(x, web, method, protocol, head);
	if (w)
		(void)webcall_give(w, p.message.bytes, p.message.len);
}
