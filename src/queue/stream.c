/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/stream.c - the slow steps of a single-writer ring.
 *
 * The states of a cell of the ring, by its position p, where r is how far the reader has read and w the writer's next position (r <= w <= r + S):
 *
 *     free (p >= w): the writer's to write; nobody reads, but for the one header word at w, in which the reader looks for the next sequence number
 *     published (r <= p < w): the reader's to read; nobody writes
 *
 * free -> published: the release store of a header with that sequence number, by the writer. published -> free: the release store of the position, by the reader. Both are
 * single stores: a writer killed before its store leaves content that nobody looks at, killed after it a message that is there whole. A reader killed before its store has
 * consumed nothing that anybody else could miss: a link's messages go with their receiver.
 *
 * No word is written by both, and the kernel sees to that. What the other side writes is read once and checked: the reader checks each header before it uses a length, the
 * writer each position against what it believed before, so that a liar can only spoil what he reads himself.
 */
#include "queue/stream.h"

#include <errno.h>
#include <string.h>

_Static_assert(offsetof(struct pabal__half, arena) % PABAL__STREAM_PAGE == 0, "the arena begins on a page");
_Static_assert(offsetof(struct pabal__half, ring) % 128 == 0, "the ring begins on a pair of lines");
_Static_assert(PABAL__STREAM_SLACK > 8 + sizeof(struct pabal__stream_extra) + PABAL__STREAM_INLINE_MAX + UINT64_C(16) * PABAL__STREAM_APART_MAX,
	       "the longest message ends in the slack");
_Static_assert(sizeof(struct pabal__stream_extra) == 16 && sizeof(struct pabal__stream_place) == 32, "content stays aligned to 16 bytes");

uint64_t pabal__stream_size(uint64_t memory_max)
{
	if (memory_max == 0 || memory_max > PABAL__STREAM_MEMORY_MAX)
		return 0;
	return sizeof(struct pabal__half) + pabal__stream_arena_size(memory_max);
}

void pabal__stream_format(void *mine, uint64_t memory_max)
{
	struct pabal__half *half = mine;

	half->magic = PABAL__STREAM_MAGIC;
	half->memory_max = memory_max;
	/* relaxed: the peer maps it later */
	atomic_store_explicit(&half->position, PABAL__STREAM_FIRST, memory_order_relaxed);
	/* The first header must not be taken for one before there is any. */
	atomic_store_explicit(pabal__stream_header(half->ring, PABAL__STREAM_FIRST), (uint64_t)~PABAL__STREAM_SEQUENCE << 32, memory_order_relaxed);
}

bool pabal__stream_fits(const void *peer, uint64_t memory_max)
{
	const volatile struct pabal__half *half = peer; /* read once each, whatever the compiler would like */

	return half->magic == PABAL__STREAM_MAGIC && half->memory_max == memory_max;
}

void pabal__writer_init(struct pabal__writer *writer, struct pabal__half *mine, const struct pabal__half *peer)
{
	memset(writer, 0, sizeof *writer);
	writer->ring = mine->ring;
	writer->position = &peer->position;
	writer->next = writer->read = PABAL__STREAM_FIRST;
	writer->limit = writer->read + PABAL__STREAM_BYTES - 8;
	atomic_init(&writer->sequence, PABAL__STREAM_SEQUENCE);
}

/* Where the gap lies next. */
static uint64_t gap_position(const struct pabal__writer *writer)
{
	uint64_t position = (writer->next & ~(uint64_t)(PABAL__STREAM_BYTES - 1)) + writer->gap;

	return position < writer->next ? position + PABAL__STREAM_BYTES : position;
}

static void set_limit(struct pabal__writer *writer)
{
	/* The header word at the new position must be free as well. */
	writer->limit = writer->read + PABAL__STREAM_BYTES - 8;
	if (writer->gap_end && gap_position(writer) < writer->limit && !PABAL__FAULT(GAP_IGNORED))
		writer->limit = gap_position(writer);
}

static uint64_t skip_to_gap_end(const struct pabal__writer *writer)
{
	return gap_position(writer) - writer->gap + writer->gap_end - writer->next;
}

static void skip(struct pabal__writer *writer, uint64_t cells)
{
	struct pabal__spot spot = pabal__writer_spot(writer, cells - 8);

	pabal__spot_settle(&spot);
	pabal__writer_publish(writer, &spot, PABAL__STREAM_SKIP);
	writer->skips++;
}

static inline struct pabal__spot spot_apart(const struct pabal__writer *writer, uint64_t length)
{
	uint64_t end = writer->next + 8 + length, begin = ((end + 63) & ~UINT64_C(63)) + PABAL__STREAM_FIRST; /* of the next header */
	uint64_t apart = begin - (writer->next + pabal__stream_cells(length)), after = pabal__stream_after(begin, 0);
	uint64_t sequence = pabal__writer_sequence(writer);

	return (struct pabal__spot){ .header = pabal__stream_header(writer->ring, writer->next),
				     .behind = pabal__stream_header(writer->ring, after),
				     .after = after,
				     .sequence = sequence,
				     .length = length,
				     .word = pabal__stream_word(sequence, apart / 16, length),
				     .alone = true };
}

struct pabal__spot pabal__writer_spot_apart(const struct pabal__writer *writer, uint64_t length)
{
	struct pabal__spot spot = spot_apart(writer, length);

	return __builtin_expect(spot.after <= writer->limit, 1) ? spot : pabal__writer_spot(writer, length);
}

void pabal__writer_prepare(struct pabal__writer *writer, uint64_t length)
{
	struct pabal__spot spot = spot_apart(writer, length);
	uint64_t line = (writer->next | 63) + 1, end = writer->next + 8 + length;

	atomic_store_explicit(spot.header, ~spot.sequence << 32, memory_order_relaxed);            /* relaxed: as in settle */
	for (; line < end && (line + 64 <= writer->limit || PABAL__FAULT(OWN_UNREAD)); line += 64) /* relaxed: for nobody */
		atomic_store_explicit(pabal__stream_header(writer->ring, line), 0, memory_order_relaxed);
	if (__builtin_expect(spot.after > writer->limit, 0))
		return;
	pabal__spot_settle(&spot);
	writer->ready = spot;
}

/* How far the peer has read by now. */
static int learn(struct pabal__writer *writer)
{
	/* acquire: the peer has read what lies before; pairs with the release in pabal__reader_consume() */
	uint64_t read = atomic_load_explicit(writer->position, memory_order_acquire);

	/* It never goes back, and never past what was written. */
	if (read - writer->read > writer->next - writer->read && !PABAL__FAULT(POSITION_UNCHECKED))
		return -EBADMSG;
	writer->read = read;
	set_limit(writer);
	return 0;
}

int pabal__writer_look_for_room(struct pabal__writer *writer, uint64_t cells)
{
	int r = learn(writer);

	if (r < 0)
		return r;
	if (pabal__stream_after(writer->next, cells) <= writer->limit)
		return 1;
	if (!writer->gap_end || writer->limit != gap_position(writer))
		return 0;
	if (pabal__stream_after(writer->next, skip_to_gap_end(writer)) > writer->read + PABAL__STREAM_BYTES - 8)
		return 0;
	skip(writer, skip_to_gap_end(writer));
	set_limit(writer);
	return pabal__stream_after(writer->next, cells) <= writer->limit;
}

int pabal__writer_room_behind(struct pabal__writer *writer, uint64_t lent, uint64_t cells)
{
	uint64_t after = pabal__stream_after(pabal__stream_after(writer->next, lent), cells);
	int r = after <= writer->limit ? 0 : learn(writer);

	return r < 0 ? r : after <= writer->limit;
}

void pabal__writer_overtake(struct pabal__writer *writer, uint64_t cells)
{
	uint64_t offset = pabal__stream_offset(writer->next);

	skip(writer, cells);
	writer->gap = offset;
	writer->gap_end = offset + cells;
	set_limit(writer);
}

void pabal__writer_close_gap(struct pabal__writer *writer)
{
	writer->gap_end = 0;
	set_limit(writer);
}
