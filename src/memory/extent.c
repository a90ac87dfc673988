/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/extent.c - backing, letting go and giving back of memory, and the budget.
 *
 * The budget needs no counter that a death could leave wrong: who wants to grow says so in the table first (BACKING), adds up the table with itself in it,
 * and backs out if the sum is too large. Two who do that at once may both back out; both try again.
 * The smallest class is not charged (the capacity bounds it), nor is an extent that is somebody's home (one a class and participant).
 */
#include "memory/extent.h"

#include <errno.h>

#include "base/error.h"
#include "platform/file.h"

uint32_t pabal__extents_high(const struct pabal__segment *segment, uint32_t number)
{
	/* acquire: pairs with the release in pabal__extent_raise() */
	uint64_t high = atomic_load_explicit(&segment->header->extents_high[number], memory_order_acquire);
	uint32_t count = segment->layout.classes[number].extents;

	return high > count ? count : (uint32_t)high;
}

/* Memory for the words that describe an extent. Each page is asked for by the first extent of the class on it; twice does no harm. */
static int back_tables(struct pabal__segment *segment, const struct pabal__class *class, uint32_t index)
{
	struct {
		uint64_t at, size;
	} tables[3] = {
		{ segment->layout.extent_words + (uint64_t)(class->first_extent + index) * 8, 8 },
		{ segment->layout.index + (uint64_t)(class->first_extent + index) / 64 * 8, 8 },
		{ class->headers + (uint64_t)index * class->header_stride, class->header_stride },
	};
	uint32_t count = class->headers == class->data ? 2 : 3;

	for (uint32_t i = 0; i < count; i++) {
		int r;

		if (index > 0 && tables[i].at % PABAL__PAGE >= tables[i].size)
			continue;
		r = pabal__segment_back(segment, tables[i].at / PABAL__PAGE * PABAL__PAGE, PABAL__PAGE);
		if (r < 0)
			return r;
	}
	return 0;
}

int pabal__extent_raise(struct pabal__segment *segment, uint32_t number, uint32_t *ret_index)
{
	const struct pabal__class *class = &segment->layout.classes[number];
	uint64_t high = pabal__extents_high(segment, number);
	int r;

	if (high >= class->extents)
		return -EAGAIN;
	r = back_tables(segment, class, (uint32_t)high);
	if (r < 0)
		return r;
	*ret_index = (uint32_t)high;
	/* release: pairs with pabal__extents_high(). Failing is fine: somebody else raised it, and the tables are backed in either case. */
	atomic_compare_exchange_strong_explicit(&segment->header->extents_high[number], &high, high + 1, memory_order_release, memory_order_relaxed);
	return 0;
}

static uint64_t extent_bytes(bool small, uint64_t word)
{
	if (pabal__extent_state(word) == PABAL__HOLE)
		return 0;
	return small ? PABAL__EXTENT : pabal__extent_pages(word) * PABAL__PAGE;
}

void pabal__extents_sum(const struct pabal__segment *segment, uint64_t *ret_charged, uint64_t *ret_all)
{
	uint64_t charged = 0, all = 0;

	for (uint32_t number = 0; number < segment->layout.class_count; number++) {
		const struct pabal__class *class = &segment->layout.classes[number];
		uint32_t high = pabal__extents_high(segment, number);

		for (uint32_t i = 0; i < high; i++) {
			/* relaxed: a growing one's own BACKING was a compare-and-swap before this loop */
			uint64_t word = atomic_load_explicit(pabal__extent_word(segment, class, i), memory_order_relaxed);
			uint64_t bytes = extent_bytes(number < PABAL__SMALL_CLASSES, word);

			if (bytes > class->block_size << class->shift)
				bytes = class->block_size << class->shift; /* a hostile word cannot make the sum overflow */
			all += bytes;
			if (number > 0 && pabal__extent_state(word) != PABAL__HOME)
				charged += bytes;
		}
	}
	*ret_charged = charged;
	*ret_all = all;
}

/* Does the table, with us in it, fit the budget? Most of the time the high-water marks alone say so. */
static bool within_budget(const struct pabal__segment *segment, uint64_t extra)
{
	uint64_t bound = extra, charged, all;

	for (uint32_t number = 1; number < segment->layout.class_count; number++) {
		const struct pabal__class *class = &segment->layout.classes[number];

		bound += pabal__extents_high(segment, number) * (class->block_size << class->shift);
	}
	if (bound <= segment->layout.memory_max)
		return true;
	atomic_thread_fence(memory_order_seq_cst); /* two who grow at once: at least one sees the other's BACKING */
	pabal__extents_sum(segment, &charged, &all);
	return charged + extra <= segment->layout.memory_max;
}

static int claim_hole(struct pabal__segment *segment, uint32_t number, uint32_t owner, uint32_t *ret_index, uint32_t *ret_version)
{
	const struct pabal__class *class = &segment->layout.classes[number];

	for (uint32_t i = 0; i < class->extents; i++) {
		pabal__word *slot;
		uint64_t word;

		if (i >= pabal__extents_high(segment, number)) {
			int r = pabal__extent_raise(segment, number, &i);

			if (r < 0)
				return r;
		}
		slot = pabal__extent_word(segment, class, i);
		word = atomic_load_explicit(slot, memory_order_relaxed); /* a look; the CAS decides */
		if (pabal__extent_state(word) != PABAL__HOLE)
			continue;
		*ret_version = (uint32_t)(word >> 32);
		/* acq_rel: pairs with the store of HOLE; what we do with the memory comes after the punch */
		if (atomic_compare_exchange_strong_explicit(slot, &word, pabal__extent_small(*ret_version, owner, PABAL__BACKING),
							    memory_order_acq_rel, memory_order_relaxed)) {
			*ret_index = i;
			return 0;
		}
	}
	return -EAGAIN;
}

static void write_headers(const struct pabal__segment *segment, const struct pabal__class *class, uint32_t extent, uint32_t version)
{
	struct pabal__block block;

	for (uint32_t i = 0; i < 1u << class->shift; i++) {
		pabal__block_at(segment, class, (extent << class->shift) + i, &block);
		/* relaxed: published by the release of HOME */
		atomic_store_explicit(&block.words[PABAL__WORD_HEADER], (uint64_t)version << 32 | PABAL__FREE, memory_order_relaxed);
	}
}

int pabal__extent_grow(struct pabal__segment *segment, uint32_t number, uint32_t owner, uint64_t floats, uint32_t *ret_index)
{
	const struct pabal__class *class = &segment->layout.classes[number];
	uint32_t index, version;
	pabal__word *slot;
	int r;

	r = claim_hole(segment, number, owner, &index, &version);
	if (r < 0)
		return r;
	slot = pabal__extent_word(segment, class, index);
	/* The claimed extent becomes a home, which is not charged; what its new home lets float is. BACKING counts, so take it off again. */
	if (number > 0 && floats && !within_budget(segment, floats - PABAL__EXTENT))
		r = -EAGAIN;
	if (r == 0)
		r = pabal__segment_back(segment, class->data + (uint64_t)index * PABAL__EXTENT, PABAL__EXTENT);
	if (r < 0) {
		atomic_store_explicit(slot, pabal__extent_small(version, 0, PABAL__HOLE), memory_order_release); /* pairs with claim_hole() */
		return r;
	}
	write_headers(segment, class, index, version);
	/* release: the headers are there before the extent is; pairs with those who find its blocks */
	atomic_store_explicit(slot, pabal__extent_small(version, owner, PABAL__HOME), memory_order_release);
	*ret_index = index;
	return 0;
}

/* Are all blocks free? If so also the version past all of theirs. */
static bool all_free(const struct pabal__segment *segment, const struct pabal__class *class, uint32_t extent, uint32_t *ret_version)
{
	uint32_t most = 0;
	struct pabal__block block;

	for (uint32_t i = 0; i < 1u << class->shift; i++) {
		uint64_t header;

		pabal__block_at(segment, class, (extent << class->shift) + i, &block);
		header = atomic_load_explicit(&block.words[PABAL__WORD_HEADER], memory_order_acquire); /* pairs with the release of the last reader */
		if (pabal__header_state(header) != PABAL__FREE && !PABAL__FAULT(PUNCH_UNCHECKED))
			return false;
		if (i == 0 || (int32_t)((uint32_t)(header >> 32) - most) > 0) /* versions wrap; those of one extent lie close together */
			most = (uint32_t)(header >> 32);
	}
	*ret_version = most + 1;
	return true;
}

static uint64_t punch_small(struct pabal__segment *segment, const struct pabal__class *class, uint32_t index, uint32_t version)
{
	int fd = pabal__segment_fd(segment);

	if (fd >= 0)
		pabal__file_punch(fd, class->data + (uint64_t)index * PABAL__EXTENT, PABAL__EXTENT);
	/* release: the memory is gone before it may be claimed; pairs with claim_hole() */
	atomic_store_explicit(pabal__extent_word(segment, class, index), pabal__extent_small(version, 0, PABAL__HOLE), memory_order_release);
	return PABAL__EXTENT;
}

uint64_t pabal__extent_reclaim_small(struct pabal__segment *segment, uint32_t number, uint32_t index, uint32_t owner)
{
	const struct pabal__class *class = &segment->layout.classes[number];
	pabal__word *slot = pabal__extent_word(segment, class, index);
	uint64_t word = atomic_load_explicit(slot, memory_order_relaxed); /* a look; the CAS decides */
	uint32_t version, was = (uint32_t)(word >> 32);

	if (pabal__extent_state(word) != PABAL__FLOATING)
		return 0;
	/* A look before the claim: an extent in use is the common case, and a claim keeps others from adopting it. */
	if (!all_free(segment, class, index, &version))
		return 0;
	/* acquire: pairs with the release of the home that let it float */
	if (!atomic_compare_exchange_strong_explicit(slot, &word, pabal__extent_small(was, owner, PABAL__CHECKING), memory_order_acquire,
						     memory_order_relaxed))
		return 0;
	if (!all_free(segment, class, index, &version)) { /* nobody is home, so what is free now stays free */
		atomic_store_explicit(slot, pabal__extent_small(was, 0, PABAL__FLOATING), memory_order_release); /* pairs with the next home's CAS */
		return 0;
	}
	/* The version is kept in the word before the punch wipes those in the headers. release: whoever finishes our punch sees the check done. */
	atomic_store_explicit(slot, pabal__extent_small(version, owner, PABAL__PUNCHING), memory_order_release);
	return punch_small(segment, class, index, version);
}

int pabal__extent_back_large(struct pabal__segment *segment, const struct pabal__class *class, uint32_t index, uint32_t owner, uint64_t size)
{
	pabal__word *slot = pabal__extent_word(segment, class, index);
	uint64_t word = atomic_load_explicit(slot, memory_order_relaxed); /* ours alone while we own the block */
	uint64_t step = class->block_size / 8 < PABAL__PAGE ? PABAL__PAGE : class->block_size / 8 / PABAL__PAGE * PABAL__PAGE;
	uint64_t wanted = (size + step - 1) / step * step, had = pabal__extent_pages(word) * PABAL__PAGE;
	int r = 0;

	if (wanted > class->block_size)
		wanted = class->block_size;
	if (pabal__extent_state(word) == PABAL__BACKED && had >= size && had <= class->block_size)
		return 0;
	/* seq_cst by the fence in within_budget(): say it first, then add up */
	atomic_store_explicit(slot, pabal__extent_large(wanted / PABAL__PAGE, owner, PABAL__BACKING), memory_order_release);
	if (!within_budget(segment, 0))
		r = -EAGAIN;
	if (r == 0)
		r = pabal__segment_back(segment, class->data + index * class->block_size, wanted);
	if (r == 0)
		atomic_store_explicit(slot, pabal__extent_large(wanted / PABAL__PAGE, 0, PABAL__BACKED),
				      memory_order_release); /* pairs with scanners */
	else if (r == -EAGAIN)
		atomic_store_explicit(slot, word, memory_order_release);
	else
		pabal__extent_recover(segment, (uint32_t)(class - segment->layout.classes), index, owner);
	return r;
}

static uint64_t punch_large(struct pabal__segment *segment, const struct pabal__class *class, uint32_t index)
{
	pabal__word *slot = pabal__extent_word(segment, class, index);
	uint64_t bytes = pabal__extent_pages(atomic_load_explicit(slot, memory_order_relaxed)) * PABAL__PAGE; /* ours alone */
	int fd = pabal__segment_fd(segment);

	if (fd >= 0)
		pabal__file_punch(fd, class->data + index * class->block_size, class->block_size);
	atomic_store_explicit(slot, pabal__extent_large(0, 0, PABAL__HOLE), memory_order_release); /* the memory is gone before the word says so */
	return bytes;
}

uint64_t pabal__extent_reclaim_large(struct pabal__segment *segment, uint32_t number, uint32_t index, uint32_t owner)
{
	const struct pabal__class *class = &segment->layout.classes[number];
	pabal__word *slot = pabal__extent_word(segment, class, index);
	uint64_t word = atomic_load_explicit(slot, memory_order_relaxed), header, bytes; /* a look; owning the block decides */
	struct pabal__block block;

	if (pabal__extent_state(word) != PABAL__BACKED)
		return 0;
	pabal__block_at(segment, class, index, &block);
	header = atomic_load_explicit(&block.words[PABAL__WORD_HEADER], memory_order_acquire); /* pairs with the release of the last reader */
	if (pabal__header_state(header) != PABAL__FREE)
		return 0;
	if (!atomic_compare_exchange_strong_explicit(&block.words[PABAL__WORD_HEADER], &header, pabal__header_next(header, PABAL__OWNED, owner, 0),
						     memory_order_acquire, memory_order_relaxed))
		return 0;
	header = pabal__header_next(header, PABAL__OWNED, owner, 0);
	word = atomic_load_explicit(slot, memory_order_relaxed); /* it may have been given back since the look; ours alone now */
	bytes = 0;
	if (pabal__extent_state(word) == PABAL__BACKED) {
		atomic_store_explicit(slot, pabal__extent_large(pabal__extent_pages(word), owner, PABAL__PUNCHING), memory_order_release);
		bytes = punch_large(segment, class, index);
	}
	/* release: pairs with the CAS of the block's next owner */
	atomic_store_explicit(&block.words[PABAL__WORD_HEADER], pabal__header_next(header, PABAL__FREE, 0, 0), memory_order_release);
	return bytes;
}

void pabal__extent_recover(struct pabal__segment *segment, uint32_t number, uint32_t index, uint32_t owner)
{
	const struct pabal__class *class = &segment->layout.classes[number];
	pabal__word *slot = pabal__extent_word(segment, class, index);
	uint64_t word = atomic_load_explicit(slot, memory_order_acquire); /* pairs with the dead one's releases */
	uint32_t version = (uint32_t)(word >> 32);

	if (pabal__extent_owner(word) != owner)
		return;
	switch (pabal__extent_state(word)) {
	case PABAL__BACKING:
	case PABAL__PUNCHING:
		if (number < PABAL__SMALL_CLASSES)
			punch_small(segment, class, index, version);
		else
			punch_large(segment, class, index);
		break;
	case PABAL__CHECKING:
		atomic_store_explicit(slot, pabal__extent_small(version, 0, PABAL__FLOATING),
				      memory_order_release); /* pairs with the next home's CAS */
		break;
	default:
		break;
	}
}
