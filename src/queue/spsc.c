/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/spsc.c - two positions and an array.
 *
 * Position p is item p mod capacity. The items of positions head ... tail - 1 are in the buffer; the rest of the array is the producer's.
 *
 *   producer: looks at head, fills items, then stores tail with release.    The store is the commit, of all items of the call at once.
 *   consumer: looks at tail, copies items out (or reads them in place), then stores head with release: done with.
 *
 * Killed ...                                   leaves                    and then
 *   the producer before its store of tail      items that nobody sees    the next producer writes over them; they never were
 *   the producer after it                      items                     they are there
 *   the consumer before its store of head      head as it was            the next consumer gets the same items again: at least once
 *   the consumer after it                      head moved                they were got
 *
 * A consumer that hands items out in place says so first, in `handed`; so who comes after it knows which ones somebody has seen already, and says so. One that
 * only copies has shown nobody anything when it dies before its store.
 *
 * How many items the consumer holds is not head ... handed: some of those may have been another's, before it. So it says where it began, before it says that it was it: killed
 * anywhere in between it holds nothing, which is right, and the words of another count for nothing.
 *
 * Untrusted positions: the other side's word is loaded once and compared with our own position, which lies in private memory, and with what it was before: it only grows,
 * and the two are never further apart than the capacity. Our index is computed from private numbers alone.
 */
#include "queue/spsc.h"

#include <string.h>

#include "platform/cpu.h"

static inline uint64_t load(pabal__word *word)
{
	return atomic_load_explicit(word, memory_order_acquire); /* pairs with the release in pabal__spsc_publish() */
}

/* Items that may be put, or got, if the other's position is @other; more than the capacity: an impossible position. */
static inline uint64_t available(const struct pabal__spsc_end *end, uint64_t other)
{
	uint64_t used = end->producer ? end->position - other : other - end->position;

	return used > end->capacity ? used : end->producer ? end->capacity - used : used;
}

enum pabal__ring_result pabal__spsc_adopt(struct pabal__spsc_end *end, uint64_t me)
{
	struct pabal__spsc_shared *shared = end->shared;
	uint64_t handed;

	/* acquire: pairs with the release of whoever was here before us, and of the other side */
	end->position = load(end->producer ? &shared->tail : &shared->head);
	end->seen = load(end->producer ? &shared->head : &shared->tail);
	end->index = (uint32_t)(end->position % end->capacity);
	if ((end->producer ? end->position - end->seen : end->seen - end->position) > end->capacity)
		return PABAL__RING_CORRUPT;
	/* relaxed: says only how often items were seen, and is checked */
	handed = end->producer ? end->position : atomic_load_explicit(&shared->handed, memory_order_relaxed);
	end->again = handed - end->position <= end->seen - end->position ? handed : end->position;
	if (end->producer)
		return PABAL__RING_DONE;
	/* relaxed: statistics; a process that dies has done its stores in this order */
	atomic_store_explicit(&shared->whose, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->came, end->again, memory_order_relaxed);
	atomic_store_explicit(&shared->out, end->position, memory_order_relaxed);
	atomic_store_explicit(&shared->whose, me, memory_order_release); /* pairs with the acquire in pabal__spsc_count_handed() */
	return PABAL__RING_DONE;
}

enum pabal__ring_result pabal__spsc_look(struct pabal__spsc_end *end, uint32_t wanted, uint32_t *ret_count)
{
	uint64_t count = available(end, end->seen);

	if (count < wanted) {
		uint64_t other = load(end->producer ? &end->shared->head : &end->shared->tail);

		/* It went back, or further than it can be. */
		if (available(end, other) > end->capacity || other - end->seen > end->capacity)
			return PABAL__RING_CORRUPT;
		end->seen = other;
		count = available(end, other);
		if (PABAL__FAULT(SPSC_NO_ROOM_CHECK) && end->producer)
			count = wanted;
	}
	*ret_count = (uint32_t)(count < wanted ? count : wanted);
	return *ret_count ? PABAL__RING_DONE : PABAL__RING_NOT_NOW;
}

void pabal__spsc_publish(struct pabal__spsc_end *end, uint32_t count)
{
	pabal__word *word = end->producer ? &end->shared->tail : &end->shared->head;

	end->position += count;
	end->index += count;
	if (end->index >= end->capacity)
		end->index -= end->capacity;
	/* release: the items are written before they are seen, or read before they are written over; pairs with load() */
	atomic_store_explicit(word, end->position, PABAL__FAULT(SPSC_RELAXED) ? memory_order_relaxed : memory_order_release);
}

/* The @count next items lie in one piece, or in two. */
static inline uint32_t first_piece(const struct pabal__spsc_end *end, uint32_t count)
{
	uint32_t rest = end->capacity - end->index;

	return count < rest ? count : rest;
}

void pabal__spsc_put(struct pabal__spsc_end *end, const void *items, uint32_t count)
{
	uint32_t first = first_piece(end, count), index = end->index;
	uint64_t size = end->item_size;

	if (PABAL__FAULT(SPSC_PUBLISH_FIRST))
		pabal__spsc_publish(end, count);
	pabal__cpu_copy_to_share(end->items + index * size, items, first * size);
	if (count > first)
		pabal__cpu_copy_to_share(end->items, (const uint8_t *)items + first * size, (count - first) * size);
	if (!PABAL__FAULT(SPSC_PUBLISH_FIRST))
		pabal__spsc_publish(end, count);
}

void pabal__spsc_get(struct pabal__spsc_end *end, void *items, uint32_t count)
{
	uint32_t first = first_piece(end, count), index = end->index;
	uint64_t size = end->item_size;

	if (PABAL__FAULT(SPSC_LET_GO_FIRST))
		pabal__spsc_publish(end, count);
	memcpy(items, end->items + index * size, first * size);
	if (count > first)
		memcpy((uint8_t *)items + first * size, end->items, (count - first) * size);
	if (!PABAL__FAULT(SPSC_LET_GO_FIRST))
		pabal__spsc_publish(end, count);
}

uint32_t pabal__spsc_run(const struct pabal__spsc_end *end, uint32_t count, void **ret_items, bool *ret_again)
{
	uint32_t run = first_piece(end, count);

	*ret_again = !end->producer && (int64_t)(end->again - end->position) > 0;
	if (*ret_again && end->again - end->position < run)
		run = (uint32_t)(end->again - end->position);
	*ret_items = end->items + end->index * end->item_size;
	return run;
}

void pabal__spsc_hand_out(const struct pabal__spsc_end *end, uint32_t count)
{
	uint64_t upto = end->position + count;

	/* relaxed: the kernel's word that we died comes between this and who reads it. `handed` never goes back: some of an earlier run may be out still. */
	if (PABAL__FAULT(SPSC_NO_MARK))
		return;
	if (__builtin_expect((int64_t)(upto - end->again) > 0, 1))
		atomic_store_explicit(&end->shared->handed, upto, memory_order_relaxed);
	else
		atomic_store_explicit(&end->shared->out, upto, memory_order_relaxed);
}

bool pabal__spsc_count(struct pabal__spsc_shared *shared, uint32_t capacity, uint64_t *ret_put, uint64_t *ret_got)
{
	uint64_t before = load(&shared->head), put = load(&shared->tail), got = load(&shared->head);

	*ret_put = *ret_got = put;
	if (before == got && put - got > capacity) /* nothing moved, and it is impossible */
		return false;
	if ((int64_t)(put - got) > 0) /* else the consumer has got on since: about even */
		*ret_got = got;
	return true;
}

static uint64_t within(uint64_t upto, uint64_t put, uint64_t got)
{
	return upto - got <= put - got ? upto - got : 0;
}

void pabal__spsc_count_handed(struct pabal__spsc_shared *shared, uint64_t put, uint64_t got, uint64_t whose, uint64_t *ret_in_hand,
			      uint64_t *ret_back)
{
	bool ours = atomic_load_explicit(&shared->whose, memory_order_acquire) == whose && whose; /* pairs with pabal__spsc_adopt() */
	/* relaxed: a look, unless the consumer is dead, or is us; whatever they say is bounded */
	uint64_t handed = atomic_load_explicit(&shared->handed, memory_order_relaxed);
	uint64_t came = atomic_load_explicit(&shared->came, memory_order_relaxed);
	uint64_t out = atomic_load_explicit(&shared->out, memory_order_relaxed);
	uint64_t in_hand = ours ? within((int64_t)(handed - came) > 0 ? handed : out, put, got) : 0;
	uint64_t shown = within(handed, put, got);

	*ret_in_hand = in_hand;
	*ret_back = shown > in_hand ? shown - in_hand : 0;
}
