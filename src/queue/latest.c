/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/latest.c - many writers, many readers, the newest item.
 *
 * A block may be filled by the one who claimed it, if it is not the newest and nobody has pinned it.
 *
 *   writer: claims a free block, CAS 0 -> me; looks whether it is the newest or pinned, if so lets go and takes another; fills it; publishes it, CAS newest;
 *           lets go, a store.
 *   reader: loads newest; stores the block's number as its pin; loads newest again: the same word, sequence and all, so the pin holds; reads; clears the pin.
 *
 * Why the pin holds. The block was the newest when the reader looked again, after its pin was there. A writer that fills this block has claimed it, and has seen after that
 * that another is the newest, and after that no pin of this block. If it saw that before the block became the newest, then it owned the block while somebody published
 * it: only an owner publishes. So it saw that after the block ceased to be the newest, hence after the reader's second look, hence after the pin; and it looks at the pins
 * later still. The pin, the claim, and the looks after them are one total order (seq_cst).
 *
 * Nobody waits: a writer passes over what is in use, and there are more blocks than can be (latest.h). A reader begins again only when an item was published within its few
 * instructions. A writer that fails to publish again and again was overtaken by newer items every time, and stops as overwritten.
 *
 * Killed ...                          leaves                        and then
 *   a writer before it published      a block that it owns          its undertaker lets go of it; the item never was
 *   a writer after it published       the item, and the same        the same; the item is there
 *   a reader                          its pin                       its undertaker clears it; one block was withheld, of more than can be in use
 *
 * A hostile peer can pin and claim as much as it likes: then no block is free and writers say so. It can change items under their readers.
 */
#include "queue/latest.h"

#include <string.h>

enum { TRIES = 64 }; /* a guess: each failure is an item published within a few instructions */

static inline uint64_t newest(const struct pabal__latest *latest)
{
	/* seq_cst: after the pin, or the claim, of the one who looks; acquire of the item: pairs with pabal__latest_publish() */
	return atomic_load_explicit(&latest->shared->newest, memory_order_seq_cst);
}

static inline uint32_t pinned_by(const struct pabal__latest *latest, uint32_t id)
{
	/* seq_cst: after the claim; acquire: the reader is done with what it pinned before. Pairs with pabal__latest_pin() and _unpin() */
	return (uint32_t)atomic_load_explicit(&latest->shared->pins[id].block, memory_order_seq_cst);
}

uint32_t pabal__latest_high(const struct pabal__latest *latest)
{
	/* acquire: pairs with pabal__latest_raise(), after which the blocks have memory */
	uint64_t high = atomic_load_explicit(&latest->shared->high, memory_order_acquire);

	return high > PABAL__LATEST_BLOCKS ? PABAL__LATEST_BLOCKS : (uint32_t)high;
}

void pabal__latest_raise(const struct pabal__latest *latest, uint32_t high)
{
	uint64_t expected = high;

	/* release: pairs with the acquire in pabal__latest_high(). Failing: somebody else has raised it. */
	atomic_compare_exchange_strong_explicit(&latest->shared->high, &expected, high + 1, memory_order_release, memory_order_relaxed);
}

bool pabal__latest_reads(const struct pabal__latest *latest, uint32_t id)
{
	return pinned_by(latest, id) != 0;
}

uint32_t pabal__latest_reader(const struct pabal__latest *latest, uint32_t block)
{
	uint32_t high = pabal__participants_high(latest->segment);

	for (uint32_t id = 1; id <= high; id++)
		if (pinned_by(latest, id) == block + 1)
			return id;
	return 0;
}

/* A bit for each block that is pinned: a first look, so that not each candidate needs one of its own. */
static void look_at_pins(const struct pabal__latest *latest, uint64_t *bits)
{
	uint32_t high = pabal__participants_high(latest->segment);

	memset(bits, 0, PABAL__LATEST_BLOCKS / 8);
	for (uint32_t id = 1; id <= high; id++) {
		uint32_t pin = pinned_by(latest, id);

		if (pin && pin <= PABAL__LATEST_BLOCKS)
			bits[(pin - 1) / 64] |= UINT64_C(1) << (pin - 1) % 64;
	}
}

static void let_go(const struct pabal__latest *latest, uint32_t block)
{
	uint64_t word = atomic_load_explicit(&latest->shared->owners[block], memory_order_relaxed); /* ours alone */

	/* release: what we wrote comes before the next owner's writing; pairs with the CAS of claim() */
	atomic_store_explicit(&latest->shared->owners[block], ((word >> 32) + 1) << 32, memory_order_release);
}

static bool claim(const struct pabal__latest *latest, uint32_t block)
{
	uint64_t word = atomic_load_explicit(&latest->shared->owners[block], memory_order_relaxed); /* a look; the CAS decides */

	if ((uint32_t)word)
		return false;
	/* seq_cst: first the claim, then the looks at the newest and at the pins; acquire: pairs with let_go() */
	if (!atomic_compare_exchange_strong_explicit(&latest->shared->owners[block], &word, word | latest->me, memory_order_seq_cst,
						     memory_order_relaxed))
		return false;
	if (pabal__latest_block(newest(latest)) != block && (PABAL__FAULT(LATEST_NO_LOOK) || !pabal__latest_reader(latest, block)))
		return true;
	let_go(latest, block);
	return false;
}

enum pabal__ring_result pabal__latest_claim(struct pabal__latest *latest, uint32_t *ret_block)
{
	uint64_t pinned[PABAL__LATEST_BLOCKS / 64];
	uint32_t high = pabal__latest_high(latest);

	look_at_pins(latest, pinned);
	for (uint32_t i = 0; i < high; i++) {
		uint32_t block = (latest->probe + i) % high;

		if ((pinned[block / 64] >> block % 64 & 1 && !PABAL__FAULT(LATEST_NO_LOOK)) || pabal__latest_block(newest(latest)) == block)
			continue;
		if (claim(latest, block)) {
			latest->probe = block + 1;
			*ret_block = block;
			return PABAL__RING_DONE;
		}
	}
	return high == PABAL__LATEST_BLOCKS ? PABAL__RING_CORRUPT : PABAL__RING_NOT_NOW;
}

uint64_t pabal__latest_publish(const struct pabal__latest *latest, uint32_t block, uint32_t count)
{
	uint64_t word = newest(latest), sequence = 0;

	for (int i = 0; i < TRIES; i++) {
		sequence = pabal__latest_sequence(word) + count;
		/* release: the item is whole before it is the newest; pairs with newest() */
		if (atomic_compare_exchange_strong_explicit(&latest->shared->newest, &word, sequence << 16 | block,
							    PABAL__FAULT(LATEST_RELAXED) ? memory_order_relaxed : memory_order_seq_cst,
							    memory_order_relaxed))
			break;
	}
	let_go(latest, block);
	return sequence;
}

void pabal__latest_cancel(const struct pabal__latest *latest, uint32_t block)
{
	let_go(latest, block);
}

enum pabal__ring_result pabal__latest_pin(struct pabal__latest *latest, uint64_t *ret_word)
{
	uint64_t word = newest(latest), again;

	if (pabal__latest_sequence(word) == latest->seen)
		return PABAL__RING_NOT_NOW;
	for (int i = 0; i < TRIES; i++) {
		if (pabal__latest_block(word) >= pabal__latest_high(latest)) {
			pabal__latest_unpin(latest);
			return PABAL__RING_CORRUPT;
		}
		/* seq_cst: first the pin, then the second look; pairs with claim() */
		if (!PABAL__FAULT(LATEST_NO_PIN))
			atomic_store_explicit(&latest->shared->pins[latest->me].block, pabal__latest_block(word) + 1, memory_order_seq_cst);
		again = newest(latest);
		if (again == word || PABAL__FAULT(LATEST_NO_REREAD)) {
			latest->seen = pabal__latest_sequence(word);
			*ret_word = word;
			return PABAL__RING_DONE;
		}
		word = again;
	}
	pabal__latest_unpin(latest);
	return PABAL__RING_BUSY;
}

void pabal__latest_unpin(const struct pabal__latest *latest)
{
	/* release: we are done reading before a writer finds it free; pairs with pinned_by() */
	atomic_store_explicit(&latest->shared->pins[latest->me].block, 0, memory_order_release);
}

bool pabal__latest_is_news(const struct pabal__latest *latest)
{
	return pabal__latest_sequence(newest(latest)) != latest->seen;
}

void pabal__latest_recover(const struct pabal__latest *latest, uint32_t id)
{
	uint32_t high = pabal__latest_high(latest);

	for (uint32_t block = 0; block < high; block++) {
		uint64_t word = atomic_load_explicit(&latest->shared->owners[block], memory_order_relaxed); /* a look; the CAS decides */

		/* acq_rel: what the dead one wrote comes before the next owner's writing */
		if ((uint32_t)word == id)
			atomic_compare_exchange_strong_explicit(&latest->shared->owners[block], &word, ((word >> 32) + 1) << 32, memory_order_acq_rel,
								memory_order_relaxed);
	}
	/* release: as the dead reader would have done */
	atomic_store_explicit(&latest->shared->pins[id].block, 0, memory_order_release);
}
