/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/crash.c - kill a process at every instruction of one call, and see that nothing is lost, doubled or leaked.
 *
 *   test_crash OPERATION [--stride N] [--distinct 1] [--sample 1] [--size BYTES]... [--fills BITS] [--laps N] [--deep N] [--stop 1]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/plan.h"
#include "crash/required.h"

static int parse(struct plan *plan, int argc, char **argv)
{
	if (argc < 2 || !(plan->operation = crash_operation_find(argv[1])))
		return -1;
	plan->stride = 1;
	for (int i = 2; i + 1 < argc; i += 2) {
		uint32_t value = (uint32_t)strtoul(argv[i + 1], NULL, 10);

		if (strcmp(argv[i], "--stride") == 0 && value)
			plan->stride = value;
		else if (strcmp(argv[i], "--size") == 0 && plan->size_count < 8)
			plan->sizes[plan->size_count++] = value;
		else if (strcmp(argv[i], "--laps") == 0)
			plan->laps = value;
		else if (strcmp(argv[i], "--fills") == 0)
			plan->fills = value;
		else if (strcmp(argv[i], "--deep") == 0 && value <= 3)
			plan->deep = value;
		else if (strcmp(argv[i], "--stop") == 0)
			plan->stop = value;
		else if (strcmp(argv[i], "--distinct") == 0)
			plan->distinct = value;
		else if (strcmp(argv[i], "--sample") == 0)
			plan->sample = value;
		else
			return -1;
	}
	if (!plan->size_count)
		plan->sizes[plan->size_count++] = 64;
	return 0;
}

int main(int argc, char **argv)
{
	struct crash_scene scene = { .name = "crash" };
	struct plan plan = { 0 };
	struct totals totals = { 0 };
	int r;

	if (parse(&plan, argc, argv) < 0) {
		fprintf(stderr, "usage: %s OPERATION [--stride N] [--distinct 1] [--size BYTES]... [--fills BITS] [--laps N] [--deep N] [--stop 1]\n",
			argv[0]);
		return 2;
	}
	plan_prepare_process(argv);
	r = plan_share(&scene);
	if (r == 0)
		r = plan_run(&plan, &scene, &totals);
	plan_print(&plan, &totals);
	if (r == 0 && !plan.stop && !plan.sample &&
	    required_missing(&totals.census, plan.operation->name, plan.size_count == 1 && plan.sizes[0] > 4096))
		r = 1;
	if (r == 0 && !totals.census.kills) {
		fprintf(stderr, "%s: nobody was killed at all\n", plan.operation->name);
		r = 1;
	}
	census_free(&totals.census);
	return r ? 1 : 0;
}
