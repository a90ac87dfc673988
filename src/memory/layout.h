/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/layout.h - where everything lies in a mailbox's segment, or in that of a buffer that is like one, computed from its shape.
 *
 * The shape (capacity, memory_max, flags) is all that a creator chooses. Every participant computes the layout from its own private copy of the shape, so
 * there is no offset in shared memory that a hostile peer could bend. All of the file is sparse: what was never used costs nothing.
 *
 *   header page | participants | ring | index bits | extent words | headers of large blocks | small classes | large classes
 *
 * Payload memory comes in size classes. Small classes (128 B to 4 KiB a block) keep header and payload side by side, many blocks to an extent. Large
 * classes (8 KiB, 16 KiB ... up to memory_max) have one block an extent and their headers in a table that is never given back.
 */
#ifndef PABAL_SRC_MEMORY_LAYOUT_H
#define PABAL_SRC_MEMORY_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/shape.h"

enum {
	PABAL__BLOCKS = 1 << 20,       /* ABI: 20 bits in a slot */
	PABAL__CAPACITY_MAX = 1 << 19, /* half of the block numbers, so that all that is queued may be leased as well */
	PABAL__RING_MIN = 1024,        /* slots; so a turn of 32 bits lasts 2^42 messages */
	PABAL__EXTENT = 8192,          /* bytes of a small extent; measured: 64 blocks of 128 B make adopting one rare enough */
	PABAL__SMALL_MIN = 128,        /* two cache lines: header and a 64-byte message */
	PABAL__SMALL_CLASSES = 6,      /* 128 B .. 4 KiB */
	PABAL__CLASSES = 40,           /* 6 small, and 8 KiB .. 2^40 in powers of two */
	PABAL__LEASES =
		65536, /* a guess: messages of one class that may be leased beyond the capacity; large items of a buffer: as many as the capacity, at most this, and one a participant */
	PABAL__LARGE_HEADER = 64, /* bytes a header of a large block: a cache line */
};

#define PABAL__MEMORY_MAX (UINT64_C(1) << 40)

struct pabal__class {
	uint64_t block_size;
	uint64_t room;    /* payload bytes of a block */
	uint64_t data;    /* offset of the first block */
	uint64_t headers; /* offset of the first header: the block itself, or the table */
	uint32_t header_stride;
	uint32_t first_block, block_end;
	uint32_t first_extent, extents;
	uint32_t shift; /* blocks an extent, as a power of two */
};

struct pabal__layout {
	struct pabal__class classes[PABAL__CLASSES];
	uint32_t class_count, extent_count, block_count;
	uint32_t meta_size; /* bytes between the start of a small block and its payload */
	uint32_t ring_slots, ring_shift;
	uint32_t capacity;
	uint64_t memory_max; /* in whole pages */
	uint64_t ring, index, extent_words, large_headers;
	uint64_t size; /* of the file */
};

void pabal__layout_compute(const struct pabal__shape *shape, struct pabal__layout *ret_layout);

static inline bool pabal__class_is_small(const struct pabal__layout *layout, uint32_t number)
{
	(void)layout;
	return number < PABAL__SMALL_CLASSES;
}

/* The class of a block; the caller has checked that block < block_count. */
static inline uint32_t pabal__layout_class(const struct pabal__layout *layout, uint32_t block)
{
	uint32_t number = 0;

	while (block >= layout->classes[number].block_end)
		number++;
	return number;
}

/* The smallest class with room for @size bytes; class_count if there is none. */
static inline uint32_t pabal__layout_class_for(const struct pabal__layout *layout, uint64_t size)
{
	uint32_t number = 0;

	while (number < layout->class_count && layout->classes[number].room < size)
		number++;
	return number;
}

#endif
