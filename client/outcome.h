/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a call came out: the one status that is made of what trailers, HTTP and
 * HTTP/2 said about its end. Pure; no state.
 */
#ifndef QM_OUTCOME_H
#define QM_OUTCOME_H

#include "client/qcall.h"

/* The stream is closed with this HTTP/2 error code: fills call->status. */
enum qcall_end outcome_of(struct qm_call *call, uint32_t h2_error);
/* After the last message was handed over: an OK that the messages do not bear out is none. */
void outcome_check(struct qm_call *call);
/* gRPC code of an HTTP status without grpc-status, and of an HTTP/2 error code. */
enum grpc_code outcome_code_of_http(unsigned http_status);
enum grpc_code outcome_code_of_h2(uint32_t h2_error);

#endif
