/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/crew.h - victims die while others go on: a sender and a receiver run freely on the mailbox, and are not halted at the kill.
 */
#ifndef PABAL_CRASH_CREW_H
#define PABAL_CRASH_CREW_H

#include "crash/crash.h"

struct crew_report {
	uint64_t kills, ended;   /* victims killed in the middle, and those whose operation ended first */
	uint64_t sent, received; /* by the crew */
	uint64_t redelivered;    /* deliveries that were not the first */
	uint64_t during;         /* messages that the crew moved while a victim was in the middle of its operation */
	uint64_t copies;         /* messages that a victim may have kept: it had a whole copy */
};

/*
 * Kill @kills victims in the middle of @operation, at instructions 0, @stride, 2 * @stride ... and again from the beginning when the operation
 * ends before that. 0, or 1 and scene->broken says what does not hold, or negative: it could not be set up.
 */
int crew_run(struct crash_scene *scene, const struct crash_operation *operation, uint32_t kills, uint32_t stride, struct crew_report *ret_report);

#endif
