/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/layout.c - from a shape to a layout. Pure arithmetic: no system call, no shared memory.
 *
 * How many blocks a class gets: enough for a full mailbox of that size alone within the budget, for the leases beyond it, and for the one extent that each
 * participant may keep at home. If the sum does not go into 20 bits, the most numerous class is halved until it does; a send that finds its class used
 * up takes a block of the next larger one.
 *
 * The items of a buffer have one size, so their class is the only one that has blocks, and enough of them whatever was taken and not released (layout.h); no budget.
 */
#include "memory/layout.h"

#include <string.h>

#include <pabal/mailbox.h>

static uint64_t ceil_div(uint64_t value, uint64_t by)
{
	return (value + by - 1) / by;
}

static uint64_t page_up(uint64_t value)
{
	return ceil_div(value, PABAL__PAGE) * PABAL__PAGE;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void size_small(struct pabal__layout *layout, uint32_t number)
{
	struct pabal__class *class = &layout->classes[number];
	uint64_t messages = (uint64_t)layout->capacity + PABAL__LEASES, extents;

	class->block_size = (uint64_t)PABAL__SMALL_MIN << number;
	class->room = class->block_size - layout->meta_size;
	class->shift = (uint32_t)__builtin_ctzll(PABAL__EXTENT / class->block_size);
	extents = ceil_div(messages, UINT64_C(1) << class->shift);
	if (number > 0) /* the smallest class is bounded by the capacity, not by the budget */
		extents = smaller(extents, ceil_div(layout->memory_max, PABAL__EXTENT));
	class->extents = (uint32_t)(extents + PABAL__PARTICIPANTS);
}

static void size_large(struct pabal__layout *layout, uint64_t block_size)
{
	struct pabal__class *class = &layout->classes[layout->class_count++];

	class->block_size = class->room = block_size;
	class->shift = 0;
	class->extents = (uint32_t)smaller(ceil_div(layout->memory_max, block_size) + 1, (uint64_t)layout->capacity + PABAL__LEASES);
}

static void choose_classes(struct pabal__layout *layout)
{
	uint64_t size = PABAL__EXTENT; /* twice the largest small block */

	layout->class_count = PABAL__SMALL_CLASSES;
	for (uint32_t i = 0; i < PABAL__SMALL_CLASSES; i++)
		size_small(layout, i);
	for (; size < layout->memory_max; size *= 2)
		size_large(layout, size);
	size_large(layout, layout->memory_max);
}

/* A buffer. Its budget is what its blocks can become, so that room alone decides. */
static void choose_one_class(struct pabal__layout *layout, uint64_t item_size)
{
	uint32_t small = 0;
	struct pabal__class *class;

	layout->class_count = PABAL__SMALL_CLASSES;
	for (uint32_t i = 0; i < PABAL__SMALL_CLASSES; i++) {
		size_small(layout, i);
		small += layout->classes[i].room < item_size;
	}
	if (small == PABAL__SMALL_CLASSES) {
		size_large(layout, page_up(item_size));
		layout->classes[small].extents = (uint32_t)(layout->capacity + smaller(layout->capacity, PABAL__LEASES) + PABAL__PARTICIPANTS + 1);
	} else {
		class = &layout->classes[small];
		class->extents = (uint32_t)(ceil_div((uint64_t)layout->capacity + PABAL__LEASES, UINT64_C(1) << class->shift) + PABAL__PARTICIPANTS);
	}
	for (uint32_t i = 0; i < layout->class_count; i++) {
		class = &layout->classes[i];
		if (i != small)
			class->extents = 0;
		layout->memory_max += ((uint64_t) class->extents << class->shift) * class->block_size;
	}
}

static void fit_numbers(struct pabal__layout *layout)
{
	for (;;) {
		uint64_t sum = 0, most = 0;
		uint32_t widest = 1;

		for (uint32_t i = 0; i < layout->class_count; i++) {
			uint64_t blocks = (uint64_t)layout->classes[i].extents << layout->classes[i].shift;

			sum += blocks;
			if (i > 0 && blocks > most) {
				most = blocks;
				widest = i;
			}
		}
		if (sum <= PABAL__BLOCKS)
			return;
		layout->classes[widest].extents = (layout->classes[widest].extents + 1) / 2;
	}
}

static void number_blocks(struct pabal__layout *layout)
{
	uint32_t block = 0, extent = 0;

	for (uint32_t i = 0; i < layout->class_count; i++) {
		struct pabal__class *class = &layout->classes[i];

		class->first_block = block;
		class->first_extent = extent;
		block += class->extents << class->shift;
		extent += class->extents;
		class->block_end = block;
	}
	layout->block_count = block;
	layout->extent_count = extent;
}

static void place(struct pabal__layout *layout)
{
	uint64_t at = PABAL__PARTICIPANTS_END;
	uint32_t large = layout->class_count > PABAL__SMALL_CLASSES ? layout->block_count - layout->classes[PABAL__SMALL_CLASSES].first_block : 0;

	layout->ring = at;
	at = page_up(at + (uint64_t)layout->ring_slots * 8);
	layout->index = at;
	at = page_up(at + ceil_div(layout->extent_count, 64) * 8);
	layout->extent_words = at;
	at = page_up(at + (uint64_t)layout->extent_count * 8);
	layout->large_headers = at;
	at = page_up(at + (uint64_t)large * PABAL__LARGE_HEADER);
	for (uint32_t i = 0; i < layout->class_count; i++) {
		struct pabal__class *class = &layout->classes[i];

		class->data = at;
		at += ((uint64_t) class->extents << class->shift) * class->block_size;
		class->headers = class->data;
		class->header_stride = (uint32_t) class->block_size;
		if (i >= PABAL__SMALL_CLASSES) {
			class->headers = layout->large_headers +
					 (uint64_t)(class->first_block - layout->classes[PABAL__SMALL_CLASSES].first_block) * PABAL__LARGE_HEADER;
			class->header_stride = PABAL__LARGE_HEADER;
		}
	}
	layout->size = at;
}

void pabal__layout_compute(const struct pabal__shape *shape, struct pabal__layout *ret_layout)
{
	struct pabal__layout *layout = ret_layout;
	uint64_t slots = PABAL__RING_MIN;

	memset(layout, 0, sizeof *layout);
	layout->capacity = shape->capacity;
	layout->memory_max = page_up(shape->memory_max);
	layout->meta_size = shape->flags & PABAL_TIMESTAMPS ? 64 : 32;
	while (slots < 2 * (uint64_t)shape->capacity) /* twice: one receiver stopped in the middle of a take does not stop a mailbox's fill */
		slots *= 2;
	layout->ring_slots = (uint32_t)slots;
	layout->ring_shift = (uint32_t)__builtin_ctzll(slots);
	if (shape->item_size)
		choose_one_class(layout, shape->item_size);
	else
		choose_classes(layout);
	fit_numbers(layout);
	number_blocks(layout);
	place(layout);
}
