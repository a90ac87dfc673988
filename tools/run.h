/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - a whole run of demo or torture: start, kill for a while, drain, and the verdict.
 */
#ifndef PABAL_TOOLS_RUN_H
#define PABAL_TOOLS_RUN_H

#include <pabal/mailbox.h>

#include "crew.h"
#include "plan.h"

struct run {
	const struct plan *plan;
	struct crew crew;
	pabal_mailbox *observer; /* read-only, for the depth */
	int64_t start_ns;
	bool is_draining;
	bool is_over;
};

/** run_plan() - do it all. @show: called often, to draw; may be NULL. Return: the exit status; the tally was printed, or why there is none. */
int run_plan(const struct plan *plan, void (*show)(const struct run *run, void *data), void *data);

/** run_elapsed() - nanoseconds since the start. */
int64_t run_elapsed(const struct run *run);

#endif
