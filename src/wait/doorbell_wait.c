/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/doorbell_wait.c - spin as long as it pays, yield once, arm, look again, sleep.
 *
 * The same order as in wait/wait.c, over a doorbell instead of a bell. There are no wait slices: the peer's death wakes whoever polls. Who has a time limit sleeps no longer
 * than that; a time-out costs the kernel a few microseconds more, so without one there is none. For what nobody rings for (descriptors that the kernel takes no more of at the moment) it looks every few milliseconds.
 */
#include "wait/doorbell_wait.h"

#include <errno.h>

#include <pabal/base.h>

#include "platform/clock.h"

enum {
	/*
	 * Who looks too often takes the line away from the writer before the message is whole. Between processors that are near each other (a cache line goes to and fro in some 100 ns) one pause a look
	 * is best, between such that are far (300 ns) 4 to 6 are: measured, up to a quarter of the round trip. An attempt that finds a message tells which it is: far, it takes 100 ns.
	 */
	FAR_NS = 75,
	FAR_PAUSES = 4,
	SAMPLED = 16,            /* one wait in so many is measured; a guess */
	ROOM_PAUSES = 16,        /* pauses a look of who waits for room. Measured: from 8 on streaming is half as fast again as with 1 */
	ROUNDS = 64,             /* rounds of looks between two questions to the kernel whether the peer lives: 50 microseconds and more */
	NO_BARRIER_NS = 1000000, /* a sleep where there is no membarrier: a publication may be missed for so long */
	UNRUNG_NS = 4000000,     /* a sleep for what nobody rings for; a guess: seldom, and 250 looks a second cost little */
};

struct waiting {
	struct pabal__doorbell *bell;
	const struct pabal__doorbell_wait *wait;
	int64_t deadline;
	uint32_t acknowledged;
	bool signalled; /* a signal handler ran while we slept */
	bool measured;  /* it is looked how long the attempt takes that finds a message */
};

static int64_t hint(const _Atomic int64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed); /* alone: tuning only */
}

static void set_hint(_Atomic int64_t *value, int64_t to)
{
	atomic_store_explicit(value, to, memory_order_relaxed); /* alone: tuning only */
}

/* relaxed, and not one step: a count that is lost by a race of two threads does no harm, a locked instruction would cost more than the wait. */
static bool is_sampled(struct pabal__doorbell_spin *spin)
{
	uint32_t count = atomic_load_explicit(&spin->samples, memory_order_relaxed);

	atomic_store_explicit(&spin->samples, count + 1, memory_order_relaxed);
	return count % SAMPLED == 0;
}

static inline int attempt(const struct waiting *waiting)
{
	return waiting->wait->attempt(waiting->wait->object);
}

/* Why to stop waiting now, or 0. */
static int give_up(const struct waiting *waiting)
{
	struct pabal__doorbell *bell = waiting->bell;
	uint32_t count = atomic_load_explicit(&bell->interrupts, memory_order_acquire); /* pairs with the interrupt's release */

	if (count != waiting->acknowledged) {
		atomic_store_explicit(&bell->acknowledged, count, memory_order_relaxed); /* alone: for waits that begin later */
		return -ECANCELED;
	}
	if (waiting->signalled && !(bell->flags & PABAL_RESTART))
		return -EINTR;
	if (waiting->deadline != INT64_MAX && pabal__clock_now() >= waiting->deadline)
		return -ETIMEDOUT;
	return 0;
}

/* How many pauses before each look. */
static int pauses_of(const struct waiting *waiting)
{
	if (waiting->wait->event == PABAL__DOORBELL_ROOM)
		return ROOM_PAUSES;
	return hint(&waiting->wait->spin->arrival) > (int64_t)waiting->bell->ticks_5us * FAR_NS / 5000 ? FAR_PAUSES : 1;
}

/* A step: where four of five are shorter, the steps cancel. Many are too short, since the processor may read the clock before the message is there. */
static void note_arrival(struct pabal__doorbell_spin *spin, int64_t took)
{
	int64_t known = hint(&spin->arrival);

	set_hint(&spin->arrival, took > known ? known + known / 8 + 1 : known - known / 32);
}

static int attempt_measured(const struct waiting *waiting)
{
	uint64_t before = pabal__cpu_ticks();
	int r = attempt(waiting);

	if (r == 0)
		note_arrival(waiting->wait->spin, (int64_t)(pabal__cpu_ticks() - before));
	return r;
}

/*
 * Who waits for room has time: the ring is full, and each look takes the line away from the peer in which it says how far it is. So the peer is let go on for some messages between two of them.
 */
static int look_often(const struct waiting *waiting)
{
	int pauses = pauses_of(waiting);

	for (int i = 0; i < PABAL__SPIN_LOOKS; i += pauses) {
		int r;

		for (int j = 0; j < pauses; j++)
			pabal__cpu_pause();
		r = waiting->measured ? attempt_measured(waiting) : attempt(waiting);
		if (r <= 0)
			return r;
	}
	return PABAL__DOORBELL_WAIT;
}

/* For the beginning of a wait. */
static void let_writer_get_ahead(const struct waiting *waiting)
{
	if (waiting->wait->event == PABAL__DOORBELL_MESSAGE && pabal__lull_is_due(&waiting->wait->spin->lulls, waiting->wait->run))
		pabal__lull(waiting->bell->ticks_5us);
}

/* PABAL_WAIT_SPIN: never sleep. */
static int spin_only(const struct waiting *waiting)
{
	struct pabal__doorbell *bell = waiting->bell;

	let_writer_get_ahead(waiting);
	for (uint32_t round = 1;; round++) {
		int r = look_often(waiting);

		if (r <= 0)
			return r;
		r = give_up(waiting);
		if (r < 0)
			return r;
		if (round % ROUNDS == 0) {
			pabal__doorbell_ask_kernel(bell);
			if (bell->service)
				bell->service(bell->service_argument);
		}
	}
}

/* Spin as long as it has paid lately. */
static int spin(const struct waiting *waiting)
{
	struct pabal__spin *spin = &waiting->wait->spin->spin;
	int64_t budget = pabal__spin_begin(spin), start;
	int r;

	if (!budget)
		return PABAL__DOORBELL_WAIT;
	start = pabal__clock_now();
	let_writer_get_ahead(waiting);
	do {
		r = look_often(waiting);
	} while (r > 0 && pabal__spin_goes_on(start, budget, waiting->deadline));
	pabal__spin_end(spin, budget, start, r <= 0);
	return r;
}

/* One yield: the best there is when the peer wants this very core. */
static int yield(const struct waiting *waiting)
{
	struct pabal__spin *spin = &waiting->wait->spin->spin;

	if (!pabal__spin_may_yield(spin))
		return PABAL__DOORBELL_WAIT;
	pabal__spin_yield(spin);
	return attempt(waiting);
}

/* How long to sleep at most; 0: the time is up. @unrung: nobody rings for it. */
static int64_t longest(const struct waiting *waiting, bool barrier, bool unrung)
{
	int64_t duration = !barrier ? NO_BARRIER_NS : unrung ? UNRUNG_NS : INT64_MAX, left;

	if (waiting->deadline == INT64_MAX)
		return duration;
	left = waiting->deadline - pabal__clock_now();
	if (left <= 0)
		return 0;
	return left < duration ? left : duration;
}

static int arm_and_sleep(struct waiting *waiting)
{
	struct pabal__doorbell *bell = waiting->bell;
	struct pabal__sleepers *sleepers = &bell->sleepers[waiting->wait->told];
	uint32_t event = waiting->wait->event, count_in = event;
	struct pabal__sleeper sleeper;
	int64_t start = pabal__clock_now();
	bool barrier;
	int r, why;

	pabal__sleepers_enter(sleepers, &sleeper, 0, start, waiting->deadline);
	for (;;) {
		uint32_t seen = pabal__doorbell_enter(bell, count_in, &barrier);

		count_in = 0;
		why = r = PABAL__FAULT(NO_SECOND_LOOK) ? PABAL__DOORBELL_WAIT : attempt(waiting);
		if (r <= 0)
			break;
		r = give_up(waiting);
		if (r < 0)
			break;
		if (pabal__doorbell_sleep(bell, seen, longest(waiting, barrier, why == PABAL__DOORBELL_WAIT_UNRUNG)) == -EINTR)
			waiting->signalled = true;
		/* No last look: the kernel says -EINTR to those only whom nobody has rung for. */
		if (waiting->signalled && !(bell->flags & PABAL_RESTART)) {
			r = give_up(waiting);
			break;
		}
	}
	pabal__doorbell_leave(bell, event);
	pabal__sleepers_leave(sleepers, &sleeper);
	if (r == 0 && !(bell->flags & PABAL_WAIT_BLOCK))
		pabal__spin_slept(&waiting->wait->spin->spin, pabal__clock_now() - start);
	return r;
}

int pabal__doorbell_wait(struct pabal__doorbell *bell, const struct pabal__doorbell_wait *wait, int64_t timeout_ns)
{
	struct waiting waiting = { .bell = bell, .wait = wait, .deadline = pabal__clock_deadline(timeout_ns) };
	int r = PABAL__DOORBELL_WAIT;

	/* relaxed: an interrupt since the last one counts for us */
	waiting.measured = wait->event == PABAL__DOORBELL_MESSAGE && is_sampled(wait->spin);
	waiting.acknowledged = atomic_load_explicit(&bell->acknowledged, memory_order_relaxed);
	if (bell->flags & PABAL_WAIT_SPIN)
		return spin_only(&waiting);
	if (!(bell->flags & PABAL_WAIT_BLOCK))
		r = spin(&waiting);
	if (r > 0)
		r = yield(&waiting);
	return r > 0 ? arm_and_sleep(&waiting) : r;
}
