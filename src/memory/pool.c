/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/pool.c - finding a free block.
 *
 * States and transitions stand in block.h and extent.h. Killed anywhere here: a block that is OWNED by us and in no slot is freed by our undertaker, an extent that
 * we are home to floats, one that was being backed is punched.
 *
 * A queue that stays shallow cycles through one extent, which stays in the cache. When the block at the cursor is still in use the queue is deeper than an
 * extent: go on to the floating extent that was let go longest ago, whose blocks are the next to be freed in a first-in first-out queue.
 */
#include "memory/pool.h"

#include <errno.h>

#include "platform/cpu.h"

enum {
	PROBES = 8,   /* floating extents to look at before a new one is made; a guess: the oldest is the first of them */
	DETOUR = 512, /* blocks; to look through a class of 131,072 takes 2 to 5 ms, so this makes it about 10 us a block */
};

static pabal__word *header_of(const struct pabal__block *block)
{
	return &block->words[PABAL__WORD_HEADER];
}

static void let_float(struct pabal__pool *pool, uint32_t number)
{
	const struct pabal__class *class = &pool->segment->layout.classes[number];
	pabal__word *slot;
	uint64_t word;

	if (!pool->homes[number].extent)
		return;
	slot = pabal__extent_word(pool->segment, class, pool->homes[number].extent - 1);
	word = atomic_load_explicit(slot, memory_order_relaxed); /* ours alone while we are home */
	/* release: our plain stores to its headers come before the next home's; pairs with the CAS in adopt() */
	atomic_store_explicit(slot, pabal__extent_small((uint32_t)(word >> 32), 0, PABAL__FLOATING), memory_order_release);
	pool->homes[number].extent = 0;
	pool->let_go += PABAL__EXTENT;
}

/* We are home to the extent @index: let go of the one before. */
static void settle(struct pabal__pool *pool, uint32_t number, uint32_t index, uint32_t cursor)
{
	const struct pabal__class *class = &pool->segment->layout.classes[number];

	let_float(pool, number);
	pool->homes[number].extent = index + 1;
	pool->homes[number].cursor = cursor;
	pabal__block_at(pool->segment, class, index << class->shift, &pool->homes[number].first);
}

static bool adopt(struct pabal__pool *pool, uint32_t number, uint32_t index, uint32_t cursor)
{
	const struct pabal__class *class = &pool->segment->layout.classes[number];
	pabal__word *slot = pabal__extent_word(pool->segment, class, index);
	uint64_t word = atomic_load_explicit(slot, memory_order_relaxed); /* a look; the CAS decides */

	if (pabal__extent_state(word) != PABAL__FLOATING)
		return false;
	/* acquire: pairs with the release in let_float() and in write_headers()'s publication */
	if (!atomic_compare_exchange_strong_explicit(slot, &word, pabal__extent_small((uint32_t)(word >> 32), pool->me, PABAL__HOME),
						     memory_order_acquire, memory_order_relaxed))
		return false;
	settle(pool, number, index, cursor);
	return true;
}

static bool block_is_free(const struct pabal__pool *pool, const struct pabal__class *class, uint32_t index)
{
	struct pabal__block block;

	pabal__block_at(pool->segment, class, index, &block);
	return pabal__header_state(atomic_load_explicit(header_of(&block), memory_order_relaxed)) ==
	       PABAL__FREE; /* a look; pabal__pool_take_at_cursor() decides */
}

/* Look at up to @count floating extents, from where we looked last, at the first block of each. */
static bool adopt_next(struct pabal__pool *pool, uint32_t number, uint32_t count)
{
	const struct pabal__class *class = &pool->segment->layout.classes[number];
	uint32_t high = pabal__extents_high(pool->segment, number);

	for (uint32_t i = 0; i < count && i < high; i++) {
		uint32_t index = pool->probe[number] < high ? pool->probe[number] : 0;
		uint64_t word = atomic_load_explicit(pabal__extent_word(pool->segment, class, index), memory_order_relaxed); /* a look */

		if (pabal__extent_state(word) == PABAL__FLOATING) {
			if (!block_is_free(pool, class, index << class->shift))
				return false; /* let go after all before it: they are in use as well */
			if (adopt(pool, number, index, 0)) {
				pool->probe[number] = index + 1;
				return true;
			}
		}
		pool->probe[number] = index + 1;
	}
	return false;
}

/* Any free block of the class at all, first at home. */
static bool adopt_any(struct pabal__pool *pool, uint32_t number)
{
	const struct pabal__class *class = &pool->segment->layout.classes[number];
	uint32_t high = pabal__extents_high(pool->segment, number), home = pool->homes[number].extent;

	for (uint32_t i = 0; i <= high; i++) {
		uint32_t index = i ? i - 1 : home - 1; /* 0 stands for the home extent */
		uint64_t word;

		if (i == 0 && !home)
			continue;
		word = atomic_load_explicit(pabal__extent_word(pool->segment, class, index), memory_order_relaxed); /* a look */
		if (i > 0 && pabal__extent_state(word) != PABAL__FLOATING)
			continue;
		for (uint32_t cursor = 0; cursor < 1u << class->shift; cursor++) {
			if (!block_is_free(pool, class, (index << class->shift) + cursor))
				continue;
			if (i == 0) {
				pool->homes[number].cursor = cursor;
				return true;
			}
			if (adopt(pool, number, index, cursor))
				return true;
			break;
		}
	}
	return false;
}

static int grow(struct pabal__pool *pool, uint32_t number)
{
	uint32_t index;
	int r = pabal__extent_grow(pool->segment, number, pool->me, pool->homes[number].extent ? PABAL__EXTENT : 0, &index);

	if (r < 0)
		return r;
	settle(pool, number, index, 0);
	return 0;
}

static int allocate_small(struct pabal__pool *pool, uint32_t number, struct pabal__block *ret_block)
{
	int r;

	if (pabal__pool_take_at_cursor(pool, number, ret_block))
		return 0;
	if (adopt_next(pool, number, PROBES) && pabal__pool_take_at_cursor(pool, number, ret_block))
		return 0;
	r = grow(pool, number);
	if (r == 0 && pabal__pool_take_at_cursor(pool, number, ret_block))
		return 0;
	if (adopt_any(pool, number) && pabal__pool_take_at_cursor(pool, number, ret_block))
		return 0;
	return r < 0 ? r : -EAGAIN;
}

/* Own the large block @index if it is free. */
static bool own_large(struct pabal__pool *pool, const struct pabal__class *class, uint32_t index, struct pabal__block *ret_block)
{
	uint64_t header;

	pabal__block_at(pool->segment, class, index, ret_block);
	pabal__cpu_fetch_to_write(ret_block->data);                                /* it lies far from its header: so the two lines come at once */
	header = atomic_load_explicit(header_of(ret_block), memory_order_relaxed); /* a look; the CAS decides */
	if (pabal__header_state(header) != PABAL__FREE)
		return false;
	/* acquire: pairs with the release store of FREE; its reader is done before we write */
	return atomic_compare_exchange_strong_explicit(header_of(ret_block), &header, pabal__header_next(header, PABAL__OWNED, pool->me, 0),
						       memory_order_acquire, memory_order_relaxed);
}

static void disown(const struct pabal__block *block)
{
	uint64_t header = atomic_load_explicit(header_of(block), memory_order_relaxed); /* ours alone */

	/* release: pairs with the next owner's acquire */
	atomic_store_explicit(header_of(block), pabal__header_next(header, PABAL__FREE, 0, 0), memory_order_release);
}

/* Pass over the class once: a free block that has the memory already, or (@back) any free block, to which memory is given. -ENOBUFS: there is none. */
static int scan_large(struct pabal__pool *pool, uint32_t number, uint64_t size, bool back, struct pabal__block *ret_block)
{
	const struct pabal__class *class = &pool->segment->layout.classes[number];
	uint32_t high = pabal__extents_high(pool->segment, number), start = pool->probe[number];

	for (uint32_t i = 0; i < high; i++) {
		uint32_t index = (start + i) % high;
		uint64_t word = atomic_load_explicit(pabal__extent_word(pool->segment, class, index), memory_order_relaxed); /* a look */
		bool has = pabal__extent_state(word) == PABAL__BACKED && pabal__extent_pages(word) * PABAL__PAGE >= size;
		int r;

		if ((!back && !has) || !own_large(pool, class, index, ret_block))
			continue;
		/* While we own the block the extent is ours, and this looks at its word again. */
		r = pabal__extent_back_large(pool->segment, class, index, pool->me, size);
		if (r < 0) {
			disown(ret_block);
			return r;
		}
		pool->probe[number] = index; /* the same one again if it is free by then: it is in the cache */
		return 0;
	}
	return -ENOBUFS;
}

static int allocate_large(struct pabal__pool *pool, uint32_t number, uint64_t size, struct pabal__block *ret_block)
{
	uint32_t index;
	int r;

	r = scan_large(pool, number, size, false, ret_block);
	while (r == -ENOBUFS) {
		r = scan_large(pool, number, size, true, ret_block);
		if (r != -ENOBUFS)
			break;
		r = pabal__extent_raise(pool->segment, number, &index);
		if (r == 0)
			r = -ENOBUFS; /* one block more to look at */
	}
	return r;
}

static int allocate_in(struct pabal__pool *pool, uint32_t number, uint64_t size, struct pabal__block *ret_block)
{
	return number < PABAL__SMALL_CLASSES ? allocate_small(pool, number, ret_block) : allocate_large(pool, number, size, ret_block);
}

/* The class is used up, or the budget is: give back what is free, try again, then try the larger classes. The next ones go there at once. */
static int allocate_hard(struct pabal__pool *pool, uint32_t number, uint64_t size, struct pabal__block *ret_block)
{
	int r = -EAGAIN;

	pool->let_go += pabal__pool_reclaim(pool->segment, pool->me);
	for (uint32_t other = number; r == -EAGAIN && other < pool->segment->layout.class_count; other++) {
		r = allocate_in(pool, other, size, ret_block);
		if (r == 0 && other > number)
			pool->detours[number] = (struct pabal__detour){ .number = other, .left = DETOUR };
	}
	return r;
}

int pabal__pool_allocate_slowly(struct pabal__pool *pool, uint64_t size, struct pabal__block *ret_block)
{
	uint32_t number = pabal__layout_class_for(&pool->segment->layout, size);
	struct pabal__detour *detour = &pool->detours[number];
	int r;

	if (detour->left) {
		detour->left--;
		if (allocate_in(pool, detour->number, size, ret_block) == 0)
			return 0;
		detour->left = 0;
	}
	r = allocate_in(pool, number, size, ret_block);
	return r == -EAGAIN || r == -ENOSPC ? allocate_hard(pool, number, size, ret_block) : r;
}

void pabal__pool_leave(struct pabal__pool *pool)
{
	for (uint32_t number = 0; number < PABAL__SMALL_CLASSES; number++)
		let_float(pool, number);
}

uint64_t pabal__pool_reclaim(struct pabal__segment *segment, uint32_t me)
{
	uint64_t bytes = 0;

	for (uint32_t number = 0; number < segment->layout.class_count; number++) {
		uint32_t high = pabal__extents_high(segment, number);

		for (uint32_t i = 0; i < high; i++)
			bytes += number < PABAL__SMALL_CLASSES ? pabal__extent_reclaim_small(segment, number, i, me)
							       : pabal__extent_reclaim_large(segment, number, i, me);
	}
	return bytes;
}
