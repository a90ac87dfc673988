/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/object_look.c - looking into an object of any kind from outside: its account, its participants. All of it reads; nothing is changed or repaired.
 */
#include <errno.h>

#include "base/error.h"
#include "model/links.h"
#include "model/object.h"

static uint64_t counter(pabal__word *word)
{
	return atomic_load_explicit(word, memory_order_relaxed); /* statistics */
}

int pabal_check(const char *name, struct pabal_check_result *ret_result)
{
	struct pabal_check_result result;
	struct pabal__segment segment;
	int r = pabal__object_look_at(name, pabal__object_kinds, &segment);

	if (r < 0)
		return r;
	r = pabal__object_kind(&segment)->account(&segment, &result);
	if (r < 0)
		r = pabal__fail_with(r, "no memory to account for the object");
	else if (ret_result)
		*ret_result = result;
	if (r == 0 && (result.lost || result.corrupt))
		r = pabal__fail(-EBADMSG, "'%s' is damaged: %llu blocks are lost and %llu words corrupt; take out what you can, then destroy it",
				name, (unsigned long long)result.lost, (unsigned long long)result.corrupt);
	pabal__segment_close(&segment);
	return r;
}

int pabal_participants(const char *name, int (*each)(const struct pabal_participant_info *info, void *data), void *data)
{
	struct pabal__segment segment;
	uint32_t high;
	int count = 0, r = 0;

	if (!each)
		return pabal__fail_with(-EINVAL, "each is NULL: it is called for each participant");
	r = pabal__object_look_at(name, pabal__object_kinds, &segment);
	if (r == -EINVAL) /* no object with a segment: a process, perhaps */
		return pabal__links_participants(name, each, data);
	if (r < 0)
		return r;
	high = pabal__participants_high(&segment);
	for (uint32_t id = 1; id <= high && r == 0; id++) {
		struct pabal__participant *participant = pabal__participant_at(&segment, id);
		struct pabal_participant_info info = { .id = id };
		uint64_t identity = counter(&participant->identity);

		if (!pabal__participant_used(counter(&participant->word)))
			continue;
		info.alive = pabal__participant_lives(&segment, id) != 0;
		info.claimed_pid = (pid_t)(identity >> 32);
		info.claimed_uid = (uid_t)identity;
		info.sent = segment.kind->number == PABAL_KIND_REGION ? 0 : counter(&participant->sent); /* there it is another word */
		info.received = counter(&participant->received);
		info.late_wakes = counter(&participant->late_wakes);
		count++;
		r = each(&info, data);
	}
	pabal__segment_close(&segment);
	return r ? r : count;
}
