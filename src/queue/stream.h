/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/stream.h - one direction of a link: a ring that one process writes and another reads, each in memory of its own.
 *
 * Each of the two owns one half: memory that it alone can write, and that the other can only read. The writer's half holds the ring and the arena of large messages; the
 * reader's half says how far it has read and what it has released. So a direction is written by two hands, but no word is. Here are the halves, what lies in a ring, and the writing end; the reading end is
 * stream_reader.h, the arena arena.h. Offsets and atomics only; who sleeps and who wakes whom stands in wait/doorbell.h, what a message means in model/.
 */
#ifndef PABAL_SRC_QUEUE_STREAM_H
#define PABAL_SRC_QUEUE_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "platform/cpu.h"

enum {
	PABAL__STREAM_BYTES =
		1
		<< 17, /* of a ring, slack included; a power of two. Measured: 64 KiB streams slower, 256 KiB no faster, and it is really allocated */
	PABAL__STREAM_SLACK = 2048,      /* the last bytes of it: a message may start before them and end in them, so it is never cut in two */
	PABAL__STREAM_INLINE_MAX = 1024, /* bytes of payload in the ring: PABAL_LINK_INLINE_MAX */
	PABAL__STREAM_TICKETS = 2048,    /* large messages under way; the ring holds about as many of their entries */
	PABAL__STREAM_AHEAD =
		512, /* bytes that each side fetches ahead, the writer up to twice as many at once. Measured: 512 to 1024 are alike, 256 is a third slower */
	PABAL__STREAM_PAGE = 4096, /* of the arena's place; a larger page of the kernel makes no difference to the layout */
	PABAL__STREAM_FIRST = 8,   /* offset of the first header: payloads are aligned to 16 bytes */
};

#define PABAL__STREAM_MAGIC UINT64_C(0x354b4e494c424150) /* "PABLINK5" */
#define PABAL__STREAM_MEMORY_MAX (UINT64_C(1) << 40)     /* bytes of an arena; as large as a mailbox's memory may be */

#ifdef PABAL_TEST
#define PABAL__STREAM_SEQUENCE UINT32_C(0xfffffff0) /* of the first message: a few before the wrap */
#define PABAL__STREAM_USE UINT32_C(0xfffffffd)      /* of the first use of a ticket, less one */
#else
#define PABAL__STREAM_SEQUENCE UINT32_C(1)
#define PABAL__STREAM_USE UINT32_C(0)
#endif

/*
 * The memory of one side. Its owner alone writes it; the other side reads it. What is written for different readings lies on different pairs of lines: processors
 * fetch pairs.
 */
struct pabal__half {
	uint64_t magic; /* this line: written once, before the other side maps it */
	uint64_t memory_max;
	_Alignas(128) _Atomic uint64_t position; /* how far the owner has read the other side's ring */
	_Alignas(128) _Atomic uint64_t arm;      /* what the owner wants to be woken for, number:32 | wants:32 (wait/doorbell.h) */
	_Atomic uint32_t state;                  /* PABAL__HALF_...; on the same line: whoever sends reads both */
	_Atomic uint32_t
		delay; /* before the first look for an answer, in force for both: pabal__patience_word(), of one of the two (wait/patience.h) */
	_Alignas(128) _Atomic uint64_t ring_word; /* the last arm of the other side that the owner rang, its number */
	_Alignas(128) _Atomic uint32_t released
		[PABAL__STREAM_TICKETS]; /* the last use of each of the other side's tickets that the owner has released; see pabal__stream_word_of() */
	_Alignas(128) unsigned char ring[PABAL__STREAM_BYTES];
	_Alignas(PABAL__STREAM_PAGE) unsigned char arena[]; /* large messages, memory_max bytes rounded up to a page */
};

enum pabal__half_state {
	PABAL__HALF_CLOSED = 1, /* an orderly end: the owner sends and receives no more */
	PABAL__HALF_FENCES = 2, /* the owner has no membarrier: it fences after each message, so that the one who sleeps needs none */
};

/* What lies in the ring, told by each header: sequence:32 | kind:4 | apart:3 | length:25. The next header lies behind the content and so many cells more. */
enum pabal__stream_kind {
	PABAL__STREAM_DATA = 1,  /* length bytes of payload */
	PABAL__STREAM_EXTRA = 2, /* struct pabal__stream_extra, then the payload */
	PABAL__STREAM_LARGE = 3, /* struct pabal__stream_extra and struct pabal__stream_place: the payload lies in the arena */
	PABAL__STREAM_SKIP = 4,  /* nothing: the reader goes on behind it */
};

/* What goes with a message beside its bytes. */
struct pabal__stream_extra {
	uint64_t call; /* of a call or a reply: which; else 0 */
	uint32_t tag;
	uint16_t fd_count;
	uint16_t what; /* PABAL__MESSAGE_... (model/link.h) */
};

struct pabal__stream_place {
	uint64_t offset, size; /* in the arena, bytes */
	uint64_t receipt;
	uint64_t
		released; /* the receipt of the other direction's large message that the writer has released last; its word says the same. 0: nothing is said */
};

/* By what a large message is given back, use:32 | ticket:32. One use in 2^32 of ticket 0 has none that could be said, and is only found in the word. */
static inline uint64_t pabal__stream_receipt(uint32_t ticket, uint32_t use)
{
	return (uint64_t)use << 32 | ticket;
}

static inline uint32_t pabal__stream_ticket(uint64_t receipt)
{
	return (uint32_t)receipt;
}

static inline uint32_t pabal__stream_use(uint64_t receipt)
{
	return (uint32_t)(receipt >> 32);
}

/* Where the next message goes, worked out once. */
struct pabal__spot {
	_Atomic uint64_t *header;
	_Atomic uint64_t *behind; /* the header of the one after it */
	uint64_t after;           /* its position */
	uint64_t sequence, length;
	uint64_t word; /* pabal__stream_word() */
	bool alone;    /* pabal__writer_spot_apart() */
};

/* The writing end; private to the process. One thread at a time. */
struct pabal__writer {
	unsigned char *ring;              /* ours */
	const _Atomic uint64_t *position; /* the peer's word: how far it has read */
	uint64_t next;                    /* position of the next header; positions count bytes and never go back */
	uint64_t limit;                   /* up to here the next header may move */
	uint64_t read;                    /* how far the peer has read, as it last said and was believed */
	uint64_t owned;                   /* up to here, lines were made the writer's own */
	uint64_t gap, gap_end;            /* offsets of a loan that others overtook: messages are laid around it; gap_end 0: there is none */
	_Atomic uint64_t
		sequence; /* of the next message or skip; the header bears the low half. Atomic for who receives in another thread, see model/link.h */
	uint64_t skips;
	struct pabal__spot ready; /* of the next message, if that is an answer as long as the last one; its sequence is 0 if there was none */
};

/* Relaxed: written by this end's thread alone, and for the other end's a hint. */
static inline uint64_t pabal__writer_sequence(const struct pabal__writer *writer)
{
	return atomic_load_explicit(&writer->sequence, memory_order_relaxed);
}

/* Bytes of one side's memory; 0: @memory_max is out of range (1 to 2^40). Everything before the arena is to be backed by real memory at once. */
uint64_t pabal__stream_size(uint64_t memory_max);
static inline uint64_t pabal__stream_arena_size(uint64_t memory_max)
{
	return (memory_max + PABAL__STREAM_PAGE - 1) & ~(uint64_t)(PABAL__STREAM_PAGE - 1);
}

/* Write the first words of @mine, which is all zeros: once, by its owner, before the other side maps it. */
void pabal__stream_format(void *mine, uint64_t memory_max);

/* Is what the peer handed over such a half, of that size? Looked at once. */
bool pabal__stream_fits(const void *half, uint64_t memory_max);

void pabal__writer_init(struct pabal__writer *writer, struct pabal__half *mine, const struct pabal__half *peer);

/* Where in the ring a position lies. */
static inline size_t pabal__stream_offset(uint64_t position)
{
	return position & (PABAL__STREAM_BYTES - 1);
}

enum {
	PABAL__STREAM_LENGTH_BITS = 25,
	PABAL__STREAM_LENGTH_MASK = (1 << PABAL__STREAM_LENGTH_BITS) - 1,
	PABAL__STREAM_APART_MAX = 7,
	PABAL__STREAM_APART_MASK = PABAL__STREAM_APART_MAX << PABAL__STREAM_LENGTH_BITS,
};

/* Bytes that a message takes in the ring: header and content, in cells of 16. */
static inline uint64_t pabal__stream_cells(uint64_t length)
{
	return (length + 8 + 15) & ~UINT64_C(15);
}

/* The position behind a message: no header lies in the slack, the next one lies in the next lap then. */
static inline uint64_t pabal__stream_after(uint64_t position, uint64_t cells)
{
	position += cells;
	if (__builtin_expect(pabal__stream_offset(position) >= PABAL__STREAM_BYTES - PABAL__STREAM_SLACK, 0))
		position = (position | (PABAL__STREAM_BYTES - 1)) + 1 + PABAL__STREAM_FIRST;
	return position;
}

/* Which word of released is a ticket's. The low tickets are those that are used most: each has a line of its own. */
static inline size_t pabal__stream_word_of(uint32_t ticket)
{
	enum { A_LINE = 64 / sizeof(uint32_t), LINES = PABAL__STREAM_TICKETS / A_LINE };

	return ticket % LINES * A_LINE + ticket / LINES;
}

/* Header words are atomics that lie in bytes. */
static inline _Atomic uint64_t *pabal__stream_header(unsigned char *ring, uint64_t position)
{
	return (_Atomic uint64_t *)(void *)(ring + pabal__stream_offset(position));
}

/* Ask the peer's word, and lay a skip around the gap. 1: room, 0: none, -EBADMSG: the peer's word makes no sense. */
int pabal__writer_look_for_room(struct pabal__writer *writer, uint64_t cells);

/* Is there room for a message of so many bytes in cells, and for looking at the header behind it? 1, 0 or -EBADMSG. */
static inline int pabal__writer_room(struct pabal__writer *writer, uint64_t cells)
{
	if (__builtin_expect(pabal__stream_after(writer->next, cells) <= writer->limit, 1))
		return 1;
	return pabal__writer_look_for_room(writer, cells);
}

/* The same behind a loan of the next cells, which is out and no skip yet: for a message that is to overtake it. Lays nothing. */
int pabal__writer_room_behind(struct pabal__writer *writer, uint64_t lent, uint64_t cells);

/* Where the content of the next message goes. */
static inline unsigned char *pabal__writer_content(struct pabal__writer *writer)
{
	return writer->ring + pabal__stream_offset(writer->next) + 8;
}

/* What a message will have in its header, but for its kind. */
static inline uint64_t pabal__stream_word(uint64_t sequence, uint64_t apart, uint64_t length)
{
	return sequence << 32 | apart << PABAL__STREAM_LENGTH_BITS | length;
}

static inline struct pabal__spot pabal__writer_spot(const struct pabal__writer *writer, uint64_t length)
{
	uint64_t after = pabal__stream_after(writer->next, pabal__stream_cells(length)), sequence = pabal__writer_sequence(writer);

	return (struct pabal__spot){ .header = pabal__stream_header(writer->ring, writer->next),
				     .behind = pabal__stream_header(writer->ring, after),
				     .after = after,
				     .sequence = sequence,
				     .length = length,
				     .word = pabal__stream_word(sequence, 0, length) };
}

/*
 * The same, but the message after it is to begin a line of which nothing is this one's: for who asks and answers. A line with the end of one message and the header of the next one is taken away from its writer when the former is read, and
 * has to be asked for when the latter is written. Where each message has lines of its own, and these are made the writer's own right after the message before, while it waits, there is nothing to ask for. Not where the limit is near.
 */
struct pabal__spot pabal__writer_spot_apart(const struct pabal__writer *writer, uint64_t length);

/* The same, settled, if it was worked out already (pabal__writer_prepare()): the message is as long as the last one, and nothing was published since. NULL: it was not. */
static inline const struct pabal__spot *pabal__writer_ready(const struct pabal__writer *writer, uint64_t length)
{
	const struct pabal__spot *spot = &writer->ready;

	return __builtin_expect(spot->length == length && spot->sequence == pabal__writer_sequence(writer), 1) ? spot : NULL;
}

/* Somebody else has written there. */
static inline void pabal__writer_unready(struct pabal__writer *writer)
{
	if (!PABAL__FAULT(STALE_READY))
		writer->ready.sequence = 0; /* no message has that number */
}

/*
 * Old payload must never look like the header that the reader will wait for: where it does, a word that the reader does not wait for goes there before the commit. Two ways to see to that.
 *
 * Settle: look, and store only where it is needed. For content that others have written, or that is not to be written at all: the line may be the reader's still, and to take it away before the
 * header's own would cost both of them a journey.
 *
 * Begin: before any of the content is written, store at once where the content ends in that same line, and look where it does not, or where the line was made the writer's own before. A look at a line that is about to be written costs a journey of its
 * own where a processor that reads a line takes it over (Intel; measured: 1.5 times the floor of a round trip of 8 bytes instead of 1.2). Returns where the content goes.
 */
static inline void pabal__spot_settle(const struct pabal__spot *spot)
{
	uint64_t next = spot->sequence + 1;

	/* relaxed: words of ours; the store is ordered before the header by the header's release */
	if (__builtin_expect(atomic_load_explicit(spot->behind, memory_order_relaxed) >> 32 == (uint32_t)next, 0) && !PABAL__FAULT(STALE_HEADER))
		atomic_store_explicit(spot->behind, ~next << 32, memory_order_relaxed);
}

static inline unsigned char *pabal__spot_content(const struct pabal__spot *spot)
{
	return (unsigned char *)(spot->header + 1);
}

static inline unsigned char *pabal__spot_begin(const struct pabal__spot *spot)
{
	unsigned char *content = pabal__spot_content(spot);

	if (spot->alone || (uintptr_t)(content + spot->length - 1) / 64 != (uintptr_t)spot->behind / 64)
		pabal__spot_settle(spot);
	else if (!PABAL__FAULT(STALE_HEADER)) /* relaxed: as above */
		atomic_store_explicit(spot->behind, ~(spot->sequence + 1) << 32, memory_order_relaxed);
	return content;
}

/*
 * Make the lines ahead the writer's own, by a store to each. The reader has read them one lap ago, and who stores to a line that another one holds has to ask for it; the stores behind that one wait, in order. In the middle of messages
 * two lines are under way at a time, with nothing between these stores all of them. So a stream takes half of the time, and less. A prefetch for writing does nothing where the line is there already, shared. Measured; decisions/0014.
 *
 * What is stored matters to nobody: whole lines, of what neither the reader has to read nor a loan lies in, and no header begins a line.
 */
static inline void pabal__writer_own(struct pabal__writer *writer)
{
	uint64_t line = (writer->next | 63) + 1, end = writer->next + 2 * (uint64_t)PABAL__STREAM_AHEAD;

	if (writer->next + PABAL__STREAM_AHEAD <= writer->owned)
		return;
	if (line < writer->owned)
		line = writer->owned;
	if (end > writer->limit && !PABAL__FAULT(OWN_UNREAD))
		end = writer->limit;
	for (; line + 64 <= end; line += 64) /* relaxed: for nobody */
		atomic_store_explicit(pabal__stream_header(writer->ring, line), 0, memory_order_relaxed);
	writer->owned = line;
}

/* The commit: publish the message whose content is there, whose spot was begun or settled, and for which there is room. */
static inline void pabal__writer_commit(struct pabal__writer *writer, const struct pabal__spot *spot, enum pabal__stream_kind kind)
{
	uint64_t after = spot->after, sequence = spot->sequence;

	/* release: the content is there; pairs with the acquire in pabal__reader_look() */
	atomic_store_explicit(spot->header, spot->word | (uint32_t)kind << 28,
			      PABAL__FAULT(HEADER_RELAXED) ? memory_order_relaxed : memory_order_release);
	writer->next = after;
	atomic_store_explicit(&writer->sequence, sequence + 1, memory_order_relaxed); /* as pabal__writer_sequence() */
}

/* The same, of a message of a stream: the lines ahead are made the writer's own. */
static inline void pabal__writer_publish(struct pabal__writer *writer, const struct pabal__spot *spot, enum pabal__stream_kind kind)
{
	pabal__writer_commit(writer, spot, kind);
	pabal__writer_own(writer);
}

/*
 * After a message that lies apart, while its writer waits: work out where the next one goes, if it is as long, and make its lines the writer's own. What lies at its header's place was looked at; the reader does not wait for what is stored
 * there now either.
 */
void pabal__writer_prepare(struct pabal__writer *writer, uint64_t length);

/* How many were published. */
static inline uint64_t pabal__writer_messages(const struct pabal__writer *writer)
{
	return pabal__writer_sequence(writer) - PABAL__STREAM_SEQUENCE - writer->skips;
}

/* A loan of the next cells is out, and another message is to go first: lay a skip over it, and remember the gap. There is room: the loan had it. */
void pabal__writer_overtake(struct pabal__writer *writer, uint64_t cells);

/* The gap is no longer in use. */
void pabal__writer_close_gap(struct pabal__writer *writer);

static inline enum pabal__stream_kind pabal__stream_kind_of(uint32_t header)
{
	return (enum pabal__stream_kind)(header >> 28);
}

static inline uint32_t pabal__stream_length_of(uint32_t header)
{
	return header & PABAL__STREAM_LENGTH_MASK;
}

/* Bytes from one header to the next one, but for the end of a lap. */
static inline uint64_t pabal__stream_step_of(uint32_t header)
{
	uint64_t apart = header >> PABAL__STREAM_LENGTH_BITS & PABAL__STREAM_APART_MAX;

	return pabal__stream_cells(pabal__stream_length_of(header)) + apart * 16;
}

#endif
