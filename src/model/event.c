/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/event.c - the events of a region: a number that goes up, and sleeping until it does.
 *
 * Who notifies adds 1 to the number and then looks at the bell. Who waits arms the bell and then looks at the number; so one of them sees the other. The sleeper
 * sleeps on the bell, not on the number: the bell's word changes with each ring and when it is cleared, so nobody can fall asleep on a bell that was rung or cleared
 * after he looked.
 *
 * An armed bell stays armed while there is anybody to wake. Only who wakes nobody clears it, and then wakes all once more: for one may have fallen asleep between
 * the two. That costs a notify after the last sleeper has gone two system calls, once.
 *
 * Killed between counting and waking: sleepers find the number changed when their slice ends. Between clearing and waking again: the same. A dead sleeper leaves the bell
 * armed, which costs the next notify those two calls.
 */
#include <errno.h>
#include <limits.h>

#include "base/error.h"
#include "model/descriptor_post.h"
#include "model/region.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/futex.h"
#include "wait/slice.h"

enum {
	SPINS = 200, /* looks before it sleeps; a guess: some microseconds, for an answer that is on its way */
};

struct event_wait {
	pabal_region *region;
	struct pabal__event *event;
	uint32_t seen;
	int64_t deadline, slice;
	bool signalled, late;
};

int pabal_region_event(pabal_region *region, uint32_t index, uint32_t *ret_now)
{
	int r = pabal__region_check(region, false, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (index >= region->event_count)
		return pabal__region_no_index(region, index);
	if (!ret_now)
		return pabal__fail_with(-EINVAL, "ret_now is NULL: it receives the event's number");
	*ret_now = atomic_load_explicit(&region->events[index].count, memory_order_acquire); /* pairs with the count of pabal_region_notify() */
	return 0;
}

static void ring(struct pabal__event *event, int count_max)
{
	uint32_t bell;

	if (PABAL__FAULT(NO_EVENT_RING))
		return;
	/* The next sequence, still armed: one that has looked at the number before we counted cannot fall asleep on it any more. */
	bell = PABAL__FAULT(SAME_SEQUENCE) ? atomic_load(&event->bell) : atomic_fetch_add_explicit(&event->bell, 2, memory_order_acq_rel) + 2;
	if (pabal__futex_wake(&event->bell, count_max) > 0)
		return;
	/* Nobody was there. acq_rel: clearing comes before the second ring */
	if (atomic_compare_exchange_strong_explicit(&event->bell, &bell, bell + 1, memory_order_acq_rel, memory_order_relaxed))
		pabal__futex_wake(&event->bell, INT_MAX);
}

/* Those in pabal_wait_many(): all of them, since none of them takes anything from the others. */
static __attribute__((cold, noinline)) void tell_pollers(const pabal_region *region, uint32_t index)
{
	if (!PABAL__FAULT(POLLERS_UNTOLD))
		pabal__descriptor_post(&region->segment, pabal__told_of(index), PABAL_READABLE);
}

int pabal_region_notify(pabal_region *region, uint32_t index, uint32_t count_max)
{
	struct pabal__event *event;
	uint32_t bell;
	int r = pabal__region_check(region, true, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (index >= region->event_count)
		return pabal__region_no_index(region, index);
	if (pabal__object_ended(&region->segment))
		return pabal__region_say(-ESHUTDOWN);
	event = region->events + index;
	/* seq_cst: count, then look at the bell; what we wrote before is seen by who sees the number */
	if (!PABAL__FAULT(RING_BEFORE_COUNT))
		atomic_fetch_add_explicit(&event->count, 1, memory_order_seq_cst);
	bell = atomic_load_explicit(&event->bell, memory_order_seq_cst); /* pairs with pabal__bell_arm() */
	if (count_max && __builtin_expect(bell & 1, 0))
		ring(event, count_max > INT_MAX ? INT_MAX : (int)count_max);
	if (PABAL__FAULT(RING_BEFORE_COUNT))
		atomic_fetch_add_explicit(&event->count, 1, memory_order_seq_cst);
	if (pabal__descriptor_is_in_use(&region->segment))
		tell_pollers(region, index);
	return 0;
}

static bool has_changed(const struct event_wait *wait)
{
	/* seq_cst: after the bell was armed; pairs with pabal_region_notify() */
	return atomic_load_explicit(&wait->event->count, memory_order_seq_cst) != wait->seen;
}

/* Why to stop waiting now, or 0. */
static int give_up(const struct event_wait *wait)
{
	if (pabal__object_ended(&wait->region->segment))
		return -ESHUTDOWN;
	if (wait->signalled && !(wait->region->flags & PABAL_RESTART))
		return -EINTR;
	if (wait->deadline != INT64_MAX && pabal__clock_now() >= wait->deadline)
		return -ETIMEDOUT;
	return 0;
}

static void sleep_once(struct event_wait *wait, uint32_t armed)
{
	int64_t duration = wait->slice;
	int r;

	if (wait->deadline != INT64_MAX) {
		int64_t left = wait->deadline - pabal__clock_now();

		if (left <= 0)
			return;
		if (left < duration)
			duration = left;
	}
	r = pabal__futex_wait(&wait->event->bell, armed, duration);
	wait->signalled |= r == -EINTR;
	wait->late = r == -ETIMEDOUT && duration == wait->slice;
	if (wait->late) {
		struct pabal__burial burial = { 0 };

		wait->slice = pabal__slice_next(wait->slice);
		pabal__bury_dead(&wait->region->segment, &burial);
	}
}

static int sleep_for(struct event_wait *wait)
{
	int r = 0;

	for (;;) {
		uint32_t armed = pabal__bell_arm(&wait->event->bell);

		if (has_changed(wait))
			break;
		r = give_up(wait);
		if (r < 0)
			return r;
		if (PABAL__FAULT(SAME_SEQUENCE)) /* the moment in which it matters, made long */
			pabal__cpu_nap(100000);
		sleep_once(wait, armed);
	}
	if (wait->late) /* alone: statistics, and ours */
		atomic_fetch_add_explicit(&wait->region->self->late_wakes, 1, memory_order_relaxed);
	return 0;
}

/* Look for a little while without sleeping: the number may be about to change. */
static bool look_about(const struct event_wait *wait)
{
	if (wait->region->flags & PABAL_WAIT_BLOCK)
		return false;
	for (int i = 0; i < SPINS; i++) {
		if (has_changed(wait))
			return true;
		pabal__cpu_pause();
	}
	return false;
}

static int wait_for(struct event_wait *wait, uint32_t index)
{
	struct pabal__sleepers *sleepers = &wait->region->event_sleepers;
	struct pabal__sleeper sleeper;
	int r;

	if (wait->region->flags & PABAL_WAIT_SPIN) {
		do {
			if (look_about(wait))
				return 0;
			r = give_up(wait);
		} while (r == 0);
		return r;
	}
	if (look_about(wait))
		return 0;
	pabal__sleepers_enter(sleepers, &sleeper, index, pabal__clock_now(), wait->deadline);
	r = sleep_for(wait);
	pabal__sleepers_leave(sleepers, &sleeper);
	return r;
}

int pabal_region_wait(pabal_region *region, uint32_t index, uint32_t seen, uint32_t *ret_now, int64_t timeout_ns)
{
	struct event_wait wait = { .region = region, .seen = seen, .slice = PABAL__SLICE_MIN };
	int r = pabal__region_check(region, true, timeout_ns);

	if (r < 0)
		return r;
	if (index >= region->event_count)
		return pabal__region_no_index(region, index);
	wait.event = region->events + index;
	wait.deadline = pabal__clock_deadline(timeout_ns);
	if (pabal__object_ended(&region->segment))
		r = -ESHUTDOWN;
	else if (!has_changed(&wait))
		r = timeout_ns == PABAL_NOWAIT ? -EAGAIN : wait_for(&wait, index);
	if (r < 0)
		return pabal__region_say(r);
	if (ret_now)
		*ret_now = atomic_load_explicit(&wait.event->count, memory_order_acquire); /* pairs with the count of pabal_region_notify() */
	return 0;
}
