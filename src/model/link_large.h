/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_large.h - large messages: the entry in the ring that tells of one, written and read, and what makes them quick for who asks and answers.
 *
 * In a header, so that the usual case of each call is one function. What lies in the peer's memory is read once, each word by itself, and checked here.
 */
#ifndef PABAL_SRC_MODEL_LINK_LARGE_H
#define PABAL_SRC_MODEL_LINK_LARGE_H

#include "model/link.h"

/* Is the entry of the next message there already, but for what was released? pabal__link_describe_next() */
static inline bool pabal__link_is_described(const struct pabal_link *link, uint32_t node, uint64_t size)
{
	return link->sending.arena.described == node && link->sending.arena.described_size == size;
}

/*
 * The commit of a large message that lies in a block of the arena, whole; its entry goes to @spot, which was begun, if it is not there already: @described. Under the lock. pabal__link_sent_large() is to follow.
 *
 * It calls nothing, as nothing does between the payload of a loan and this header when the way is free. The payload's line has to be asked for, and the header's is only when there is place for both stores in the processor's queue: with
 * more than some thirty words stored in between a message takes as long again as a line does. Measured; see decisions/0014.
 */
static inline PABAL__SHORT_WAY void pabal__link_publish_large(struct pabal_link *link, uint32_t node, uint64_t size,
							      const struct pabal__stream_extra *extra, const struct pabal__spot *spot, bool described)
{
	struct pabal__link_sending *sending = &link->sending;
	unsigned char *content = pabal__spot_content(spot);
	/* Straight into the ring, without a copy of the place: to load together what was just stored in parts makes a processor wait until all earlier stores have gone out, the payload's among them. */
	struct pabal__stream_place *place = (struct pabal__stream_place *)(void *)(content + sizeof *extra);

	if (!described) {
		pabal__arena_describe(&sending->arena, node, size, place);
		memcpy(content, extra, sizeof *extra);
	}
	/* acquire: what was released was read; pairs with the release of who released it */
	place->released = atomic_load_explicit(&link->receiving.release, memory_order_acquire);
	pabal__writer_commit(&sending->writer, spot, PABAL__STREAM_LARGE);
	pabal__arena_sent(&sending->arena, node);
}

/*
 * After a large message that was an answer, while its writer waits: the next one is probably just as large, and lies in the block that came back last. Its entry is written where its header will be, so that there is little left to be done
 * between the peer's message and the commit. Nobody reads it before; it holds for the spot that is ready now (queue/stream.h), and until the block is cut anew (queue/arena.c).
 */
static inline void pabal__link_describe_next(struct pabal_link *link, uint64_t size)
{
	struct pabal__arena *arena = &link->sending.arena;
	const struct pabal__spot *spot = pabal__writer_ready(&link->sending.writer, PABAL__LINK_ENTRY);
	unsigned char *content;

	if (!spot || arena->kept == PABAL__ARENA_NONE)
		return;
	content = pabal__spot_content(spot);
	memset(content, 0, sizeof(struct pabal__stream_extra));
	pabal__arena_describe(arena, arena->kept, size, (struct pabal__stream_place *)(void *)(content + sizeof(struct pabal__stream_extra)));
	arena->described = arena->kept;
	arena->described_size = size;
}

static inline PABAL__SHORT_WAY uint64_t pabal__link_word(const unsigned char *content, size_t index)
{
	/* relaxed: ordered by the header's acquire; one load, since an enemy may be changing it */
	return atomic_load_explicit((const _Atomic uint64_t *)(const void *)(content + 8 * index), memory_order_relaxed);
}

static inline PABAL__SHORT_WAY bool pabal__link_read_extra(const unsigned char *content, struct pabal__stream_extra *ret_extra)
{
	uint64_t words[2] = { pabal__link_word(content, 0), pabal__link_word(content, 1) };

	memcpy(ret_extra, words, sizeof words);
	return ret_extra->fd_count <= PABAL_LINK_FDS_MAX && ret_extra->what <= PABAL__MESSAGE_REPLY;
}

static inline PABAL__SHORT_WAY bool pabal__link_read_place(const struct pabal_link *link, const unsigned char *content,
							   struct pabal__incoming *incoming)
{
	uint64_t words[4] = { pabal__link_word(content, 2), pabal__link_word(content, 3), pabal__link_word(content, 4),
			      pabal__link_word(content, 5) };
	struct pabal__stream_place place;

	memcpy(&place, words, sizeof words);
	if (!pabal__arena_holds(link->peer_max, &place) && !PABAL__FAULT(PLACE_UNCHECKED))
		return false;
	incoming->large = true;
	incoming->data = link->peer->arena + place.offset;
	incoming->size = place.size;
	incoming->receipt = place.receipt;
	incoming->released = place.released;
	return true;
}

/* The content of a header that is sound. */
static inline PABAL__SHORT_WAY bool pabal__link_read(const struct pabal_link *link, uint32_t header, struct pabal__incoming *incoming)
{
	const unsigned char *content = pabal__reader_content(&link->receiving.reader);

	incoming->header = header;
	incoming->parked = NULL;
	incoming->large = false;
	if (__builtin_expect(pabal__stream_kind_of(header) == PABAL__STREAM_DATA, 1)) {
		incoming->data = content;
		incoming->size = pabal__stream_length_of(header);
		incoming->extra = (struct pabal__stream_extra){ 0 };
		return true;
	}
	if (!pabal__link_read_extra(content, &incoming->extra))
		return false;
	if (pabal__stream_kind_of(header) == PABAL__STREAM_LARGE)
		return pabal__link_read_place(link, content, incoming);
	incoming->data = content + sizeof incoming->extra;
	incoming->size = pabal__stream_length_of(header) - sizeof incoming->extra;
	return true;
}

/* The header of a large message was seen. Is it sound, comes nothing with it, and is nothing to be done before it? Then where it lies, and its tag. */
static inline PABAL__SHORT_WAY bool pabal__link_peek_large(struct pabal_link *link, uint32_t header, struct pabal__incoming *ret_incoming)
{
	const unsigned char *content = pabal__reader_content(&link->receiving.reader);
	uint64_t beside = pabal__link_word(content, 1);

	if (PABAL__FAULT(END_FIRST) || pabal__stream_length_of(header) != PABAL__LINK_ENTRY || link->receiving.parked || pabal__link_broken(link))
		return false;
	_Static_assert(PABAL__MESSAGE_PLAIN == 0, "what is 0 needs nothing");
	ret_incoming->header = header;
	ret_incoming->extra.tag = (uint32_t)beside;
	return beside >> 32 == 0 && pabal__link_read_place(link, content, ret_incoming); /* neither descriptors nor a call */
}

/* A large message came out of the ring: which one, and what it says was released of those that went the other way. Where another thread may send, which it does not if we are @alone, the peer's words are looked at instead. */
static inline void pabal__link_remember(struct pabal_link *link, const struct pabal__incoming *incoming, bool alone)
{
	link->receiving.recent[1] = link->receiving.recent[0];
	link->receiving.recent[0] = (struct pabal__recent){ incoming->data, incoming->receipt };
	/* release: what the peer did before it sent the message was seen; pairs with the acquire in is_released(), queue/arena.c */
	if (alone)
		atomic_store_explicit(&link->sending.arena.told, incoming->released, memory_order_release);
}

/*
 * Before a look for the next message: where large ones come, its first line is to come along with its header, and not after it. Who sends one after the other has two blocks in turn.
 * It is the turn of the one before the last: that of the last one was given back just now, and its line is the writer's.
 * Measured where a line takes long: a sixth of the round trip, and as much again if it is fetched after each look in vain only.
 */
static inline void pabal__link_expect_large(const struct pabal_link *link)
{
	if (__builtin_expect(link->receiving.recent[1].data != NULL, 0))
		__builtin_prefetch(link->receiving.recent[1].data);
}

/*
 * After a look in vain there is time. Who answers with a large message has released one just before, and a store to a line that the peer has looked at meanwhile holds up those behind it, up to the answer's header if they are some
 * thirty or more, which they are. The next one to be released is in the block of the one before the last: large messages come in two blocks in turn. Its line is fetched now. Measured: a quarter of a round trip of large messages.
 * Not where another thread may release at the same moment: its word would be overwritten with the one before.
 */
static inline void pabal__link_expect_release(struct pabal_link *link)
{
	struct pabal__link_receiving *receiving = &link->receiving;

	if (__builtin_expect(receiving->owned == receiving->recent[0].receipt, 1) || !pabal__link_alone(link))
		return;
	receiving->owned = receiving->recent[0].receipt;
	if (receiving->recent[1].data)
		pabal__arena_own(link->mine, pabal__stream_ticket(receiving->recent[1].receipt));
}

/* Done with a large message. @alone: no other thread receives. 0 */
static inline PABAL__SHORT_WAY int pabal__link_release_large(struct pabal_link *link, uint64_t receipt, bool alone)
{
	pabal__arena_release(link->mine, receipt);
	/*
	 * release: our reads are done; pairs with the acquire of who sends the next large message. A large message that is received is released without the lock, so where there are other threads nothing is said: what was noted
	 * when there was one must not be said for ever, since its number comes again.
	 */
	atomic_store_explicit(&link->receiving.release, alone ? receipt : 0, memory_order_release);
	return pabal__doorbell_ring(&link->bell, PABAL__DOORBELL_ROOM);
}

#endif
