/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random.h - numbers that look random and can be repeated from a seed (splitmix64, public domain).
 */
#ifndef PABAL_TOOLS_RANDOM_H
#define PABAL_TOOLS_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_mix(uint64_t word)
{
	word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
	return word ^ (word >> 31);
}

static inline uint64_t random_next(struct random *random)
{
	random->state += UINT64_C(0x9e3779b97f4a7c15);
	return random_mix(random->state);
}

/** random_below() - from 0 to @limit - 1; the bias of the remainder does not matter here. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
	return random_next(random) % limit;
}

#endif
