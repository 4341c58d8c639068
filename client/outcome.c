/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a call came out; see outcome.h. The maps are gRPC's: HTTP statuses by
 * doc/http-grpc-status-mapping.md, HTTP/2 errors by doc/PROTOCOL-HTTP2.md.
 */
#include "client/outcome.h"

#include <string.h>

/* HTTP/2 error codes (RFC 9113, 7) that gRPC maps. */
enum {
	H2_NO_ERROR = 0x0,
	H2_REFUSED_STREAM = 0x7,
	H2_CANCEL = 0x8,
	H2_ENHANCE_YOUR_CALM = 0xb,
	H2_INADEQUATE_SECURITY = 0xc,
};

enum grpc_code outcome_code_of_http(unsigned http_status)
{
	switch (http_status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

enum grpc_code outcome_code_of_h2(uint32_t h2_error)
{
	switch (h2_error) {
	case H2_REFUSED_STREAM:
		return GRPC_UNAVAILABLE;
	case H2_CANCEL:
		return GRPC_CANCELLED;
	case H2_ENHANCE_YOUR_CALM:
		return GRPC_RESOURCE_EXHAUSTED;
	case H2_INADEQUATE_SECURITY:
		return GRPC_PERMISSION_DENIED;
	default:
		return GRPC_INTERNAL;
	}
}

static void set_code(struct status *s, enum grpc_code code, const char *message)
{
	status_done(s);
	s->code = code;
	s->message = strdup(message ? message : "");
}

/* code, words and details from the trailers. */
static void status_of_trailers(struct qm_call *call)
{
	struct status *s = &call->status;

	status_done(s);
	if (call->grpc_status != 0 && call->details_len > 0 &&
	    status_decode(call->details, call->details_len, s) == 0 &&
	    (unsigned)s->code == call->grpc_status)
		return;
	set_code(s, (enum grpc_code)call->grpc_status, call->grpc_message);
}

void outcome_check(struct qm_call *call)
{
	if (call->status.code != GRPC_OK)
		return;
	if (frame_reader_rest(&call->reader) > 0)
		status_set(&call->status, ERR_MESSAGE_INVALID, "the answer ends inside a message");
	else if (call->one_answer && call->n_messages == 0)
		status_set(&call->status, ERR_UNIMPLEMENTED,
			   "the server answered without a message");
}

enum qcall_end outcome_of(struct qm_call *call, uint32_t h2_error)
{
	char words[128];

	if (call->has_grpc_status) {
		status_of_trailers(call);
		if (!qcall_has_waiting(call))
			outcome_check(call);
		return QCALL_FINAL;
	}
	/* grpc-go cancels a call at its deadline too; whose clock was first is no matter. */
	if (h2_error == H2_CANCEL && call->deadline && qcall_now_ms() >= call->deadline) {
		status_set(&call->status, ERR_DEADLINE_EXCEEDED,
			   "the server ended the call at its deadline");
		return QCALL_FINAL;
	}
	if (h2_error == H2_REFUSED_STREAM && !call->got_headers) {
		set_code(&call->status, GRPC_UNAVAILABLE, "the server refused the call unread");
		return QCALL_REFUSED;
	}
	if (call->got_headers && (call->http_status != 200 || !call->is_grpc)) {
		snprintf(words, sizeof(words), "the server answered HTTP %u without a gRPC status",
			 call->http_status);
		set_code(&call->status, outcome_code_of_http(call->http_status), words);
	} else if (h2_error != H2_NO_ERROR) {
		snprintf(words, sizeof(words), "the server ended the call with HTTP/2 error %u",
			 h2_error);
		set_code(&call->status, outcome_code_of_h2(h2_error), words);
	} else {
		set_code(&call->status, GRPC_UNKNOWN, "the server ended the call without a status");
	}
	return QCALL_FINAL;
}
