/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/talk_wait.c - how a call on a process handle waits: for a message from any link, for room in one, for somebody to link or to answer.
 *
 * Attempt; spin as long as it paid lately; yield once; then arm, attempt again, and sleep. One of the threads leads: it sleeps in poll on everything that the handle has (inside). The others follow: they
 * sleep on a word of this process, news, which goes on whenever the leader has looked, when something came about without a socket saying so, and on an interrupt.
 *
 * Why nobody sleeps while there is something: a follower reads news before its last attempt, and sleeps only while it stands. The leader says that it leads, then looks at news; who has news raises it, then looks whether
 * somebody leads, and if so sets the alarm, which the leader polls. What comes over a socket ends the poll, unless a call on a link swallowed the byte: then it set notify, which is inside (wait/doorbell.h).
 *
 * The descriptor for others (outside.c) is readable while inside is, and while ready is set. Who swallows bytes sets ready, since they may have meant a message that nobody has received yet.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/error.h"
#include "model/process.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/futex.h"
#include "wait/waiting.h"

enum {
	EVENTS = 64,
	ROUNDS = 64,             /* rounds of looks of who only spins between two looks at the door */
	SERVE_NS = 1000000,      /* a call that finds what it wants at once serves the door this often at least */
	NO_BARRIER_NS = 1000000, /* a sleep where there is no membarrier */
};

struct waiting {
	struct pabal__talk *talk;
	int64_t deadline;
	uint32_t acknowledged;
	bool signalled; /* a signal handler ran while we slept */
	bool cut_off;   /* our descriptors are gone */
};

static int attempt(struct pabal__talk *talk)
{
	return talk->attempt(talk);
}

void pabal__process_look_inside(pabal_process *self)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(self->inside, events, EVENTS, 0);

	for (int i = 0; i < count; i++) {
		struct pabal__party *party;

		switch ((enum pabal__event_kind)(events[i].data.u64 & 0xff)) {
		case PABAL__EVENT_DOOR:
			pabal__door_serve(self);
			break;
		case PABAL__EVENT_NOTIFY:
			pabal__process_clear_notify(self);
			break;
		case PABAL__EVENT_PARTY:
			party = pabal__party_numbered(self, events[i].data.u64 >> 8);
			if (!party)
				break;
			pabal__link_wake_read(&party->link);
			if (pabal__link_is_gone(&party->link)) /* its socket and its pidfd would be readable for ever */
				pabal__party_watch(party, false);
			break;
		default:
			break;
		}
	}
	if (self->openings || self->deaf)
		pabal__door_timers(self);
	/* What was swallowed may have been meant for a sleeper, who would not be woken by it any more. */
	if (count > 0 && (atomic_load(&self->leading) || self->followers))
		pabal__process_news(self);
	else if (count > 0)
		pabal__process_set_ready(self);
}

/* Ask those links that @talk waits for to ring. The attempt that follows is the look that counts: whether a large message has room, for one, a link cannot say before. */
static void arm(struct pabal__talk *talk)
{
	pabal_process *self = talk->self;
	struct pabal__party *party = talk->peer ? pabal__party_first(self, talk->peer) : self->first;
	struct pabal__party *room = talk->room_of ? pabal__party_numbered(self, talk->room_of) : NULL;

	if (room)
		pabal__link_ask(&room->link, PABAL_WRITABLE);
	for (; party && talk->reads; party = talk->peer ? pabal__party_same_name(party) : party->next) {
		if (party->drained)
			continue;
		pabal__party_watch(party, !pabal__link_is_gone(&party->link));
		pabal__link_ask(&party->link, PABAL_READABLE);
	}
}

/* Why to stop waiting now, or 0. */
static int give_up(const struct waiting *waiting)
{
	pabal_process *self = waiting->talk->self;
	uint32_t count = atomic_load_explicit(&self->interrupts, memory_order_acquire); /* pairs with the interrupt's release */

	if (count != waiting->acknowledged) {
		atomic_store_explicit(&self->acknowledged, count, memory_order_relaxed); /* alone: for waits that begin later */
		return -ECANCELED;
	}
	if (waiting->cut_off)
		return -EBADF;
	if (waiting->signalled && !(self->flags & PABAL_RESTART))
		return -EINTR;
	if (waiting->deadline != INT64_MAX && pabal__clock_now() >= waiting->deadline)
		return -ETIMEDOUT;
	return 0;
}

/* One attempt; the lock is let go before and after it, so that others can get in. */
static int look_again(struct waiting *waiting)
{
	struct pabal__talk *talk = waiting->talk;

	pabal__process_leave(talk->self, talk->entered);
	pabal__cpu_pause();
	talk->entered = pabal__process_enter(talk->self);
	return attempt(talk);
}

static int look_often(struct waiting *waiting)
{
	int r = PABAL__TALK_WAIT;

	for (int i = 0; i < PABAL__SPIN_LOOKS && r > 0; i++)
		r = look_again(waiting);
	return r;
}

/* PABAL_WAIT_SPIN: never sleep. */
static int spin_only(struct waiting *waiting)
{
	for (uint32_t round = 1;; round++) {
		int r = look_often(waiting);

		if (r <= 0)
			return r;
		r = give_up(waiting);
		if (r < 0)
			return r;
		if (round % ROUNDS == 0)
			pabal__process_look_inside(waiting->talk->self);
	}
}

static int spin(struct waiting *waiting)
{
	struct pabal__spin *spin = &waiting->talk->self->spin;
	int64_t budget = pabal__spin_begin(spin), start;
	int r;

	if (!budget)
		return PABAL__TALK_WAIT;
	start = pabal__clock_now();
	do {
		r = look_often(waiting);
	} while (r > 0 && pabal__spin_goes_on(start, budget, waiting->deadline));
	pabal__spin_end(spin, budget, start, r <= 0);
	return r;
}

/* One yield: the best there is when the one we wait for wants this very core. */
static int yield(struct waiting *waiting)
{
	struct pabal__talk *talk = waiting->talk;
	pabal_process *self = talk->self;

	if (!pabal__spin_may_yield(&self->spin))
		return PABAL__TALK_WAIT;
	pabal__process_leave(self, talk->entered);
	pabal__spin_yield(&self->spin);
	talk->entered = pabal__process_enter(self);
	return attempt(talk);
}

/* How long to sleep at most; 0: not at all. */
static int64_t longest(const struct waiting *waiting)
{
	int64_t until = pabal__door_next(waiting->talk->self), now;

	if (waiting->deadline < until)
		until = waiting->deadline;
	if (until == INT64_MAX && waiting->talk->self->barrier)
		return INT64_MAX;
	now = pabal__clock_now();
	if (!waiting->talk->self->barrier && until > now + NO_BARRIER_NS)
		until = now + NO_BARRIER_NS;
	return until > now ? until - now : 0;
}

/* 0; -EINTR: a handler ran; -EBADF: the program closed our descriptors behind our back (a daemon's clean-up), and what they are to tell will never be told. */
static int poll_inside(pabal_process *self, int64_t duration)
{
	struct pollfd fds[] = { { .fd = self->inside, .events = POLLIN }, { .fd = self->alarm, .events = POLLIN } };
	struct timespec time = { .tv_sec = duration / 1000000000, .tv_nsec = duration % 1000000000 };

	/* ppoll, since it says -EINTR after any handler, and is restarted after a stop. */
	if (ppoll(fds, 2, duration == INT64_MAX ? NULL : &time, NULL) < 0)
		return errno == EINTR ? -EINTR : 0;
	if ((fds[0].revents | fds[1].revents) & POLLNVAL)
		return -EBADF;
	if (fds[1].revents)
		pabal__process_clear_alarm(self);
	return 0;
}

/* Somebody else sleeps for us. */
static int follow(struct pabal__talk *talk, uint32_t seen, int64_t duration)
{
	pabal_process *self = talk->self;
	int r;

	self->followers++;
	pabal__process_leave(self, talk->entered);
	r = pabal__futex_wait(&self->news, seen, duration);
	talk->entered = pabal__process_enter(self);
	self->followers--;
	return r;
}

/* Sleep on everything, for all. */
static int lead(struct pabal__talk *talk, uint32_t seen, int64_t duration)
{
	pabal_process *self = talk->self;
	int r = 0;

	atomic_store(&self->leading, true); /* seq_cst: said, then the look at news; pairs with pabal__process_news() */
	if (atomic_load(&self->news) == seen && duration > 0) {
		pabal__process_leave(self, talk->entered);
		r = poll_inside(self, duration);
		talk->entered = pabal__process_enter(self);
	}
	atomic_store(&self->leading, false);
	pabal__process_look_inside(self);
	/* The others look, and one of them leads if this one does not come back. */
	atomic_fetch_add(&self->news, 1);
	if (self->followers)
		pabal__futex_wake(&self->news, INT32_MAX);
	return r;
}

/* Sleep once. @seen: news before the last attempt. */
static void sleep_once(struct waiting *waiting, uint32_t seen)
{
	struct pabal__talk *talk = waiting->talk;
	int64_t duration = longest(waiting);
	int r = atomic_load(&talk->self->leading) ? follow(talk, seen, duration) : lead(talk, seen, duration);

	waiting->signalled |= r == -EINTR;
	waiting->cut_off |= r == -EBADF;
}

static int arm_and_sleep(struct waiting *waiting)
{
	struct pabal__talk *talk = waiting->talk;
	pabal_process *self = talk->self;
	int r;

	for (;;) {
		uint32_t seen = atomic_load(&self->news);

		arm(talk);
		r = attempt(talk);
		if (r <= 0)
			return r;
		r = give_up(waiting);
		if (r < 0)
			return r;
		sleep_once(waiting, seen);
		/* No last look: the kernel says -EINTR to those only for whom nothing came. */
		if (waiting->signalled && !(self->flags & PABAL_RESTART))
			return give_up(waiting);
	}
}

static int wait_for(struct pabal__talk *talk, int64_t timeout_ns)
{
	struct waiting waiting = { .talk = talk, .deadline = pabal__clock_deadline(timeout_ns) };
	pabal_process *self = talk->self;
	uint32_t told, entry, own = PABAL__NOT_TOLD;
	int r = PABAL__TALK_WAIT;
	int64_t start;

	/* relaxed: an interrupt since the last one counts for us */
	waiting.acknowledged = atomic_load_explicit(&self->acknowledged, memory_order_relaxed);
	if (!(self->flags & (PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK)))
		r = spin(&waiting);
	if (r > 0 && !(self->flags & PABAL_WAIT_SPIN))
		r = yield(&waiting);
	if (r <= 0)
		return r;
	entry = pabal__talk_entry(talk);
	if (entry == PABAL__NOT_TOLD && talk->peer) /* a message from somebody with whom there is no link yet */
		entry = own = pabal__tell_entry(&self->holder, talk->peer);
	start = pabal__clock_now();
	told = pabal__tell_sleep(&self->holder, talk->what, entry, pabal__waiting_pack(start, waiting.deadline));
	r = self->flags & PABAL_WAIT_SPIN ? spin_only(&waiting) : arm_and_sleep(&waiting);
	pabal__tell_woke(&self->holder, told);
	pabal__tell_end(&self->holder, own);
	if (r == 0 && !(self->flags & (PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK)))
		pabal__spin_slept(&self->spin, pabal__clock_now() - start);
	return r;
}

/* A call that does not wait. */
static int try_now(struct pabal__talk *talk)
{
	pabal_process *self = talk->self;
	bool there;
	int r;

	pabal__process_look_inside(self);
	r = attempt(talk);
	/* relaxed: whoever makes it holds the lock */
	if (r > 0 && atomic_load_explicit(&self->has_outside, memory_order_relaxed)) {
		there = pabal__outside_settle(self);
		r = attempt(talk);
		if (r > 0 && (talk->reads || !talk->peer)) /* a receive or an accept */
			pabal__outside_told(self, talk->numbers);
		if (there || pabal__outside_untold(self)) /* who came during this call is for another to be told of */
			pabal__process_set_ready(self);
	}
	return r > 0 ? -EAGAIN : r;
}

int pabal__talk_run(struct pabal__talk *talk, int64_t timeout_ns)
{
	pabal_process *self = talk->self;
	int r;

	talk->waits = timeout_ns != PABAL_NOWAIT;
	talk->entered = pabal__process_enter(self);
	talk->numbers = self->numbers;
	if (pabal__clock_coarse() - self->served > SERVE_NS)
		pabal__door_serve(self);
	r = attempt(talk);
	if (r > 0)
		r = timeout_ns == PABAL_NOWAIT ? try_now(talk) : wait_for(talk, timeout_ns);
	r = pabal__talk_end(talk, r);
	pabal__process_leave(self, talk->entered);
	return r;
}
