/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/mailbox_kind.c - what makes an object a mailbox: its shape, its layout, and what the calls for all kinds ask of it.
 */
#include "memory/extent.h"
#include "model/account.h"
#include "model/mailbox.h"

static bool shape_fits(const struct pabal__shape *shape)
{
	return shape->capacity >= 1 && shape->capacity <= PABAL__CAPACITY_MAX && shape->memory_max >= 1 && shape->memory_max <= PABAL__MEMORY_MAX &&
	       !shape->locks && !shape->events && !shape->item_size && !shape->on_full;
}

static void lay_out(struct pabal__segment *segment)
{
	pabal__layout_compute(&segment->shape, &segment->layout);
	segment->size = segment->layout.size;
}

static int back(struct pabal__segment *segment)
{
	return pabal__segment_back(segment, segment->layout.ring, (uint64_t)segment->layout.ring_slots * 8);
}

static void describe(struct pabal__segment *segment, struct pabal_object_info *info)
{
	uint64_t sent, taken, charged;

	pabal__ring_count(segment, &sent, &taken);
	info->depth = sent - taken + pabal__redeliver_count(segment);
	info->capacity = segment->layout.capacity;
	info->memory_max = segment->shape.memory_max;
	pabal__extents_sum(segment, &charged, &info->memory);
}

const struct pabal__object_kind pabal__mailbox_kind = {
	.segment = {
		.number = PABAL_KIND_MAILBOX,
		.word = "mailbox",
		.memory_word = "memory_max",
		.shape_flags = PABAL_MAILBOX_DROP_ON_DEATH | PABAL_TIMESTAMPS | PABAL_EPHEMERAL,
		.shape_fits = shape_fits,
		.lay_out = lay_out,
		.back = back,
	},
	.format = pabal__ring_format,
	.bury = pabal__bury_mailbox,
	.notify = pabal__mailbox_notify,
	.reclaim = pabal__mailbox_reclaim,
	.account = pabal__account,
	.describe = describe,
};
