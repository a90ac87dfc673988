/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/block.h - a block: a piece of payload memory with a header that names its owner.
 *
 * The header is one 64-bit word, `version:32 | deliveries:16 | owner:12 | state:4`. Zero is FREE, version 0: memory that was never used, or was given back, is
 * free. Each change of the word raises the version, so that a repairer who slept over a change fails its compare-and-swap.
 *
 *   FREE --home of the extent--> OWNED(p) --commit: a slot names the block, the word stays--> (in the ring)
 *   (in the ring) --taker--> LEASED(c, deliveries + 1) --release--> FREE
 *   LEASED(c) --requeue, or burial of c--> REDELIVER --anybody, by CAS--> LEASED(c2, deliveries + 1)
 *
 * Who may write the word: FREE: the home of its extent (large blocks: anybody, by CAS). OWNED(p), in no slot: p. In the ring: nobody. Named by a slot that
 * is TAKEN(c), or LEASED(c): c. REDELIVER: anybody, by CAS. If that owner is dead: its undertaker, by CAS.
 *
 * Beside it lie words that only the owner of the block writes: sequence, length, tag, and what the sender says of itself.
 */
#ifndef PABAL_SRC_MEMORY_BLOCK_H
#define PABAL_SRC_MEMORY_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "memory/segment.h"

enum pabal__block_state {
	PABAL__FREE = 0,
	PABAL__OWNED = 1,
	PABAL__LEASED = 2,
	PABAL__REDELIVER = 3,
};

enum pabal__block_word {
	PABAL__WORD_HEADER,
	PABAL__WORD_SEQUENCE, /* sequence:48 | bits 32-47 of the length:16 */
	PABAL__WORD_LENGTH,   /* bits 0-31 of the length:32 | tag:32 */
	PABAL__WORD_SENDER,   /* pid:32 | uid:32, claims */
	PABAL__WORD_TIME,     /* with PABAL_TIMESTAMPS only */
};

/*
 * What stands in WORD_SEQUENCE of a block that is on loan. A committed one keeps its header until it is taken, and so does a copy of the loan; the sequence that the commit
 * wrote tells the two apart. No message has this one: its length would be 2^48 - 2^32 bytes at least.
 */
#define PABAL__SEQUENCE_LOANED UINT64_MAX

struct pabal__block {
	pabal__word *words;
	uint8_t *data;
	uint64_t room;   /* payload bytes */
	uint64_t length; /* of the message in it, as whoever took it has read it, once, and compared with room */
	uint32_t number;
};

static inline uint32_t pabal__header_state(uint64_t header)
{
	return header & 15;
}

static inline uint32_t pabal__header_owner(uint64_t header)
{
	return header >> 4 & 0xfff;
}

static inline uint32_t pabal__header_deliveries(uint64_t header)
{
	return header >> 16 & 0xffff;
}

/* The word that follows @header: version + 1. */
static inline uint64_t pabal__header_next(uint64_t header, enum pabal__block_state state, uint32_t owner, uint32_t deliveries)
{
	uint64_t version = (header >> 32) + (PABAL__FAULT(NO_VERSION) ? 0 : 1);

	if (deliveries > 0xffff)
		deliveries = 0xffff;
	return version << 32 | (uint64_t)deliveries << 16 | (uint64_t)owner << 4 | (uint64_t)state;
}

/* The lease of @taker on a block whose header is @header. */
static inline uint64_t pabal__header_lease(uint64_t header, uint32_t taker)
{
	return pabal__header_next(header, PABAL__LEASED, taker, pabal__header_deliveries(header) + (PABAL__FAULT(NO_COUNT) ? 0 : 1));
}

static inline void pabal__block_at(const struct pabal__segment *segment, const struct pabal__class *class, uint32_t index,
				   struct pabal__block *ret_block)
{
	uint64_t data = class->data + index * class->block_size, headers = class->headers + (uint64_t)index * class->header_stride;

	ret_block->number = class->first_block + index;
	ret_block->words = pabal__segment_at(segment, headers);
	ret_block->data = pabal__segment_at(segment, headers == data ? data + (class->block_size - class->room) : data);
	ret_block->room = class->room;
}

/* false: there is no block of that number. */
static inline bool pabal__block_find(const struct pabal__segment *segment, uint32_t number, struct pabal__block *ret_block)
{
	const struct pabal__class *class;

	if (number >= segment->layout.block_count)
		return false;
	class = &segment->layout.classes[pabal__layout_class(&segment->layout, number)];
	pabal__block_at(segment, class, number - class->first_block, ret_block);
	return true;
}

/* Everything but the header: relaxed, since only the owner of the block writes or reads them, and owning is passed on by release and acquire. */
static inline uint64_t pabal__block_get(const struct pabal__block *block, enum pabal__block_word word)
{
	return atomic_load_explicit(&block->words[word], memory_order_relaxed);
}

static inline void pabal__block_set(const struct pabal__block *block, enum pabal__block_word word, uint64_t value)
{
	atomic_store_explicit(&block->words[word], value, memory_order_relaxed);
}

/* The length as it stands there; whoever takes the message compares it with block->room, and keeps it in block->length. */
static inline uint64_t pabal__block_length(const struct pabal__block *block)
{
	return (pabal__block_get(block, PABAL__WORD_SEQUENCE) & 0xffff) << 32 | pabal__block_get(block, PABAL__WORD_LENGTH) >> 32;
}

#endif
