/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chance that comes back: everything a case does follows from the run's seed and
 * its number. splitmix64 (Steele, Lea, Flood 2014), for it has no bad states.
 */
#ifndef QM_DICE_H
#define QM_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct dice {
	uint64_t state;
};

static inline uint64_t dice_roll(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 .. n - 1; 0 for n = 0. */
static inline size_t dice_below(struct dice *d, size_t n)
{
	uint64_t roll = dice_roll(d);

	return n ? (size_t)(roll % n) : 0;
}

static inline bool dice_chance(struct dice *d, unsigned percent)
{
	return dice_below(d, 100) < percent;
}

#define dice_pick(d, array) ((array)[dice_below((d), ARRAY_LEN(array))])

#endif
