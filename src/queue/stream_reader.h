/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/stream_reader.h - the reading end of a direction of a link: looking for the next header, and being done with a message.
 *
 * What lies in the ring is the peer's, who may change it at any moment: a header is loaded once, checked, and used; what it says of lengths leads to a place in the ring, whatever it says (pabal__reader_sound()). The reader's own memory is
 * private but for one word, how far it has read. Who is to wait for what, and when to look, is not decided here (model/link_wait.c); what helps to wait well, knowing where the next message will end, is.
 */
#ifndef PABAL_SRC_QUEUE_STREAM_READER_H
#define PABAL_SRC_QUEUE_STREAM_READER_H

#include "queue/stream.h"

/* The reading end. */
struct pabal__reader {
	const unsigned char *ring;  /* the peer's */
	_Atomic uint64_t *position; /* our word */
	uint64_t next;
	_Atomic uint64_t sequence; /* of the next message or skip; the header bears the low half. Atomic for who sends in another thread */
	uint64_t vain;             /* the same, when the last wait began */
	uint64_t skips;
	uint32_t last;           /* pabal__reader_look() of the last message: the next one is probably alike */
	uint64_t alike;          /* pabal__reader_foresee(): the position behind it, if it is */
	_Atomic uint32_t before; /* how many came in a row before the last wait: a hint for who waits, without a lock */
};

static inline void pabal__reader_init(struct pabal__reader *reader, struct pabal__half *mine, const struct pabal__half *peer)
{
	reader->ring = peer->ring;
	reader->position = &mine->position;
	reader->next = PABAL__STREAM_FIRST;
	atomic_init(&reader->sequence, PABAL__STREAM_SEQUENCE);
	reader->vain = PABAL__STREAM_SEQUENCE;
	reader->skips = 0;
	reader->last = 0;
	reader->alike = reader->next; /* no header is 0 */
	atomic_init(&reader->before, 0);
}

/* Relaxed: written by this end's thread alone, and for the other end's a hint. */
static inline uint64_t pabal__reader_sequence(const struct pabal__reader *reader)
{
	return atomic_load_explicit(&reader->sequence, memory_order_relaxed);
}

/* The low half of the next header, kind:4 | apart:3 | length:25; 0: nothing is there. */
static inline uint32_t pabal__reader_look(const struct pabal__reader *reader)
{
	/* acquire: pairs with the release in pabal__writer_commit() */
	uint64_t header = atomic_load_explicit((const _Atomic uint64_t *)(const void *)(reader->ring + pabal__stream_offset(reader->next)),
					       memory_order_acquire);

	return (uint32_t)(header >> 32) == (uint32_t)pabal__reader_sequence(reader) ? (uint32_t)header : 0;
}

/* Is it a header that an honest peer writes? Its content then lies in the ring, and so does the next header. */
static inline bool pabal__reader_sound(const struct pabal__reader *reader, uint32_t header)
{
	uint32_t length = pabal__stream_length_of(header);

	switch (pabal__stream_kind_of(header)) {
	case PABAL__STREAM_DATA:
		return length <= PABAL__STREAM_INLINE_MAX;
	case PABAL__STREAM_EXTRA:
		return length >= sizeof(struct pabal__stream_extra) && length <= sizeof(struct pabal__stream_extra) + PABAL__STREAM_INLINE_MAX;
	case PABAL__STREAM_LARGE:
		return length == sizeof(struct pabal__stream_extra) + sizeof(struct pabal__stream_place);
	case PABAL__STREAM_SKIP:
		return pabal__stream_offset(reader->next) + pabal__stream_step_of(header) <= PABAL__STREAM_BYTES;
	default:
		return false;
	}
}

/* The content of the message that was looked at. The peer may be changing it. */
static inline const unsigned char *pabal__reader_content(const struct pabal__reader *reader)
{
	return reader->ring + pabal__stream_offset(reader->next) + 8;
}

/* A wait begins, with a look in vain or without one. */
static inline void pabal__reader_note_wait(struct pabal__reader *reader)
{
	uint64_t sequence = pabal__reader_sequence(reader);

	if (sequence != reader->vain) /* relaxed: a hint */
		atomic_store_explicit(&reader->before, (uint32_t)(sequence - reader->vain), memory_order_relaxed);
	reader->vain = sequence;
}

/*
 * Who waits by looking has what lies behind the header come along with it: the next line, if a message like the last one ends there. If it does not, the writer has that line, and must not lose
 * it. Measured: a third of the round trip of 64 bytes.
 */
static inline void pabal__reader_expect(struct pabal__reader *reader)
{
	pabal__reader_note_wait(reader);
	if ((reader->next ^ (reader->next + 7 + pabal__stream_length_of(reader->last))) & ~UINT64_C(63))
		__builtin_prefetch(pabal__reader_content(reader) + 56);
}

/* Where the next message ends, if it is as long as the last one. */
static inline uint64_t pabal__reader_expected_end(const struct pabal__reader *reader)
{
	uint32_t length = pabal__stream_length_of(reader->last);

	return reader->next + 8 + (length < PABAL__STREAM_INLINE_MAX ? length : PABAL__STREAM_INLINE_MAX); /* that of a skip may be anything */
}

/*
 * Who looks when the message should just be there fetches what lies behind its header's line as well, up to where it ends. It comes in any case, but the processor does not expect to find a message, and asks for the rest only when
 * it has the header. Measured: up to a tenth of the round trip of 64 bytes.
 */
static inline void pabal__reader_fetch(const struct pabal__reader *reader, uint64_t end)
{
	for (uint64_t line = (reader->next | 63) + 1; line < end; line += 64)
		__builtin_prefetch(reader->ring + pabal__stream_offset(line));
}

/* How many were consumed. */
static inline uint64_t pabal__reader_messages(const struct pabal__reader *reader)
{
	return pabal__reader_sequence(reader) - PABAL__STREAM_SEQUENCE - reader->skips;
}

/* All before @next is done with: the peer may write over it. */
static inline void pabal__reader_go_on(struct pabal__reader *reader, uint64_t next)
{
	reader->next = next;
	/* relaxed: as pabal__reader_sequence() */
	atomic_store_explicit(&reader->sequence, pabal__reader_sequence(reader) + 1, memory_order_relaxed);
	/* release: our reads are done; pairs with the acquire in pabal__writer_look_for_room() */
	atomic_store_explicit(reader->position, next, PABAL__FAULT(POSITION_RELAXED) ? memory_order_relaxed : memory_order_release);
}

/* Done with the message that was looked at. */
static inline void pabal__reader_consume(struct pabal__reader *reader, uint32_t header)
{
	uint64_t next = pabal__stream_after(reader->next, pabal__stream_step_of(header)), sequence = pabal__reader_sequence(reader);

	if (sequence != reader->vain) { /* more is there, probably: ahead of what the processor fetches by itself. Measured */
		__builtin_prefetch(reader->ring + pabal__stream_offset(next + PABAL__STREAM_AHEAD));
		__builtin_prefetch(reader->ring + pabal__stream_offset(next + PABAL__STREAM_AHEAD + 64));
	}
	if (reader->last != header) /* it is read in each stream, and stored in few */
		reader->last = header;
	pabal__reader_go_on(reader, next);
}

/* For who waits for an answer: what will be behind it is worked out before it comes. */
static inline void pabal__reader_foresee(struct pabal__reader *reader)
{
	reader->alike = pabal__stream_after(reader->next, pabal__stream_step_of(reader->last));
}

/* Done with the answer that was waited for in that way: it is alone, nothing more comes that would have to be fetched. */
static inline void pabal__reader_consume_foreseen(struct pabal__reader *reader, uint32_t header)
{
	if (__builtin_expect(header == reader->last, 1))
		pabal__reader_go_on(reader, reader->alike);
	else
		pabal__reader_consume(reader, header);
}

#endif
