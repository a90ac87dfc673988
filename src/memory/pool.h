/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/pool.h - one participant's way to get blocks.
 *
 * The pool is private: which extents this participant is home to and where it looked last. Small blocks come from the home extent with one load and one plain
 * store; large ones by one compare-and-swap. Nothing here frees: a block is freed by one store to its header, by whoever read it last.
 * Calls are made under the handle's send lock.
 */
#ifndef PABAL_SRC_MEMORY_POOL_H
#define PABAL_SRC_MEMORY_POOL_H

#include "memory/extent.h"

struct pabal__pool {
	struct pabal__segment *segment;
	uint32_t me;
	struct pabal__home {
		struct pabal__block first; /* of the extent */
		uint32_t extent;           /* index + 1; 0: no home in this class */
		uint32_t cursor;           /* the block in it to look at next */
	} homes[PABAL__SMALL_CLASSES];
	uint32_t probe[PABAL__CLASSES]; /* the extent to look at next */
	struct pabal__detour {
		uint32_t number, left; /* the class was used up: so many blocks more from this larger one before it is looked through again */
	} detours[PABAL__CLASSES];
	uint64_t let_go; /* bytes that others may use now; the caller tells those who wait for memory, and sets it to 0 */
};

/*
 * A block with room for @size bytes, OWNED by us. The caller has checked @size against the largest class.
 * -EAGAIN: the budget is used up; -ENOSPC: the file system is full.
 */
int pabal__pool_allocate_slowly(struct pabal__pool *pool, uint64_t size, struct pabal__block *ret_block);

/* The block of our home extent at the cursor, if it is free: one load, one plain store. */
static inline bool pabal__pool_take_at_cursor(struct pabal__pool *pool, uint32_t number, struct pabal__block *ret_block)
{
	struct pabal__home *home = &pool->homes[number];
	uint64_t offset = (uint64_t)home->cursor * PABAL__SMALL_MIN << number, header;

	if (!home->extent)
		return false;
	ret_block->words = home->first.words + offset / sizeof *home->first.words;
	/* acquire: pairs with the release store of FREE; its reader is done before we write */
	header = atomic_load_explicit(&ret_block->words[PABAL__WORD_HEADER], memory_order_acquire);
	if (pabal__header_state(header) != PABAL__FREE)
		return false;
	/* relaxed: only we write a free block of our home; an undertaker that sees it OWNED late sees it in no slot or not at all */
	atomic_store_explicit(&ret_block->words[PABAL__WORD_HEADER], pabal__header_next(header, PABAL__OWNED, pool->me, 0), memory_order_relaxed);
	ret_block->data = home->first.data + offset;
	ret_block->room = home->first.room;
	ret_block->number = home->first.number + home->cursor;
	home->cursor = (home->cursor + 1) & ((PABAL__EXTENT / PABAL__SMALL_MIN >> number) - 1);
	return true;
}

static inline int pabal__pool_allocate(struct pabal__pool *pool, uint64_t size, struct pabal__block *ret_block)
{
	if (__builtin_expect(size <= pool->segment->layout.classes[0].room && pabal__pool_take_at_cursor(pool, 0, ret_block), 1))
		return 0;
	return pabal__pool_allocate_slowly(pool, size, ret_block);
}

/* Let the homes float, so that others may use them. */
void pabal__pool_leave(struct pabal__pool *pool);

/* Give back the memory of all that is free. Bytes given back. */
uint64_t pabal__pool_reclaim(struct pabal__segment *segment, uint32_t me);

#endif
