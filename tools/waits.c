/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waits.c - who waits for what, and who could end it.
 *
 * The library tells the waits. Who could end one is found here: the one process that the library names (the peer of a link, the holder of a lock), else all living
 * participants of the object who do not wait for the very same thing: of several receivers of an empty mailbox none waits for another.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pabal/pabal.h>

#include "grow.h"
#include "progress.h"
#include "waits.h"

#define YOUNG_NS INT64_C(2000000) /* since_ns counts in milliseconds: a wait that is older cannot be mistaken for the one after it */
#define BETWEEN_NS 10000000       /* guess: between the two looks; anybody who is on the way moves on within this */

struct look {
	struct pabal_wait_info *infos;
	uint32_t count, room;
};

static int keep(const struct pabal_wait_info *info, void *data)
{
	struct look *look = data;
	struct pabal_wait_info *infos = grow(look->infos, look->count, &look->room, sizeof(*infos));

	if (!infos)
		return -ENOMEM;
	look->infos = infos;
	look->infos[look->count++] = *info;
	return 0;
}

static bool is_same_wait(const struct pabal_wait_info *a, const struct pabal_wait_info *b)
{
	return a->claimed_pid == b->claimed_pid && a->since_ns == b->since_ns && a->what == b->what && a->kind == b->kind && a->index == b->index &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->peer, b->peer) == 0;
}

static bool is_in(const struct look *look, const struct pabal_wait_info *info)
{
	for (uint32_t i = 0; i < look->count; i++)
		if (is_same_wait(&look->infos[i], info))
			return true;
	return false;
}

/* The part of a line of /proc/PID/stat after the name: the state, and after 17 more fields the number of threads. */
static void read_state(struct party *party, char *fields)
{
	char *rest = NULL, *word = strtok_r(fields, " ", &rest);

	if (word)
		party->state = *word;
	for (int i = 0; i < 17 && word; i++)
		word = strtok_r(NULL, " ", &rest);
	party->threads = word ? (uint32_t)strtoul(word, NULL, 10) : 0;
}

/* What /proc tells. A process that is not there, or in another pid namespace, stays without command and state. */
static void describe(struct party *party)
{
	char path[40], line[512], *begin, *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)party->pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(line, sizeof(line), file)) {
		begin = strchr(line, '(');
		end = strrchr(line, ')'); /* the name may hold parentheses itself */
		if (begin && end) {
			*end = '\0';
			snprintf(party->command, sizeof(party->command), "%s", begin + 1);
			read_state(party, end + 1);
		}
	}
	fclose(file);
}

uint32_t waits_party(struct waits *waits, pid_t pid)
{
	struct party *parties;

	for (uint32_t i = 0; i < waits->party_count; i++)
		if (waits->parties[i].pid == pid)
			return i;
	parties = realloc(waits->parties, (waits->party_count + 1) * sizeof(*parties));
	if (!parties)
		return UINT32_MAX;
	waits->parties = parties;
	parties[waits->party_count] = (struct party){ .pid = pid };
	describe(&parties[waits->party_count]);
	return waits->party_count++;
}

struct finding {
	struct waits *waits;
	struct wait *wait;
};

static bool waits_for_the_same(const struct waits *waits, const struct wait *wait, pid_t pid)
{
	for (uint32_t i = 0; i < waits->count; i++) {
		const struct pabal_wait_info *other = &waits->waits[i].info;

		if (other->claimed_pid == pid && other->kind == wait->info.kind && other->what == wait->info.what &&
		    other->index == wait->info.index && strcmp(other->name, wait->info.name) == 0)
			return true;
	}
	return false;
}

static int add_waker(struct waits *waits, struct wait *wait, pid_t pid)
{
	uint32_t party, *wakers;

	if (pid == 0 || pid == wait->info.claimed_pid)
		return 0;
	party = waits_party(waits, pid);
	if (party == UINT32_MAX)
		return -ENOMEM;
	for (uint32_t i = 0; i < wait->waker_count; i++)
		if (wait->wakers[i] == party)
			return 0;
	wakers = realloc(wait->wakers, (wait->waker_count + 1) * sizeof(*wakers));
	if (!wakers)
		return -ENOMEM;
	wait->wakers = wakers;
	wakers[wait->waker_count++] = party;
	return 0;
}

static int add_participant(const struct pabal_participant_info *info, void *data)
{
	struct finding *finding = data;

	if (!info->alive || info->claimed_pid == finding->wait->info.claimed_pid)
		return 0;
	if (waits_for_the_same(finding->waits, finding->wait, info->claimed_pid)) {
		finding->wait->is_shared = true;
		return 0;
	}
	return add_waker(finding->waits, finding->wait, info->claimed_pid);
}

static int add_linked(const struct pabal_link_info *info, void *data)
{
	struct finding *finding = data;

	return add_waker(finding->waits, finding->wait, info->claimed_pid);
}

static int first_living(const struct pabal_participant_info *info, void *data)
{
	*(pid_t *)data = info->alive ? info->claimed_pid : 0;
	return info->alive != 0;
}

/* An object that went away meanwhile has nobody. */
static int find_wakers(struct waits *waits, struct wait *wait)
{
	struct finding finding = { .waits = waits, .wait = wait };
	int r;

	if (!wait->info.waker_pid && *wait->info.peer) /* not linked yet: who has the name? */
		pabal_participants(wait->info.peer, first_living, &wait->info.waker_pid);
	if (wait->info.waker_pid)
		return add_waker(waits, wait, wait->info.waker_pid);
	wait->is_open = wait->info.what != PABAL_WAITS_LOCK;
	if (wait->info.kind == PABAL_KIND_PROCESS)
		r = *wait->info.peer ? 0 : pabal_links(wait->info.name, add_linked, &finding);
	else
		r = pabal_participants(wait->info.name, add_participant, &finding);
	return r == -ENOMEM ? r : 0;
}

/* Two looks; what is in both is in @ret_look. */
static int look_twice(struct look *ret_look)
{
	const struct timespec between = { .tv_nsec = BETWEEN_NS };
	int64_t begin = clock_now();
	struct look first = { 0 };
	uint32_t kept = 0;
	int r = pabal_waits(keep, &first);

	if (r >= 0) {
		nanosleep(&between, NULL);
		r = pabal_waits(keep, ret_look);
	}
	for (uint32_t i = 0; i < ret_look->count; i++)
		if (ret_look->infos[i].since_ns <= begin - YOUNG_NS && is_in(&first, &ret_look->infos[i]))
			ret_look->infos[kept++] = ret_look->infos[i];
	ret_look->count = kept;
	free(first.infos);
	return r < 0 ? r : 0;
}

int waits_read(struct waits *waits)
{
	struct look look = { 0 };
	int r = look_twice(&look);

	*waits = (struct waits){ 0 };
	if (r == 0 && look.count > 0) {
		waits->waits = calloc(look.count, sizeof(*waits->waits));
		r = waits->waits ? 0 : -ENOMEM;
	}
	for (uint32_t i = 0; r == 0 && i < look.count; i++) {
		struct wait *wait = &waits->waits[waits->count];

		wait->info = look.infos[i];
		wait->party = waits_party(waits, wait->info.claimed_pid);
		if (wait->party == UINT32_MAX)
			r = -ENOMEM;
		else
			waits->parties[wait->party].waits++;
		waits->count++;
	}
	for (uint32_t i = 0; r == 0 && i < waits->count; i++)
		r = find_wakers(waits, &waits->waits[i]);
	free(look.infos);
	return r;
}

void waits_free(struct waits *waits)
{
	for (uint32_t i = 0; i < waits->count; i++)
		free(waits->waits[i].wakers);
	free(waits->waits);
	free(waits->parties);
	*waits = (struct waits){ 0 };
}
