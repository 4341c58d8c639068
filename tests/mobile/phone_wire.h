/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/2 that an app brings along: one connection in clear text (a Unix
 * socket or a loopback port), one call at a time, by libnghttp2.
 */
#ifndef PHONE_WIRE_H
#define PHONE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/mobile/qmn_reader.h"
#include "client/mobile/qmn_status.h"

struct phone_call {
	const char *path;
	const char *token;   /* NULL: none */
	const uint8_t *body; /* the framed request */
	size_t body_len;
	size_t body_sent;
	struct qmn_reader *reader;
	/* Frames of the answer; returns false to end the call. NULL: kept in the reader. */
	bool (*frame)(void *arg, const uint8_t *p, size_t len);
	void *arg;
};

/* "unix:/path" or "127.0.0.1:port". false: cannot connect. */
bool phone_wire_open(const char *target, const char *authority);
/* Runs the call to its end, at most 20 s; ret_status tells how it went. false: connection lost. */
bool phone_wire_run(struct phone_call *call, struct qmn_status *ret_status);
void phone_wire_close(void);

#endif
