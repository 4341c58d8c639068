/* SPDX-License-Identifier: Apache-2.0 */
#include "client/mobile/qmn_status.h"

#include <string.h>

#define CODE_UNKNOWN 2
#define CODE_MAX 16
#define TYPE_PREFIX "type.googleapis.com/google.rpc."

/* The rest of an encoded message, and the field just read from it. */
struct walk {
	const uint8_t *p, *end;
	unsigned number;
	bool is_bytes;
	const uint8_t *bytes;
	size_t len;
	uint64_t value;
};

static struct walk walk_of(const uint8_t *p, size_t len)
{
	return (struct walk){.p = p, .end = p + len};
}

static bool varint(struct walk *w, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && w->p < w->end; shift += 7) {
		uint8_t byte = *w->p++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool skip(struct walk *w, size_t len)
{
	if ((size_t)(w->end - w->p) < len)
		return false;
	w->bytes = w->p;
	w->len = len;
	w->p += len;
	return true;
}

/* false at the end, or at the first byte that makes no sense. */
static bool walk_next(struct walk *w)
{
	uint64_t tag, len;

	if (!varint(w, &tag) || tag >> 3 > UINT32_MAX)
		return false;
	w->number = (unsigned)(tag >> 3);
	w->is_bytes = (tag & 7) == 2;
	switch (tag & 7) {
	case 0:
		return varint(w, &w->value);
	case 1:
		return skip(w, 8);
	case 2:
		return varint(w, &len) && len <= (size_t)(w->end - w->p) && skip(w, (size_t)len);
	case 5:
		return skip(w, 4);
	default:
		return false;
	}
}

static void copy(char *to, size_t cap, const void *from, size_t len)
{
	if (len >= cap) {
		len = cap - 1;
		/* Not in the middle of a character. */
		while (len > 0 && (((const uint8_t *)from)[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(to, from, len);
	to[len] = '\0';
}

static void read_meta(struct walk entry, struct qmn_status *s)
{
	struct qmn_status_meta *meta;

	if (s->n_meta == QMN_STATUS_MAX_META)
		return;
	meta = &s->meta[s->n_meta++];
	while (walk_next(&entry)) {
		if (entry.is_bytes && entry.number == 1)
			copy(meta->key, sizeof(meta->key), entry.bytes, entry.len);
		else if (entry.is_bytes && entry.number == 2)
			copy(meta->value, sizeof(meta->value), entry.bytes, entry.len);
	}
}

static void read_error_info(struct walk info, struct qmn_status *s)
{
	while (walk_next(&info)) {
		if (!info.is_bytes)
			continue;
		if (info.number == 1)
			copy(s->reason, sizeof(s->reason), info.bytes, info.len);
		else if (info.number == 3)
			read_meta(walk_of(info.bytes, info.len), s);
	}
}

/* RetryInfo{retry_delay = 1: Duration{seconds = 1, nanos = 2}} */
static void read_retry(struct walk retry, struct qmn_status *s)
{
	while (walk_next(&retry)) {
		struct walk delay = walk_of(retry.bytes, retry.len);
		uint64_t seconds = 0, nanos = 0;

		if (!retry.is_bytes || retry.number != 1)
			continue;
		while (walk_next(&delay)) {
			if (delay.number == 1 && !delay.is_bytes)
				seconds = delay.value;
			else if (delay.number == 2 && !delay.is_bytes)
				nanos = delay.value;
		}
		if (seconds <= UINT32_MAX && nanos < 1000000000)
			s->retry_ms = seconds * 1000 + (nanos + 999999) / 1000000;
	}
}

/* BadRequest{field_violations = 1: {field = 1, description = 2}}; the first one. */
static void read_bad_request(struct walk bad, struct qmn_status *s)
{
	while (walk_next(&bad)) {
		struct walk violation = walk_of(bad.bytes, bad.len);

		if (!bad.is_bytes || bad.number != 1 || s->field[0])
			continue;
		while (walk_next(&violation)) {
			if (violation.is_bytes && violation.number == 1)
				copy(s->field, sizeof(s->field), violation.bytes, violation.len);
			else if (violation.is_bytes && violation.number == 2)
				copy(s->field_description, sizeof(s->field_description),
				     violation.bytes, violation.len);
		}
	}
}

static bool type_is(const struct qmn_text *url, const char *name)
{
	size_t prefix = sizeof(TYPE_PREFIX) - 1;

	return url->len == prefix + strlen(name) && !memcmp(url->p, TYPE_PREFIX, prefix) &&
	       !memcmp(url->p + prefix, name, strlen(name));
}

static void read_any(struct walk any, struct qmn_status *s)
{
	struct qmn_text url = {NULL, 0};
	struct walk value = {0};

	while (walk_next(&any)) {
		if (any.is_bytes && any.number == 1)
			url = (struct qmn_text){(const char *)any.bytes, any.len};
		else if (any.is_bytes && any.number == 2)
			value = walk_of(any.bytes, any.len);
	}
	if (!url.p || !value.p)
		return;
	if (type_is(&url, "ErrorInfo"))
		read_error_info(value, s);
	else if (type_is(&url, "RetryInfo"))
		read_retry(value, s);
	else if (type_is(&url, "BadRequest"))
		read_bad_request(value, s);
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

/* With or without padding. false: other characters, or more than cap bytes. */
static bool unbase64(struct qmn_text in, uint8_t *out, size_t cap, size_t *ret_len)
{
	uint32_t bits = 0;
	unsigned n_bits = 0;
	size_t len = 0;

	while (in.len > 0 && in.p[in.len - 1] == '=')
		in.len--;
	for (size_t i = 0; i < in.len; i++) {
		int value = base64_value(in.p[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		if (len == cap)
			return false;
		out[len++] = (uint8_t)(bits >> n_bits);
	}
	*ret_len = len;
	return true;
}

static void read_details(struct qmn_text details, struct qmn_status *s)
{
	uint8_t bytes[QMN_STATUS_MAX_DETAILS];
	size_t len;
	struct walk status;

	if (!details.p || !unbase64(details, bytes, sizeof(bytes), &len))
		return;
	status = walk_of(bytes, len);
	while (walk_next(&status))
		if (status.is_bytes && status.number == 3)
			read_any(walk_of(status.bytes, status.len), s);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Length of a text that was cut, without the character at its end if that has several bytes. */
static size_t whole_chars(const char *text, size_t len)
{
	while (len > 0 && ((uint8_t)text[len - 1] & 0xc0) == 0x80)
		len--;
	if (len > 0 && (uint8_t)text[len - 1] >= 0xc0)
		len--;
	return len;
}

/* grpc-message: %XX; a % that begins no such thing stays as it is. */
static void read_message(struct qmn_text in, struct qmn_status *s)
{
	size_t len = 0, i = 0;

	for (; i < in.len && len < sizeof(s->message) - 1; i++) {
		int high = -1, low = -1;

		if (in.p[i] == '%' && in.len - i > 2) {
			high = hex_value(in.p[i + 1]);
			low = hex_value(in.p[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			s->message[len++] = (char)(high << 4 | low);
			i += 2;
		} else {
			s->message[len++] = in.p[i];
		}
	}
	if (i < in.len)
		len = whole_chars(s->message, len);
	s->message[len] = '\0';
}

static unsigned read_code(struct qmn_text in)
{
	unsigned code = 0;

	if (!in.p || in.len == 0 || in.len > 2)
		return CODE_UNKNOWN;
	for (size_t i = 0; i < in.len; i++) {
		if (in.p[i] < '0' || in.p[i] > '9')
			return CODE_UNKNOWN;
		code = code * 10 + (unsigned)(in.p[i] - '0');
	}
	return code <= CODE_MAX ? code : CODE_UNKNOWN;
}

void qmn_status_parse(const struct qmn_status_headers *headers, struct qmn_status *ret_status)
{
	memset(ret_status, 0, sizeof(*ret_status));
	ret_status->code = read_code(headers->status);
	if (headers->message.p)
		read_message(headers->message, ret_status);
	read_details(headers->details, ret_status);
}

const char *qmn_status_get(const struct qmn_status *status, const char *key)
{
	for (size_t i = 0; i < status->n_meta; i++)
		if (!strcmp(status->meta[i].key, key))
			return status->meta[i].value;
	return NULL;
}
