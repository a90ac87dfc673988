/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/region_kind.c - what makes an object a region: its shape, its layout, and what the calls for all kinds ask of it.
 */
#include <sys/stat.h>

#include "model/descriptor_names.h"
#include "model/descriptor_post.h"
#include "model/region.h"

static bool shape_fits(const struct pabal__shape *shape)
{
	return shape->memory_max >= 1 && shape->memory_max <= PABAL__REGION_MAX && shape->locks >= 1 && shape->locks <= PABAL__LOCKS_MAX &&
	       shape->events >= 1 && shape->events <= PABAL__EVENTS_MAX && !shape->capacity && !shape->item_size;
}

static void lay_out(struct pabal__segment *segment)
{
	pabal__region_layout_compute(&segment->shape, segment->shape.flags & PABAL_REGION_HUGE_PAGES, &segment->region);
	segment->size = segment->region.size;
}

static int back(struct pabal__segment *segment)
{
	const struct pabal__region_layout *layout = &segment->region;
	uint64_t end = segment->shape.flags & PABAL_REGION_ON_DEMAND ? layout->data : layout->size;
	int r = pabal__segment_back(segment, layout->locks, layout->data - layout->locks);

	return r < 0 || end == layout->data ? r : pabal__segment_back(segment, layout->data, end - layout->data);
}

/* Locks first, so that nothing that it held is left when its slot is used anew. */
static int bury(struct pabal__segment *segment, uint32_t id, struct pabal__burial *burial)
{
	uint64_t word = atomic_load_explicit(&pabal__participant_at(segment, id)->word, memory_order_relaxed); /* it is dead: nobody else writes it */

	burial->redelivered += pabal__lock_release_all(segment, id, word);
	pabal__descriptor_bury(segment, id);
	return 0;
}

void pabal__region_notify(const struct pabal__segment *segment)
{
	/* Events are for what happens in the data; that somebody died or left is not one. The end of the region is: everybody is to come back. */
	bool ended = atomic_load_explicit(&segment->header->state, memory_order_acquire) == PABAL__ENDED; /* pairs with set_state() */

	for (uint32_t i = 0; i < segment->shape.locks; i++) {
		struct pabal__lock *lock = pabal__lock_at(segment, i);

		/* seq_cst: after what happened; who sleeps with its bell cleared is rung for by who was woken in its place */
		if (atomic_load_explicit(&lock->bell, memory_order_seq_cst) & 1)
			pabal__bell_ring_out(&lock->bell);
		if (atomic_load_explicit(&lock->patient_bell, memory_order_seq_cst) & 1)
			pabal__bell_ring_out(&lock->patient_bell);
	}
	for (uint32_t i = 0; ended && i < segment->shape.events; i++) {
		struct pabal__event *event = pabal__event_at(segment, i);

		if (atomic_load_explicit(&event->bell, memory_order_seq_cst) & 1) /* the same */
			pabal__bell_ring_out(&event->bell);
	}
	if (ended)
		pabal__descriptor_post(segment, PABAL__TOLD_ALL, PABAL_READABLE);
}

/* For an event, where others wait for a message; for a lock, where others wait for room. */
static void tell_wait(const struct pabal__segment *segment, const struct pabal__participant *participant, struct pabal_wait_info *info)
{
	uint64_t index = atomic_load_explicit(&participant->waits_index, memory_order_relaxed), word; /* alone, here and below: looks */
	uint32_t owner;

	if (info->what == PABAL_WAITS_MESSAGE) {
		info->what = PABAL_WAITS_EVENT;
		info->index = (uint32_t)index;
		return;
	}
	info->what = PABAL_WAITS_LOCK;
	info->index = (uint32_t)(index >> 32);
	if (info->index >= segment->shape.locks)
		return;
	word = atomic_load_explicit(&pabal__lock_at(segment, info->index)->word, memory_order_relaxed);
	owner = pabal__lock_owner(word);
	if (owner && owner <= pabal__participants_high(segment))
		info->waker_pid = (pid_t)(atomic_load_explicit(&pabal__participant_at(segment, owner)->identity, memory_order_relaxed) >> 32);
}

static void describe(struct pabal__segment *segment, struct pabal_object_info *info)
{
	struct stat st;

	info->memory_max = segment->shape.memory_max;
	if (fstat(segment->fd, &st) == 0)
		info->memory = (uint64_t)st.st_blocks * 512;
}

const struct pabal__object_kind pabal__region_kind = {
	.segment = {
		.number = PABAL_KIND_REGION,
		.word = "region",
		.memory_word = "size",
		.shape_flags = PABAL_EPHEMERAL | PABAL_REGION_ON_DEMAND | PABAL_REGION_HUGE_PAGES,
		.shape_fits = shape_fits,
		.lay_out = lay_out,
		.back = back,
	},
	.bury = bury,
	.notify = pabal__region_notify,
	.account = pabal__region_account,
	.tell_wait = tell_wait,
	.describe = describe,
};
