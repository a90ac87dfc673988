/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/link_faults.c - the driver finds what it is there to find: deliberate faults of base/fault.h in the ways of a link, one at a time.
 *
 * With the fault off the plan passes; with it on, the fault was executed and the invariant that breaks is the one named here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "crash/link_plan.h"

#define BIT(name) (1u << LINK_##name)

static const struct { /* NOLINT(clang-analyzer-optin.performance.Padding): the columns of a table, in the order of reading */
	enum pabal__fault fault;
	const char *name, *operation, *invariant;
	uint32_t size, fills, peers, stride;
	bool stop, patient;
} faults[] = {
	{ PABAL__FAULT_COMMIT_BEFORE_FILL, "COMMIT_BEFORE_FILL", "send", "torn", 64, BIT(SOME), BIT(LATE), 1, false, false },
	{ PABAL__FAULT_COMMIT_BEFORE_FILL, "COMMIT_BEFORE_FILL", "send", "torn", 5000, BIT(EMPTY), BIT(LATE), 1, false, false },
	{ PABAL__FAULT_FDS_LATE, "FDS_LATE", "send-fd", "torn", 64, BIT(EMPTY), BIT(TAKES), 1, false, false },
	{ PABAL__FAULT_END_FIRST, "END_FIRST", "send", "lost", 5000, BIT(EMPTY), BIT(RECEIVES), 1, false, false },
	{ PABAL__FAULT_LET_GO_FIRST, "LET_GO_FIRST", "receive", "lost", 64, BIT(FULL), 0, 1, true, false },
	{ PABAL__FAULT_STALE_READY, "STALE_READY", "loan-part", "lost", 64, BIT(EMPTY), BIT(LATE), 1, false, true },
	{ PABAL__FAULT_STALE_READY, "STALE_READY", "cancel-send", "lost", 64, BIT(EMPTY), BIT(LATE), 1, false, true },
	{ PABAL__FAULT_NO_CLOSE_WORD, "NO_CLOSE_WORD", "close", "wrong_end", 64, BIT(EMPTY), 0, 31, true, false },
};

static int run(size_t i, enum pabal__fault on, struct link_scene *scene)
{
	struct link_plan plan = { .operation = link_operation_find(faults[i].operation),
				  .stride = faults[i].stride * (on == PABAL__FAULT_NONE ? 13 : 1), /* without a fault it is a test of its own */
				  .sizes = { faults[i].size },
				  .size_count = 1,
				  .fills = faults[i].fills,
				  .peers = faults[i].peers,
				  .stop = faults[i].stop,
				  .patient = faults[i].patient,
				  .distinct = true,
				  .quiet = on != PABAL__FAULT_NONE };
	int r;

	scene->hits = 0;
	pabal__fault_on = on;
	r = link_plan_run(&plan, scene);
	pabal__fault_on = PABAL__FAULT_NONE;
	return r;
}

int main(int argc, char **argv)
{
	static struct link_scene scene;
	int failed = 0;

	link_prepare_process(argv);
	if (!link_scene_init(&scene))
		return 2;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		int r;

		if (argc > 1 && strcmp(argv[1], faults[i].name) != 0)
			continue;
		r = run(i, PABAL__FAULT_NONE, &scene);
		if (r != 0) {
			printf("FAILED %s: with the fault off the plan says %d\n", faults[i].name, r);
			failed = 1;
			continue;
		}
		r = run(i, faults[i].fault, &scene);
		if (r != 1 || strcmp(scene.broken, faults[i].invariant) != 0 || !scene.hits) {
			printf("FAILED %s: %d, executed %lu times, broken: %s (%s), not %s\n", faults[i].name, r, scene.hits,
			       scene.broken ? scene.broken : "nothing", scene.detail, faults[i].invariant);
			failed = 1;
			continue;
		}
		printf("%-20s executed %lu times, caught: %s: %s\n", faults[i].name, scene.hits, scene.broken, scene.detail);
	}
	free(scene.census.shadow);
	return failed;
}
