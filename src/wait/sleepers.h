/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/sleepers.h - the threads of this process that wait for one thing on one handle, and the word that tells others of them (pabal_waits()).
 *
 * One word of shared memory stands for all of them: it tells of the one that has waited longest, until that one ends; then of the next. So it is 0 only while nobody waits, and what it says is one thread's
 * wait, whole: since when, until when, for which lock. The list is private to the process. It is for those who are about to sleep; who gets what it wants at once, or by spinning, does not enter.
 */
#ifndef PABAL_SRC_WAIT_SLEEPERS_H
#define PABAL_SRC_WAIT_SLEEPERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* One thread's wait; on its stack while it waits. */
struct pabal__sleeper {
	struct pabal__sleeper *next, *previous; /* in the order in which they came */
	uint64_t waiting;                       /* wait/waiting.h */
	uint32_t index;                         /* which lock, which event */
};

struct pabal__sleepers {
	pthread_mutex_t lock;
	struct pabal__sleeper *first, *last;
	_Atomic uint64_t *told;  /* where to tell; NULL: nowhere */
	_Atomic uint64_t *index; /* where to tell the index, which is a half of this; NULL: there is none */
	uint32_t shift;          /* which half */
};

/* Nobody waits. @told, @index: of the handle, ours alone to write, for as long as anybody waits. */
void pabal__sleepers_init(struct pabal__sleepers *sleepers, _Atomic uint64_t *told, _Atomic uint64_t *index, uint32_t shift);
void pabal__sleepers_deinit(struct pabal__sleepers *sleepers);

/* @sleeper waits from now on, until it leaves: until then it may not move. @deadline: INT64_MAX: none. */
void pabal__sleepers_enter(struct pabal__sleepers *sleepers, struct pabal__sleeper *sleeper, uint32_t index, int64_t now, int64_t deadline);
void pabal__sleepers_leave(struct pabal__sleepers *sleepers, struct pabal__sleeper *sleeper);

#endif
