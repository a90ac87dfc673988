/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/link_crash.c - kill one side of a link at every instruction of one call, or stop it there, and see that the other side finds everything right.
 *
 *   test_link_crash OPERATION [--stride N] [--size BYTES]... [--fills BITS] [--peers BITS] [--stop 1] [--patient 1] [--distinct 1]
 *
 * The way is recorded first, for each state of the ring and each occupation of the other side. A call asks the clock and looks whether the peer lives, so its way may be another the next time: then the
 * kill falls elsewhere, and is counted where it fell. What a call must have passed through is listed; a cell of it in which nobody was killed fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/link_plan.h"

static const char *const seen_names[] = { "filled", "committed", "rung", "position", "released", "armed", "closed" };

static const struct {
	const char *operation;
	unsigned cells[5];
	unsigned count;
} required[] = {
	{ "send", { 0, LINK_FILLED, LINK_FILLED | LINK_PUBLISHED, LINK_FILLED | LINK_PUBLISHED | LINK_RUNG }, 4 },
	{ "send-fd", { 0, LINK_FILLED, LINK_FILLED | LINK_PUBLISHED, LINK_FILLED | LINK_PUBLISHED | LINK_RUNG }, 4 },
	{ "loan-commit", { 0, LINK_FILLED, LINK_FILLED | LINK_PUBLISHED, LINK_FILLED | LINK_PUBLISHED | LINK_RUNG }, 4 },
	{ "loan-part", { 0, LINK_FILLED, LINK_FILLED | LINK_PUBLISHED, LINK_FILLED | LINK_PUBLISHED | LINK_RUNG }, 4 },
	{ "cancel-send", { 0, LINK_FILLED, LINK_FILLED | LINK_PUBLISHED, LINK_FILLED | LINK_PUBLISHED | LINK_RUNG }, 4 },
	{ "call-start", { 0, LINK_FILLED, LINK_FILLED | LINK_PUBLISHED, LINK_FILLED | LINK_PUBLISHED | LINK_RUNG }, 4 },
	{ "send-waits", { 0, LINK_ARMED }, 2 },
	{ "receive", { 0, LINK_MOVED, LINK_MOVED | LINK_RUNG }, 3 },
	{ "take-release", { 0, LINK_MOVED, LINK_MOVED | LINK_RUNG }, 3 },
	{ "receive-waits", { 0, LINK_ARMED }, 2 },
	{ "reply", { 0, LINK_FILLED, LINK_FILLED | LINK_PUBLISHED, LINK_FILLED | LINK_PUBLISHED | LINK_RUNG }, 4 },
	{ "serve", { 0, LINK_MOVED, LINK_MOVED | LINK_FILLED | LINK_PUBLISHED | LINK_RUNG }, 3 },
	{ "call",
	  { 0, LINK_FILLED | LINK_PUBLISHED, LINK_FILLED | LINK_PUBLISHED | LINK_RUNG, LINK_FILLED | LINK_PUBLISHED | LINK_RUNG | LINK_MOVED },
	  4 },
	{ "close", { 0, LINK_CLOSED }, 2 },
};

static void print(const struct link_plan *plan, const struct link_scene *scene)
{
	printf("%-14s longest way %u instructions, %lu runs, %lu ended early, %lu with the other side asleep\n", plan->operation->name, plan->longest,
	       (unsigned long)scene->runs, (unsigned long)scene->ended, (unsigned long)scene->asleep);
	for (unsigned cell = 0; cell < LINK_CELLS; cell++) {
		if (!scene->kills[cell])
			continue;
		printf("%-14s %8lu:", plan->operation->name, (unsigned long)scene->kills[cell]);
		for (unsigned bit = 0; 1u << bit < LINK_CELLS; bit++)
			if (cell & 1u << bit)
				printf(" %s", seen_names[bit]);
		printf("%s\n", cell ? "" : " nothing yet");
	}
}

static int missing(const struct link_plan *plan, const struct link_scene *scene)
{
	int r = 0;

	for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
		for (unsigned j = 0; strcmp(required[i].operation, plan->operation->name) == 0 && j < required[i].count; j++)
			if (!scene->kills[required[i].cells[j]]) {
				fprintf(stderr, "%s: nobody was killed in cell %u\n", plan->operation->name, required[i].cells[j]);
				r = 1;
			}
	return r;
}

static int parse(struct link_plan *plan, int argc, char **argv)
{
	plan->stride = 1;
	plan->fills = plan->peers = ~0u;
	if (argc < 2 || !(plan->operation = link_operation_find(argv[1])))
		return -1;
	for (int i = 2; i + 1 < argc; i += 2) {
		uint32_t value = (uint32_t)strtoul(argv[i + 1], NULL, 10);

		if (strcmp(argv[i], "--stride") == 0 && value)
			plan->stride = value;
		else if (strcmp(argv[i], "--size") == 0 && plan->size_count < 8 && value >= 8 && value <= LINK_SIZE_MAX)
			plan->sizes[plan->size_count++] = value;
		else if (strcmp(argv[i], "--fills") == 0)
			plan->fills = value;
		else if (strcmp(argv[i], "--peers") == 0)
			plan->peers = value;
		else if (strcmp(argv[i], "--stop") == 0)
			plan->stop = value;
		else if (strcmp(argv[i], "--patient") == 0)
			plan->patient = value;
		else if (strcmp(argv[i], "--distinct") == 0)
			plan->distinct = value;
		else
			return -1;
	}
	if (!plan->size_count)
		plan->sizes[plan->size_count++] = 64;
	return 0;
}

int main(int argc, char **argv)
{
	static struct link_scene scene;
	struct link_plan plan = { 0 };
	int r;

	if (parse(&plan, argc, argv) < 0) {
		fprintf(stderr,
			"usage: %s OPERATION [--stride N] [--size BYTES]... [--fills BITS] [--peers BITS] [--stop 1] [--patient 1] [--distinct 1]\n",
			argv[0]);
		return 2;
	}
	link_prepare_process(argv);
	if (!link_scene_init(&scene))
		return 2;
	r = link_plan_run(&plan, &scene);
	print(&plan, &scene);
	if (r == 0 && !plan.stop)
		r = missing(&plan, &scene);
	free(scene.census.shadow);
	return r ? 1 : 0;
}
