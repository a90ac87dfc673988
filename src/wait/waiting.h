/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/waiting.h - what a sleeper says of its wait in one word of shared memory, for those who look on (pabal_waits()).
 *
 * `since:34 | left:30`, both in milliseconds; 0: it does not wait. It is written by the sleeper alone and never read by it. Since when makes two looks at the same wait
 * equal, and two waits different: so a look at many sleepers, taken twice, shows which of them waited at the same moment.
 */
#ifndef PABAL_SRC_WAIT_WAITING_H
#define PABAL_SRC_WAIT_WAITING_H

#include <stdint.h>

#define PABAL__WAITING_LEFT_BITS 30 /* 12 days, and its highest value is "for ever"; what is left for since is 198 days, and read relative to now */
#define PABAL__WAITING_LEFT_MAX ((UINT64_C(1) << PABAL__WAITING_LEFT_BITS) - 1)
#define PABAL__WAITING_SINCE_MAX ((UINT64_C(1) << (64 - PABAL__WAITING_LEFT_BITS)) - 1)
#define PABAL__WAITING_UNIT INT64_C(1000000)

/* @deadline: INT64_MAX: none. Times are pabal__clock_now()'s. */
static inline uint64_t pabal__waiting_pack(int64_t now, int64_t deadline)
{
	uint64_t since = (uint64_t)(now / PABAL__WAITING_UNIT) & PABAL__WAITING_SINCE_MAX, left = PABAL__WAITING_LEFT_MAX;

	if (deadline != INT64_MAX && (deadline - now) / PABAL__WAITING_UNIT + 1 < (int64_t)PABAL__WAITING_LEFT_MAX)
		left = deadline > now ? (uint64_t)((deadline - now) / PABAL__WAITING_UNIT) + 1 : 1;
	return since << PABAL__WAITING_LEFT_BITS | left;
}

/* @word: not 0. Anything may stand in it. */
static inline void pabal__waiting_read(uint64_t word, int64_t now, int64_t *ret_since, int64_t *ret_deadline)
{
	uint64_t left = word & PABAL__WAITING_LEFT_MAX, now_units = (uint64_t)(now / PABAL__WAITING_UNIT);
	uint64_t ago = (now_units - (word >> PABAL__WAITING_LEFT_BITS)) & PABAL__WAITING_SINCE_MAX;
	int64_t since = (int64_t)now_units - (int64_t)ago;

	*ret_since = since * PABAL__WAITING_UNIT;
	*ret_deadline = left == PABAL__WAITING_LEFT_MAX ? INT64_MAX : (since + (int64_t)left) * PABAL__WAITING_UNIT;
}

#endif
