/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/stat.c - how a mailbox stands: statistics, its participants, its account. All of it reads; nothing is changed or repaired.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "model/account.h"
#include "model/mailbox.h"

static uint64_t counter(pabal__word *word)
{
	return atomic_load_explicit(word, memory_order_relaxed); /* statistics */
}

static void fill_stats(struct pabal__segment *segment, struct pabal_mailbox_stats *stats)
{
	uint32_t high = pabal__participants_high(segment);
	struct pabal__header *header = segment->header;
	uint64_t charged;

	pabal__ring_count(segment, &stats->sent, &stats->received);
	stats->depth = stats->sent - stats->received + pabal__redeliver_count(segment);
	stats->capacity = segment->layout.capacity;
	stats->redelivered = counter(&header->redelivered);
	stats->dropped = counter(&header->dropped);
	stats->late_wakes = counter(&header->late_wakes);
	stats->memory_max = segment->shape.memory_max;
	pabal__extents_sum(segment, &charged, &stats->memory);
	for (uint32_t id = 1; id <= high; id++) {
		struct pabal__participant *participant = pabal__participant_at(segment, id);

		if (!pabal__participant_used(counter(&participant->word)))
			continue;
		stats->participants++;
		stats->late_wakes += counter(&participant->late_wakes);
	}
}

int pabal_mailbox_stat(pabal_mailbox *mailbox, struct pabal_mailbox_stats *stats)
{
	struct pabal_mailbox_stats own = { .struct_size = sizeof own };
	struct pabal_check_result account;
	size_t size;
	int r = pabal__mailbox_check(mailbox, false, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (!stats || stats->struct_size < sizeof stats->struct_size)
		return pabal__fail_with(-EINVAL, "set struct_size of the statistics to sizeof(struct pabal_mailbox_stats)");
	fill_stats(&mailbox->segment, &own);
	r = pabal__account(&mailbox->segment, &account);
	if (r < 0)
		return pabal__fail_with(r, "no memory to count the blocks of the mailbox");
	own.leases = (uint32_t)account.leased;
	size = stats->struct_size < sizeof own ? stats->struct_size : sizeof own;
	own.struct_size = stats->struct_size;
	memcpy(stats, &own, size);
	return 0;
}

/* Open the named mailbox to look at it. It takes no participant slot. */
static int look_at(const char *name, struct pabal__segment *ret_segment)
{
	struct pabal__directory directory;
	int r = pabal__name_check(name);

	if (r == 0)
		r = pabal__directory_open(false, &directory);
	if (r == -ENOENT)
		return pabal__fail(r, "no mailbox named '%s': there is no directory of objects yet", name);
	if (r < 0)
		return r;
	r = pabal__segment_open(&directory, name, PABAL_KIND_MAILBOX, true, ret_segment);
	pabal__directory_close(&directory);
	return r;
}

int pabal_check(const char *name, struct pabal_check_result *ret_result)
{
	struct pabal_check_result result;
	struct pabal__segment segment;
	int r = look_at(name, &segment);

	if (r < 0)
		return r;
	r = pabal__account(&segment, &result);
	if (r < 0)
		r = pabal__fail_with(r, "no memory to count the blocks of the mailbox");
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
	r = look_at(name, &segment);
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
		info.sent = counter(&participant->sent);
		info.received = counter(&participant->received);
		info.late_wakes = counter(&participant->late_wakes);
		count++;
		r = each(&info, data);
	}
	pabal__segment_close(&segment);
	return r ? r : count;
}
