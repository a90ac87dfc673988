/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/bell.h - asking to be woken, and waking.
 *
 * A bell is one 32-bit word, `sequence << 1 | armed`. While nobody has armed it, it costs whoever makes something happen one plain load of a line that nobody writes.
 */
#ifndef PABAL_SRC_WAIT_BELL_H
#define PABAL_SRC_WAIT_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

typedef _Atomic uint32_t pabal__bell;

/* Ask to be woken; returns the word to sleep on. The caller must try once more before it sleeps. */
static inline uint32_t pabal__bell_arm(pabal__bell *bell)
{
	/* seq_cst: arm first, then look; pairs with the commit or take, then look at the bell, of whoever rings */
	return atomic_fetch_or_explicit(bell, 1, memory_order_seq_cst) | 1;
}

/* Clear the bell and wake up to @count sleepers. true: it was ours to ring. */
bool pabal__bell_ring_armed(pabal__bell *bell, uint32_t seen, int count);

/*
 * Wake one sleeper if the bell is armed; true: it was, and we rang it. The caller has just done a read-modify-write on the word that the sleeper waits for: on x86 that is a full barrier, so
 * the load here cannot come before it. Elsewhere a fence says so.
 */
static inline bool pabal__bell_ring(pabal__bell *bell)
{
	uint32_t seen;

#if !defined(__x86_64__) || defined(__SANITIZE_THREAD__)
	atomic_thread_fence(memory_order_seq_cst);
#endif
	seen = atomic_load_explicit(bell, memory_order_relaxed); /* ordered by the read-modify-write before it */
	return __builtin_expect(seen & 1, 0) && !PABAL__FAULT(NO_RING) && pabal__bell_ring_armed(bell, seen, 1);
}

/* The same after a plain store: the sleeper has paid for the barrier (platform/membarrier.h). Wakes all: they wait for different things. */
static inline bool pabal__bell_ring_all(pabal__bell *bell)
{
	uint32_t seen;

	atomic_signal_fence(memory_order_seq_cst);
	seen = atomic_load_explicit(bell, memory_order_relaxed); /* ordered by the sleeper's membarrier */
	return __builtin_expect(seen & 1, 0) && !PABAL__FAULT(NO_RING) && pabal__bell_ring_armed(bell, seen, INT32_MAX);
}

/* Wake everybody, armed or not: after a burial, a destroy or an interrupt. May be called from a signal handler. */
void pabal__bell_ring_out(pabal__bell *bell);

#endif
