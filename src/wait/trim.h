/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/trim.h - what each of two who are patient adds to the delay that both use, or leaves out.
 *
 * One of them finds out what is best for both (wait/patience.h), but the two are never alike: one processor is slower than the other, or shares its core with somebody at the moment. The quicker one gains on the other with each round trip,
 * and however long both wait, in the end it looks too early, again and again; each look in vain takes the other one's lines away and makes it slower still. So each corrects the delay for itself, by what it alone knows: how often its first
 * look was in vain. Often: a quarter of a pause more. Hardly ever: a quarter less, since who is never too early may be too late, and nothing else tells.
 *
 * Looks in vain are a bad guide to how long both should wait, since the delay of one makes the other one's look too early. To the difference between the two they are a good one: it is the quicker one that looks too early. What they can
 * change is bounded, and the delay itself is found by the clock.
 */
#ifndef PABAL_SRC_WAIT_TRIM_H
#define PABAL_SRC_WAIT_TRIM_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PABAL__TRIM_MAX = 8,    /* quarters of a pause, more or less: two pauses. A guess */
	PABAL__TRIM_UNTIL = 16, /* delays from here on are left alone: those of CPUs that are far from each other, where it gains nothing. Measured */
	PABAL__TRIM_LOOKS = 64, /* first looks that are judged together */
	PABAL__TRIM_OFTEN = 16, /* of these in vain: more than that is too many. Measured: with 8, or 32, some round trips take a tenth longer */
	PABAL__TRIM_SELDOM = 4, /* less than that is too few */
};

/* Of each side; for one thread. All zeros to begin with. */
struct pabal__trim {
	uint32_t delay; /* of both, which it belongs to */
	int32_t quarters;
	uint32_t looks, vain; /* since it was changed, or left as it is */
	bool too_early;       /* the last first look, not counted yet: between a look that finds an answer and what is answered to it, time is dear */
};

static inline void pabal__trim_judge(struct pabal__trim *trim)
{
	if (trim->vain > PABAL__TRIM_OFTEN && trim->quarters < PABAL__TRIM_MAX)
		trim->quarters++;
	else if (trim->vain < PABAL__TRIM_SELDOM && trim->quarters > -PABAL__TRIM_MAX)
		trim->quarters--;
	trim->looks = trim->vain = 0;
}

/* Before a wait for an answer: count the look of the last one. @delay: of both, not 0. The delay of this side, at least a quarter of a pause. */
static inline uint32_t pabal__trim_apply(struct pabal__trim *trim, uint32_t delay)
{
	int32_t trimmed;

	if (delay >= PABAL__TRIM_UNTIL)
		return delay;
	if (trim->delay != delay)
		*trim = (struct pabal__trim){ .delay = delay };
	trim->vain += trim->too_early;
	if (++trim->looks == PABAL__TRIM_LOOKS)
		pabal__trim_judge(trim);
	trimmed = (int32_t)delay + trim->quarters;
	return trimmed > 1 ? (uint32_t)trimmed : 1;
}

#endif
