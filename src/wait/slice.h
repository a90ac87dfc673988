/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/slice.h - how long anybody sleeps before it looks again whether a waker has died.
 *
 * The test library pabal_noslice has endless slices, so that a lost wake-up hangs instead of being found late.
 */
#ifndef PABAL_SRC_WAIT_SLICE_H
#define PABAL_SRC_WAIT_SLICE_H

#include <stdint.h>

#ifdef PABAL_TEST_NO_SLICES
#define PABAL__SLICE_MIN (INT64_MAX / 2) /* so far away, and yet it can be added to a moment */
#define PABAL__SLICE_MAX PABAL__SLICE_MIN
#else
#define PABAL__SLICE_MIN INT64_C(10000000)  /* a guess: 10 ms, a hundred times what a wake-up takes */
#define PABAL__SLICE_MAX INT64_C(250000000) /* at most 5 wake-ups a second of an idle sleeper, and death is noticed within 300 ms */
#endif

static inline int64_t pabal__slice_next(int64_t slice)
{
	if (slice >= PABAL__SLICE_MAX)
		return slice;
	return slice * 2 < PABAL__SLICE_MAX ? slice * 2 : PABAL__SLICE_MAX;
}

#endif
