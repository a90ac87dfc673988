/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer_stat.c - how a buffer stands. All of it reads; nothing is changed or repaired.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "model/buffer.h"

static uint64_t counter(pabal__word *word)
{
	return atomic_load_explicit(word, memory_order_relaxed); /* statistics */
}

static void fill_stats(struct pabal__segment *segment, struct pabal_buffer_stats *stats)
{
	uint32_t high = pabal__participants_high(segment);
	struct pabal__header *header = segment->header;
	struct pabal__buffer_counts counts;

	pabal__buffer_count(segment, &counts);
	stats->item_size = segment->shape.item_size;
	stats->depth = counts.depth;
	stats->capacity = segment->shape.capacity;
	stats->put = counts.put;
	stats->got = counts.got;
	stats->redelivered = counter(&header->redelivered);
	stats->dropped = counter(&header->dropped);
	stats->late_wakes = counter(&header->late_wakes);
	stats->memory = counts.memory;
	stats->memory_max = counts.memory_max;
	stats->flags = segment->shape.flags;
	stats->on_full = segment->shape.on_full;
	if (segment->shape.flags & PABAL_BUFFER_SPSC) {
		stats->producer = pabal__role_holder(segment, PABAL__PRODUCER);
		stats->consumer = pabal__role_holder(segment, PABAL__CONSUMER);
	}
	for (uint32_t id = 1; id <= high; id++) {
		struct pabal__participant *participant = pabal__participant_at(segment, id);

		if (!pabal__participant_used(counter(&participant->word)))
			continue;
		stats->participants++;
		stats->late_wakes += counter(&participant->late_wakes);
	}
}

/* LATEST: takes, not items: several may hold the same one, and the newest waits for others all the same. */
static uint32_t count_readers(struct pabal__segment *segment)
{
	struct pabal__latest latest = pabal__buffer_latest_of(segment, 0);
	uint32_t high = pabal__participants_high(segment), count = 0;

	for (uint32_t id = 1; id <= high; id++)
		count += pabal__latest_reads(&latest, id) && pabal__participant_used(counter(&pabal__participant_at(segment, id)->word)) &&
			 pabal__participant_lives(segment, id) != 0;
	return count;
}

int pabal_buffer_stat(pabal_buffer *buffer, struct pabal_buffer_stats *stats)
{
	struct pabal_buffer_stats own = { .struct_size = sizeof own };
	struct pabal_check_result account;
	size_t size;
	int r = pabal__buffer_check(buffer, false, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (!stats || stats->struct_size < sizeof stats->struct_size)
		return pabal__fail_with(-EINVAL, "set struct_size of the statistics to sizeof(struct pabal_buffer_stats)");
	fill_stats(&buffer->base.segment, &own);
	r = pabal__buffer_kind.account(&buffer->base.segment, &account);
	if (r < 0)
		return pabal__fail_with(r, "no memory to count the items of the buffer");
	own.leases = own.flags & PABAL_BUFFER_LATEST ? count_readers(&buffer->base.segment) : (uint32_t)account.leased;
	size = stats->struct_size < sizeof own ? stats->struct_size : sizeof own;
	own.struct_size = stats->struct_size;
	memcpy(stats, &own, size);
	return 0;
}
