/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/plain.h - rings that promise nothing, to measure buffers beside: items of one size in memory that all may write, no sleep, no end, no death.
 *
 * The one with two positions and private copies of them is for one producer and one consumer, and publishes a batch at once. The one with a sequence number in each cell is the
 * bounded queue of many to many that is commonly used within a process: who has moved its position and dies before it wrote the number stops everybody.
 */
#ifndef PABAL_BENCH_PLAIN_H
#define PABAL_BENCH_PLAIN_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "stage.h"

enum { PLAIN_ITEM = 64 /* bytes */, PLAIN_CAPACITY = 1024 /* items, a power of two */ };

typedef uint64_t plain_item[PLAIN_ITEM / 8];

struct plain_spsc {
	_Alignas(CACHE_LINE) _Atomic uint64_t tail; /* the producer writes */
	_Alignas(CACHE_LINE) _Atomic uint64_t head; /* the consumer writes */
	_Alignas(CACHE_LINE) plain_item items[PLAIN_CAPACITY];
};

struct plain_cell {
	_Atomic uint64_t sequence;
	plain_item item;
};

struct plain_mpmc {
	_Alignas(CACHE_LINE) _Atomic uint64_t tail;
	_Alignas(CACHE_LINE) _Atomic uint64_t head;
	_Alignas(CACHE_LINE) struct plain_cell cells[PLAIN_CAPACITY];
};

/* One side of a ring for one and one. */
struct plain_end {
	uint64_t position, seen; /* ours, and the other's as it was when we looked last */
};

static inline void plain_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Wait for room for @count items; where the first of them goes. */
static inline plain_item *plain_spsc_room(struct plain_spsc *ring, struct plain_end *end, uint32_t count)
{
	while (PLAIN_CAPACITY - (end->position - end->seen) < count) {
		end->seen = atomic_load_explicit(&ring->head, memory_order_acquire); /* pairs with plain_spsc_let_go() */
		if (PLAIN_CAPACITY - (end->position - end->seen) < count)
			plain_relax();
	}
	return &ring->items[end->position % PLAIN_CAPACITY];
}

static inline void plain_spsc_publish(struct plain_spsc *ring, struct plain_end *end, uint32_t count)
{
	end->position += count;
	atomic_store_explicit(&ring->tail, end->position, memory_order_release); /* pairs with plain_spsc_items() */
}

/* Wait for one item; how many there are, up to @count. */
static inline plain_item *plain_spsc_items(struct plain_spsc *ring, struct plain_end *end, uint32_t *count)
{
	while (end->seen - end->position < *count) {
		end->seen = atomic_load_explicit(&ring->tail, memory_order_acquire); /* pairs with plain_spsc_publish() */
		if (end->seen != end->position)
			break;
		plain_relax();
	}
	if (end->seen - end->position < *count)
		*count = (uint32_t)(end->seen - end->position);
	return &ring->items[end->position % PLAIN_CAPACITY];
}

static inline void plain_spsc_let_go(struct plain_spsc *ring, struct plain_end *end, uint32_t count)
{
	end->position += count;
	atomic_store_explicit(&ring->head, end->position, memory_order_release); /* pairs with plain_spsc_room() */
}

/* Before anybody uses it. */
static inline void plain_mpmc_format(struct plain_mpmc *ring)
{
	for (uint64_t i = 0; i < PLAIN_CAPACITY; i++)
		atomic_store_explicit(&ring->cells[i].sequence, i, memory_order_relaxed); /* those who use it are forked later */
}

/* The cell at the end that @word counts, once its number is @ahead of the position; yields while it is not. */
static inline struct plain_cell *plain_mpmc_claim(struct plain_mpmc *ring, _Atomic uint64_t *word, uint64_t ahead, uint64_t *ret_position)
{
	uint64_t position = atomic_load_explicit(word, memory_order_relaxed); /* the number of the cell decides */

	for (;;) {
		struct plain_cell *cell = &ring->cells[position % PLAIN_CAPACITY];
		/* acquire: pairs with the release store of the other side */
		int64_t lead = (int64_t)(atomic_load_explicit(&cell->sequence, memory_order_acquire) - (position + ahead));

		if (lead == 0 && atomic_compare_exchange_weak_explicit(word, &position, position + 1, memory_order_relaxed, memory_order_relaxed)) {
			*ret_position = position;
			return cell;
		}
		if (lead < 0)
			sched_yield();
		if (lead != 0)
			position = atomic_load_explicit(word, memory_order_relaxed);
	}
}

static inline void plain_mpmc_put(struct plain_mpmc *ring, const plain_item *item)
{
	uint64_t position;
	struct plain_cell *cell = plain_mpmc_claim(ring, &ring->tail, 0, &position);

	memcpy(cell->item, *item, sizeof *item);
	atomic_store_explicit(&cell->sequence, position + 1, memory_order_release); /* pairs with plain_mpmc_claim() */
}

static inline void plain_mpmc_get(struct plain_mpmc *ring, plain_item *ret_item)
{
	uint64_t position;
	struct plain_cell *cell = plain_mpmc_claim(ring, &ring->head, 1, &position);

	memcpy(*ret_item, cell->item, sizeof *ret_item);
	atomic_store_explicit(&cell->sequence, position + PLAIN_CAPACITY, memory_order_release); /* pairs with plain_mpmc_claim() */
}

#endif
