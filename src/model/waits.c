/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/waits.c - who waits for what, in all objects of the directory.
 *
 * A handle that is about to sleep says so in its own participant slot (wait/wait.c), so looking costs the waiting ones nothing. Only what the living say is told:
 * whoever died in a wait waits no more. Each slot is looked at in its own moment; who wants to know what was so at one and the same
 * moment asks twice, and keeps the waits that are in both answers.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "model/links.h"
#include "model/list.h"
#include "model/object.h"
#include "platform/clock.h"
#include "wait/waiting.h"

struct waits {
	int (*each)(const struct pabal_wait_info *info, void *data);
	void *data;
	int count;
};

static uint64_t look(pabal__word *word)
{
	return atomic_load_explicit(word, memory_order_relaxed); /* alone: a look */
}

static int tell(struct waits *waits, const struct pabal__segment *segment, uint32_t id, struct pabal_wait_info *info, uint64_t word)
{
	const struct pabal__object_kind *kind = pabal__object_kind(segment);

	if (word == 0)
		return 0;
	if (kind->tell_wait)
		kind->tell_wait(segment, pabal__participant_at(segment, id), info);
	pabal__waiting_read(word, pabal__clock_now(), &info->since_ns, &info->deadline_ns);
	waits->count++;
	return waits->each(info, waits->data);
}

static int tell_participant(struct waits *waits, struct pabal__segment *segment, uint32_t id)
{
	struct pabal__participant *participant = pabal__participant_at(segment, id);
	uint64_t message = look(&participant->waits_message), room = look(&participant->waits_room), identity;
	struct pabal_wait_info info = { .kind = segment->kind->number };
	int r;

	if (!(message || room) || !pabal__participant_used(look(&participant->word)) || pabal__participant_lives(segment, id) == 0)
		return 0;
	identity = look(&participant->identity);
	memcpy(info.name, segment->name, sizeof info.name);
	info.claimed_pid = (pid_t)(identity >> 32);
	info.claimed_uid = (uid_t)identity;
	info.what = PABAL_WAITS_MESSAGE;
	r = tell(waits, segment, id, &info, message);
	info.what = PABAL_WAITS_ROOM;
	info.index = 0;
	return r ? r : tell(waits, segment, id, &info, room);
}

static int tell_one(const struct pabal__directory *directory, const char *name, void *data)
{
	struct pabal__segment segment;
	uint32_t high;
	int r = 0;

	if (!pabal__name_is_valid(name)) /* nobody can open it */
		return 0;
	r = pabal__segment_open(directory, name, pabal__object_kinds, true, &segment);
	if (r == -EINVAL) { /* no object with a segment: a process, perhaps */
		struct waits *waits = data;

		return pabal__links_waits(directory, name, waits->each, waits->data, &waits->count);
	}
	if (r < 0)
		return 0;
	high = pabal__participants_high(&segment);
	for (uint32_t id = 1; id <= high && r == 0; id++)
		r = tell_participant(data, &segment, id);
	pabal__segment_close(&segment);
	return r;
}

int pabal_waits(int (*each)(const struct pabal_wait_info *info, void *data), void *data)
{
	struct waits waits = { .each = each, .data = data };
	int r;

	if (!each)
		return pabal__fail_with(-EINVAL, "each is NULL: it is called for each wait");
	r = pabal__list_walk(tell_one, &waits);
	return r ? r : waits.count;
}
