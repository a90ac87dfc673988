/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_torture.c - pabal torture: try to break it. Many processes, random sizes, SIGKILL at random moments all the time, an honest count.
 *
 * The workers do everything that a user may do: copy and write in place, hold several messages, give some back, cancel loans, die
 * anywhere. Any loss, doubling, damage, hang or block that is not accounted for ends with status 1 and a sentence about the first one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "options.h"
#include "plan.h"
#include "progress.h"
#include "run.h"
#include "units.h"
#include "verb.h"

#define MS INT64_C(1000000)
#define SHOW_NS (200 * MS)

/* Five times a second, if there is a terminal. */
static void show(const struct run *run, void *data)
{
	const struct tally *tally = &run->crew.tally;
	char line[256], sent[UNITS_TEXT_SIZE], received[UNITS_TEXT_SIZE], kills[UNITS_TEXT_SIZE], redelivered[UNITS_TEXT_SIZE];
	int64_t *last_ns = data, now_ns = clock_now();

	if (now_ns - *last_ns < SHOW_NS)
		return;
	*last_ns = now_ns;
	snprintf(line, sizeof(line), "%s%.0f s: sent %s, received %s, redelivered %s, killed %s", run->is_draining ? "draining, " : "",
		 (double)run_elapsed(run) / 1e9, format_count(sent, crew_sent(&run->crew)), format_count(received, crew_received(&run->crew)),
		 format_count(redelivered, tally->redelivered), format_count(kills, tally->killed_senders + tally->killed_receivers));
	progress_line(line);
}

static int run_random(const struct plan *plan)
{
	char size[UNITS_TEXT_SIZE];
	int64_t last_ns = 0;
	int status;

	if (!plan->json)
		printf("%u senders, %u receivers, 16 B to %s, capacity %" PRIu32 ", %.1f s, seed %" PRIu64 "\n", plan->senders, plan->receivers,
		       format_size(size, plan->size_max), plan->capacity, (double)plan->run_ns / 1e9, plan->seed);
	fflush(stdout); /* before the first fork */
	status = run_plan(plan, terminal_is_useful(STDERR_FILENO) ? show : NULL, &last_ns);
	if (!plan->json && status == STATUS_DONE)
		puts("verdict: sound");
	return status;
}

int verb_torture(int argc, char **argv)
{
	static const struct argp_child children[] = { { &plan_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		NULL,
		NULL,
		"[NAME]",
		"Try to break it: processes send and receive through one mailbox, and are killed at random moments all the time.\v"
		"Every message is numbered and checksummed, and each process swears to what it did in memory that outlives it. Exit status 1 and a sentence tell "
		"of the first message that was lost, doubled or damaged, of a process that hangs, of a block that is not accounted for.",
		children,
		NULL,
		NULL,
	};
	struct plan plan = {
		.senders = 8,
		.receivers = 8,
		.workers_max = LEDGER_WORKERS_MAX,
		.capacity = 256,
		.memory_max = UINT64_C(16) << 20,
		.size_max = UINT64_C(60) << 10,
		.run_ns = 10000 * MS,
		.kill_every_ns = 10 * MS,
		.hold_max = 8,
		.mischief = true,
		.refill = true,
	};

	argp_parse(&argp, argc, argv, 0, NULL, &plan);
	plan_seed(&plan);
	return run_random(&plan);
}
