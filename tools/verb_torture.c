/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_torture.c - pabal torture: try to break it. Many processes, random sizes, SIGKILL at random moments all the time, an honest count.
 * With --every-instruction: one process at a time, killed at each instruction in turn (verb_torture_every.c).
 *
 * The workers do everything that a user may do: copy and write in place, hold several messages, give some back, cancel loans, die
 * anywhere. Any loss, doubling, damage, hang or block that is not accounted for ends with status 1 and a sentence about the first one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "arguments.h"
#include "options.h"
#include "plan.h"
#include "progress.h"
#include "run.h"
#include "units.h"
#include "verb.h"
#include "verb_torture_every.h"

#define MS INT64_C(1000000)
#define SHOW_NS (200 * MS)

enum { KEY_EVERY = OPTION_KEY(200), KEY_OPERATION, KEY_STRIDE };

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Instead of random kills:", 1 },
	{ "every-instruction", KEY_EVERY, NULL, 0, "Kill a process before each instruction of a call, one after the other; a minute or two", 1 },
	{ "operation", KEY_OPERATION, "NAME", 0, "Of this call alone, or of \"all\" (default: send, receive and the like)", 1 },
	{ "stride", KEY_STRIDE, "N", 0, "Only at every Nth instruction", 1 },
	{ 0 },
};

struct arguments {
	struct plan plan;
	struct every every;
	bool is_every;
};

/* What belongs to the other kind of run is no mistake to overlook: whoever names a mailbox means that one. */
static void check(const struct arguments *arguments, const struct argp_state *state)
{
	if (arguments->is_every && (arguments->plan.name || arguments->plan.directory))
		usage_error(state, "--every-instruction has a private directory: it takes neither NAME nor --dir");
	if (!arguments->is_every && (arguments->every.operation || arguments->every.stride))
		usage_error(state, "--operation and --stride belong to --every-instruction");
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	char names[256];

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->plan;
		return 0;
	case KEY_EVERY:
		arguments->is_every = true;
		return 0;
	case KEY_OPERATION:
		if (!every_is_name(text))
			usage_error(state, "--operation: '%s' is none of %s", text, every_names(names, sizeof(names)));
		arguments->every.operation = text;
		return 0;
	case KEY_STRIDE:
		arguments->every.stride = (uint32_t)option_count(state, "--stride", text, 1, UINT32_MAX);
		return 0;
	case ARGP_KEY_END:
		check(arguments, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

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

static const struct plan usual = {
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

int verb_torture(int argc, char **argv)
{
	static const struct argp_child children[] = { { &plan_argp, 0, "Random kills:", 3 }, { 0 } };
	static const struct argp argp = {
		options,
		parse,
		"[NAME]",
		"Try to break it: processes send and receive through one mailbox, and are killed at random moments all the time.\v"
		"Every message is numbered and checksummed, and each process swears to what it did in memory that outlives it. Exit status 1 and a sentence tell "
		"of the first message that was lost, doubled or damaged, of a process that hangs, of a block that is not accounted for.",
		children,
		NULL,
		NULL,
	};
	struct arguments arguments = { .plan = usual };

	arguments_parse(&argp, argc, argv, 0, &arguments);
	if (arguments.is_every) {
		arguments.every.json = arguments.plan.json;
		arguments.every.stride = arguments.every.stride ? arguments.every.stride : 1;
		return every_run(&arguments.every, argc, argv);
	}
	plan_seed(&arguments.plan);
	return run_random(&arguments.plan);
}
