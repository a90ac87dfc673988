/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/latest.h - the newest item, for sampled data: a writer publishes a whole item, a reader gets the newest whole one, and neither waits for the other.
 *
 * Items lie in blocks; one word names the newest. A reader pins the block that it reads, a writer fills one that nobody uses. The states, and why a death between
 * any two steps does no harm, open latest.c. Nothing here sleeps or makes a system call; memory behind the blocks is the caller's business.
 */
#ifndef PABAL_SRC_QUEUE_LATEST_H
#define PABAL_SRC_QUEUE_LATEST_H

#include "memory/participant.h"
#include "queue/ring.h"

enum {
	/*
	 * Each participant fills one block and pins one at most, and one is the newest: 2 * 1023 + 1. So a free one can always be found, whoever died, with or without burial. Only
	 * as many as were ever needed at once have memory.
	 */
	PABAL__LATEST_BLOCKS = 2 * (PABAL__PARTICIPANTS + 1),
	PABAL__LATEST_STRIDE = 64, /* blocks begin on cache lines of their own */
};

/* In shared memory. */
struct pabal__latest_shared {
	_Alignas(64) pabal__word newest; /* sequence:48 | block:16; 0: nothing yet. Writers, by CAS */
	_Alignas(64) pabal__word high;   /* blocks 0 .. this - 1 have memory. Writers, by CAS */
	/* A word a block: version:32 | owner:32; owner 0: nobody is filling it. A writer claims it by CAS; its owner, or the undertaker of a dead one, lets it go. */
	_Alignas(64) pabal__word owners[PABAL__LATEST_BLOCKS];
	/* A line a participant: the block that it reads + 1, or 0. It alone writes it, or the undertaker when it is dead. */
	struct pabal__latest_pin {
		_Alignas(64) pabal__word block;
	} pins[PABAL__PARTICIPANTS + 1];
};

/* One participant's view. */
struct pabal__latest {
	const struct pabal__segment *segment;
	struct pabal__latest_shared *shared;
	uint8_t *items;
	uint64_t stride;
	uint32_t me;
	uint32_t probe; /* writer: the block to look at next */
	uint64_t seen;  /* reader: the sequence of the item that it got last; 0: none */
};

static inline uint64_t pabal__latest_sequence(uint64_t word)
{
	return word >> 16;
}

static inline uint32_t pabal__latest_block(uint64_t word)
{
	return word & 0xffff;
}

static inline void *pabal__latest_item(const struct pabal__latest *latest, uint32_t block)
{
	return latest->items + block * latest->stride;
}

/* Claim a block to fill. NOT_NOW: all that have memory are in use; raise the mark and try again. */
enum pabal__ring_result pabal__latest_claim(struct pabal__latest *latest, uint32_t *ret_block);

/* A block has got memory. @high: the number that the caller saw, which is the number of that block. */
void pabal__latest_raise(const struct pabal__latest *latest, uint32_t high);
uint32_t pabal__latest_high(const struct pabal__latest *latest);

/* The block that we claimed holds the newest of @count items now. Returns its sequence. */
uint64_t pabal__latest_publish(const struct pabal__latest *latest, uint32_t block, uint32_t count);

/* Let go of a block that we claimed and did not publish. */
void pabal__latest_cancel(const struct pabal__latest *latest, uint32_t block);

/* Pin the newest item, if it is not the one that we got last. BUSY: writers were faster, many times over. *ret_word: sequence and block. */
enum pabal__ring_result pabal__latest_pin(struct pabal__latest *latest, uint64_t *ret_word);
void pabal__latest_unpin(const struct pabal__latest *latest);

/* Is there one that we did not get yet? */
bool pabal__latest_is_news(const struct pabal__latest *latest);

/* Has it pinned a block? A look. */
bool pabal__latest_reads(const struct pabal__latest *latest, uint32_t id);

/* Who has pinned the block? 0: nobody. A look. */
uint32_t pabal__latest_reader(const struct pabal__latest *latest, uint32_t block);

/* Let go of all that the dead @id held. */
void pabal__latest_recover(const struct pabal__latest *latest, uint32_t id);

#endif
