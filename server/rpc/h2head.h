/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/2 request, out of the engine's memory and into one block
 * of our own that is as large as it must be and is wiped: heads carry tokens.
 * Belongs to the stream; what its exchange says of the request points into it.
 */
#ifndef QM_H2HEAD_H
#define QM_H2HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "server/rpc/exchange.h"

struct h2head {
	size_t len; /* of the block */
	char *at;   /* where the next text goes */
	struct header headers[];
};

/* Room for n headers and text_len bytes, each text with a NUL counted. NULL out of memory. */
struct h2head *h2head_new(size_t n, size_t text_len);
void h2head_free(struct h2head *head); /* NULL is fine */
/* Copies with a NUL behind. */
char *h2head_text(struct h2head *head, const char *p, size_t len);
/* The :path into path and query; false when it is none. */
bool h2head_target(struct h2head *head, const char *p, size_t len, struct exchange *x);
/*
 * What RFC 9113 8.2 and 8.3 and gRFC A41 ask of a head, as far as the engine does not: one host
 * and no other authority, no fields of HTTP/1.1's connections. A host stands in for an :authority
 * that is not there. 0 or 400.
 */
unsigned h2head_check(struct exchange *x);
/* Not empty, ASCII without blanks and controls. */
bool h2head_printable(const char *p, size_t len);

#endif
