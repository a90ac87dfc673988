/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/faults.c - the driver finds what it is there to find: deliberate faults of base/fault.h, one at a time.
 *
 * With the fault off the plan passes; with it on, the fault was executed and the invariant that breaks is the one named here.
 */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "crash/plan.h"

enum { BURY_AND_FILL = 5 }; /* of crash_neighbours(): the dead one is buried by another, its block used again */

#define FILL(name) (1u << CRASH_##name)

static const struct { /* NOLINT(clang-analyzer-optin.performance.Padding): the columns of a table, in the order of reading */
	enum pabal__fault fault;
	const char *name, *operation, *invariant;
	uint32_t fills, stride, laps, size;
	bool stop;
} faults[] = {
	{ PABAL__FAULT_SLOT_BEFORE_HEADER, "SLOT_BEFORE_HEADER", "receive", "lost", FILL(HALF), 1, 0, 64, false },
	{ PABAL__FAULT_NO_LEASE, "NO_LEASE", "receive", "refused", FILL(HALF), 7, 0, 64, false },
	{ PABAL__FAULT_HEAD_JUMP, "HEAD_JUMP", "receive", "false_empty", FILL(EMPTY), 97, CRASH_RING - 2 * CRASH_CAPACITY, 64, false },
	{ PABAL__FAULT_NO_SLOT_REPAIR, "NO_SLOT_REPAIR", "receive", "lost", FILL(HALF), 1, 0, 64, false },
	{ PABAL__FAULT_NO_LEASE_REPAIR, "NO_LEASE_REPAIR", "receive", "lost", FILL(HALF), 1, 0, 64, false },
	{ PABAL__FAULT_NO_OWNED_REPAIR, "NO_OWNED_REPAIR", "send", "leaked", FILL(HALF), 7, 0, 64, false },
	{ PABAL__FAULT_RING_BEFORE_SNAPSHOT, "RING_BEFORE_SNAPSHOT", "send", "lost", FILL(HALF), 7, 0, 64, false },
	{ PABAL__FAULT_NO_EXTENT_REPAIR, "NO_EXTENT_REPAIR", "send", "leaked", FILL(HALF), 7, 0, 64, false },
	{ PABAL__FAULT_NO_COUNT, "NO_COUNT", "receive", "count", FILL(HALF), 7, 0, 64, false },
	{ PABAL__FAULT_NO_ROOM_CHECK, "NO_ROOM_CHECK", "send", "over_capacity", FILL(FULL), 17, 0, 64, false },
	{ PABAL__FAULT_COMMIT_BEFORE_FILL, "COMMIT_BEFORE_FILL", "send", "torn", FILL(HALF), 1, 0, 64, false },
	{ PABAL__FAULT_PUNCH_UNCHECKED, "PUNCH_UNCHECKED", "send", "lost", FILL(HALF), 7, 0, 64, false },
	{ PABAL__FAULT_NO_INDEX, "NO_INDEX", "receive", "lost", FILL(HALF), 7, 0, 64, false },
	{ PABAL__FAULT_NO_REREAD, "NO_REREAD", "send-repairs", "lost", 0, 1, 0, 4100, true },
	{ PABAL__FAULT_NO_VERSION, "NO_VERSION", "send-repairs", "lost", 0, 1, 0, 4100, true },
};

static int run(size_t i, enum pabal__fault on, struct crash_scene *scene, unsigned long *ret_hits)
{
	struct plan plan = { .operation = crash_operation_find(faults[i].operation),
			     .stride = faults[i].stride,
			     .laps = faults[i].laps,
			     .sizes = { faults[i].size },
			     .size_count = 1,
			     .fills = faults[i].fills,
			     .distinct = true,
			     .stop = faults[i].stop,
			     .activity = BURY_AND_FILL,
			     .quiet = on != PABAL__FAULT_NONE };
	struct totals totals = { 0 };
	int r;

	if (plan.stop && on == PABAL__FAULT_NONE)
		plan.stride = 41; /* the way is long, and the same plan without faults is a test of its own */
	pabal__fault_hits = 0;
	pabal__fault_on = on;
	r = plan_run(&plan, scene, &totals);
	pabal__fault_on = PABAL__FAULT_NONE;
	crash_scene_drop(scene);
	*ret_hits = pabal__fault_hits + totals.victim_hits;
	census_free(&totals.census);
	return r;
}

int main(int argc, char **argv)
{
	struct crash_scene scene = { .name = "crash" };
	unsigned long hits;
	int failed = 0;

	plan_prepare_process(argv);
	if (plan_share(&scene) < 0)
		return 2;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		int r;

		if (argc > 1 && strcmp(argv[1], faults[i].name) != 0)
			continue;
		r = run(i, PABAL__FAULT_NONE, &scene, &hits);
		if (r != 0) {
			printf("FAILED %s: with the fault off the plan says %d\n", faults[i].name, r);
			failed = 1;
			continue;
		}
		r = run(i, faults[i].fault, &scene, &hits);
		if (r != 1 || !scene.broken || strcmp(scene.broken, faults[i].invariant) != 0 || !hits) {
			printf("FAILED %s: %d, executed %lu times, broken: %s (%s), not %s\n", faults[i].name, r, hits,
			       scene.broken ? scene.broken : "nothing", scene.broken ? scene.detail : "", faults[i].invariant);
			failed = 1;
			continue;
		}
		printf("%-20s executed %lu times, caught: %s: %s\n", faults[i].name, hits, scene.broken, scene.detail);
	}
	return failed;
}
