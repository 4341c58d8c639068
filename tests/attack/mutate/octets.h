/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow, for what is sent and what came back. Out of memory ends the program. */
#ifndef QM_OCTETS_H
#define QM_OCTETS_H

#include "tests/attack/mutate/dice.h"

/* No case is larger; what would be is cut. */
#define OCTETS_MAX (1u << 20)

struct octets {
	uint8_t *p;
	size_t len, cap;
};

void octets_add(struct octets *o, const void *p, size_t len);
void octets_text(struct octets *o, const char *s);
void octets_byte(struct octets *o, unsigned byte);
void octets_big_endian(struct octets *o, uint64_t n, unsigned n_bytes);
void octets_fill(struct octets *o, uint8_t byte, size_t len);
void octets_noise(struct octets *o, struct dice *d, size_t len);
/* Takes len bytes out, puts some in. */
void octets_cut(struct octets *o, size_t at, size_t len);
void octets_insert(struct octets *o, size_t at, const void *p, size_t len);
/* One change that knows nothing of meaning: flip, odd byte, cut, take out, put in, double. */
void octets_shake(struct octets *o, struct dice *d);
void octets_swap(struct octets *a, struct octets *b);
void octets_done(struct octets *o);

#endif
