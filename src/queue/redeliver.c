/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/redeliver.c - giving back and taking again.
 *
 *   LEASED(c) --one store by c, or one CAS by its undertaker--> REDELIVER --one CAS by anybody--> LEASED(c2)
 *
 * The index bit of the extent is set before the header changes and once more after it; who finds an extent without any such block clears the bit, looks again, and
 * sets it if there is one now. Killed in between: a bit too many (harmless), or, for who was killed between clearing and looking, a bit too few until the
 * undertaker has looked at every block anyway and sets the bits of those that wait.
 * Another who looked between the clearing and the setting saw no bit, and takes the number of the notice for seen; so who set the bit again announces once more.
 * After the header changes, who gave back adds 1 to the notice word. Killed before that: its undertaker adds 1 as its last act.
 */
#include "queue/redeliver.h"

#include "memory/extent.h"

enum { ROUNDS = 1024 }; /* a guess: lists that an honest taker loses to others, all of them, before it gives up */

static pabal__word *index_word(const struct pabal__segment *segment, uint32_t extent)
{
	return (pabal__word *)pabal__segment_at(segment, segment->layout.index) + extent / 64;
}

static uint32_t extent_of(const struct pabal__segment *segment, uint32_t number)
{
	const struct pabal__class *class = &segment->layout.classes[pabal__layout_class(&segment->layout, number)];

	return class->first_extent + ((number - class->first_block) >> class->shift);
}

void pabal__redeliver_init(struct pabal__redeliver *redeliver, const struct pabal__segment *segment, uint32_t me)
{
	redeliver->segment = segment;
	redeliver->me = me;
	redeliver->next = redeliver->count = 0;
	redeliver->announce = false;
	redeliver->more = true; /* whoever comes new looks once */
}

void pabal__redeliver_mark(const struct pabal__segment *segment, uint32_t number)
{
	uint32_t extent = extent_of(segment, number);

	if (PABAL__FAULT(NO_INDEX))
		return;
	/* seq_cst: orders the bit against the header for those who clear the one and read the other */
	atomic_fetch_or_explicit(index_word(segment, extent), UINT64_C(1) << extent % 64, memory_order_seq_cst);
}

bool pabal__redeliver_give(const struct pabal__segment *segment, const struct pabal__block *block, uint64_t header, uint32_t deliveries)
{
	uint64_t given = pabal__header_next(header, PABAL__REDELIVER, 0, deliveries);

	pabal__redeliver_mark(segment, block->number);
	/* release: pairs with the acquire of the next taker */
	if (!atomic_compare_exchange_strong_explicit(&block->words[PABAL__WORD_HEADER], &header, given, memory_order_acq_rel, memory_order_relaxed))
		return false;
	pabal__redeliver_mark(segment, block->number);
	return true;
}

static void insert(struct pabal__redeliver *redeliver, uint64_t sequence, uint32_t number)
{
	uint32_t at = redeliver->count;

	if (at == PABAL__REDELIVER_BATCH) {
		redeliver->more = true;
		if (redeliver->candidates[--at].sequence <= sequence)
			return;
	} else {
		redeliver->count++;
	}
	for (; at > 0 && redeliver->candidates[at - 1].sequence > sequence; at--)
		redeliver->candidates[at] = redeliver->candidates[at - 1];
	redeliver->candidates[at].sequence = sequence;
	redeliver->candidates[at].number = number;
}

/* Look at the blocks of one extent. @redeliver: enter them in its list; may be NULL. Returns how many wait. */
static uint32_t look_at_extent(const struct pabal__segment *segment, const struct pabal__class *class, uint32_t index,
			       struct pabal__redeliver *redeliver)
{
	uint32_t found = 0;
	struct pabal__block block;

	/* acquire: pairs with the release that made it a home */
	if (!pabal__extent_has_blocks(atomic_load_explicit(pabal__extent_word(segment, class, index), memory_order_acquire)))
		return 0;
	for (uint32_t i = 0; i < 1u << class->shift; i++) {
		uint64_t header;

		pabal__block_at(segment, class, (index << class->shift) + i, &block);
		header = atomic_load_explicit(&block.words[PABAL__WORD_HEADER], memory_order_seq_cst); /* after the clearing of the bit */
		if (pabal__header_state(header) != PABAL__REDELIVER)
			continue;
		found++;
		if (redeliver)
			insert(redeliver, pabal__block_get(&block, PABAL__WORD_SEQUENCE) >> 16, block.number);
	}
	return found;
}

static uint64_t look_at_all(const struct pabal__segment *segment, struct pabal__redeliver *redeliver)
{
	uint64_t found = 0;

	for (uint32_t number = 0; number < segment->layout.class_count; number++) {
		const struct pabal__class *class = &segment->layout.classes[number];
		uint32_t high = pabal__extents_high(segment, number);

		for (uint32_t i = 0; i < high; i++) {
			uint32_t extent = class->first_extent + i, here;
			pabal__word *word = index_word(segment, extent);
			uint64_t bit = UINT64_C(1) << extent % 64;

			if (!(atomic_load_explicit(word, memory_order_acquire) & bit)) /* pairs with the setting of the bit */
				continue;
			here = look_at_extent(segment, class, i, redeliver);
			found += here;
			if (here || !redeliver)
				continue;
			/* seq_cst: clear, then look; pairs with pabal__redeliver_give()'s change, then set */
			atomic_fetch_and_explicit(word, ~bit, memory_order_seq_cst);
			here = look_at_extent(segment, class, i, redeliver);
			if (here) {
				atomic_fetch_or_explicit(word, bit, memory_order_seq_cst);
				redeliver->announce = true;
			}
			found += here;
		}
	}
	return found;
}

void pabal__redeliver_refresh(struct pabal__redeliver *redeliver)
{
	redeliver->next = redeliver->count = 0;
	redeliver->more = false;
	look_at_all(redeliver->segment, redeliver);
}

static enum pabal__ring_result claim(struct pabal__redeliver *redeliver, uint32_t number, uint64_t size_max, struct pabal__block *ret_block,
				     uint64_t *ret_header)
{
	uint64_t header, lease;
	bool sound;

	/* The list was made a while ago: by now others may have received the message, and its memory may have been given back. */
	if (!pabal__extent_find_block(redeliver->segment, number, ret_block))
		return PABAL__RING_NOT_NOW;
	header = atomic_load_explicit(&ret_block->words[PABAL__WORD_HEADER], memory_order_acquire); /* pairs with the giver's release */
	if (pabal__header_state(header) != PABAL__REDELIVER)
		return PABAL__RING_NOT_NOW;
	ret_block->length = pabal__block_length(ret_block); /* read once; the version in the CAS below says that it is this message's */
	sound = ret_block->length <= ret_block->room;
	if (sound && ret_block->length > size_max) {
		atomic_thread_fence(memory_order_acquire); /* as in ring.c: read, then looked at again; pairs with the CAS of whoever claims it */
		return atomic_load_explicit(&ret_block->words[PABAL__WORD_HEADER], memory_order_relaxed) == header ? PABAL__RING_LARGE
														   : PABAL__RING_NOT_NOW;
	}
	lease = sound ? pabal__header_lease(header, redeliver->me) : pabal__header_next(header, PABAL__FREE, 0, 0);
	/* acq_rel: pairs with the giver's release; whoever buries us sees the whole of it */
	if (!atomic_compare_exchange_strong_explicit(&ret_block->words[PABAL__WORD_HEADER], &header, lease, memory_order_acq_rel,
						     memory_order_relaxed))
		return PABAL__RING_NOT_NOW;
	*ret_header = lease;
	return sound ? PABAL__RING_DONE : PABAL__RING_CORRUPT;
}

enum pabal__ring_result pabal__redeliver_take(struct pabal__redeliver *redeliver, uint64_t size_max, struct pabal__block *ret_block,
					      uint64_t *ret_header)
{
	/* Bounded: a hostile peer could offer false candidates for ever. */
	for (uint32_t rounds = ROUNDS; rounds; rounds--) {
		while (redeliver->next < redeliver->count) {
			uint32_t number = redeliver->candidates[redeliver->next].number;
			enum pabal__ring_result result = claim(redeliver, number, size_max, ret_block, ret_header);

			redeliver->next += result != PABAL__RING_LARGE; /* that one stays the next */
			if (result != PABAL__RING_NOT_NOW)
				return result;
		}
		if (!redeliver->more)
			break;
		pabal__redeliver_refresh(redeliver);
		if (!redeliver->count)
			break;
	}
	return PABAL__RING_NOT_NOW;
}

uint64_t pabal__redeliver_count(const struct pabal__segment *segment)
{
	return look_at_all(segment, NULL);
}
