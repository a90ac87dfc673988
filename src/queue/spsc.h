/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/spsc.h - one producer, one consumer, items of one size side by side in one array: plain loads and stores alone.
 *
 * Each side owns one word, its position, in a line of its own, and keeps a private copy of the other's. What may be put and got, and why a death between any two steps
 * does no harm, opens spsc.c. Who is the one producer and the one consumer is decided elsewhere by the buffer; nothing here sleeps or makes a system call.
 */
#ifndef PABAL_SRC_QUEUE_SPSC_H
#define PABAL_SRC_QUEUE_SPSC_H

#include "memory/segment.h"
#include "queue/ring.h"

/* In shared memory. Positions count items since creation, and do not wrap: 2^64 items last for centuries. */
struct pabal__spsc_shared {
	_Alignas(64) pabal__word tail; /* items that were put; the producer writes, the consumer reads */
	_Alignas(64) pabal__word head; /* items that are done with; the consumer writes, the producer reads */
	pabal__word handed;            /* items that were handed out in place, by whomever; the consumer writes, the next consumer reads */
	/* What the present consumer holds, for those who count; it writes, they read. Its takes beyond `came` are told by `handed`, so they cost one store as well. */
	pabal__word came;  /* `handed` when it began */
	pabal__word out;   /* items below `came` that it was handed again end here */
	pabal__word whose; /* who wrote these two, and `handed` beyond them; written last */
};

_Static_assert(sizeof(struct pabal__spsc_shared) == 128, "a line for each side");

/* One side's private view. Used under the lock of that side of the handle. */
struct pabal__spsc_end {
	struct pabal__spsc_shared *shared;
	uint8_t *items;
	uint64_t item_size;
	uint64_t position; /* ours; shared memory has a copy, which we write and never read again */
	uint64_t seen;     /* the other's, as it was when we looked last */
	uint64_t again;    /* consumer: items below this were handed out before, by one who did not finish with them */
	uint32_t capacity;
	uint32_t index; /* of position in the array */
	bool producer;
};

/* Begin on that side where the one before us ended. @me: a number that nobody else on this side had, not 0. CORRUPT: the positions are impossible. */
enum pabal__ring_result pabal__spsc_adopt(struct pabal__spsc_end *end, uint64_t me);

/* How many items, up to @wanted, can be put (or got) now? Looks at the other's position if what we know is not enough. NOT_NOW: none. */
enum pabal__ring_result pabal__spsc_look(struct pabal__spsc_end *end, uint32_t wanted, uint32_t *ret_count);

/* Copy in and publish; copy out and let go. @count: not more than pabal__spsc_look() said. */
void pabal__spsc_put(struct pabal__spsc_end *end, const void *items, uint32_t count);
void pabal__spsc_get(struct pabal__spsc_end *end, void *items, uint32_t count);

/*
 * In place: of @count items that may be put or got, how many lie side by side? *ret_items: the first. The consumer's run has one delivery count throughout, told
 * in *ret_again: true if it was handed out before.
 */
uint32_t pabal__spsc_run(const struct pabal__spsc_end *end, uint32_t count, void **ret_items, bool *ret_again);

/* The consumer says that it holds the next @count items, so that they are marked if it dies. */
void pabal__spsc_hand_out(const struct pabal__spsc_end *end, uint32_t count);

/* @count items are there (producer), or done with (consumer). */
void pabal__spsc_publish(struct pabal__spsc_end *end, uint32_t count);

/* Items in the buffer, put and got so far, as they stand; for statistics and checks. false: the positions are impossible. */
bool pabal__spsc_count(struct pabal__spsc_shared *shared, uint32_t capacity, uint64_t *ret_put, uint64_t *ret_got);

/* Of the items from @got to @put: those that consumer @whose holds in place, and those that one before it did not finish with and nobody holds. For statistics and checks. */
void pabal__spsc_count_handed(struct pabal__spsc_shared *shared, uint64_t put, uint64_t got, uint64_t whose, uint64_t *ret_in_hand,
			      uint64_t *ret_back);

#endif
