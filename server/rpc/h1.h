/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 request heads and chunks, read strictly (RFC 9112): what two parsers
 * could read in two ways is refused, so that nothing can be smuggled past a
 * proxy in front of us. Pure: bytes in, verdict out.
 */
#ifndef QM_H1_H
#define QM_H1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "server/rpc/exchange.h"

/* Pointers lead into the buffer that was parsed. */
struct h1_head {
	const char *method;
	const char *path;
	const char *query;       /* NULL: none */
	const char *host;        /* "" if none (HTTP/1.0) */
	const char *target_host; /* of an absolute target, which Host must repeat; NULL: none */
	unsigned minor;
	struct header headers[LIMIT_FIELDS];
	size_t n_headers;
	bool chunked;
	uint64_t content_length;
	bool keep_alive;
	bool expects_continue;
};

/*
 * Length of the head at the start of p with its empty line; 0: not whole yet.
 * Sets *ret_status to 431 (too long) or 400 (broken line ends) and returns 0.
 */
size_t h1_head_find(const uint8_t *p, size_t len, unsigned *ret_status);
/*
 * Cuts the head up in place (p is written to). 0, or the HTTP status of the
 * refusal: 400, 417, 431, 501, 505.
 */
unsigned h1_head_parse(char *p, size_t len, struct h1_head *ret) _must_check_;

/* Takes chunked coding off, a piece at a time. */
struct h1_chunks {
	uint8_t phase;
	uint8_t digits;
	uint64_t left;
};

/*
 * Eats from p: returns the bytes eaten. Payload inside them: *ret_p, *ret_len
 * (may be empty). *ret_done once the last chunk is in. -EPROTO.
 */
ssize_t h1_chunks_eat(struct h1_chunks *s, const uint8_t *p, size_t len, const uint8_t **ret_p,
		      size_t *ret_len, bool *ret_done) _must_check_;

const char *h1_reason(unsigned status);
/* Only what a host with a port is made of; "" too. */
bool h1_host_ok(const char *s);

#endif
