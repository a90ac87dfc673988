/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/plan.h - which operation is killed (or stopped) where, in which states of the queue.
 */
#ifndef PABAL_TESTS_CRASH_PLAN_H
#define PABAL_TESTS_CRASH_PLAN_H

#include "crash/census.h"
#include "crash/crash.h"

struct plan {
	const struct crash_operation *operation;
	uint32_t stride, laps;
	uint32_t sizes[8], size_count;
	uint32_t fills;    /* a bit for each state of the queue; 0: all */
	uint32_t deep;     /* repairers killed before the last */
	bool distinct;     /* only instructions that are passed for the first time */
	bool sample;       /* a few of all: which states they meet is not looked at */
	bool stop;         /* stopped while the others work, then let go, not killed */
	uint32_t activity; /* of the others then; 0: all of them in turn, else crash_neighbours()' number + 1 */
	bool quiet;        /* a broken invariant is what is hoped for */
};

struct totals {
	struct census census;
	uint32_t runs, longest;
	uint64_t astray, passed_over;
	uint32_t deaths[CENSUS_SLOTS * CENSUS_BLOCKS]; /* of those whom the victims repaired, by cell */
	unsigned long victim_hits;                     /* of the deliberate fault, in the victims */
};

/* 0: everything held. 1: @scene says what did not. Negative: a scene could not be built. */
int plan_run(const struct plan *plan, struct crash_scene *scene, struct totals *totals);
void plan_print(const struct plan *plan, const struct totals *totals);

/* Make the process fit for stepping: what the dynamic linker does late would be stepped through as well. Does not return the first time. */
void plan_prepare_process(char **argv);

/* Shared memory for the victims; scene->shared. */
int plan_share(struct crash_scene *scene);

#endif
