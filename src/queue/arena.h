/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/arena.h - where the large messages of one direction lie.
 *
 * The arena lies in the writer's half, its bookkeeping in the writer's private memory: nothing of it can be bent from outside. Each block under way has a ticket;
 * the reader gives a block back, in any order, by one store into its own half: released[ticket] = use. Offsets and atomics only; real memory behind a block is the
 * caller's matter.
 */
#ifndef PABAL_SRC_QUEUE_ARENA_H
#define PABAL_SRC_QUEUE_ARENA_H

#include "queue/stream.h"

enum { PABAL__ARENA_NONE = UINT32_MAX };
enum { PABAL__ARENA_ALIGN = 64 }; /* of blocks: a line */

enum pabal__arena_state {
	PABAL__ARENA_FREE,
	PABAL__ARENA_KEPT, /* free for a message of the same size, and not joined with its neighbours yet */
	PABAL__ARENA_LOANED,
	PABAL__ARENA_SENT,
};

/* A run of bytes, free or in use. Neighbours in the list are neighbours in the arena. */
struct pabal__arena_node {
	uint64_t offset, size;
	uint32_t before, after; /* in order of offsets */
	uint32_t later;         /* of those sent: the next one; of spare nodes: the next spare one */
	uint32_t ticket;
	enum pabal__arena_state state;
};

/* The bookkeeping, as large as it can become: neighbours that are both free are joined, so there is a free run at most before and behind each block. Zeros to begin with; what was never used is never touched. */
struct pabal__arena_books {
	struct pabal__arena_node nodes[2 * PABAL__STREAM_TICKETS + 2];
	uint32_t tickets[PABAL__STREAM_TICKETS]; /* spare ones */
	uint32_t uses[PABAL__STREAM_TICKETS];    /* of each ticket, how many */
};

struct pabal__arena {
	struct pabal__arena_books *books;
	const _Atomic uint32_t *released;     /* the peer's words */
	uint32_t first;                       /* the node at offset 0 */
	uint32_t spare_node, fresh_node;      /* those that were given back; from fresh_node on they were never used */
	uint32_t spare_tickets, fresh_ticket; /* the same: how many, and from where on */
	uint32_t oldest, newest;              /* of those sent and not known to be released */
	uint32_t kept;                        /* the block in that state, or PABAL__ARENA_NONE: there is one at most */
	uint64_t size, used;                  /* bytes */
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
	arena->books->nodes[node].state = PABAL__ARENA_LOANED;
	arena->used += bytes;
	return node;
}

/* A block that was not sent. */
void pabal__arena_free(struct pabal__arena *arena, uint32_t node);

/* The block goes out with the next message: fills in where it lies, all but what is reserved. It is given back when the peer says so. */
void pabal__arena_send(struct pabal__arena *arena, uint32_t node, uint64_t size, struct pabal__stream_place *ret_place);

/* Look at up to @count_max of those sent, oldest first, and free what the peer has released. How many, or -EBADMSG: its words make no sense. */
int pabal__arena_reclaim(struct pabal__arena *arena, uint32_t count_max);

/* The reader: does the place lie in an arena of @memory_max bytes? */
static inline bool pabal__arena_holds(uint64_t memory_max, const struct pabal__stream_place *place)
{
	uint64_t size = pabal__stream_arena_size(memory_max);

	return place->offset % PABAL__ARENA_ALIGN == 0 && place->size <= memory_max && place->offset <= size && place->size <= size - place->offset &&
	       place->ticket < PABAL__STREAM_TICKETS;
}

/* The reader: done with a large message. */
static inline void pabal__arena_release(struct pabal__half *mine, uint32_t ticket, uint32_t use)
{
	/* release: our reads are done; pairs with the acquire in pabal__arena_reclaim() */
	atomic_store_explicit(&mine->released[ticket], use, PABAL__FAULT(RELEASED_RELAXED) ? memory_order_relaxed : memory_order_release);
}

#endif
