/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/outside.c - the descriptor of a process handle for others: what it tells, and when it is silent.
 *
 * It is an epoll of inside and of ready (process.h), so it is readable while inside is, and while ready is set. A call that says -EAGAIN clears ready, after which all links are armed and looked at once more. What tells
 * of something but messages is noted where it is made: a link that nobody has used yet, and the failure of one, are untold.
 */
#include "model/process.h"

/* It counts for the descriptor of the handle, unless it has a readable one of its own, which its user has asked for. */
static bool counts(const struct pabal__party *party)
{
	/* relaxed: who made the descriptor knows that he did */
	return !party->handles || !(atomic_load_explicit(&party->link.bell.standing, memory_order_relaxed) & PABAL__DOORBELL_MESSAGE);
}

/* Let the descriptor for others be unreadable: nothing is there. true: something is, after all. */
bool pabal__outside_settle(pabal_process *self)
{
	bool there = false;

	pabal__process_look_inside(self);
	pabal__process_clear_ready(self);
	for (struct pabal__party *party = self->first; party; party = party->next) {
		if (party->drained)
			continue;
		pabal__party_watch(party, counts(party) && !pabal__link_is_gone(&party->link));
		if (counts(party))
			there |= pabal__link_reply_came(&party->link, true) | pabal__link_ask(&party->link, PABAL_READABLE);
	}
	return there;
}

/* Is there a link, or the failure of one, that no call has told of yet? */
bool pabal__outside_untold(const pabal_process *self)
{
	for (const struct pabal__party *party = self->first; party; party = party->next)
		if (party->untold)
			return true;
	for (const struct pabal__opening *opening = self->openings; opening; opening = opening->next)
		if (opening->untold && !opening->users) /* else it is told to those who wait for it */
			return true;
	return false;
}

/* A receive or an accept said "not now": so all is told that had come when it began. */
void pabal__outside_told(pabal_process *self, uint64_t numbers)
{
	for (struct pabal__party *party = self->first; party; party = party->next)
		if (party->untold <= numbers)
			party->untold = 0;
	for (struct pabal__opening *opening = self->openings; opening; opening = opening->next)
		if (opening->untold <= numbers)
			opening->untold = 0;
}

static bool has_message(const pabal_process *self)
{
	for (struct pabal__party *party = self->first; party; party = party->next)
		if (!party->drained && counts(party) && pabal__link_has(&party->link))
			return true;
	return false;
}

bool pabal__process_verify(pabal_process *self)
{
	bool entered = pabal__process_enter(self), there;

	pabal__process_look_inside(self);
	there = pabal__outside_untold(self) || has_message(self);
	if (!there) {
		there = pabal__outside_settle(self);
		there = pabal__outside_untold(self) || there;
	}
	if (there)
		pabal__process_set_ready(self); /* until a call says "not now" */
	pabal__process_leave(self, entered);
	return there;
}
