/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes into a failure: code, reason, words, details. Owned by one call.
 * Setters never fail: when memory is short a detail is missing, the code is not.
 */
#include "base/status.h"

#include <stdarg.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

/* Not in the middle of a character. */
static void clip(char *s)
{
	size_t len = STATUS_WORDS_MAX;

	if (strnlen(s, len + 1) <= len)
		return;
	while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
		len--;
	s[len] = '\0';
}

/* Whatever the words quote, they are text that every protocol carries. */
static _printf_(1, 0) char *format(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		return NULL;
	text_utf8_mend(s);
	clip(s);
	return s;
}

int status_vset(struct status *s, enum err e, const char *fmt, va_list ap)
{
	/* First the words: they may quote what is dropped below. */
	char *words = format(fmt, ap);

	status_done(s);
	s->code = err_grpc(e);
	s->err = e;
	s->message = words;
	return (int)e;
}

int status_set(struct status *s, enum err e, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = status_vset(s, e, fmt, ap);
	va_end(ap);
	return r;
}

void status_set_foreign(struct status *s, enum grpc_code code, const char *message,
			const struct text *details)
{
	char *words = message ? strdup(message) : NULL;

	if (words)
		clip(words);
	status_done(s);
	s->code = code;
	s->message = words;
	s->others = details->len ? malloc(details->len) : NULL;
	if (!s->others)
		return;
	memcpy(s->others, details->s, details->len);
	s->others_len = details->len;
}

void status_meta(struct status *s, const char *key, const char *fmt, ...)
{
	char *value, *name;
	va_list ap;

	va_start(ap, fmt);
	value = format(fmt, ap);
	va_end(ap);
	for (size_t i = 0; value && i < s->n_meta; i++) {
		if (strcmp(s->meta[i].key, key) == 0) {
			free(s->meta[i].value);
			s->meta[i].value = value;
			return;
		}
	}
	name = strdup(key);
	if (!value || !name || s->n_meta == STATUS_MAX_META) {
		free(value);
		free(name);
		return;
	}
	s->meta[s->n_meta++] = (struct status_meta){name, value};
}

void status_field(struct status *s, const char *field, const char *fmt, ...)
{
	char *description, *name = strdup(field);
	va_list ap;

	va_start(ap, fmt);
	description = format(fmt, ap);
	va_end(ap);
	if (!description || !name || s->n_fields == STATUS_MAX_FIELDS) {
		free(description);
		free(name);
		return;
	}
	s->fields[s->n_fields++] = (struct status_field){name, description};
}

void status_retry(struct status *s, uint64_t ms)
{
	s->retry_ms = ms;
}

void status_quota(struct status *s, const char *subject, const char *fmt, ...)
{
	char *description, *name = strdup(subject);
	va_list ap;

	va_start(ap, fmt);
	description = format(fmt, ap);
	va_end(ap);
	if (!description || !name) {
		free(description);
		free(name);
		return;
	}
	free(s->quota_subject);
	free(s->quota_description);
	s->quota_subject = name;
	s->quota_description = description;
}

const char *status_get(const struct status *s, const char *key)
{
	for (size_t i = 0; i < s->n_meta; i++) {
		if (strcmp(s->meta[i].key, key) == 0)
			return s->meta[i].value;
	}
	return NULL;
}

void status_done(struct status *s)
{
	for (size_t i = 0; i < s->n_meta; i++) {
		free(s->meta[i].key);
		free(s->meta[i].value);
	}
	for (size_t i = 0; i < s->n_fields; i++) {
		free(s->fields[i].field);
		free(s->fields[i].description);
	}
	free(s->message);
	free(s->quota_subject);
	free(s->quota_description);
	free(s->others);
	*s = (struct status){.code = GRPC_OK};
}

/* The detail that is missed least; false: nothing is left to drop. */
static bool drop_one(struct status *s)
{
	if (s->others) {
		free(s->others);
		s->others = NULL;
		s->others_len = 0;
	} else if (s->n_fields) {
		s->n_fields--;
		free(s->fields[s->n_fields].field);
		free(s->fields[s->n_fields].description);
	} else if (s->n_meta) {
		s->n_meta--;
		free(s->meta[s->n_meta].key);
		free(s->meta[s->n_meta].value);
	} else if (s->quota_subject) {
		free(s->quota_subject);
		free(s->quota_description);
		s->quota_subject = s->quota_description = NULL;
	} else {
		return false;
	}
	return true;
}

int status_fit(struct status *s)
{
	uint8_t *bytes;
	size_t len;
	int r;

	if (s->message)
		clip(s->message);
	do {
		r = status_encode(s, &bytes, &len);
		if (r)
			return r;
		free(bytes);
	} while (len > STATUS_ENCODED_MAX && drop_one(s));
	return 0;
}

static int copy_string(const char *from, char **to)
{
	if (!from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

int status_copy(const struct status *s, struct status *ret)
{
	_cleanup_(status_done) struct status copy = {
		.code = s->code, .err = s->err, .retry_ms = s->retry_ms};
	int r;

	r = copy_string(s->message, &copy.message);
	for (size_t i = 0; r == 0 && i < s->n_meta; i++) {
		copy.n_meta = i + 1;
		r = copy_string(s->meta[i].key, &copy.meta[i].key);
		if (r == 0)
			r = copy_string(s->meta[i].value, &copy.meta[i].value);
	}
	for (size_t i = 0; r == 0 && i < s->n_fields; i++) {
		copy.n_fields = i + 1;
		r = copy_string(s->fields[i].field, &copy.fields[i].field);
		if (r == 0)
			r = copy_string(s->fields[i].description, &copy.fields[i].description);
	}
	if (r == 0)
		r = copy_string(s->quota_subject, &copy.quota_subject);
	if (r == 0)
		r = copy_string(s->quota_description, &copy.quota_description);
	if (r == 0 && s->others) {
		copy.others = malloc(s->others_len);
		r = copy.others ? 0 : -ENOMEM;
	}
	if (r)
		return r;
	if (s->others)
		memcpy(copy.others, s->others, s->others_len);
	copy.others_len = s->others_len;
	*ret = copy;
	copy = (struct status){.code = GRPC_OK};
	return 0;
}

static void add_member(struct text *t, const char *name, const char *value)
{
	text_addf(t, "\"%s\":", name);
	json_quote(t, value ? value : "");
}

/* Opens a detail; the first one opens the list too. */
static void open_detail(struct text *t, bool *first, const char *type)
{
	text_addf(t, "%s{\"@type\":\"type.googleapis.com/google.rpc.%s\"",
		  *first ? ",\"details\":[" : ",", type);
	*first = false;
}

static void add_details_json(const struct status *s, struct text *t)
{
	bool first = true;

	if (s->err != ERR_NONE) {
		open_detail(t, &first, "ErrorInfo");
		text_addf(t, ",\"reason\":\"%s\",\"domain\":\"" STATUS_DOMAIN "\"",
			  err_reason(s->err));
		for (size_t i = 0; i < s->n_meta; i++) {
			text_adds(t, i ? "," : ",\"metadata\":{");
			json_quote(t, s->meta[i].key);
			text_adds(t, ":");
			json_quote(t, s->meta[i].value);
		}
		text_adds(t, s->n_meta ? "}}" : "}");
	}
	if (s->n_fields) {
		open_detail(t, &first, "BadRequest");
		text_adds(t, ",\"fieldViolations\":[");
		for (size_t i = 0; i < s->n_fields; i++) {
			text_adds(t, i ? ",{" : "{");
			add_member(t, "field", s->fields[i].field);
			text_adds(t, ",");
			add_member(t, "description", s->fields[i].description);
			if (s->err != ERR_NONE)
				text_addf(t, ",\"reason\":\"%s\"", err_reason(s->err));
			text_adds(t, "}");
		}
		text_adds(t, "]}");
	}
	if (s->retry_ms) {
		open_detail(t, &first, "RetryInfo");
		text_addf(t, ",\"retryDelay\":\"%llu", (unsigned long long)(s->retry_ms / 1000));
		if (s->retry_ms % 1000)
			text_addf(t, ".%03u", (unsigned)(s->retry_ms % 1000));
		text_adds(t, "s\"}");
	}
	if (s->quota_subject) {
		open_detail(t, &first, "QuotaFailure");
		text_adds(t, ",\"violations\":[{");
		add_member(t, "subject", s->quota_subject);
		text_adds(t, ",");
		add_member(t, "description", s->quota_description);
		text_adds(t, "}]}");
	}
	if (!first)
		text_adds(t, "]");
}

char *status_json(const struct status *s)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(256 * 1024);

	text_addf(&t, "{\"code\":%d,", (int)s->code);
	add_member(&t, "message", s->message);
	add_details_json(s, &t);
	text_adds(&t, "}");
	return text_take(&t);
}
