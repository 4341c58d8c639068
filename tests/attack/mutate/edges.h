/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases that are right but for one thing beyond a limit, and what must become
 * of each: chance alone rarely makes them, and a server without the limit would
 * answer as if nothing were wrong.
 */
#ifndef QM_EDGES_H
#define QM_EDGES_H

#include "tests/attack/mutate/octets.h"
#include "tests/attack/mutate/seeds.h"

enum edge {
	EDGE_NONE,
	EDGE_WINDOWS,       /* windows closed and opened around answers: anything but a crash */
	EDGE_CONTINUATIONS, /* a head in more frames than it may have: the connection ends */
	EDGE_PADDING,       /* more of it than the frame is long: the connection ends */
	EDGE_BOMB,          /* a small message that inflates to a large one: RESOURCE_EXHAUSTED */
};

/* Requests in it. */
size_t edges_make(struct octets *out, struct dice *d, const struct seeds *seeds,
		  enum edge *ret_edge);

#endif
