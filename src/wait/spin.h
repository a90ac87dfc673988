/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/spin.h - how long to spin before a sleep, and whether to yield: what every adaptive wait has learned.
 *
 * One for each direction of a handle. All of it is tuning, read and written without an order: threads may mix it up, and it is only slower for that.
 *
 * A wait spins as long as that has paid lately: the budget doubles each time that it was enough, and halves each time that it was not. Once it is down to nothing, one wait in some tries for a little while.
 *
 * That alone has two ways of coming to rest. Two who ask and answer and both spin need a microsecond for it. Two who both sleep need the time of two wake-ups, some 50 to 200 microseconds, and neither of them would ever learn
 * that the other one could be faster: a wait of that length is not worth spinning. So after some short sleeps there is a trial: for a while, one of them spins for twice as long as those sleeps took. Then the other one's
 * short tries find the answer there, and it spins as well; the first one sees that its waits have become short. Where they have not, or do not stay so, the next trial comes after four times as many sleeps.
 */
#ifndef PABAL_SRC_WAIT_SPIN_H
#define PABAL_SRC_WAIT_SPIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/clock.h"

enum {
	PABAL__SPIN_LOOKS = 16, /* looks between two looks at the clock */
	/* Measured: a sleeping core takes 20 to 25 microseconds to wake, on a virtual machine up to 200; but for a trial, more spinning never pays. */
	PABAL__SPIN_MAX_NS = 20000,
};

struct pabal__spin {
	_Atomic int64_t budget_ns;   /* what spinning may cost */
	_Atomic int64_t yield_after; /* no yield before this moment */
	_Atomic int64_t trial_ns;    /* what spinning may cost in a trial */
	_Atomic uint32_t waits;      /* since spinning was given up */
	_Atomic uint32_t sleeps;     /* short ones, since the last trial */
	_Atomic uint32_t interval;   /* so many are between two trials */
	_Atomic uint32_t trial;      /* waits that are left of a trial */
	_Atomic uint32_t quick;      /* waits in a row for which spinning was enough; not counted for ever */
	_Atomic bool relapsed;       /* so many, and then one for which it was not */
};

void pabal__spin_init(struct pabal__spin *spin);

/* How long may this wait spin? 0: not at all. */
int64_t pabal__spin_begin(struct pabal__spin *spin);

/* May who has spun since @start go on? A trial may be long, but no wait outlasts its deadline for it. */
static inline bool pabal__spin_goes_on(int64_t start, int64_t budget, int64_t deadline)
{
	int64_t now = pabal__clock_now();

	return now - start < budget && now < deadline;
}

/* It has spun for so long, with that budget. Did what it waited for come? @took matters in a trial alone, that is with a budget of more than PABAL__SPIN_MAX_NS. */
void pabal__spin_learn(struct pabal__spin *spin, int64_t budget, int64_t took, bool came);

/* The same, since the moment @start. */
static inline void pabal__spin_end(struct pabal__spin *spin, int64_t budget, int64_t start, bool came)
{
	pabal__spin_learn(spin, budget, budget > PABAL__SPIN_MAX_NS ? pabal__clock_now() - start : 0, came);
}

/* What it waited for came while it slept, after so long. */
void pabal__spin_slept(struct pabal__spin *spin, int64_t took);

/* Yields are given up for a while where they have given the core to somebody who keeps it. */
bool pabal__spin_may_yield(const struct pabal__spin *spin);
void pabal__spin_yield(struct pabal__spin *spin);

#endif
