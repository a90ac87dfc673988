/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/bury_mailbox.c - what a dead participant leaves in a mailbox: extents, slots of the ring, blocks.
 *
 * Called by the undertaker (bury.c), who holds the grave, and for the blocks by close. The order, each step a compare-and-swap or repeatable:
 *
 *   1. extents that it was backing, checking or punching
 *   2. slots of the ring that it had TAKEN: their blocks become its leases
 *   3. its leases: REDELIVER (or FREE, if the mailbox drops on death)
 *   4. its OWNED blocks that no slot names: FREE. The headers are read first, then the ring, then the headers again: a block that was in the ring has either been
 *      seen there, or its header has changed. The dead one cannot own anything anew, so OWNED by it at both looks means OWNED in between.
 *   5. its home extents float
 *   6. the sockets of its descriptors lose their names
 */
#include <errno.h>
#include <stdlib.h>

#include <pabal/mailbox.h>

#include "memory/extent.h"
#include "model/descriptor.h"
#include "model/mailbox.h"

typedef void extent_visit(struct pabal__segment *segment, uint32_t number, uint32_t index, uint32_t id);

static void each_extent(struct pabal__segment *segment, uint32_t id, extent_visit *visit)
{
	for (uint32_t number = 0; number < segment->layout.class_count; number++) {
		uint32_t high = pabal__extents_high(segment, number);

		for (uint32_t i = 0; i < high; i++)
			visit(segment, number, i, id);
	}
}

struct blocks {
	struct pabal__segment *segment;
	uint32_t id;
	bool drop; /* leases, instead of giving them back */
	struct pabal__burial *burial;
	uint64_t *owned, *named; /* a bit a block */
	uint32_t owned_count;
};

typedef void block_visit(struct blocks *blocks, const struct pabal__block *block, uint64_t header);

static void each_block(struct blocks *blocks, block_visit *visit)
{
	const struct pabal__segment *segment = blocks->segment;
	struct pabal__block block;

	for (uint32_t number = 0; number < segment->layout.class_count; number++) {
		const struct pabal__class *class = &segment->layout.classes[number];
		uint32_t high = pabal__extents_high(segment, number);

		for (uint32_t i = 0; i < high; i++) {
			/* acquire: pairs with the release that gave it memory. A hole is not looked into: reading it would give it memory. */
			uint64_t word = atomic_load_explicit(pabal__extent_word(segment, class, i), memory_order_acquire);

			if (number < PABAL__SMALL_CLASSES && !pabal__extent_has_blocks(word))
				continue;
			for (uint32_t j = 0; j < 1u << class->shift; j++) {
				pabal__block_at(segment, class, (i << class->shift) + j, &block);
				/* acquire: pairs with the releases of its owners */
				visit(blocks, &block, atomic_load_explicit(&block.words[PABAL__WORD_HEADER], memory_order_acquire));
			}
		}
	}
}

static bool change(const struct pabal__block *block, uint64_t header, uint64_t to)
{
	/* release: pairs with the acquire of the next owner */
	return atomic_compare_exchange_strong_explicit(&block->words[PABAL__WORD_HEADER], &header, to, memory_order_acq_rel, memory_order_relaxed);
}

static void give_back_lease(struct blocks *blocks, const struct pabal__block *block, uint64_t header)
{
	if (blocks->drop) {
		if (change(block, header, pabal__header_next(header, PABAL__FREE, 0, 0)))
			blocks->burial->dropped++;
	} else if (pabal__redeliver_give(blocks->segment, block, header, pabal__header_deliveries(header))) {
		blocks->burial->redelivered++;
	}
}

static void first_look(struct blocks *blocks, const struct pabal__block *block, uint64_t header)
{
	uint32_t state = pabal__header_state(header);

	if (state == PABAL__REDELIVER)
		pabal__redeliver_mark(blocks->segment, block->number); /* its index bit may have died with somebody */
	if (pabal__header_owner(header) != blocks->id)
		return;
	if (state == PABAL__LEASED && !PABAL__FAULT(NO_LEASE_REPAIR))
		give_back_lease(blocks, block, header);
	if (state == PABAL__OWNED) {
		blocks->owned[block->number / 64] |= UINT64_C(1) << block->number % 64;
		blocks->owned_count++;
	}
}

static void second_look(struct blocks *blocks, const struct pabal__block *block, uint64_t header)
{
	uint64_t bit = UINT64_C(1) << block->number % 64;

	if (!(blocks->owned[block->number / 64] & bit) || pabal__header_owner(header) != blocks->id || pabal__header_state(header) != PABAL__OWNED)
		return;
	if ((blocks->named[block->number / 64] & bit) && !PABAL__FAULT(RING_BEFORE_SNAPSHOT))
		return;
	change(block, header, pabal__header_next(header, PABAL__FREE, 0, 0));
}

int pabal__bury_blocks(struct pabal__segment *segment, uint32_t id, bool dead, struct pabal__burial *burial)
{
	struct blocks blocks = { .segment = segment, .id = id, .burial = burial };
	size_t words = PABAL__BLOCKS / 64;

	blocks.owned = calloc(2 * words, sizeof *blocks.owned);
	if (!blocks.owned)
		return -ENOMEM;
	blocks.named = blocks.owned + words;
	blocks.drop = dead && segment->shape.flags & PABAL_MAILBOX_DROP_ON_DEATH;
	each_block(&blocks, first_look);
	if (blocks.owned_count && !PABAL__FAULT(NO_OWNED_REPAIR)) {
		pabal__ring_named(segment, blocks.named);
		each_block(&blocks, second_look);
	}
	free(blocks.owned);
	return 0;
}

static void let_home_float(struct pabal__segment *segment, uint32_t number, uint32_t index, uint32_t id)
{
	pabal__word *slot = pabal__extent_word(segment, &segment->layout.classes[number], index);
	uint64_t word = atomic_load_explicit(slot, memory_order_relaxed); /* a look; the CAS decides */

	if (number >= PABAL__SMALL_CLASSES || pabal__extent_state(word) != PABAL__HOME || pabal__extent_owner(word) != id ||
	    PABAL__FAULT(NO_EXTENT_REPAIR))
		return;
	/* release: the blocks are repaired before the next home finds them */
	atomic_compare_exchange_strong_explicit(slot, &word, pabal__extent_small((uint32_t)(word >> 32), 0, PABAL__FLOATING), memory_order_acq_rel,
						memory_order_relaxed);
}

int pabal__bury_mailbox(struct pabal__segment *segment, uint32_t id, struct pabal__burial *burial)
{
	struct pabal__ring ring;
	int r;

	each_extent(segment, id, pabal__extent_recover);
	pabal__ring_init(&ring, segment, 0);
	pabal__ring_repair_all(&ring, id);
	r = pabal__bury_blocks(segment, id, true, burial);
	if (r == 0)
		each_extent(segment, id, let_home_float);
	if (r == 0)
		pabal__descriptor_bury(segment, id);
	return r;
}
