/* SPDX-License-Identifier: Apache-2.0 */
/*
 * google.rpc.Status as bytes (grpc-status-details-bin) and the words as a
 * header (grpc-message).
 *
 *   Status { code 1, message 2, details 3: Any { type_url 1, value 2 } }
 *   ErrorInfo { reason 1, domain 2, metadata 3 }  RetryInfo { retry_delay 1 }
 *   BadRequest { 1: { field 1, description 2, reason 3 } }
 *   QuotaFailure { 1: { subject 1, description 2 } }
 */
#include <errno.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "base/wire.h"

#define STATUS_MAX_LEN (256 * 1024)
#define TYPE_PREFIX "type.googleapis.com/google.rpc."

static void put_text(struct text *out, unsigned field, struct text *inner)
{
	if (inner->failed)
		out->failed = true;
	else
		wire_put_bytes(out, field, inner->s ? inner->s : "", inner->len);
	text_done(inner);
}

static void put_detail(struct text *out, const char *type, struct text *value)
{
	struct text any = TEXT_INIT(STATUS_MAX_LEN);

	wire_put_string(&any, 1, type);
	put_text(&any, 2, value);
	put_text(out, 3, &any);
}

static bool reasons_left_out;

void status_leave_reasons_out(void)
{
	reasons_left_out = true;
}

static void put_error_info(const struct status *s, struct text *out)
{
	struct text info = TEXT_INIT(STATUS_MAX_LEN);

	if (s->err == ERR_NONE || reasons_left_out)
		return;
	wire_put_string(&info, 1, err_reason(s->err));
	wire_put_string(&info, 2, STATUS_DOMAIN);
	for (size_t i = 0; i < s->n_meta; i++) {
		struct text pair = TEXT_INIT(STATUS_MAX_LEN);

		wire_put_string(&pair, 1, s->meta[i].key);
		wire_put_string(&pair, 2, s->meta[i].value);
		put_text(&info, 3, &pair);
	}
	put_detail(out, TYPE_PREFIX "ErrorInfo", &info);
}

static void put_bad_request(const struct status *s, struct text *out)
{
	struct text bad = TEXT_INIT(STATUS_MAX_LEN);

	if (s->n_fields == 0)
		return;
	for (size_t i = 0; i < s->n_fields; i++) {
		struct text violation = TEXT_INIT(STATUS_MAX_LEN);

		wire_put_string(&violation, 1, s->fields[i].field);
		wire_put_string(&violation, 2, s->fields[i].description);
		if (s->err != ERR_NONE)
			wire_put_string(&violation, 3, err_reason(s->err));
		put_text(&bad, 1, &violation);
	}
	put_detail(out, TYPE_PREFIX "BadRequest", &bad);
}

static void put_retry(const struct status *s, struct text *out)
{
	struct text retry = TEXT_INIT(STATUS_MAX_LEN), delay = TEXT_INIT(STATUS_MAX_LEN);

	if (s->retry_ms == 0)
		return;
	if (s->retry_ms >= 1000)
		wire_put_varint(&delay, 1, s->retry_ms / 1000);
	if (s->retry_ms % 1000)
		wire_put_varint(&delay, 2, s->retry_ms % 1000 * 1000000);
	put_text(&retry, 1, &delay);
	put_detail(out, TYPE_PREFIX "RetryInfo", &retry);
}

static void put_quota(const struct status *s, struct text *out)
{
	struct text quota = TEXT_INIT(STATUS_MAX_LEN), violation = TEXT_INIT(STATUS_MAX_LEN);

	if (!s->quota_subject)
		return;
	wire_put_string(&violation, 1, s->quota_subject);
	wire_put_string(&violation, 2, s->quota_description);
	put_text(&quota, 1, &violation);
	put_detail(out, TYPE_PREFIX "QuotaFailure", &quota);
}

int status_encode(const struct status *s, uint8_t **ret, size_t *ret_len)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(STATUS_MAX_LEN);
	size_t len;
	char *bytes;

	if (s->code != GRPC_OK)
		wire_put_varint(&t, 1, (uint64_t)s->code);
	wire_put_string(&t, 2, s->message);
	put_error_info(s, &t);
	put_bad_request(s, &t);
	put_retry(s, &t);
	put_quota(s, &t);
	if (s->others)
		text_add(&t, s->others, s->others_len);
	len = t.len;
	bytes = text_take(&t);
	if (!bytes)
		return -ENOMEM;
	*ret = (uint8_t *)bytes;
	*ret_len = len;
	return 0;
}

/* Two strings of a small message: fields 1 and 2. Missing ones are "". */
static int read_pair(const struct wire_field *from, char **ret_first, char **ret_second)
{
	_cleanup_(freep) char *one = NULL, *two = NULL;
	struct wire_reader r = wire_enter(from);
	struct wire_field f;
	int rc;

	while ((rc = wire_next(&r, &f)) > 0) {
		char **to = f.number == 1 ? &one : f.number == 2 ? &two : NULL;

		if (!to)
			continue;
		free(*to);
		*to = NULL;
		rc = wire_string(&f, to);
		if (rc)
			return rc;
	}
	if (rc)
		return rc;
	if (!one)
		one = strdup("");
	if (!two)
		two = strdup("");
	if (!one || !two)
		return -ENOMEM;
	*ret_first = TAKE(one);
	*ret_second = TAKE(two);
	return 0;
}

/* 1: of another domain, so it says nothing to us. */
static int read_error_info(const struct wire_field *value, struct status *s)
{
	_cleanup_(freep) char *reason = NULL, *domain = NULL;
	struct wire_reader r = wire_enter(value);
	struct wire_field f;
	enum err e;
	int rc;

	rc = read_pair(value, &reason, &domain);
	if (rc)
		return rc;
	e = err_from_reason(reason);
	if (strcmp(domain, STATUS_DOMAIN) != 0)
		return 1;
	if (e != ERR_MAX_)
		s->err = e;
	while ((rc = wire_next(&r, &f)) > 0) {
		struct status_meta *m = &s->meta[s->n_meta];

		if (f.number != 3 || s->n_meta == STATUS_MAX_META)
			continue;
		rc = read_pair(&f, &m->key, &m->value);
		if (rc)
			return rc;
		s->n_meta++;
	}
	return rc;
}

static int read_bad_request(const struct wire_field *value, struct status *s)
{
	struct wire_reader r = wire_enter(value);
	struct wire_field f;
	int rc;

	while ((rc = wire_next(&r, &f)) > 0) {
		struct status_field *to = &s->fields[s->n_fields];

		if (f.number != 1 || s->n_fields == STATUS_MAX_FIELDS)
			continue;
		rc = read_pair(&f, &to->field, &to->description);
		if (rc)
			return rc;
		s->n_fields++;
	}
	return rc;
}

static int read_retry(const struct wire_field *value, struct status *s)
{
	struct wire_reader r = wire_enter(value), delay;
	uint64_t seconds = 0, nanos = 0;
	struct wire_field f, d;
	int rc, inner = 0;

	while ((rc = wire_next(&r, &f)) > 0) {
		if (f.number != 1)
			continue;
		delay = wire_enter(&f);
		while ((inner = wire_next(&delay, &d)) > 0) {
			if (d.number == 1)
				seconds = d.n;
			else if (d.number == 2)
				nanos = d.n;
		}
		if (inner)
			return inner;
	}
	/* A year and more, or negative: no advice at all. */
	if (seconds < 31536000 && nanos < 1000000000)
		s->retry_ms = seconds * 1000 + nanos / 1000000;
	return rc;
}

static int read_quota(const struct wire_field *value, struct status *s)
{
	struct wire_reader r = wire_enter(value);
	struct wire_field f;
	int rc;

	while ((rc = wire_next(&r, &f)) > 0) {
		if (f.number != 1 || s->quota_subject)
			continue;
		rc = read_pair(&f, &s->quota_subject, &s->quota_description);
		if (rc)
			return rc;
	}
	return rc;
}

static bool type_is(const struct wire_field *type, const char *name)
{
	size_t prefix = strlen(TYPE_PREFIX), len = strlen(name);

	return type->len == prefix + len && memcmp(type->p, TYPE_PREFIX, prefix) == 0 &&
	       memcmp(type->p + prefix, name, len) == 0;
}

/* 1: not one of ours. */
static int read_detail(const struct wire_field *any, struct status *s)
{
	struct wire_reader r = wire_enter(any);
	struct wire_field f, type = {0}, value = {.type = WIRE_BYTES};
	int rc;

	while ((rc = wire_next(&r, &f)) > 0) {
		if (f.type != WIRE_BYTES)
			continue;
		if (f.number == 1)
			type = f;
		else if (f.number == 2)
			value = f;
	}
	if (rc)
		return rc;
	if (!type.p)
		return 1;
	if (type_is(&type, "ErrorInfo"))
		return read_error_info(&value, s);
	if (type_is(&type, "BadRequest"))
		return read_bad_request(&value, s);
	if (type_is(&type, "RetryInfo"))
		return read_retry(&value, s);
	if (type_is(&type, "QuotaFailure"))
		return read_quota(&value, s);
	return 1;
}

/* What others put there stays as it is. */
static int keep_detail(const struct wire_field *any, struct text *others)
{
	wire_put_bytes(others, 3, any->p, any->len);
	return others->failed ? -ENOMEM : 0;
}

int status_decode(const void *p, size_t len, struct status *ret)
{
	_cleanup_(status_done) struct status s = {.code = GRPC_OK};
	/* No longer than what it comes from, but for lengths written in an odd way. */
	_cleanup_(text_done) struct text others = TEXT_INIT(2 * len + 16);
	struct wire_reader r = {.p = p, .len = len};
	struct wire_field f;
	int rc;

	while ((rc = wire_next(&r, &f)) > 0) {
		rc = 0;
		if (f.number == 1 && f.type == WIRE_VARINT) {
			s.code = f.n <= GRPC_UNAUTHENTICATED ? (enum grpc_code)f.n : GRPC_UNKNOWN;
		} else if (f.number == 2) {
			free(s.message);
			s.message = NULL;
			rc = wire_string(&f, &s.message);
		} else if (f.number == 3 && f.type == WIRE_BYTES) {
			rc = read_detail(&f, &s);
			if (rc > 0)
				rc = keep_detail(&f, &others);
		}
		if (rc)
			return rc;
	}
	if (rc)
		return rc;
	if (others.len > 0) {
		s.others_len = others.len;
		s.others = text_take(&others);
	}
	*ret = s;
	s = (struct status){.code = GRPC_OK};
	return 0;
}

char *status_percent(const char *message)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(STATUS_MAX_LEN);

	for (const char *p = message ? message : ""; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c >= 0x20 && c <= 0x7e && c != '%')
			text_add(&t, p, 1);
		else
			text_addf(&t, "%%%02X", c);
	}
	return text_take(&t);
}

/* What is no valid escape stays as it is: words must never make a call fail. */
char *status_unpercent(const char *value)
{
	size_t len = strlen(value), n = 0;
	char *out = malloc(len + 1);

	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		char hex[3] = {0};
		uint8_t b;

		if (value[i] == '%' && len - i > 2) {
			memcpy(hex, value + i + 1, 2);
			if (text_unhex(hex, &b, 1) == 0 && b != 0) {
				out[n++] = (char)b;
				i += 2;
				continue;
			}
		}
		out[n++] = value[i];
	}
	out[n] = '\0';
	/* It goes on as text, in JSON and in protobuf: what is none must not. */
	for (size_t i = 0, ok = text_utf8_ok(out, n); i < n && !ok; i++)
		if ((uint8_t)out[i] >= 0x80)
			out[i] = '?';
	return out;
}
