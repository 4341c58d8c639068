/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One failure as every protocol tells it: google.rpc.Status with ErrorInfo,
 * BadRequest, RetryInfo and QuotaFailure. Encoded and decoded here by hand,
 * so that server, client and gateway share one form.
 */
#ifndef QM_STATUS_H
#define QM_STATUS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

#define STATUS_DOMAIN "mesh.quazzar"
#define STATUS_MAX_META 8
#define STATUS_MAX_FIELDS 16
/*
 * A status travels in the last header block of an answer, which fits one frame
 * (LIMIT_ANSWER_HEAD): its words take three bytes each when they are
 * percent-coded, the encoded form four for every three.
 */
#define STATUS_WORDS_MAX 1024
#define STATUS_ENCODED_MAX 8192

struct status_meta {
	char *key, *value;
};

struct status_field {
	char *field;       /* path, e.g. "device.label" */
	char *description; /* the rule, in plain words */
};

/* Strings on the heap, owned by the status. */
struct status {
	enum grpc_code code;
	enum err err; /* ERR_NONE when there is no ErrorInfo of ours */
	char *message;
	struct status_meta meta[STATUS_MAX_META];
	size_t n_meta;
	struct status_field fields[STATUS_MAX_FIELDS];
	size_t n_fields;
	uint64_t retry_ms; /* 0: no RetryInfo */
	char *quota_subject, *quota_description;
	/* Details that are not ours, as they stand in google.rpc.Status: encoded, may be NULL. */
	char *others;
	size_t others_len;
};

/*
 * Sets code, reason and words; what was there is dropped. Returns e. Words that are longer
 * than STATUS_WORDS_MAX are cut, here as in the setters of details.
 */
int status_set(struct status *s, enum err e, const char *fmt, ...) _printf_(3, 4);
int status_vset(struct status *s, enum err e, const char *fmt, va_list ap) _printf_(3, 0);
void status_meta(struct status *s, const char *key, const char *fmt, ...) _printf_(3, 4);
void status_field(struct status *s, const char *field, const char *fmt, ...) _printf_(3, 4);
void status_retry(struct status *s, uint64_t ms);
void status_quota(struct status *s, const char *subject, const char *fmt, ...) _printf_(3, 4);
/* A failure of any code with details of any kind (encoded fields of google.rpc.Status). */
void status_set_foreign(struct status *s, enum grpc_code code, const char *message,
			const struct text *details);
/* Value of a metadata key or NULL. */
const char *status_get(const struct status *s, const char *key);
/*
 * Drops details from the end until STATUS_ENCODED_MAX holds: once, before any
 * protocol tells it, so that all tell the same. Code and reason stay. -ENOMEM.
 */
int status_fit(struct status *s) _must_check_;
/* Frees; the status is OK afterwards. */
void status_done(struct status *s);
int status_copy(const struct status *s, struct status *ret) _must_check_;

/*
 * For a program that serves contracts of others: our reasons (ErrorInfo) mean
 * nothing there. Before its threads start.
 */
void status_leave_reasons_out(void);

/* google.rpc.Status bytes on the heap; -ENOMEM. */
int status_encode(const struct status *s, uint8_t **ret, size_t *ret_len) _must_check_;
/* The reverse; details that are not ours go to others. -EBADMSG, -ENOMEM. */
int status_decode(const void *p, size_t len, struct status *ret) _must_check_;
/* JSON text of google.rpc.Status with "@type" details, on the heap; NULL out of memory. */
char *status_json(const struct status *s);
/* grpc-message percent coding; ret on the heap, NULL out of memory. */
char *status_percent(const char *message);
/* The reverse; always UTF-8: bytes that are not become '?'. */
char *status_unpercent(const char *value);

#endif
