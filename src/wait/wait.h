/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/wait.h - wait until an attempt succeeds, without missing the moment and without being stuck because somebody died.
 *
 * The one loop in which every blocking call of every object waits. It knows nothing of what is attempted: the caller brings the attempt, and what to do when
 * a wait slice ends.
 */
#ifndef PABAL_SRC_WAIT_WAIT_H
#define PABAL_SRC_WAIT_WAIT_H

#include "wait/bell.h"
#include "wait/sleepers.h"
#include "wait/spin.h"

/* What an attempt returns: 0 or a negative error is final; these are not. */
enum pabal__wait_reason {
	PABAL__WAIT_BELL = 1,   /* not now; the bell will be rung */
	PABAL__WAIT_MEMORY = 2, /* no memory now; the memory bell will be rung for all */
	PABAL__WAIT_BUSY = 3,   /* somebody is in the middle of it: nobody will ring, look again soon */
};

struct pabal__wait_calls {
	int (*attempt)(void *object);
	bool (*more)(void *object); /* after a success: is there more of it, for the next sleeper? */
	bool (*idle)(void *object); /* a slice has ended: bury the dead, give memory back. true: something changed */
	void (*told)(void *object); /* the bell was rung for the next sleeper: for those who do not sleep on it. May be NULL */
	void (*busy)(void *object); /* after PABAL__WAIT_BUSY: repair, if the one in the middle of it is dead */
	void (*before_sleep)(void *object,
			     int64_t now); /* once a wait that does not end by spinning: waits may be many, and none as long as a slice */
};

/* How one side of a handle waits. The adaptive numbers are hints: threads may mix them up without harm. */
struct pabal__waiter {
	const struct pabal__wait_calls *calls;
	pabal__bell *bell, *memory_bell;
	_Atomic uint64_t *late_wakes;     /* in shared memory, ours alone to write */
	struct pabal__sleepers *sleepers; /* for lookers-on */
	_Atomic uint32_t *interrupts;     /* how many there were; private to the process */
	_Atomic uint32_t *acknowledged;   /* how many of them have ended a wait */
	uint32_t flags;                   /* PABAL_WAIT_SPIN, PABAL_WAIT_BLOCK, PABAL_RESTART */
	struct pabal__spin spin;
};

/*
 * The caller has just attempted, and got @reason. Returns what an attempt returned in the end, or -ETIMEDOUT, -EINTR, -ECANCELED.
 * @timeout_ns: not PABAL_NOWAIT.
 */
int pabal__wait(struct pabal__waiter *waiter, void *object, int reason, int64_t timeout_ns);

#endif
