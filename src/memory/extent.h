/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/extent.h - extents: runs of blocks that get memory, and give it back, as a whole.
 *
 * A small extent holds many blocks. Its word is `version:32 | 0:16 | owner:12 | state:4`, and zero is HOLE, version 0:
 *
 *   HOLE --CAS--> BACKING(p) --fallocate, write headers--> HOME(p) <--p--> FLOATING --CAS--> HOME(q)
 *   FLOATING --CAS--> CHECKING(p) --all blocks free--> PUNCHING(p) --punch--> HOLE, or back to FLOATING
 *
 * Only the home allocates in an extent, with a plain store; anybody frees. So that an idle home does not keep memory from the others, each participant is
 * home to one extent a class at most: it lets an extent float as soon as it goes on to the next.
 * A death in BACKING or PUNCHING: punch again, HOLE. In CHECKING: FLOATING. In HOME: FLOATING, when its blocks are accounted for. The version is where the
 * versions of the block headers start; it is past all that were used before, so that an old compare-and-swap can never succeed on new memory.
 *
 * A large extent is one block. Its word is `pages:48 | owner:12 | state:4`, HOLE, BACKING, BACKED or PUNCHING, written by the owner of the block only; the headers of
 * large blocks are never given back.
 */
#ifndef PABAL_SRC_MEMORY_EXTENT_H
#define PABAL_SRC_MEMORY_EXTENT_H

#include "memory/block.h"

enum pabal__extent_state {
	PABAL__HOLE = 0,
	PABAL__BACKING = 1,
	PABAL__HOME = 2,
	PABAL__FLOATING = 3,
	PABAL__CHECKING = 4,
	PABAL__PUNCHING = 5,
	PABAL__BACKED = 6,
};

static inline uint32_t pabal__extent_state(uint64_t word)
{
	return word & 15;
}

static inline uint32_t pabal__extent_owner(uint64_t word)
{
	return word >> 4 & 0xfff;
}

static inline uint64_t pabal__extent_small(uint32_t version, uint32_t owner, enum pabal__extent_state state)
{
	return (uint64_t)version << 32 | (uint64_t)owner << 4 | (uint64_t)state;
}

static inline uint64_t pabal__extent_large(uint64_t pages, uint32_t owner, enum pabal__extent_state state)
{
	return pages << 16 | (uint64_t)owner << 4 | (uint64_t)state;
}

static inline uint64_t pabal__extent_pages(uint64_t word)
{
	return word >> 16;
}

/* The word of the class's @index-th extent. */
static inline pabal__word *pabal__extent_word(const struct pabal__segment *segment, const struct pabal__class *class, uint32_t index)
{
	return (pabal__word *)pabal__segment_at(segment, segment->layout.extent_words) + class->first_extent + index;
}

/* How many extents of the class were ever used: those have words with memory behind them. */
uint32_t pabal__extents_high(const struct pabal__segment *segment, uint32_t number);

/* Does a block of this extent word have memory? */
static inline bool pabal__extent_has_blocks(uint64_t word)
{
	uint32_t state = pabal__extent_state(word);

	return state == PABAL__HOME || state == PABAL__FLOATING || state == PABAL__CHECKING || state == PABAL__BACKED;
}

/*
 * As pabal__block_find(), for who has the number of a block and perhaps no claim to it any more: false also if its header has no memory. To read it then would give
 * memory to a hole, where no account finds it, or be SIGBUS on a full file system. The headers of large blocks stay. Nothing is promised for longer than the block is the
 * caller's: if it is not, its extent can be given back right after this look (docs/decisions/0004-memory.md says who could, and what then).
 */
static inline bool pabal__extent_find_block(const struct pabal__segment *segment, uint32_t number, struct pabal__block *ret_block)
{
	const struct pabal__class *class;
	uint32_t kind, index;

	if (number >= segment->layout.block_count)
		return false;
	kind = pabal__layout_class(&segment->layout, number);
	class = &segment->layout.classes[kind];
	index = number - class->first_block;
	/* acquire: pairs with the release that gave it memory */
	if (kind < PABAL__SMALL_CLASSES &&
	    !pabal__extent_has_blocks(atomic_load_explicit(pabal__extent_word(segment, class, index >> class->shift), memory_order_acquire)))
		return false;
	pabal__block_at(segment, class, index, ret_block);
	return true;
}

/* Use one more extent of the class: its index, or -EAGAIN (all are used), -ENOSPC. It is a HOLE until somebody claims it. */
int pabal__extent_raise(struct pabal__segment *segment, uint32_t number, uint32_t *ret_index);

/*
 * Claim a HOLE of a small class, give it memory and be its home. -EAGAIN: no hole or no budget; -ENOSPC.
 * @floats: bytes that will be charged in addition when the caller lets its present extent float.
 */
int pabal__extent_grow(struct pabal__segment *segment, uint32_t number, uint32_t owner, uint64_t floats, uint32_t *ret_index);

/* Give the memory of a floating extent back if all its blocks are free. Bytes given back, or 0. */
uint64_t pabal__extent_reclaim_small(struct pabal__segment *segment, uint32_t number, uint32_t index, uint32_t owner);

/* Give at least @size bytes of memory to the large block @block, which @owner owns. -EAGAIN: no budget; -ENOSPC. */
int pabal__extent_back_large(struct pabal__segment *segment, const struct pabal__class *class, uint32_t index, uint32_t owner, uint64_t size);

/* Give the memory of a free large block back. Bytes given back, or 0. */
uint64_t pabal__extent_reclaim_large(struct pabal__segment *segment, uint32_t number, uint32_t index, uint32_t owner);

/* Finish what the dead @owner left in BACKING, CHECKING or PUNCHING, if this extent is such a one. */
void pabal__extent_recover(struct pabal__segment *segment, uint32_t number, uint32_t index, uint32_t owner);

/* Bytes of payload memory: charged to the budget, and all there are. */
void pabal__extents_sum(const struct pabal__segment *segment, uint64_t *ret_charged, uint64_t *ret_all);

#endif
