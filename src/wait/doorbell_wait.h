/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/doorbell_wait.h - wait until an attempt succeeds, woken by a doorbell.
 *
 * Every blocking call of a link waits here.
 */
#ifndef PABAL_SRC_WAIT_DOORBELL_WAIT_H
#define PABAL_SRC_WAIT_DOORBELL_WAIT_H

#include "wait/doorbell.h"
#include "wait/lull.h"
#include "wait/spin.h"

/* What an attempt returns when it must be tried again; 0 and negative errors are final. UNRUNG: it is for something that nobody rings for, so that it must be looked at now and then. */
enum { PABAL__DOORBELL_WAIT = 1, PABAL__DOORBELL_WAIT_UNRUNG = 2 };

/* How one direction spins. Hints, as in spin.h. */
struct pabal__doorbell_spin {
	struct pabal__spin spin;
	struct pabal__lulls lulls;
	_Atomic int64_t arrival;  /* ticks: how long an attempt takes that finds a message which has just come; four of five are shorter */
	_Atomic uint32_t samples; /* waits, to measure it now and then */
};

/* What is waited for. */
struct pabal__doorbell_wait {
	int (*attempt)(void *object); /* 0, a negative error, or PABAL__DOORBELL_WAIT... */
	void *object;
	uint32_t event;
	uint32_t told; /* which word of the doorbell tells others */
	struct pabal__doorbell_spin *spin;
	uint32_t run; /* for a message: so many were there, one after the other, before there was none */
};

/* The caller has attempted in vain. Returns what an attempt returned in the end, or -ETIMEDOUT, -EINTR, -ECANCELED. @timeout_ns: not PABAL_NOWAIT. */
int pabal__doorbell_wait(struct pabal__doorbell *bell, const struct pabal__doorbell_wait *wait, int64_t timeout_ns);

#endif
