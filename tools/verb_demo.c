/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_demo.c - pabal demo: watch processes exchange messages through one mailbox while some of them are killed.
 *
 * The same run as torture, at a pace at which one can watch, and with a picture if there is a terminal to draw it in. What it says at
 * the end is counted by the processes themselves (ledger.h), not by the mailbox.
 */
#include <stdio.h>
#include <unistd.h>

#include "arguments.h"
#include "options.h"
#include "picture.h"
#include "plan.h"
#include "progress.h"
#include "run.h"
#include "verb.h"

#define MS INT64_C(1000000)

int verb_demo(int argc, char **argv)
{
	static const struct argp_child children[] = { { &plan_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		NULL,
		NULL,
		"[NAME]",
		"Watch processes exchange messages through a mailbox while some of them are killed.\v"
		"Ends with a tally that the processes themselves kept: every message that was sent must have been received, none twice. Without a terminal only "
		"the tally is printed. With NAME the mailbox can be looked at from another shell (pabal show NAME). Ctrl-C ends it early, a second one at once.",
		children,
		NULL,
		NULL,
	};
	struct plan plan = {
		.senders = 4,
		.receivers = 4,
		.workers_max = 6, /* so that the picture fits into 24 lines */
		.capacity = 1024,
		.memory_max = UINT64_C(16) << 20,
		.size_max = 4096,
		.run_ns = 10000 * MS,
		.kill_every_ns = 500 * MS,
		.replace_after_ns = 700 * MS,
		.hold_max = 4,
	};
	struct picture picture;

	arguments_parse(&argp, argc, argv, 0, &plan);
	plan_seed(&plan);
	picture_init(&picture);
	return run_plan(&plan, terminal_is_useful(STDOUT_FILENO) && !plan.json ? picture_show : NULL, &picture);
}
