/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer_kind.c - what makes an object a buffer: its shape, its layout in each form, what its dead leave, and what the calls for all kinds ask of it.
 *
 *   default   as a mailbox, with blocks of one size: memory/layout.c
 *   SPSC      a page of positions and roles | the array
 *   LATEST    the newest, block owners, pins | the blocks, each on cache lines of its own, with memory as it is needed
 */
#include "memory/extent.h"
#include "model/account.h"
#include "model/buffer.h"
#include "model/descriptor.h"

static bool shape_fits(const struct pabal__shape *shape)
{
	bool spsc = shape->flags & PABAL_BUFFER_SPSC, latest = shape->flags & PABAL_BUFFER_LATEST;
	uint64_t most = spsc ? PABAL__SPSC_CAPACITY_MAX : PABAL__CAPACITY_MAX;

	return shape->capacity >= 1 && shape->capacity <= most && shape->item_size >= 1 && shape->item_size <= PABAL__ITEM_SIZE_MAX &&
	       shape->capacity * shape->item_size <= PABAL__MEMORY_MAX && shape->on_full <= PABAL_FULL_DROP_OLDEST && !(spsc && latest) &&
	       !(spsc && shape->on_full == PABAL_FULL_DROP_OLDEST) && !shape->locks && !shape->events && !shape->memory_max;
}

static uint64_t page_up(uint64_t value)
{
	return (value + PABAL__PAGE - 1) / PABAL__PAGE * PABAL__PAGE;
}

static void lay_out(struct pabal__segment *segment)
{
	const struct pabal__shape *shape = &segment->shape;

	if (shape->flags & PABAL_BUFFER_SPSC) {
		segment->size = PABAL__SPSC_ITEMS_AT + page_up(shape->capacity * shape->item_size);
	} else if (shape->flags & PABAL_BUFFER_LATEST) {
		segment->size = PABAL__LATEST_ITEMS_AT + page_up(PABAL__LATEST_BLOCKS * pabal__buffer_stride(shape));
	} else {
		pabal__layout_compute(shape, &segment->layout);
		segment->size = segment->layout.size;
	}
}

static int back(struct pabal__segment *segment)
{
	if (segment->shape.flags & PABAL_BUFFER_SPSC)
		return pabal__segment_back(segment, PABAL__SPSC_AT, segment->size - PABAL__SPSC_AT);
	if (segment->shape.flags & PABAL_BUFFER_LATEST)
		return pabal__segment_back(segment, PABAL__LATEST_AT, PABAL__LATEST_ITEMS_AT - PABAL__LATEST_AT);
	return pabal__segment_back(segment, segment->layout.ring, (uint64_t)segment->layout.ring_slots * 8);
}

static void format(const struct pabal__segment *segment)
{
	if (!(segment->shape.flags & (PABAL_BUFFER_SPSC | PABAL_BUFFER_LATEST)))
		pabal__ring_format(segment);
}

static int bury(struct pabal__segment *segment, uint32_t id, struct pabal__burial *burial)
{
	if (segment->shape.flags & (PABAL_BUFFER_SPSC | PABAL_BUFFER_LATEST))
		pabal__descriptor_bury(segment, id);
	if (segment->shape.flags & PABAL_BUFFER_SPSC) {
		/* relaxed: it is dead, and we hold its grave */
		uint64_t slot = atomic_load_explicit(&pabal__participant_at(segment, id)->word, memory_order_relaxed);

		pabal__role_free(segment, id, slot >> 32, burial);
		return 0;
	}
	if (segment->shape.flags & PABAL_BUFFER_LATEST) {
		struct pabal__latest latest = pabal__buffer_latest_of(segment, 0);

		pabal__latest_recover(&latest, id);
		return 0;
	}
	return pabal__bury_mailbox(segment, id, burial);
}

static void count_spsc(struct pabal__segment *segment, struct pabal__buffer_counts *counts)
{
	struct pabal__buffer_spsc *page = pabal__buffer_spsc_of(segment);
	struct pabal__spsc_shared *shared = &page->positions;

	counts->memory = counts->memory_max = segment->size - PABAL__SPSC_ITEMS_AT;
	counts->sound = pabal__spsc_count(shared, segment->shape.capacity, &counts->put, &counts->got);
	counts->depth = counts->put - counts->got;
	if (counts->sound) /* relaxed: a look */
		pabal__spsc_count_handed(shared, counts->put, counts->got, atomic_load_explicit(&page->roles[PABAL__CONSUMER], memory_order_relaxed),
					 &counts->in_hand, &counts->back);
}

static void count_latest(struct pabal__segment *segment, struct pabal__buffer_counts *counts)
{
	struct pabal__latest latest = pabal__buffer_latest_of(segment, 0);
	uint64_t word = atomic_load_explicit(&latest.shared->newest, memory_order_relaxed); /* statistics */

	counts->put = pabal__latest_sequence(word);
	counts->depth = counts->put != 0;
	counts->memory = pabal__latest_high(&latest) * latest.stride;
	counts->memory_max = PABAL__LATEST_BLOCKS * latest.stride;
	counts->sound = !counts->put || pabal__latest_block(word) < pabal__latest_high(&latest);
}

void pabal__buffer_count(struct pabal__segment *segment, struct pabal__buffer_counts *ret_counts)
{
	struct pabal__buffer_counts counts = { .sound = true };
	uint64_t charged;

	if (segment->shape.flags & PABAL_BUFFER_SPSC) {
		count_spsc(segment, &counts);
	} else if (segment->shape.flags & PABAL_BUFFER_LATEST) {
		count_latest(segment, &counts);
	} else {
		pabal__ring_count(segment, &counts.put, &counts.got);
		counts.depth = counts.put - counts.got + pabal__redeliver_count(segment);
		counts.memory_max = segment->layout.memory_max;
		pabal__extents_sum(segment, &charged, &counts.memory);
	}
	*ret_counts = counts;
}

static void describe(struct pabal__segment *segment, struct pabal_object_info *info)
{
	struct pabal__buffer_counts counts;

	pabal__buffer_count(segment, &counts);
	info->depth = counts.depth;
	info->capacity = segment->shape.capacity;
	info->memory = counts.memory;
	info->memory_max = counts.memory_max;
}

/* Does the participant live, for what it holds? */
static uint64_t *holder(struct pabal__segment *segment, uint32_t id, uint64_t *living, struct pabal_check_result *result)
{
	if (id < 1 || id > pabal__participants_high(segment) ||
	    !pabal__participant_used(atomic_load_explicit(&pabal__participant_at(segment, id)->word, memory_order_acquire))) /* pairs with claim() */
		return &result->lost;
	return pabal__participant_lives(segment, id) == 0 ? &result->held_by_dead : living;
}

static void account_spsc(struct pabal__segment *segment, struct pabal_check_result *result)
{
	struct pabal__buffer_counts counts;

	pabal__buffer_count(segment, &counts);
	result->blocks = segment->shape.capacity;
	result->bytes = counts.memory;
	if (!counts.sound) {
		result->corrupt = 1;
		result->free = result->blocks;
		return;
	}
	result->free = result->blocks - counts.depth;
	if (counts.in_hand)
		*holder(segment, pabal__role_holder(segment, PABAL__CONSUMER), &result->leased, result) += counts.in_hand;
	result->redeliver = counts.back;
	result->queued = counts.depth - counts.in_hand - counts.back;
}

static void account_latest(struct pabal__segment *segment, struct pabal_check_result *result)
{
	struct pabal__latest latest = pabal__buffer_latest_of(segment, 0);
	uint64_t word = atomic_load_explicit(&latest.shared->newest, memory_order_acquire); /* pairs with pabal__latest_publish() */
	struct pabal__buffer_counts counts;

	pabal__buffer_count(segment, &counts);
	result->blocks = pabal__latest_high(&latest);
	result->bytes = counts.memory;
	result->corrupt = !counts.sound;
	for (uint32_t block = 0; block < result->blocks; block++) {
		/* a look: it may change hands meanwhile */
		uint32_t owner = (uint32_t)atomic_load_explicit(&latest.shared->owners[block], memory_order_relaxed);
		uint32_t reader = pabal__latest_reader(&latest, block);

		if (pabal__latest_sequence(word) && pabal__latest_block(word) == block)
			result->queued++;
		else if (owner)
			++*holder(segment, owner, &result->loaned, result);
		else if (reader)
			++*holder(segment, reader, &result->leased, result);
		else
			result->free++;
	}
}

static int account(struct pabal__segment *segment, struct pabal_check_result *ret_result)
{
	struct pabal_check_result result = { 0 };

	if (!(segment->shape.flags & (PABAL_BUFFER_SPSC | PABAL_BUFFER_LATEST)))
		return pabal__account(segment, ret_result);
	for (int i = 0; i < 5; i++) { /* a guess: what somebody is in the middle of does not last that long */
		result = (struct pabal_check_result){ 0 };
		if (segment->shape.flags & PABAL_BUFFER_SPSC)
			account_spsc(segment, &result);
		else
			account_latest(segment, &result);
		if (!result.lost && !result.corrupt)
			break;
	}
	*ret_result = result;
	return 0;
}

static uint64_t reclaim(struct pabal__segment *segment, uint32_t me)
{
	return segment->shape.flags & (PABAL_BUFFER_SPSC | PABAL_BUFFER_LATEST) ? 0 : pabal__mailbox_reclaim(segment, me);
}

const struct pabal__object_kind pabal__buffer_kind = {
	.segment = {
		.number = PABAL_KIND_BUFFER,
		.word = "buffer",
		.memory_word = "memory_max",
		.shape_flags = PABAL_BUFFER_SPSC | PABAL_BUFFER_LATEST | PABAL_EPHEMERAL,
		.shape_fits = shape_fits,
		.lay_out = lay_out,
		.back = back,
	},
	.format = format,
	.bury = bury,
	.notify = pabal__mailbox_notify,
	.reclaim = reclaim,
	.account = account,
	.describe = describe,
};
