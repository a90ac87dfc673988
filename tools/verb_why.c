/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_why.c - pabal why PID: what a process waits for, and through whom; a deadlock is named.
 *
 * It looks and changes nothing. From the one that was asked about it goes on to all who could wake it, and to those who could wake them; without a number it
 * tells of all who wait.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <pabal/base.h>

#include "arguments.h"
#include "json.h"
#include "knot.h"
#include "object.h"
#include "options.h"
#include "progress.h"
#include "report.h"
#include "units.h"
#include "verb.h"
#include "waits.h"
#include "why_words.h"

struct arguments {
	const char *name;
	bool json;
};

/* What there is to tell. */
struct story {
	struct waits waits;
	uint32_t *parties; /* in the order in which they are told */
	uint32_t count;
	bool *is_told; /* by party: it is among them; later: its deadlock was told */
};

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	uint64_t number;

	if (key != ARGP_KEY_ARG)
		return option_look(key, &arguments->json);
	option_name(state, &arguments->name, text);
	if (*text != '@' && parse_count(text, &number) < 0)
		usage_error(state, "'%s' is no process number; \"pabal why @%s\" asks about the process that has announced this name", text, text);
	return 0;
}

static int first_living(const struct pabal_participant_info *info, void *data)
{
	*(pid_t *)data = info->alive ? info->claimed_pid : 0;
	return info->alive != 0;
}

/* Return: STATUS_DONE, or STATUS_FAILED with the reason reported. */
static int find_pid(const char *name, pid_t *ret_pid)
{
	uint64_t number;
	pid_t pid = 0;
	int r;

	if (*name != '@') {
		parse_count(name, &number);
		pid = number <= INT32_MAX ? (pid_t)number : 0;
		if (pid == 0 || (kill(pid, 0) < 0 && errno == ESRCH))
			return report("there is no process %s", name);
	} else {
		r = pabal_participants(name + 1, first_living, &pid);
		if (r == -ENOENT)
			return report("nobody has announced '%s': \"pabal ls\" lists who has a name, or check PABAL_DIR", name + 1);
		if (r < 0)
			return report_call(r);
		if (pid == 0)
			return report("who had announced '%s' is dead; \"pabal gc\" removes what is left of it", name + 1);
	}
	*ret_pid = pid;
	return STATUS_DONE;
}

static void tell(struct story *story, uint32_t party)
{
	if (story->is_told[party])
		return;
	story->is_told[party] = true;
	story->parties[story->count++] = party;
}

/* The parties of the story: those that were asked about, and then whoever could wake one that is in it. */
static int gather(struct story *story, pid_t pid)
{
	uint32_t asked = 0;

	if (pid != 0) {
		asked = waits_party(&story->waits, pid);
		if (asked == UINT32_MAX)
			return -ENOMEM;
	}
	story->parties = calloc(story->waits.party_count + 1, sizeof(*story->parties));
	story->is_told = calloc(story->waits.party_count + 1, sizeof(*story->is_told));
	if (!story->parties || !story->is_told)
		return -ENOMEM;
	knot_find(&story->waits);
	if (pid != 0)
		tell(story, asked);
	for (uint32_t i = 0; pid == 0 && i < story->waits.count; i++)
		tell(story, story->waits.waits[i].party);
	for (uint32_t i = 0; i < story->count; i++)
		for (uint32_t j = 0; j < story->waits.count; j++)
			for (uint32_t k = 0; story->waits.waits[j].party == story->parties[i] && k < story->waits.waits[j].waker_count; k++)
				tell(story, story->waits.waits[j].wakers[k]);
	return 0;
}

static void print_party(const struct waits *waits, uint32_t index)
{
	const struct party *party = &waits->parties[index];

	for (uint32_t i = 0; i < waits->count; i++) {
		if (waits->waits[i].party != index)
			continue;
		printf("%d (%s) waits ", (int)party->pid, party->command);
		print_wait(stdout, waits, &waits->waits[i]);
		print_times(stdout, &waits->waits[i]);
		putchar('\n');
	}
	if (party->state == 0)
		printf("%d cannot be seen from here\n", (int)party->pid);
	else if (party->state == 'T' || party->state == 't')
		printf("%d (%s) is stopped; a SIGCONT lets it go on\n", (int)party->pid, party->command);
	else if (party->waits == 0)
		printf("%d (%s) waits for nothing of pabal's: it is %s\n", (int)party->pid, party->command, state_word(party));
	else if (party->waits < party->threads)
		printf("%d (%s) has %u more threads: they wait for nothing of pabal's, or for the same on the same handle as one that is told\n",
		       (int)party->pid, party->command, party->threads - party->waits);
}

static void print_cycle(const struct waits *waits, const uint32_t *cycle, uint32_t count)
{
	bool is_open = false;

	printf("deadlock: ");
	for (uint32_t i = 0; i < count; i++) {
		const struct wait *wait = &waits->waits[cycle[i]];

		printf("%s%d waits ", i ? "; " : "", (int)wait->info.claimed_pid);
		print_wait(stdout, waits, wait);
		is_open |= wait->is_open;
	}
	puts(is_open ? "; only somebody new could help" : "");
}

/*
 * The cycles that the story leads to, each once. @each gets the waits of one. Cycles that share a process with one that was told are left out: it is the same knot.
 */
static void each_cycle(struct story *story, void (*each)(const struct waits *, const uint32_t *, uint32_t, void *), void *data)
{
	uint32_t *cycle = calloc(story->waits.party_count + 1, sizeof(*cycle)), count;

	memset(story->is_told, 0, story->waits.party_count * sizeof(*story->is_told));
	for (uint32_t i = 0; cycle && i < story->count; i++) {
		bool is_new = true;

		count = knot_cycle(&story->waits, story->parties[i], cycle);
		for (uint32_t j = 0; j < count; j++)
			is_new &= !story->is_told[story->waits.waits[cycle[j]].party];
		for (uint32_t j = 0; j < count; j++)
			story->is_told[story->waits.waits[cycle[j]].party] = true;
		if (count > 0 && is_new)
			each(&story->waits, cycle, count, data);
	}
	free(cycle);
}

static void tell_cycle(const struct waits *waits, const uint32_t *cycle, uint32_t count, void *data)
{
	(void)data;
	print_cycle(waits, cycle, count);
}

static void print_text(struct story *story)
{
	for (uint32_t i = 0; i < story->count; i++)
		print_party(&story->waits, story->parties[i]);
	each_cycle(story, tell_cycle, NULL);
}

/* In milliseconds: more is not known. */
static struct json_object *seconds_json(int64_t ns)
{
	int64_t ms = ns / 1000000;

	return json_object_new_double((double)ms / 1000);
}

static struct json_object *wait_json(const struct waits *waits, const struct wait *wait)
{
	struct json_object *json = json_object_new_object(), *wakers = json_object_new_array();
	int64_t now_ns = clock_now();

	json_add_text(json, "what", what_word(wait->info.what));
	json_add_text(json, "kind", object_kind(wait->info.kind));
	json_add_text(json, "name", wait->info.name);
	if (wait->info.kind == PABAL_KIND_PROCESS)
		json_object_object_add(json, "peer", *wait->info.peer ? json_object_new_string(wait->info.peer) : NULL);
	if (wait->info.kind == PABAL_KIND_REGION)
		json_add_count(json, "index", wait->info.index);
	json_object_object_add(json, "seconds", seconds_json(now_ns - wait->info.since_ns));
	json_object_object_add(json, "seconds_left", wait->info.deadline_ns == INT64_MAX ? NULL : seconds_json(wait->info.deadline_ns - now_ns));
	for (uint32_t i = 0; i < wait->waker_count; i++)
		json_object_array_add(wakers, json_object_new_int64(waits->parties[wait->wakers[i]].pid));
	json_object_object_add(json, "wakers", wakers);
	json_object_object_add(json, "open", json_object_new_boolean(wait->is_open));
	return json;
}

static struct json_object *party_json(const struct waits *waits, uint32_t index)
{
	struct json_object *json = json_object_new_object(), *list = json_object_new_array();
	const struct party *party = &waits->parties[index];

	json_object_object_add(json, "pid", json_object_new_int64(party->pid));
	json_add_text(json, "command", party->command);
	json_add_text(json, "state", state_word(party));
	json_add_count(json, "threads", party->threads);
	json_object_object_add(json, "stuck", json_object_new_boolean(party->is_stuck));
	for (uint32_t i = 0; i < waits->count; i++)
		if (waits->waits[i].party == index)
			json_object_array_add(list, wait_json(waits, &waits->waits[i]));
	json_object_object_add(json, "waits", list);
	return json;
}

static void add_cycle(const struct waits *waits, const uint32_t *cycle, uint32_t count, void *data)
{
	struct json_object *pids = json_object_new_array();

	for (uint32_t i = 0; i < count; i++)
		json_object_array_add(pids, json_object_new_int64(waits->waits[cycle[i]].info.claimed_pid));
	json_object_array_add(data, pids);
}

static int print_json(struct story *story)
{
	struct json_object *json = json_object_new_object(), *processes = json_object_new_array(), *deadlocks = json_object_new_array();

	for (uint32_t i = 0; i < story->count; i++)
		json_object_array_add(processes, party_json(&story->waits, story->parties[i]));
	each_cycle(story, add_cycle, deadlocks);
	json_object_object_add(json, "processes", processes);
	json_object_object_add(json, "deadlocks", deadlocks);
	return json_print(json);
}

int verb_why(int argc, char **argv)
{
	static const struct argp argp = {
		look_options,
		parse,
		"[PID | @NAME]",
		"Tell what a process waits for, and through whom; without a process, what all wait for. If they wait for each other and nobody else could help, "
		"that is named as a deadlock.\v"
		"Waits are told for mailboxes, links, buffers and the locks and events of regions in one directory of objects. What a process waits for elsewhere is not seen: if it has "
		"threads that do not wait for anything of pabal's, it is not called deadlocked.",
		NULL,
		NULL,
		NULL,
	};
	struct arguments arguments = { 0 };
	struct story story = { 0 };
	int r, status = STATUS_DONE;
	pid_t pid = 0;

	arguments_parse(&argp, argc, argv, 0, &arguments);
	if (arguments.name)
		status = find_pid(arguments.name, &pid);
	if (status != STATUS_DONE)
		return status;
	r = waits_read(&story.waits);
	if (r < 0)
		status = report_call(r);
	else if (gather(&story, pid) < 0)
		status = report("out of memory");
	else if (arguments.json)
		status = print_json(&story);
	else
		print_text(&story);
	free(story.parties);
	free(story.is_told);
	waits_free(&story.waits);
	return status;
}
