/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/wait_many.c - waiting on many objects of any kind, by their descriptors.
 *
 * What a kind promises of its descriptors is enough (wait_kind.h): level-triggered, and never silent while there is something. One that is ready is verified by a look, so that what another has taken does not end
 * the wait.
 *
 * The events of a region are told by numbers, each compared with what was told last (struct pabal__wait_number_calls): they are looked at before the first sleep, and whenever something has happened.
 *
 * Interrupts are as in every other wait (decisions/0008): each wait remembers what was acknowledged when it began, and ends when the count is another one; so one interrupt ends all that wait, and one that came
 * before is kept for the next. The order: look; if there is nothing, look at the interrupts; sleep. Each handle has a nudge by which the interrupt ends that sleep, also one that comes between look and sleep.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include <pabal/mailbox.h>

#include "base/error.h"
#include "model/wait_kind.h"
#include "platform/clock.h"

enum {
	MOST = 4096,                     /* a guess: each costs six descriptors */
	POLLS = PABAL__WAIT_END_FDS + 2, /* of one item at most: two sides, two for a link's end and a nudge; or three for another end and a nudge */
	NUDGED = PABAL_HANGUP << 1,      /* a bit beside the events */
	EVENTS = PABAL_READABLE | PABAL_WRITABLE | PABAL_HANGUP,
};

#define WHICH UINT32_C(0xffff0000) /* PABAL_EVENT() */

static const char closed[] = "the program closed descriptors that belong to a handle";

struct member {
	struct pabal__wait_kind kind;
	struct pabal__nudge *nudge; /* NULL: this call does not wait */
	uint32_t seen;              /* interrupts acknowledged when the wait began */
	uint32_t woken;             /* enum pabal_event, and NUDGED: what was ready in poll */
	struct pabal__wait_number number;
	bool begun; /* its kind has numbers, and was told that we sleep */
};

struct many {
	struct pabal_wait *items;
	uint32_t count;
	struct member *members;
	struct pollfd *polls;
	uint32_t *owners; /* of each poll: which member, and what it tells */
	uint32_t poll_count;
	bool restart;
	bool at_once; /* one was ready, or had ended, before the wait began: its descriptors may be silent */
};

static void add_poll(struct many *many, uint32_t member, uint32_t what, int fd, short events)
{
	if (fd < 0)
		return;
	many->polls[many->poll_count] = (struct pollfd){ .fd = fd, .events = events };
	many->owners[many->poll_count++] = member * (NUDGED << 1) | what;
}

static int prepare_events(struct many *many, uint32_t i)
{
	const struct pabal_wait *item = &many->items[i];
	const struct pabal__wait_calls_of_kind *calls = many->members[i].kind.calls;
	int fds[PABAL__WAIT_END_FDS] = { -1, -1, -1 }, r;
	short events[PABAL__WAIT_END_FDS] = { 0 };

	for (uint32_t event = PABAL_READABLE; event <= PABAL_WRITABLE; event <<= 1) {
		if (!(item->events & event))
			continue;
		r = calls->fd(item->object, event);
		if (r < 0)
			return r;
		add_poll(many, i, event, r, POLLIN);
	}
	if (!calls->end_fds && item->events == PABAL_HANGUP)
		return pabal__fail(-EINVAL, "item %u is a process handle, which has no PABAL_HANGUP to wait for: ask for PABAL_READABLE", i);
	if (!calls->end_fds || !(item->events & PABAL_HANGUP))
		return 0;
	r = calls->end_fds(item->object, item->events, fds, events);
	for (int j = 0; r == 0 && j < PABAL__WAIT_END_FDS; j++)
		add_poll(many, i, PABAL_HANGUP, fds[j], events[j]);
	return r;
}

/* After it has its nudge: what is told after that is not lost. */
static int begin_number(struct many *many, uint32_t i, bool waits)
{
	const struct pabal_wait *item = &many->items[i];
	struct member *member = &many->members[i];
	const struct pabal__wait_number_calls *calls = member->kind.calls->numbers;
	int r = calls->begin(item->object, item->events, waits, &member->number);

	if (r < 0)
		return r;
	member->begun = waits;
	many->at_once = calls->look(item->object, &member->number, false, false) || many->at_once;
	return 0;
}

static int prepare_one(struct many *many, uint32_t i, bool waits)
{
	const struct pabal_wait *item = &many->items[i];
	struct member *member = &many->members[i];
	int r;

	r = pabal__wait_kind_of(item->object, &member->kind);
	if (r < 0)
		return r;
	if (!(item->events & EVENTS) || (item->events & ~(uint32_t)(member->kind.calls->numbers ? EVENTS | WHICH : EVENTS)))
		return pabal__fail(-EINVAL,
				   "events of item %u are 0x%x: one or more of PABAL_READABLE, _WRITABLE, _HANGUP; of a region, PABAL_EVENT(index)",
				   i, item->events);
	r = prepare_events(many, i);
	if (r < 0)
		return r;
	many->restart = many->restart && (member->kind.flags & PABAL_RESTART);
	if (waits) {
		r = pabal__nudge_claim(member->kind.nudges, &member->nudge);
		if (r < 0)
			return pabal__fail_with(r, r == -EBADF ? closed : "no descriptor to wait with: too many are open, or there is no memory");
		add_poll(many, i, NUDGED, member->nudge->fd, POLLIN);
		if (member->kind.interrupts) /* relaxed: an interrupt since the last one counts for us */
			member->seen = atomic_load_explicit(member->kind.acknowledged, memory_order_relaxed);
	}
	many->at_once = many->at_once || ((item->events & PABAL_HANGUP) && member->kind.calls->has_ended(item->object, false));
	return member->kind.calls->numbers ? begin_number(many, i, waits) : 0;
}

static int prepare(struct many *many, bool waits)
{
	int r = 0;

	many->restart = true;
	for (uint32_t i = 0; r == 0 && i < many->count; i++)
		r = prepare_one(many, i, waits);
	return r;
}

/* @member: of a kind that has them. */
static uint32_t interrupts_of(const struct member *member)
{
	return atomic_load_explicit(member->kind.interrupts, memory_order_acquire); /* pairs with the interrupt's release */
}

static bool is_interrupted(const struct many *many)
{
	for (uint32_t i = 0; i < many->count; i++)
		if (many->members[i].nudge && many->members[i].kind.interrupts && interrupts_of(&many->members[i]) != many->members[i].seen)
			return true;
	return false;
}

/* The wait ends with it: so do those of all handles that were interrupted. */
static void acknowledge(const struct many *many)
{
	for (uint32_t i = 0; i < many->count; i++) {
		const struct member *member = &many->members[i];
		uint32_t count = member->kind.interrupts ? interrupts_of(member) : member->seen;

		if (count != member->seen) /* relaxed, alone: for waits that begin later */
			atomic_store_explicit(member->kind.acknowledged, count, memory_order_relaxed);
	}
}

/* Who was woken by what? */
static int note_polls(struct many *many)
{
	for (uint32_t i = 0; i < many->count; i++)
		many->members[i].woken = 0;
	for (uint32_t i = 0; i < many->poll_count; i++) {
		uint32_t owner = many->owners[i];

		if (many->polls[i].revents & POLLNVAL)
			return -EBADF;
		if (many->polls[i].revents)
			many->members[owner / (NUDGED << 1)].woken |= owner % (NUDGED << 1);
	}
	return 0;
}

static uint32_t look_at(const struct pabal_wait *item, struct member *member)
{
	const struct pabal__wait_calls_of_kind *calls = member->kind.calls;
	uint32_t ready = 0;

	if (member->woken & NUDGED) /* before the look at what we were nudged for */
		pabal__nudge_clear(member->nudge);
	if (calls->numbers && calls->numbers->look(item->object, &member->number, member->woken & EVENTS, member->woken))
		ready |= item->events & PABAL_READABLE;
	for (uint32_t event = PABAL_READABLE; event <= PABAL_WRITABLE && !calls->numbers; event <<= 1)
		if ((member->woken & event) && calls->verify(item->object, event))
			ready |= event;
	if ((item->events & PABAL_HANGUP) && calls->has_ended(item->object, member->woken & PABAL_HANGUP))
		ready |= PABAL_HANGUP;
	return ready;
}

/* None is ready: may we sleep on? A nudge that the program closed would be another file that is polled. */
static int check_nudges(const struct many *many)
{
	for (uint32_t i = 0; i < many->count; i++)
		if (many->members[i].nudge && !pabal__nudge_is_ours(many->members[i].nudge))
			return -EBADF;
	return 0;
}

/* How many are ready. */
static int look(struct many *many)
{
	int ready = 0, r = note_polls(many);

	for (uint32_t i = 0; r == 0 && i < many->count; i++) {
		struct member *member = &many->members[i];

		many->items[i].ret_events = look_at(&many->items[i], member);
		ready += many->items[i].ret_events != 0;
		if (!many->items[i].ret_events && member->woken && member->kind.calls->is_lost && member->kind.calls->is_lost(many->items[i].object))
			r = -EBADF;
	}
	if (r == 0 && ready == 0)
		r = check_nudges(many);
	return r < 0 ? r : ready;
}

static int poll_until(struct many *many, int64_t deadline)
{
	int64_t left = deadline == INT64_MAX ? 0 : deadline - pabal__clock_now();
	struct timespec time;

	if (left < 0)
		left = 0;
	time = (struct timespec){ .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
	/* ppoll ends with EINTR when a handler ran, whatever SA_RESTART says */
	if (ppoll(many->polls, many->poll_count, deadline == INT64_MAX ? NULL : &time, NULL) < 0)
		return errno == EINTR ? -EINTR : -ENOMEM;
	return 0;
}

static int say(int error)
{
	switch (error) {
	case -EAGAIN:
		return pabal__fail_with(error, "not now: none of the objects is ready");
	case -ETIMEDOUT:
		return pabal__fail_with(error, "the time was up before any of the objects was ready");
	case -EINTR:
		return pabal__fail_with(error, "a signal handler ran while the call waited: call again, or open with PABAL_RESTART");
	case -ECANCELED:
		return pabal__fail_with(error, "the wait was interrupted on one of the objects");
	case -EBADF:
		return pabal__fail_with(error, closed);
	default:
		return pabal__fail_with(error, "no memory to poll so many descriptors");
	}
}

/* Until one is ready: how many are, or why not. */
static int wait_until(struct many *many, int64_t timeout_ns)
{
	int64_t deadline = pabal__clock_deadline(timeout_ns);

	for (;;) {
		bool interrupted = is_interrupted(many); /* before the look: what happened before the interrupt is found */
		bool sleeps = timeout_ns != PABAL_NOWAIT && !interrupted && !many->at_once;
		int r = poll_until(many, sleeps ? deadline : 0);

		if (r == -EINTR && (!sleeps || many->restart || is_interrupted(many)))
			continue;
		if (r == 0)
			r = look(many);
		if (r != 0)
			return r;
		many->at_once = false;
		if (interrupted) {
			acknowledge(many);
			return -ECANCELED;
		}
		if (timeout_ns == PABAL_NOWAIT)
			return -EAGAIN;
		if (deadline != INT64_MAX && pabal__clock_now() >= deadline && !is_interrupted(many))
			return -ETIMEDOUT;
	}
}

static int make_room(struct many *many)
{
	size_t polls = (size_t)POLLS * many->count;

	many->members = calloc(many->count, sizeof *many->members);
	many->polls = calloc(polls, sizeof *many->polls);
	many->owners = calloc(polls, sizeof *many->owners);
	return many->members && many->polls && many->owners ? 0 : pabal__fail_with(-ENOMEM, "no memory to wait for so many objects");
}

static void leave(struct many *many)
{
	for (uint32_t i = 0; many->members && i < many->count; i++) {
		const struct member *member = &many->members[i];

		if (member->begun)
			member->kind.calls->numbers->end(many->items[i].object);
		if (member->nudge)
			pabal__nudge_return(member->nudge);
	}
	free(many->members);
	free(many->polls);
	free(many->owners);
}

/* What the caller is told now, it will not be told again. Only here, where nothing can go wrong any more. */
static void note_numbers(const struct many *many)
{
	for (uint32_t i = 0; i < many->count; i++) {
		const struct member *member = &many->members[i];

		if (member->kind.calls->numbers && (many->items[i].ret_events & PABAL_READABLE))
			member->kind.calls->numbers->note(many->items[i].object, &member->number);
	}
}

int pabal_wait_many(struct pabal_wait *items, uint32_t count, uint32_t *ret_ready, int64_t timeout_ns)
{
	struct many many = { .items = items, .count = count };
	int r;

	if (!items || count < 1 || count > MOST || timeout_ns < PABAL_FOREVER)
		return pabal__fail(-EINVAL, "items is NULL, count is not 1 to %d, or the time-out is negative", MOST);
	r = make_room(&many);
	if (r == 0)
		r = prepare(&many, timeout_ns != PABAL_NOWAIT);
	if (r == 0) {
		r = wait_until(&many, timeout_ns);
		if (r < 0)
			say(r);
		else
			note_numbers(&many);
	}
	leave(&many);
	if (r < 0)
		return r;
	if (ret_ready)
		*ret_ready = (uint32_t)r;
	return 0;
}
