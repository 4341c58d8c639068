/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a call ended, from the three headers or trailers in which gRPC says it:
 * grpc-status, grpc-message and grpc-status-details-bin. Texts that do not fit
 * are cut at a character; nothing here allocates.
 */
#ifndef QMN_STATUS_H
#define QMN_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QMN_STATUS_MAX_META 4
/* Bytes of decoded details at most; with more of them reason and the rest stay empty. */
#define QMN_STATUS_MAX_DETAILS 2048

struct qmn_text {
	const char *p; /* NULL: absent */
	size_t len;
};

struct qmn_status_headers {
	struct qmn_text status;  /* "5" */
	struct qmn_text message; /* percent-coded */
	struct qmn_text details; /* base64 of google.rpc.Status */
};

struct qmn_status_meta {
	char key[32];
	char value[128];
};

struct qmn_status {
	unsigned code; /* of gRPC; 0: fine; UNKNOWN (2) when the server gave none */
	char message[512];
	char reason[48];             /* "LABEL_TAKEN"; empty: none */
	char field[64];              /* the field that broke a rule; empty: none */
	char field_description[128]; /* which rule */
	struct qmn_status_meta meta[QMN_STATUS_MAX_META]; /* e.g. "suggestion" of LABEL_TAKEN */
	size_t n_meta;
	uint64_t retry_ms; /* 0: not told */
};

/* Never fails: what cannot be read is left out. */
void qmn_status_parse(const struct qmn_status_headers *headers, struct qmn_status *ret_status);
/* Value of a metadata key or NULL. */
const char *qmn_status_get(const struct qmn_status *status, const char *key);

#ifdef __cplusplus
}
#endif
#endif
