/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/stat.c - how a mailbox stands. All of it reads; nothing is changed or repaired.
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
