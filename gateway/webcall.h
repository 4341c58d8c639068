/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of a browser's protocol: gRPC-Web or Connect. What both have in
 * common is here: the request gathered, the origin judged, the call made and
 * dispatched, messages decoded and encoded as protobuf or JSON, with gzip or
 * without. How an answer looks is the protocol's. A webcall lives in its
 * call's arena; everything but decode and encode runs on the exchange's loop.
 */
#ifndef QM_WEBCALL_H
#define QM_WEBCALL_H

#include "gateway/answer.h"
#include "gateway/cors.h"
#include "gateway/inlet.h"
#include "server/rpc/call.h"
#include "server/rpc/codec.h"
#include "server/rpc/service.h"
#include "server/rpc/timer.h"

/* The owner of both doors. */
struct web {
	struct services *services;
	struct cors *cors; /* NULL: none */
};

struct webcall;

/* What each protocol does its own way. */
struct web_protocol {
	const char *name;
	bool enveloped;     /* messages have heads; else a body is one message */
	enum err malformed; /* the reason of what does not decode */
	/* Shows a stream that is silent at first. */
	void (*head)(struct webcall *w);
	/* Sends a message or keeps it; borrows. bytes[0] is INLET_ZIPPED or 0. */
	void (*message)(struct webcall *w, struct frame *frame);
	/* The end of the answer, by w->call->status; all of it when nothing was sent. */
	void (*end)(struct webcall *w);
};

/* What the request's head says. */
struct web_head {
	enum codec codec;
	const char *type; /* of the answer; static text */
	bool gzip_in, gzip_out, base64;
	uint64_t timeout_ms; /* 0: none */
	enum err refusal;    /* ERR_NONE: none */
	const char *why;
};

struct webcall {
	struct exchange *x; /* NULL once gone */
	struct call *call;
	struct web *web;
	const struct web_protocol *protocol;
	struct web_head head;
	struct inlet inlet;
	bool dispatched, head_sent;
	bool given;                    /* the message came in the URL */
	bool pumping, ended, end_told; /* of a caller who streams */
	struct timer first;
	struct frame *kept; /* the protocol's: an answer that waits for the end */
};

/* --- for the doors --- */

/* "application/json", with parameters or without. */
bool web_type_is(const struct exchange *x, const char *type);
/* Codec and type of the answer by the request's type; false: it is neither. Static texts. */
bool web_codec(const struct exchange *x, struct web_head *h, const char *proto, const char *json);
/* A header that names an encoding: identity, gzip, else refused in h. */
void web_encoding(struct web_head *h, const char *value);

/*
 * Makes the call; x->user is it. NULL: it was refused, the answer is out (out
 * of memory: reset).
 */
struct webcall *webcall_open(struct exchange *x, struct web *web, const struct method *method,
			     const struct web_protocol *protocol, const struct web_head *head);
/* The message came in the URL. False: refused. */
bool webcall_give(struct webcall *w, const uint8_t *p, size_t len);
/* Its end, when the answer is out already. */
void webcall_drop(struct webcall *w);
/* The doors' own members. */
void webcall_data(struct exchange *x, const uint8_t *p, size_t len);
void webcall_end(struct exchange *x);
void webcall_drained(struct exchange *x);
void webcall_gone(struct exchange *x);

/* --- for the protocols --- */

/* The headers of every answer and those of the call. */
void webcall_answer(const struct webcall *w, struct answer *a, const char *content_type);
/* Sends them. */
void webcall_head(struct webcall *w, unsigned http, struct answer *a);

#endif
