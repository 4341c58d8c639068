/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does somebody else answer for our names on port 53? One question about a name
 * that we know, and whether the right answer came. Never blocks; one thread.
 */
#ifndef QM_DNSPROBE_H
#define QM_DNSPROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cidr.h"

#define DNSPROBE_QUERY_MAX 96

struct dnsprobe {
	int fd; /* -1: nothing is asked */
	uint8_t query[DNSPROBE_QUERY_MAX];
	size_t len;
	struct cidr wanted;
};

void dnsprobe_init(struct dnsprobe *p);
void dnsprobe_done(struct dnsprobe *p);
/* Asks server, from its own address, for the A of label.quazzar.mesh, which is wanted. */
int dnsprobe_ask(struct dnsprobe *p, const struct cidr *server, uint16_t port, const char *label,
		 const struct cidr *wanted) _must_check_;
/* Takes what came since. True: the answer. */
bool dnsprobe_heard(struct dnsprobe *p);

#endif
