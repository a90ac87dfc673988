/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - the options that demo and torture have in common.
 */
#include <sys/random.h>
#include <unistd.h>

#include "options.h"
#include "payload.h"
#include "plan.h"
#include "progress.h"

enum {
	KEY_SENDERS = OPTION_KEY(100),
	KEY_RECEIVERS,
	KEY_SECONDS,
	KEY_SIZE_MAX,
	KEY_CAPACITY,
	KEY_MEMORY,
	KEY_KILL_EVERY,
	KEY_SEED,
	KEY_DIRECTORY,
	KEY_JSON,
};

#define RUN_MAX_NS (INT64_C(7) * 24 * 3600 * 1000000000) /* guess: a week */

static const struct argp_option options[] = {
	{ "seconds", KEY_SECONDS, "TIME", 0, "How long there is killing; then everything drains", 0 },
	{ "senders", KEY_SENDERS, "N", 0, "Sending processes", 0 },
	{ "receivers", KEY_RECEIVERS, "N", 0, "Receiving processes", 0 },
	{ "size-max", KEY_SIZE_MAX, "SIZE", 0, "Largest message; sizes are random, from 16 bytes up", 0 },
	{ "capacity", KEY_CAPACITY, "N", 0, "Messages that may wait", 0 },
	{ "memory", KEY_MEMORY, "SIZE", 0, "Payload memory of the mailbox", 0 },
	{ "kill-every", KEY_KILL_EVERY, "TIME", 0, "Time between two kills, on average; 0: no kills", 0 },
	{ "seed", KEY_SEED, "N", 0, "Choose the same sizes, victims and moments again, as far as the scheduler lets us", 0 },
	{ "dir", KEY_DIRECTORY, "DIR", 0, "Directory of the mailbox, on tmpfs (default: a temporary one)", 0 },
	{ "json", KEY_JSON, NULL, 0, "The tally as a JSON object", 0 },
	{ 0 },
};

static error_t parse_load(int key, char *text, const struct argp_state *state, struct plan *plan)
{
	switch (key) {
	case KEY_SENDERS:
		plan->senders = (unsigned)option_count(state, "--senders", text, 1, plan->workers_max);
		return 0;
	case KEY_RECEIVERS:
		plan->receivers = (unsigned)option_count(state, "--receivers", text, 1, plan->workers_max);
		return 0;
	case KEY_SIZE_MAX:
		plan->size_max = option_size(state, "--size-max", text, PAYLOAD_SIZE_MIN);
		return 0;
	case KEY_CAPACITY:
		plan->capacity = (uint32_t)option_count(state, "--capacity", text, 1, UINT32_MAX);
		return 0;
	case KEY_MEMORY:
		plan->memory_max = option_size(state, "--memory", text, 1);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct plan *plan = state->input;

	switch (key) {
	case KEY_SECONDS:
		plan->run_ns = option_duration(state, "--seconds", text, 1);
		if (plan->run_ns > RUN_MAX_NS)
			usage_error(state, "--seconds: '%s' is more than a week", text);
		return 0;
	case KEY_KILL_EVERY:
		plan->kill_every_ns = option_duration(state, "--kill-every", text, 0);
		return 0;
	case KEY_SEED:
		plan->seed = option_count(state, "--seed", text, 1, UINT64_MAX);
		return 0;
	case KEY_DIRECTORY:
		plan->directory = text;
		return 0;
	case KEY_JSON:
		plan->json = true;
		return 0;
	case ARGP_KEY_ARG:
		option_name(state, &plan->name, text);
		return 0;
	case ARGP_KEY_SUCCESS:
		if (plan->size_max > plan->memory_max || plan->size_max > UINT32_MAX)
			usage_error(state, "--size-max is more than one message can have with this --memory");
		return 0;
	default:
		return parse_load(key, text, state, plan);
	}
}

const struct argp plan_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

void plan_seed(struct plan *plan)
{
	if (plan->seed != 0)
		return;
	if (getrandom(&plan->seed, sizeof(plan->seed), GRND_NONBLOCK) != sizeof(plan->seed))
		plan->seed = (uint64_t)clock_now() ^ (uint64_t)getpid();
	plan->seed = plan->seed % 1000000000 + 1; /* a number that people can type */
}
