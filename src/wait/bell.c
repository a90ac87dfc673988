/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/bell.c - the waking half of sleeping.
 *
 * armed word v --CAS--> v + 1 (not armed, next sequence): whose CAS succeeds wakes. Who dies between the two leaves sleepers on an old word; they find out when
 * their slice ends, as does everybody who waits for a dead one.
 */
#include "wait/bell.h"

#include <limits.h>

#include "platform/futex.h"

bool pabal__bell_ring_armed(pabal__bell *bell, uint32_t seen, int count)
{
	/* acq_rel: what we did is visible to the one we wake. Failing means that somebody else has just rung: the one they wake passes it on. */
	if (!atomic_compare_exchange_strong_explicit(bell, &seen, seen + 1, memory_order_acq_rel, memory_order_relaxed))
		return false;
	pabal__futex_wake(bell, count);
	return true;
}

void pabal__bell_ring_out(pabal__bell *bell)
{
	/* The next sequence; it may stay armed, which costs one ring for nobody. release: pairs with the arming of those who come back to look. */
	atomic_fetch_add_explicit(bell, 2, memory_order_acq_rel);
	pabal__futex_wake(bell, INT_MAX);
}
