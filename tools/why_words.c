/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why_words.c - the sentences of "pabal why". All of them speak of processes by number and of objects by name, in the order in which somebody would say it.
 */
#include <inttypes.h>
#include <string.h>

#include <pabal/base.h>

#include "object.h"
#include "progress.h"
#include "why_words.h"

#define NS_PER_MS 1000000
#define NAMED_MAX 4 /* processes that a sentence names before it counts the others */

const char *what_word(uint32_t what)
{
	static const char *const words[] = { "nothing", "message", "room", "peer", "reply", "lock", "event" };

	return what < sizeof(words) / sizeof(*words) ? words[what] : "something";
}

const char *state_word(const struct party *party)
{
	if (party->state == 0)
		return "unseen";
	if (party->state == 'T' || party->state == 't')
		return "stopped";
	if (party->state == 'Z' || party->state == 'X')
		return "dead";
	if (party->waits > 0)
		return "waiting";
	return party->state == 'R' ? "running" : "sleeping";
}

static void print_peer(FILE *stream, const struct wait *wait)
{
	fprintf(stream, "@%s", wait->info.peer);
	if (wait->info.waker_pid)
		fprintf(stream, " (%d)", (int)wait->info.waker_pid);
}

/* "123", "123 or 124", "123, 124, 125, 126 or one of 7 others" */
static void print_wakers(FILE *stream, const struct waits *waits, const struct wait *wait)
{
	uint32_t named = wait->waker_count <= NAMED_MAX + 1 ? wait->waker_count : NAMED_MAX;

	for (uint32_t i = 0; i < named; i++)
		fprintf(stream, "%s%d", i == 0 ? "" : i + 1 == wait->waker_count ? " or " : ", ", (int)waits->parties[wait->wakers[i]].pid);
	if (named < wait->waker_count)
		fprintf(stream, " or one of %" PRIu32 " others", wait->waker_count - named);
}

/* Who has the object open and would do what we wait for. @deed: "send to it", say. */
static void print_who(FILE *stream, const struct waits *waits, const struct wait *wait, const char *deed)
{
	if (wait->waker_count > 0) {
		fputs(", which only ", stream);
		print_wakers(stream, waits, wait);
		fprintf(stream, " could %s", deed);
	} else {
		fputs(wait->is_shared ? ", as do all others who have it open" : ", which nobody else has open", stream);
	}
}

static void print_on_object(FILE *stream, const struct waits *waits, const struct wait *wait)
{
	const struct pabal_wait_info *info = &wait->info;
	const char *kind = object_kind(info->kind);

	switch (info->what) {
	case PABAL_WAITS_MESSAGE:
		fprintf(stream, "for %s in %s '%s'", info->kind == PABAL_KIND_BUFFER ? "an item" : "a message", kind, info->name);
		print_who(stream, waits, wait, info->kind == PABAL_KIND_BUFFER ? "put into" : "send to");
		return;
	case PABAL_WAITS_ROOM:
		fprintf(stream, "for room in %s '%s'", kind, info->name);
		print_who(stream, waits, wait, info->kind == PABAL_KIND_BUFFER ? "get from" : "receive from");
		return;
	case PABAL_WAITS_LOCK:
		fprintf(stream, "for lock %" PRIu32 " of %s '%s'", info->index, kind, info->name);
		if (info->waker_pid)
			fprintf(stream, ", which %d holds", (int)info->waker_pid);
		return;
	default:
		fprintf(stream, "for event %" PRIu32 " of %s '%s'", info->index, kind, info->name);
		print_who(stream, waits, wait, "notify");
	}
}

static void print_on_link(FILE *stream, const struct waits *waits, const struct wait *wait)
{
	const struct pabal_wait_info *info = &wait->info;

	if (!*info->peer) {
		fprintf(stream, "as @%s for a %s", info->name,
			info->what == PABAL_WAITS_PEER ? "process that links with it" : "message from any process");
		if (wait->waker_count > 0) {
			fputs("; it is linked with ", stream);
			print_wakers(stream, waits, wait);
		}
		return;
	}
	fprintf(stream, "as @%s for ", info->name);
	if (info->what == PABAL_WAITS_MESSAGE)
		fputs("a message from ", stream);
	else if (info->what == PABAL_WAITS_ROOM)
		fputs("room on its link with ", stream);
	else if (info->what == PABAL_WAITS_REPLY)
		fputs("the reply of ", stream);
	print_peer(stream, wait);
	if (info->what == PABAL_WAITS_PEER)
		fputs(info->waker_pid ? " to answer" : ", which is not announced", stream);
}

void print_wait(FILE *stream, const struct waits *waits, const struct wait *wait)
{
	if (wait->info.kind == PABAL_KIND_PROCESS)
		print_on_link(stream, waits, wait);
	else
		print_on_object(stream, waits, wait);
}

static void print_duration(FILE *stream, int64_t ns)
{
	int64_t ms = ns > 0 ? ns / NS_PER_MS : 0;

	if (ms < 10000)
		fprintf(stream, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms % 1000 / 100);
	else if (ms < 600000)
		fprintf(stream, "%" PRId64 " s", ms / 1000);
	else
		fprintf(stream, "%" PRId64 " min", ms / 60000);
}

void print_times(FILE *stream, const struct wait *wait)
{
	int64_t now_ns = clock_now();

	fputs(", for ", stream);
	print_duration(stream, now_ns - wait->info.since_ns);
	fputs(" now", stream);
	if (wait->info.deadline_ns == INT64_MAX)
		return;
	fputs("; it gives up in ", stream);
	print_duration(stream, wait->info.deadline_ns - now_ns);
}
