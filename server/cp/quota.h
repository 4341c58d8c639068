/* SPDX-License-Identifier: Apache-2.0 */
/* So many at once, refilled by so many a second: what one node may ask of us. Pure. */
#ifndef QM_QUOTA_H
#define QM_QUOTA_H

#include <stdint.h>

struct quota {
	uint64_t used_milli; /* thousandths; what was taken and is not refilled yet */
	uint64_t at_ms;
};

/* Takes n of them, at_once at most, and returns 0; or ms until there are so many, nothing taken. */
uint64_t quota_take(struct quota *q, uint32_t n, uint32_t at_once, uint32_t per_s, uint64_t now_ms);

#endif
