/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/wait.c - spin as long as it pays, yield once, arm, look again, sleep.
 *
 * The order is what makes it safe. A sleeper arms the bell and then attempts once more; whoever makes something happen does it and then looks at the bell. So
 * either the attempt finds it, or the bell is found armed. After any return from sleep the sleeper goes back to arming: the ring may have been for another.
 * Who ends after arming looks whether there is more, and if so rings the same bell: at most one wake-up is under way, and it is passed on like a baton.
 * Who gives up does so only after arming and attempting, but for a signal handler that ran: then the sleeper was not rung for.
 *
 * Slices exist for the death of a waker only. Within a slice nothing is polled.
 */
#include "wait/wait.h"

#include <errno.h>

#include <pabal/base.h>

#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/futex.h"
#include "platform/membarrier.h"
#include "wait/slice.h"

enum {
	BUSY_YIELDS = 4,
	BUSY_NAP_NS = 50000,     /* somebody was preempted in the middle of a take: about a scheduler tick's fraction; a guess */
	NO_BARRIER_NS = 1000000, /* a sleep for memory where there is no membarrier */
	SPUN_LONG_NS =
		1000000, /* who only spins says so after this long; a guess: it costs nothing beside it, and lookers-on count in milliseconds */
};

struct wait {
	struct pabal__waiter *waiter;
	struct pabal__sleeper sleeper;
	void *object;
	int64_t deadline, slice;
	uint32_t acknowledged;
	uint32_t busy;
	bool signalled;   /* a signal handler ran while we slept */
	bool slice_ended; /* the last sleep ended by itself, with the bell not rung */
	bool told;        /* the sleeper is on the list */
};

static bool interrupted(const struct wait *wait)
{
	uint32_t count = atomic_load_explicit(wait->waiter->interrupts, memory_order_acquire); /* pairs with the interrupt's release */

	if (count == wait->acknowledged)
		return false;
	atomic_store_explicit(wait->waiter->acknowledged, count, memory_order_relaxed); /* alone: for waits that begin later */
	return true;
}

/* Why to stop waiting now, or 0. */
static int give_up(const struct wait *wait)
{
	if (interrupted(wait))
		return -ECANCELED;
	if (wait->signalled && !(wait->waiter->flags & PABAL_RESTART))
		return -EINTR;
	if (wait->deadline != INT64_MAX && pabal__clock_now() >= wait->deadline)
		return -ETIMEDOUT;
	return 0;
}

/* For lookers-on: it waits. */
static void tell(struct wait *wait, int64_t now)
{
	if (!wait->told)
		pabal__sleepers_enter(wait->waiter->sleepers, &wait->sleeper, 0, now, wait->deadline);
	wait->told = true;
}

static void end_slice(struct wait *wait)
{
	if (wait->waiter->calls->idle(wait->object))
		wait->slice = PABAL__SLICE_MIN;
	else
		wait->slice = pabal__slice_next(wait->slice);
}

/* PABAL_WAIT_SPIN: never sleep. */
static int spin_only(struct wait *wait)
{
	int64_t now = pabal__clock_now(), next = now + wait->slice, long_ago = now + SPUN_LONG_NS;
	int r;

	for (;;) {
		for (int i = 0; i < PABAL__SPIN_LOOKS; i++) {
			r = wait->waiter->calls->attempt(wait->object);
			if (r <= 0)
				return r;
			pabal__cpu_pause();
		}
		r = give_up(wait);
		if (r < 0)
			return r;
		now = pabal__clock_now();
		if (now >= long_ago)
			tell(wait, now);
		if (now >= next) {
			end_slice(wait);
			next = pabal__clock_now() + wait->slice;
		}
	}
}

/* Spin as long as it has paid lately. */
static int spin(struct wait *wait, int reason)
{
	struct pabal__waiter *waiter = wait->waiter;
	int64_t budget = pabal__spin_begin(&waiter->spin), start;

	if (!budget)
		return reason;
	start = pabal__clock_now();
	do {
		for (int i = 0; i < PABAL__SPIN_LOOKS && reason > 0; i++) {
			pabal__cpu_pause();
			reason = waiter->calls->attempt(wait->object);
		}
	} while (reason > 0 && pabal__spin_goes_on(start, budget, wait->deadline));
	pabal__spin_end(&waiter->spin, budget, start, reason <= 0);
	return reason;
}

/* One yield: the best there is when the one we wait for wants this very core. */
static int yield(struct wait *wait, int reason)
{
	struct pabal__waiter *waiter = wait->waiter;

	if (!pabal__spin_may_yield(&waiter->spin))
		return reason;
	pabal__spin_yield(&waiter->spin);
	return waiter->calls->attempt(wait->object);
}

/* Somebody is in the middle of what we wait for. */
static void be_patient(struct wait *wait)
{
	if (++wait->busy <= BUSY_YIELDS) {
		pabal__cpu_yield();
		return;
	}
	wait->waiter->calls->busy(wait->object);
	if (pabal__cpu_nap(BUSY_NAP_NS) == -EINTR)
		wait->signalled = true;
}

static void sleep_on(struct wait *wait, pabal__bell *bell, uint32_t armed, int64_t longest)
{
	int64_t duration = longest < wait->slice ? longest : wait->slice;
	int r;

	if (wait->deadline != INT64_MAX) {
		int64_t left = wait->deadline - pabal__clock_now();

		if (left <= 0)
			return;
		if (left < duration)
			duration = left;
	}
	r = pabal__futex_wait(bell, armed, duration);
	wait->signalled |= r == -EINTR;
	wait->slice_ended = r == -ETIMEDOUT && duration == wait->slice && atomic_load_explicit(bell, memory_order_relaxed) == armed; /* a look */
	wait->busy = 0;
}

/* Arm, look, and sleep once. Returns the reason to go on with, or what is final. */
static int arm_and_sleep(struct wait *wait, int reason)
{
	struct pabal__waiter *waiter = wait->waiter;
	pabal__bell *bell = reason == PABAL__WAIT_MEMORY ? waiter->memory_bell : waiter->bell;
	uint32_t armed = PABAL__FAULT(NO_REARM) ? atomic_load(bell) : pabal__bell_arm(bell);
	bool barrier = reason != PABAL__WAIT_MEMORY || pabal__membarrier_all();
	int now = PABAL__FAULT(NO_SECOND_LOOK) ? reason : waiter->calls->attempt(wait->object), r;

	if (now <= 0) {
		if (now == 0 && wait->slice_ended) /* alone: only we write it */
			atomic_store_explicit(waiter->late_wakes, atomic_load_explicit(waiter->late_wakes, memory_order_relaxed) + 1,
					      memory_order_relaxed);
		if (reason != PABAL__WAIT_MEMORY && !PABAL__FAULT(NO_BATON) && waiter->calls->more(wait->object) && pabal__bell_ring(bell) &&
		    waiter->calls->told)
			waiter->calls->told(wait->object);
		return now;
	}
	r = give_up(wait);
	if (r < 0)
		return r;
	if (wait->slice_ended) {
		wait->slice_ended = false;
		end_slice(wait);
		return now;
	}
	if (now == PABAL__WAIT_BUSY)
		be_patient(wait);
	else if (now == reason)
		sleep_on(wait, bell, armed, barrier ? INT64_MAX : NO_BARRIER_NS);
	return now;
}

/* Look, or sleep, until an attempt returns what is final. */
static int wait_for(struct wait *wait, int reason, int64_t now)
{
	struct pabal__waiter *waiter = wait->waiter;

	if (waiter->flags & PABAL_WAIT_SPIN)
		return spin_only(wait);
	tell(wait, now);
	while (reason > 0) {
		reason = arm_and_sleep(wait, reason);
		/* No last look: the kernel says -EINTR to those only whom nobody has rung for, so no ring is lost, and nothing was sent or consumed. */
		if (reason > 0 && wait->signalled && !(waiter->flags & PABAL_RESTART))
			return give_up(wait);
	}
	return reason;
}

int pabal__wait(struct pabal__waiter *waiter, void *object, int reason, int64_t timeout_ns)
{
	struct wait wait = { .waiter = waiter, .object = object, .deadline = pabal__clock_deadline(timeout_ns), .slice = PABAL__SLICE_MIN };
	int64_t now;

	wait.acknowledged =
		atomic_load_explicit(waiter->acknowledged, memory_order_relaxed); /* alone: an interrupt since the last one counts for us */
	if (!(waiter->flags & (PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK)))
		reason = spin(&wait, reason);
	if (reason > 0 && !(waiter->flags & PABAL_WAIT_SPIN))
		reason = yield(&wait, reason);
	if (reason <= 0)
		return reason;
	now = pabal__clock_now();
	waiter->calls->before_sleep(object, now);
	reason = wait_for(&wait, reason, now);
	if (reason == 0 && !(waiter->flags & (PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK)))
		pabal__spin_slept(&waiter->spin, pabal__clock_now() - now);
	if (wait.told)
		pabal__sleepers_leave(waiter->sleepers, &wait.sleeper);
	return reason;
}
