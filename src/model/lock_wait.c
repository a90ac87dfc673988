/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/lock_wait.c - waiting for a lock of a region: spin as long as it pays, yield once, then arm, look again, sleep.
 *
 * Who unlocks stores the word and then loads the bells, with nothing between the two. So the sleeper pays: it arms a bell, makes every process pass a barrier
 * (membarrier), and looks at the word again. Either that look sees the lock free, or the unlock that comes later sees the bell armed. Where there is no membarrier, a sleep
 * lasts a millisecond at most.
 *
 * A ring clears the bell and wakes one, which arms again before it looks: for itself, and for those who may still sleep. So if it gets the lock, its own unlock rings for
 * the next. Whoever gives up does so only after arming and looking.
 *
 * Fairness: a lock that was unlocked can be had by whoever comes along, which is what makes it fast. One who has waited PATIENCE_NS writes its number into `patient`; the
 * others, when they find the lock free, let it in. It has a bell of its own, which an unlock rings first. If it does not come within COURTESY_NS (it is stopped, or dead)
 * the number is struck out, and anybody takes the lock.
 *
 * Killed anywhere: an armed bell costs somebody one system call; a number in `patient` costs somebody COURTESY_NS; a ring that the dead one should have passed on
 * is found when the slice of the next one ends.
 */
#include <errno.h>

#include "base/error.h"
#include "model/region.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/futex.h"
#include "platform/membarrier.h"
#include "wait/slice.h"

enum {
	SPIN_LEAST_NS = 500,     /* a holder seldom keeps a lock for longer, so it never pays to sleep at once; a guess */
	NO_BARRIER_NS = 1000000, /* a sleep where there is no membarrier */
	PATIENCE_NS = 1000000,   /* a guess: some hundred times what a short critical section and a wake-up take */
	COURTESY_NS = 3000000,   /* a guess: a scheduler's slice; so long the one in `patient` may take to wake up */
	NOWAIT_YIELDS = 4,
};

struct lock_wait {
	pabal_region *region;
	struct pabal__lock *lock;
	int64_t started, deadline, slice;
	int64_t promised_since;
	uint32_t promised; /* whose number in `patient` we have seen last */
	uint32_t taker;    /* our number, while it stands there */
	bool signalled;    /* a signal handler ran while we slept */
	bool slice_ended;  /* look whether the holder is dead; at first, too */
	bool late;         /* the last sleep ended by itself */
};

static bool is_final(int r)
{
	return r != PABAL__LOCK_HELD && r != PABAL__LOCK_PROMISED;
}

/* The lock is free, but for somebody who has waited longer. How long do we let it? */
static int be_courteous(struct lock_wait *wait)
{
	uint32_t patient = atomic_load_explicit(&wait->lock->patient, memory_order_relaxed); /* alone, here and below: a courtesy */
	int64_t now = pabal__clock_now();

	if (patient != wait->promised) {
		wait->promised = patient;
		wait->promised_since = now;
	} else if (now - wait->promised_since >= COURTESY_NS) {
		atomic_compare_exchange_strong_explicit(&wait->lock->patient, &patient, 0, memory_order_relaxed, memory_order_relaxed);
		return pabal__lock_attempt(wait->region, wait->lock, wait->taker, false);
	}
	return PABAL__LOCK_PROMISED;
}

static int look(struct lock_wait *wait)
{
	int r = pabal__lock_attempt(wait->region, wait->lock, wait->taker, true);

	if (r == PABAL__LOCK_PROMISED)
		r = be_courteous(wait);
	if (r == PABAL__LOCK_HELD && wait->slice_ended) {
		wait->slice_ended = false;
		r = pabal__lock_take_over(wait->region, wait->lock);
	}
	return r;
}

static int without_waiting(struct lock_wait *wait)
{
	int r = look(wait);

	for (int i = 0; i < NOWAIT_YIELDS && r == PABAL__LOCK_PROMISED; i++) {
		pabal__cpu_yield();
		r = look(wait);
	}
	if (r == PABAL__LOCK_PROMISED)
		r = pabal__lock_attempt(wait->region, wait->lock, 0, false);
	return is_final(r) ? r : -EAGAIN;
}

/* Spin as long as it has paid lately. */
static int spin(struct lock_wait *wait)
{
	struct pabal__spin *spin = &wait->region->spin;
	int64_t budget = pabal__spin_begin(spin);
	int r = PABAL__LOCK_HELD;

	if (budget < SPIN_LEAST_NS)
		budget = SPIN_LEAST_NS;
	do {
		for (int i = 0; i < PABAL__SPIN_LOOKS && !is_final(r); i++) {
			pabal__cpu_pause();
			r = pabal__lock_attempt(wait->region, wait->lock, 0, true);
		}
	} while (!is_final(r) && pabal__spin_goes_on(wait->started, budget, wait->deadline));
	pabal__spin_end(spin, budget, wait->started, is_final(r));
	return r;
}

static int yield(struct lock_wait *wait)
{
	if (!pabal__spin_may_yield(&wait->region->spin))
		return PABAL__LOCK_HELD;
	pabal__spin_yield(&wait->region->spin);
	return pabal__lock_attempt(wait->region, wait->lock, 0, true);
}

/* Why to stop waiting now, or 0. */
static int give_up(const struct lock_wait *wait)
{
	if (pabal__object_ended(&wait->region->segment))
		return -ESHUTDOWN;
	if (wait->signalled && !(wait->region->flags & PABAL_RESTART))
		return -EINTR;
	if (wait->deadline != INT64_MAX && pabal__clock_now() >= wait->deadline)
		return -ETIMEDOUT;
	return 0;
}

/* Have we waited long enough to be let in first? true: since now. */
static bool become_patient(struct lock_wait *wait)
{
	uint32_t nobody = 0, number;

	if (wait->taker || pabal__clock_now() - wait->started < PATIENCE_NS)
		return false;
	number = (atomic_fetch_add_explicit(&wait->lock->takers, 1, memory_order_relaxed) << 10 | wait->region->id); /* not 0: ids begin at 1 */
	if (!atomic_compare_exchange_strong_explicit(&wait->lock->patient, &nobody, number, memory_order_relaxed, memory_order_relaxed))
		return false;
	wait->taker = number;
	return true;
}

static int64_t shorter(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void sleep_once(struct lock_wait *wait, pabal__bell *bell, uint32_t armed, bool barrier, int reason)
{
	int64_t now = pabal__clock_now(), duration = wait->slice;
	int r;

#ifndef PABAL_TEST_NO_SLICES /* there patience comes with the next ring: a sleep that ends by itself would hide that it was lost */
	if (!wait->taker && now - wait->started < PATIENCE_NS)
		duration = shorter(duration, PATIENCE_NS - (now - wait->started));
#endif
	if (reason == PABAL__LOCK_PROMISED)
		duration = shorter(duration, COURTESY_NS);
	if (!barrier)
		duration = shorter(duration, NO_BARRIER_NS);
	if (wait->deadline != INT64_MAX)
		duration = shorter(duration, wait->deadline - now);
	if (duration <= 0)
		return;
	r = pabal__futex_wait(bell, armed, duration);
	wait->signalled |= r == -EINTR;
	wait->slice_ended = r == -ETIMEDOUT; /* whichever end it was: the holder may be dead */
	wait->late = r == -ETIMEDOUT && duration == wait->slice && atomic_load_explicit(bell, memory_order_relaxed) == armed; /* a look */
	if (wait->late) {
		struct pabal__burial burial = { 0 };

		wait->slice = pabal__slice_next(wait->slice);
		pabal__bury_dead(&wait->region->segment, &burial);
	}
}

/* Are we the patient one still? If our number was struck out meanwhile, a ring may have been for the one after us. */
static bool step_back(struct lock_wait *wait)
{
	if (wait->taker && atomic_load_explicit(&wait->lock->patient, memory_order_relaxed) != wait->taker) {
		wait->taker = 0;
		pabal__bell_ring_out(&wait->lock->patient_bell);
	}
	return wait->taker != 0;
}

/* Arm, look, and sleep once. */
static int arm_and_sleep(struct lock_wait *wait)
{
	pabal__bell *bell = step_back(wait) ? &wait->lock->patient_bell : &wait->lock->bell;
	uint32_t armed = PABAL__FAULT(NO_LOCK_REARM) ? atomic_load(bell) : pabal__bell_arm(bell);
	bool barrier = pabal__membarrier_all();
	int r, now;

	r = look(wait);
	if (is_final(r))
		return r;
	now = give_up(wait);
	if (now < 0)
		return now;
	if (become_patient(wait)) /* on the other bell, then */
		return r;
	sleep_once(wait, bell, armed, barrier, r);
	if (PABAL__FAULT(NO_LOCK_BATON) && is_final(now = look(wait)))
		return now;
	/* The kernel says -EINTR to those only whom nobody has rung for, so no ring is lost. */
	return wait->signalled && !(wait->region->flags & PABAL_RESTART) ? give_up(wait) : r;
}

/* Leave the wait, with the lock or without it. */
static int finish(struct lock_wait *wait, int r)
{
	struct pabal__lock *lock = wait->lock;
	uint32_t taker = wait->taker;

	if (taker)
		atomic_compare_exchange_strong_explicit(&lock->patient, &taker, 0, memory_order_seq_cst, memory_order_relaxed);
	if (r == -ESHUTDOWN) { /* one ring may have been for all */
		pabal__bell_ring_out(&lock->bell);
		pabal__bell_ring_out(&lock->patient_bell);
	} else if (r < 0 && wait->taker) {
		/* An unlock may have rung for us alone. It stored before it looked at `patient`: after a barrier we see that it is free, and ring for another. */
		pabal__membarrier_all();
		if (!pabal__lock_owner(atomic_load_explicit(&lock->word, memory_order_relaxed))) /* a look */
			pabal__bell_ring_out(&lock->bell);
	}
	if (r >= 0 && wait->late) /* alone: statistics, and ours */
		atomic_fetch_add_explicit(&wait->region->self->late_wakes, 1, memory_order_relaxed);
	return r;
}

static int sleep_for(struct lock_wait *wait, uint32_t index)
{
	struct pabal__sleepers *sleepers = &wait->region->lock_sleepers;
	struct pabal__sleeper sleeper;
	int r;

	pabal__sleepers_enter(sleepers, &sleeper, index, wait->started, wait->deadline);
	do {
		r = arm_and_sleep(wait);
	} while (!is_final(r));
	pabal__sleepers_leave(sleepers, &sleeper);
	return finish(wait, r);
}

static int spin_for(struct lock_wait *wait)
{
	int64_t next = wait->started + wait->slice;
	int r;

	do {
		for (int i = 0; i < PABAL__SPIN_LOOKS; i++) {
			r = look(wait);
			if (is_final(r))
				return r;
			pabal__cpu_pause();
		}
		become_patient(wait);
		if (pabal__clock_now() >= next) {
			wait->slice_ended = true;
			next = pabal__clock_now() + wait->slice;
		}
		r = give_up(wait);
	} while (r == 0);
	return r;
}

int pabal__lock_wait(pabal_region *region, uint32_t index, int64_t timeout_ns)
{
	struct lock_wait wait = {
		.region = region, .lock = region->locks + index, .slice = PABAL__SLICE_MIN, .started = pabal__clock_now(), .slice_ended = true
	};
	int r;

	wait.deadline = pabal__clock_deadline(timeout_ns);
	if (timeout_ns == PABAL_NOWAIT)
		r = without_waiting(&wait);
	else if (region->flags & PABAL_WAIT_SPIN)
		r = finish(&wait, spin_for(&wait));
	else {
		r = region->flags & PABAL_WAIT_BLOCK ? PABAL__LOCK_HELD : spin(&wait);
		if (!is_final(r))
			r = yield(&wait);
		if (!is_final(r))
			r = sleep_for(&wait, index);
	}
	return r < 0 ? pabal__region_say(r) : r;
}
