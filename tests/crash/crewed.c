/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/crewed.c - victims are killed while others go on.
 *
 *   test_crash_crewed KILLS OPERATION...
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "crash/crew.h"
#include "crash/plan.h"

/* Instructions between two kills: a receive is 4,000 of them long, and 16,000 when it is not optimised. A prime, so that each round begins elsewhere. */
enum { STRIDE = 307 };

int main(int argc, char **argv)
{
	struct crash_scene scene = { .name = "crash" };
	uint32_t kills = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;

	plan_prepare_process(argv);
	if (!kills || plan_share(&scene) < 0)
		return 2;
	for (int i = 2; i < argc; i++) {
		const struct crash_operation *operation = crash_operation_find(argv[i]);
		struct crew_report report = { 0 };
		int r = operation ? crew_run(&scene, operation, kills, STRIDE, &report) : -1;

		printf("%-16s killed %" PRIu64 " (%" PRIu64 " ended before), crew sent %" PRIu64 ", received %" PRIu64 ", %" PRIu64 " again, %" PRIu64
		       " while a victim was at it, %" PRIu64 " whole copies\n",
		       argv[i], report.kills, report.ended, report.sent, report.received, report.redelivered, report.during, report.copies);
		if (r) {
			fprintf(stderr, "BROKEN %s: %s (%s with a crew)\n", scene.broken ? scene.broken : "set-up", scene.broken ? scene.detail : "",
				argv[i]);
			return 1;
		}
	}
	return 0;
}
