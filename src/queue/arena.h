/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/arena.h - where the large messages of one direction lie.
 *
 * The arena lies in the writer's half, its bookkeeping in the writer's private memory: nothing of it can be bent from outside. Each block under way has a ticket;
 * the reader gives a block back, in any order, by one store into its own half, to the ticket's word: the number of the use. Offsets and atomics only; real memory behind a block is the
 * caller's matter.
 */
#ifndef PABAL_SRC_QUEUE_ARENA_H
#define PABAL_SRC_QUEUE_ARENA_H

#include "queue/stream.h"

enum { PABAL__ARENA_NONE = UINT32_MAX };
enum { PABAL__ARENA_ALIGN = 64 }; /* of blocks: a line */

/* A run of bytes, free or in use. Neighbours in the list are neighbours in the arena. */
struct pabal__arena_node {
	uint64_t offset, size;
	uint32_t before, after; /* in order of offsets */
	uint32_t later;         /* of those sent: the next one; of spare nodes: the next spare one */
	uint32_t ticket;
	bool free;
};

/* The bookkeeping, as large as it can become: neighbours that are both free are joined, so there is a free run at most before and behind each block. Zeros to begin with; what was never used is never touched. */
struct pabal__arena_books {
	struct pabal__arena_node nodes[2 * PABAL__STREAM_TICKETS + 2];
	uint32_t tickets[PABAL__STREAM_TICKETS]; /* spare ones */
	uint32_t uses[PABAL__STREAM_TICKETS];    /* of each ticket, how many */
};

struct pabal__arena {
	struct pabal__arena_books *books;
	const _Atomic uint32_t *released; /* the peer's words */
	_Atomic uint64_t told;            /* the receipt that the peer's last large message said it has given back, or 0. Written by who receives */
	uint32_t first;                   /* the node at offset 0 */
	uint32_t spare_node, fresh_node;  /* those that were given back; from fresh_node on they were never used */
	uint32_t spare_tickets, fresh_ticket; /* the same: how many, and from where on */
	uint32_t oldest, newest;              /* of those sent and not known to be released */
	uint32_t kept;                        /* the block that came back last, whole, for a message of the same size; or PABAL__ARENA_NONE */
	uint32_t described;      /* the block of which the next entry of the ring tells already, should it be sent next; or PABAL__ARENA_NONE */
	uint64_t described_size; /* of which so many bytes are the message */
	uint64_t size, used;     /* bytes; of the latter the block that is kept is a part */
};

/* @books: all zeros, the caller's. */
void pabal__arena_init(struct pabal__arena *arena, struct pabal__arena_books *books, uint64_t memory_max, const struct pabal__half *peer);

/* A free run of @size bytes (1 at least): the block that came back last, if it is just that large; else the lowest. 0; 1: there is none now; -EBADMSG. */
int pabal__arena_allocate(struct pabal__arena *arena, uint64_t size, uint32_t *ret_node);

/* Bytes of a block for @size bytes. */
static inline uint64_t pabal__arena_block_size(uint64_t size)
{
	return (size + PABAL__ARENA_ALIGN - 1) & ~(uint64_t)(PABAL__ARENA_ALIGN - 1);
}

/* The same, short: the block that came back last, if it is just that large; else PABAL__ARENA_NONE. */
static inline uint32_t pabal__arena_take_kept(struct pabal__arena *arena, uint64_t size)
{
	uint32_t node = arena->kept;
	uint64_t bytes = pabal__arena_block_size(size);

	if (node == PABAL__ARENA_NONE || arena->books->nodes[node].size != bytes)
		return PABAL__ARENA_NONE;
	arena->kept = PABAL__ARENA_NONE;
	return node;
}

/* Bytes of the blocks that are loaned or sent. */
static inline uint64_t pabal__arena_in_use(const struct pabal__arena *arena)
{
	return arena->used - (arena->kept == PABAL__ARENA_NONE ? 0 : arena->books->nodes[arena->kept].size);
}

/* The first line of the next block that is as large as the last one, for who asks and answers: the reader has read it, and now there is time to ask for it. What is stored is not read. */
static inline void pabal__arena_own_kept(const struct pabal__arena *arena, struct pabal__half *mine)
{
	if (arena->kept != PABAL__ARENA_NONE) /* relaxed: for nobody */
		atomic_store_explicit((_Atomic uint64_t *)(void *)(mine->arena + arena->books->nodes[arena->kept].offset), 0, memory_order_relaxed);
}

/* A block that was not sent. */
void pabal__arena_free(struct pabal__arena *arena, uint32_t node);

static inline struct pabal__arena_node *pabal__arena_node_at(const struct pabal__arena *arena, uint32_t node)
{
	return &arena->books->nodes[node];
}

static inline uint32_t pabal__arena_last_use(const struct pabal__arena *arena, uint32_t ticket)
{
	return PABAL__STREAM_USE + arena->books->uses[ticket];
}

/* The block goes out with the next message, or is to: fills in where it lies, but for what was released. */
static inline void pabal__arena_describe(const struct pabal__arena *arena, uint32_t node, uint64_t size, struct pabal__stream_place *ret_place)
{
	const struct pabal__arena_node *block = pabal__arena_node_at(arena, node);

	/* One by one: this is the ring itself. */
	ret_place->offset = block->offset;
	ret_place->size = size;
	ret_place->receipt = pabal__stream_receipt(block->ticket, pabal__arena_last_use(arena, block->ticket) + 1);
}

/* It went out, as it was described: it is given back when the peer says so. */
static inline void pabal__arena_sent(struct pabal__arena *arena, uint32_t node)
{
	struct pabal__arena_node *block = pabal__arena_node_at(arena, node);

	arena->books->uses[block->ticket]++;
	block->later = PABAL__ARENA_NONE;
	if (arena->newest == PABAL__ARENA_NONE)
		arena->oldest = node;
	else
		pabal__arena_node_at(arena, arena->newest)->later = node;
	arena->newest = node;
}

/* Look at those sent, oldest first, and free what the peer has released. How many, or -EBADMSG: its words make no sense. */
int pabal__arena_reclaim(struct pabal__arena *arena);
/* The same, of so many at most, and not at the last one: the peer is about to write its word, and must not find that somebody has looked at that line just now. */
int pabal__arena_reclaim_some(struct pabal__arena *arena, uint32_t count_max);

/* The reader: does the place lie in an arena of @memory_max bytes? */
static inline bool pabal__arena_holds(uint64_t memory_max, const struct pabal__stream_place *place)
{
	return place->offset % PABAL__ARENA_ALIGN == 0 && place->size <= memory_max &&
	       place->offset <= pabal__stream_arena_size(memory_max) - place->size && pabal__stream_ticket(place->receipt) < PABAL__STREAM_TICKETS;
}

/* The reader: done with a large message. */
static inline void pabal__arena_release(struct pabal__half *mine, uint64_t receipt)
{
	/* release: our reads are done; pairs with the acquire in pabal__arena_reclaim() */
	atomic_store_explicit(&mine->released[pabal__stream_word_of(pabal__stream_ticket(receipt))], pabal__stream_use(receipt),
			      PABAL__FAULT(RELEASED_RELAXED) ? memory_order_relaxed : memory_order_release);
}

/* The reader: this ticket will be released again, probably. Its line was looked at by the peer since the last time; a store of what is there makes it ours once more. */
static inline void pabal__arena_own(struct pabal__half *mine, uint32_t ticket)
{
	_Atomic uint32_t *word = &mine->released[pabal__stream_word_of(ticket)];

	/* release: as before, for who sees this store and not that one. The load is of what we alone write. */
	atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed), memory_order_release);
}

#endif
