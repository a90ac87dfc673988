/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/redeliver.h - messages that came back: their taker died, closed or gave them back.
 *
 * The truth is the header of the block alone: REDELIVER, claimed by anybody with one compare-and-swap. So there is no moment at which a death could lose or double one.
 * Beside it lies an index, one bit an extent, so that nobody has to look at all blocks; it may say too much, and never too little once the dead are buried.
 */
#ifndef PABAL_SRC_QUEUE_REDELIVER_H
#define PABAL_SRC_QUEUE_REDELIVER_H

#include "queue/ring.h"

enum { PABAL__REDELIVER_BATCH = 64 }; /* candidates sorted at a time; a guess: more are looked up again */

/* One receiver's list of candidates, oldest first. Used under the handle's receive lock. */
struct pabal__redeliver {
	const struct pabal__segment *segment;
	uint32_t me;
	uint32_t next, count; /* candidates not tried yet */
	bool announce;        /* found behind others' backs: the caller announces it to all */
	bool more;            /* there were more than fit */
	struct {
		uint64_t sequence;
		uint32_t number;
	} candidates[PABAL__REDELIVER_BATCH];
};

void pabal__redeliver_init(struct pabal__redeliver *redeliver, const struct pabal__segment *segment, uint32_t me);

/* Give back a block whose header is @header and which we own or whose owner is dead. false: the header is not that any more. */
bool pabal__redeliver_give(const struct pabal__segment *segment, const struct pabal__block *block, uint64_t header, uint32_t deliveries);

/* Enter the block in the index; for a block that is in REDELIVER already. */
void pabal__redeliver_mark(const struct pabal__segment *segment, uint32_t number);

/* Something changed: look the candidates up again. */
void pabal__redeliver_refresh(struct pabal__redeliver *redeliver);

/* Claim the oldest, as pabal__ring_take() does. NOT_NOW: there is none. CORRUPT: its length is impossible; its block was freed, so that the next call finds the next. */
enum pabal__ring_result pabal__redeliver_take(struct pabal__redeliver *redeliver, uint64_t size_max, struct pabal__block *ret_block,
					      uint64_t *ret_header);

/* How many wait to be delivered again. */
uint64_t pabal__redeliver_count(const struct pabal__segment *segment);

#endif
