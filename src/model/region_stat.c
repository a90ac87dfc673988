/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/region_stat.c - how a region stands, who holds its locks, and its account. All of it reads; nothing is changed or repaired.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "model/region.h"

static uint64_t counter(pabal__word *word)
{
	return atomic_load_explicit(word, memory_order_relaxed); /* statistics */
}

static uint64_t word_of(const struct pabal__segment *segment, uint32_t index)
{
	return atomic_load_explicit(&pabal__lock_at(segment, index)->word, memory_order_relaxed); /* a look */
}

static void fill_stats(struct pabal__segment *segment, struct pabal_region_stats *stats)
{
	uint32_t high = pabal__participants_high(segment);
	struct stat st;

	stats->size = segment->shape.memory_max;
	stats->locks = segment->shape.locks;
	stats->events = segment->shape.events;
	stats->inherited = counter(&segment->header->redelivered);
	stats->late_wakes = counter(&segment->header->late_wakes);
	if (fstat(segment->fd, &st) == 0)
		stats->memory = (uint64_t)st.st_blocks * 512;
	for (uint32_t i = 0; i < segment->shape.locks; i++) {
		uint64_t word = word_of(segment, i);

		stats->locks_held += pabal__lock_owner(word) != 0;
		stats->locks_inherited += (word & PABAL__LOCK_INHERITED) != 0;
	}
	for (uint32_t id = 1; id <= high; id++) {
		struct pabal__participant *participant = pabal__participant_at(segment, id);

		if (!pabal__participant_used(counter(&participant->word)))
			continue;
		stats->participants++;
		stats->late_wakes += counter(&participant->late_wakes);
	}
}

int pabal_region_stat(pabal_region *region, struct pabal_region_stats *stats)
{
	struct pabal_region_stats own = { .struct_size = sizeof own };
	size_t size;
	int r = pabal__region_check(region, false, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (!stats || stats->struct_size < sizeof stats->struct_size)
		return pabal__fail_with(-EINVAL, "set struct_size of the statistics to sizeof(struct pabal_region_stats)");
	fill_stats(&region->segment, &own);
	size = stats->struct_size < sizeof own ? stats->struct_size : sizeof own;
	own.struct_size = stats->struct_size;
	memcpy(stats, &own, size);
	return 0;
}

int pabal_region_locks(const char *name, int (*each)(const struct pabal_lock_info *info, void *data), void *data)
{
	static const struct pabal__segment_kind *const kinds[] = { &pabal__region_kind.segment, NULL };
	struct pabal__segment segment;
	uint32_t high;
	int count = 0, r;

	if (!each)
		return pabal__fail_with(-EINVAL, "each is NULL: it is called for each lock");
	r = pabal__object_look_at(name, kinds, &segment);
	if (r < 0)
		return r;
	high = pabal__participants_high(&segment);
	for (uint32_t i = 0; r == 0 && i < segment.shape.locks; i++) {
		uint64_t word = word_of(&segment, i);
		struct pabal_lock_info info = { .index = i, .id = pabal__lock_owner(word), .inherited = (word & PABAL__LOCK_INHERITED) != 0 };
		uint64_t identity = info.id && info.id <= high ? counter(&pabal__participant_at(&segment, info.id)->identity) : 0;

		if (!info.id && !info.inherited)
			continue;
		info.alive = info.id && pabal__lock_holder_lives(&segment, word);
		info.claimed_pid = (pid_t)(identity >> 32);
		info.claimed_uid = (uid_t)identity;
		count++;
		r = each(&info, data);
	}
	pabal__segment_close(&segment);
	return r ? r : count;
}

int pabal__region_account(struct pabal__segment *segment, struct pabal_check_result *ret_result)
{
	struct stat st;

	memset(ret_result, 0, sizeof *ret_result);
	for (uint32_t i = 0; i < segment->shape.locks; i++) {
		uint64_t word = word_of(segment, i);
		uint32_t owner = pabal__lock_owner(word);

		ret_result->blocks++;
		if (word & PABAL__LOCK_SPARE || (!owner && word & ~(uint64_t)PABAL__LOCK_INHERITED))
			ret_result->corrupt++;
		else if (!owner)
			ret_result->free++;
		else if (pabal__lock_holder_lives(segment, word))
			ret_result->leased++;
		else
			ret_result->held_by_dead++;
	}
	if (fstat(segment->fd, &st) == 0)
		ret_result->bytes = (uint64_t)st.st_blocks * 512;
	return 0;
}
