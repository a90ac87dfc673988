/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/ring.h - the queue of a mailbox: a ring of slots, each one 64-bit word that names a block.
 *
 * One compare-and-swap commits a send, one commits a take. There is no state "reserved" in which a dead sender could leave a slot. What the states are, and
 * why a death between any two steps does no harm, opens ring.c. Offsets and atomics only: nothing here sleeps or makes a system call.
 */
#ifndef PABAL_SRC_QUEUE_RING_H
#define PABAL_SRC_QUEUE_RING_H

#include "memory/block.h"

enum pabal__slot_state {
	PABAL__EMPTY = 0,
	PABAL__FULL = 1,
	PABAL__TAKEN = 2,
};

/* One participant's view. The two ends are used by different threads under different locks, and share nothing but what never changes. */
struct pabal__ring_end {
	uint64_t position; /* sender: at or before the first unfilled position; receiver: at or before the first untaken */
	uint64_t credit;   /* sender: positions below this were taken already */
};

struct pabal__ring {
	const struct pabal__segment *segment;
	pabal__word *slots;
	uint64_t mask;       /* slots - 1 */
	uint64_t line_mask;  /* cache lines - 1 */
	uint32_t shift;      /* slots, as a power of two */
	uint32_t line_shift; /* cache lines, as a power of two */
	uint32_t capacity;
	uint32_t me;
	struct pabal__ring_end tail, head;
};

/* What a call that could not go on has seen. */
enum pabal__ring_result {
	PABAL__RING_DONE = 0,
	PABAL__RING_NOT_NOW, /* full, or empty: exactly */
	PABAL__RING_BUSY,    /* another participant is in the middle of a take: look again soon, or repair if it is dead */
	PABAL__RING_LARGE,   /* the next message is larger than was asked for; it was not touched */
	PABAL__RING_CORRUPT, /* no honest participant can have written this */
};

void pabal__ring_init(struct pabal__ring *ring, const struct pabal__segment *segment, uint32_t me);

/* The creator, before anybody else: every slot EMPTY at the first turn. */
void pabal__ring_format(const struct pabal__segment *segment);

/* Put the block, which we own and have filled, behind all others. @low: the length bits of its sequence word. BUSY: *ret_busy is the position of the slot. */
enum pabal__ring_result pabal__ring_send(struct pabal__ring *ring, const struct pabal__block *block, uint64_t low, uint64_t *ret_busy);

/*
 * Take the oldest block, if its message has @size_max bytes at most. *ret_block is LEASED to us and *ret_header its header. LARGE: ret_block->length says how large it is.
 * CORRUPT: the slot was let go, so that the next call finds the next.
 */
enum pabal__ring_result pabal__ring_take(struct pabal__ring *ring, uint64_t size_max, struct pabal__block *ret_block, uint64_t *ret_header);

/* Is there certainly nothing to take, or certainly no room? For the second look of a sleeper; a look only. */
bool pabal__ring_has_message(const struct pabal__ring *ring);
bool pabal__ring_has_room(const struct pabal__ring *ring);

/*
 * Finish what a dead taker left in the slot of @position: the block becomes its lease, the slot EMPTY. @word: what pabal__ring_taker() saw there *before* the taker was found
 * dead. Numbers of participants are used again, so the number alone could by now be that of somebody who lives and is in the middle of a later take.
 */
void pabal__ring_repair(const struct pabal__ring *ring, uint64_t position, uint64_t word);
/* The same for all slots of @dead, whose number cannot be used again before the caller is done. */
void pabal__ring_repair_all(const struct pabal__ring *ring, uint32_t dead);

/* Who is in the middle of a take at this position? 0: nobody any more. */
uint32_t pabal__ring_taker(const struct pabal__ring *ring, uint64_t position, uint64_t *ret_word);

/* Set the bit of each block that a slot names in @bits (PABAL__BLOCKS bits). Returns how many slots are FULL. */
uint32_t pabal__ring_named(const struct pabal__segment *segment, uint64_t *bits);

/* Commits and takes since creation, as of now. */
void pabal__ring_count(const struct pabal__segment *segment, uint64_t *ret_sent, uint64_t *ret_taken);

#endif
