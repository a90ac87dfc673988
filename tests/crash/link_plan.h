/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/link_plan.h - which kills on a link one run of a test makes.
 */
#ifndef PABAL_CRASH_LINK_PLAN_H
#define PABAL_CRASH_LINK_PLAN_H

#include "crash/link_scene.h"

struct link_plan {
	const struct link_operation *operation;
	uint32_t stride, sizes[8], size_count, fills, peers;
	bool stop, patient, distinct, quiet; /* quiet: what breaks is expected */
	uint32_t longest, number;
};

/* Start again with all symbols bound, so that none is looked up on the way. */
void link_prepare_process(char **argv);
bool link_scene_init(struct link_scene *scene);
/* 0; 1: scene->broken says what does not hold; negative: the scene could not be built. */
int link_plan_run(struct link_plan *plan, struct link_scene *scene);

#endif
