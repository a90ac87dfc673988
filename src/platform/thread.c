/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/thread.c - drawing the numbers.
 */
#include "platform/thread.h"

#include <stdatomic.h>

_Thread_local uint64_t pabal__thread_drawn = PABAL__THREAD_UNNUMBERED;

uint64_t pabal__thread_draw(void)
{
	static _Atomic uint64_t last = PABAL__THREAD_UNNUMBERED;

	if (pabal__thread_drawn == PABAL__THREAD_UNNUMBERED) /* relaxed: that all are different is all that counts */
		pabal__thread_drawn = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
	return pabal__thread_drawn;
}
