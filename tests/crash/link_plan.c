/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/link_plan.c - all the kills of one call on a link: in each state of the ring, with each occupation of the other side, at the chosen instructions of the way that was recorded before.
 */
#include "crash/link_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void link_prepare_process(char **argv)
{
	if (!getenv("LD_BIND_NOW")) {
		setenv("LD_BIND_NOW", "1", 1);
		execv("/proc/self/exe", argv);
		exit(2);
	}
}

bool link_scene_init(struct link_scene *scene)
{
	scene->shared = mmap(NULL, sizeof *scene->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	scene->census.shadow = aligned_alloc(4096, sizeof(struct pabal__half));
	return scene->shared != MAP_FAILED && scene->census.shadow;
}

static int complain(const struct link_plan *plan, const struct link_scene *scene, uint32_t k)
{
	if (plan->quiet)
		return 1;
	fprintf(stderr, "BROKEN %s: %s (%s, ring %s, the other side %s, %u bytes, %s before instruction %u)\n", scene->broken, scene->detail,
		plan->operation->name, link_fill_names[scene->fill], link_peer_names[scene->peer], scene->size, plan->stop ? "stopped" : "killed", k);
	return 1;
}

static int at_each(struct link_plan *plan, struct link_scene *scene)
{
	struct crash_trace trace = { 0 };
	int r = link_measure(scene, &trace);

	if (r == 0 && scene->broken)
		r = complain(plan, scene, trace.count);
	if (trace.count > plan->longest)
		plan->longest = trace.count;
	for (uint32_t k = 0; r == 0 && k < trace.count; k++) {
		if ((plan->distinct && trace.visit[k] > 1) || plan->number++ % plan->stride)
			continue;
		r = link_once(scene, &trace, k);
		if (r == 1 && !scene->broken) /* another way: then step by step */
			r = link_once(scene, NULL, k);
		if (r >= 0)
			r = scene->broken ? complain(plan, scene, k) : 0;
	}
	crash_trace_free(&trace);
	return r;
}

/* Who is at the other end. While the victim is stopped it works, or it is the one that is called, or calls. */
static unsigned peers_of(const struct link_plan *plan)
{
	if (plan->stop && !(plan->operation->effects & (LINK_ASKS | LINK_ANSWERS)))
		return 1u << LINK_WORKS;
	return plan->operation->peers & plan->peers;
}

int link_plan_run(struct link_plan *plan, struct link_scene *scene)
{
	int r = 0;

	scene->operation = plan->operation;
	scene->stop = plan->stop;
	scene->patient = plan->patient;
	for (uint32_t i = 0; r == 0 && i < plan->size_count; i++)
		for (int fill = 0; r == 0 && fill < LINK_FILLS; fill++)
			for (int peer = 0; r == 0 && peer < LINK_PEERS; peer++) {
				if (!(plan->operation->fills & plan->fills & 1u << fill) || !(peers_of(plan) & 1u << peer))
					continue;
				scene->size = plan->sizes[i];
				scene->fill = (enum link_fill)fill;
				scene->peer = (enum link_peer)peer;
				r = at_each(plan, scene);
			}
	return r;
}
