/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/arena.c - first fit, neighbours joined.
 *
 * A block is free, loaned (the writer fills it) or sent (the reader's to read). Free, loaned, free: private to the writer. Loaned, sent: with the commit of its message in the
 * ring. Sent, free: the reader stores the use of the ticket in its own half, the writer sees it. A writer killed in any state takes the arena with it, once the reader has let go of its
 * mapping; a reader killed holds blocks that nobody needs any more.
 *
 * The first block that comes back is kept as it is: who goes on sending one size needs no cutting and joining. An allocation of another size lets it go.
 *
 * First fit begins at 0, so that a few messages to and fro stay where the caches have them. Everything the reader says is one word a ticket, and only one value of it means anything.
 */
#include "queue/arena.h"

#include <errno.h>
#include <string.h>

static uint32_t take_node(struct pabal__arena *arena)
{
	uint32_t node = arena->spare_node;

	if (node == PABAL__ARENA_NONE)
		return arena->fresh_node++;
	arena->spare_node = pabal__arena_node_at(arena, node)->later;
	return node;
}

static void give_node(struct pabal__arena *arena, uint32_t node)
{
	pabal__arena_node_at(arena, node)->later = arena->spare_node;
	arena->spare_node = node;
}

static bool has_ticket(const struct pabal__arena *arena)
{
	return arena->spare_tickets || arena->fresh_ticket < PABAL__STREAM_TICKETS;
}

/* The one that was given back last: its word is in the cache. */
static uint32_t take_ticket(struct pabal__arena *arena)
{
	return arena->spare_tickets ? arena->books->tickets[--arena->spare_tickets] : arena->fresh_ticket++;
}

void pabal__arena_init(struct pabal__arena *arena, struct pabal__arena_books *books, uint64_t memory_max, const struct pabal__half *peer)
{
	memset(arena, 0, sizeof *arena);
	arena->books = books;
	arena->spare_node = arena->oldest = arena->newest = arena->kept = arena->described = PABAL__ARENA_NONE;
	/* Not all that is mapped, which is whole pages: the budget is exact but for a last line. */
	arena->size = pabal__arena_block_size(memory_max);
	arena->released = peer->released;
	arena->first = take_node(arena);
	*pabal__arena_node_at(arena, arena->first) =
		(struct pabal__arena_node){ .size = arena->size, .before = PABAL__ARENA_NONE, .after = PABAL__ARENA_NONE, .free = true };
}

static uint32_t first_fit(const struct pabal__arena *arena, uint64_t size)
{
	for (uint32_t node = arena->first; node != PABAL__ARENA_NONE; node = pabal__arena_node_at(arena, node)->after)
		if (pabal__arena_node_at(arena, node)->free && pabal__arena_node_at(arena, node)->size >= size)
			return node;
	return PABAL__ARENA_NONE;
}

/* Cut @size bytes from the front of a free run. */
static void split(struct pabal__arena *arena, uint32_t node, uint64_t size)
{
	struct pabal__arena_node *front = pabal__arena_node_at(arena, node), *rest;
	uint32_t behind;

	if (front->size == size)
		return;
	behind = take_node(arena);
	rest = pabal__arena_node_at(arena, behind);
	*rest = (struct pabal__arena_node){
		.offset = front->offset + size, .size = front->size - size, .before = node, .after = front->after, .free = true
	};
	if (rest->after != PABAL__ARENA_NONE)
		pabal__arena_node_at(arena, rest->after)->before = behind;
	front->after = behind;
	front->size = size;
}

/* Join a free run with the one behind it. */
static void join(struct pabal__arena *arena, uint32_t node)
{
	struct pabal__arena_node *front = pabal__arena_node_at(arena, node), *rest;
	uint32_t behind = front->after;

	if (behind == PABAL__ARENA_NONE || !pabal__arena_node_at(arena, behind)->free)
		return;
	rest = pabal__arena_node_at(arena, behind);
	front->size += rest->size;
	front->after = rest->after;
	if (rest->after != PABAL__ARENA_NONE)
		pabal__arena_node_at(arena, rest->after)->before = node;
	give_node(arena, behind);
}

/* A block that nobody uses becomes part of the free run around it, and its ticket anybody's; nothing that was said of it holds. */
static void let_go(struct pabal__arena *arena, uint32_t node)
{
	struct pabal__arena_node *block = pabal__arena_node_at(arena, node);
	uint32_t before = block->before;

	arena->used -= block->size;
	arena->books->tickets[arena->spare_tickets++] = block->ticket;
	if (!PABAL__FAULT(STALE_PLACE))
		arena->described = PABAL__ARENA_NONE;
	block->free = true;
	join(arena, node);
	if (before != PABAL__ARENA_NONE && pabal__arena_node_at(arena, before)->free)
		join(arena, before);
}

static void let_kept_go(struct pabal__arena *arena)
{
	uint32_t node = arena->kept;

	arena->kept = PABAL__ARENA_NONE;
	if (node != PABAL__ARENA_NONE)
		let_go(arena, node);
}

int pabal__arena_allocate(struct pabal__arena *arena, uint64_t size, uint32_t *ret_node)
{
	uint64_t bytes = pabal__arena_block_size(size);
	uint32_t node = pabal__arena_take_kept(arena, size);

	if (node != PABAL__ARENA_NONE) {
		*ret_node = node;
		return 0;
	}
	let_kept_go(arena);
	node = has_ticket(arena) ? first_fit(arena, bytes) : PABAL__ARENA_NONE;
	if (node == PABAL__ARENA_NONE) {
		int r = pabal__arena_reclaim(arena);

		if (r < 0)
			return r;
		let_kept_go(arena);
		node = has_ticket(arena) ? first_fit(arena, bytes) : PABAL__ARENA_NONE;
	}
	if (node == PABAL__ARENA_NONE)
		return 1;
	split(arena, node, bytes);
	pabal__arena_node_at(arena, node)->free = false;
	pabal__arena_node_at(arena, node)->ticket = take_ticket(arena);
	arena->used += bytes;
	*ret_node = node;
	return 0;
}

void pabal__arena_free(struct pabal__arena *arena, uint32_t node)
{
	if (arena->kept == PABAL__ARENA_NONE)
		arena->kept = node;
	else
		let_go(arena, node);
}

/* 1: released, 0: not yet, -EBADMSG. A ticket's word is the last use or the one before it; before the first one it is 0. */
static int is_released(const struct pabal__arena *arena, const struct pabal__arena_node *block)
{
	uint32_t use = pabal__arena_last_use(arena, block->ticket), said;
	uint64_t receipt = pabal__stream_receipt(block->ticket, use);

	/* acquire: the reader has read the block; pairs with who received a message that said so after it */
	if (receipt && atomic_load_explicit(&arena->told, memory_order_acquire) == receipt)
		return 1; /* without a look at the peer's word: it is about to write to that line */
	/* acquire: the same; pairs with the release in pabal__arena_release() */
	said = atomic_load_explicit(&arena->released[pabal__stream_word_of(block->ticket)], memory_order_acquire);
	if (said == use)
		return 1;
	if (said == use - 1 || said == 0 || PABAL__FAULT(RELEASED_UNCHECKED))
		return 0;
	return -EBADMSG;
}

static void forget_sent(struct pabal__arena *arena, uint32_t node, uint32_t earlier)
{
	uint32_t later = pabal__arena_node_at(arena, node)->later;

	if (earlier == PABAL__ARENA_NONE)
		arena->oldest = later;
	else
		pabal__arena_node_at(arena, earlier)->later = later;
	if (arena->newest == node)
		arena->newest = earlier;
}

/* Up to @count_max, and not from @end on. */
static int reclaim(struct pabal__arena *arena, uint32_t count_max, uint32_t end)
{
	uint32_t node = arena->oldest, earlier = PABAL__ARENA_NONE;
	int count = 0;

	for (uint32_t i = 0; node != end && i < count_max; i++) {
		uint32_t later = pabal__arena_node_at(arena, node)->later;
		int r = is_released(arena, pabal__arena_node_at(arena, node));

		if (r < 0)
			return r;
		if (r) {
			forget_sent(arena, node, earlier);
			pabal__arena_free(arena, node);
			count++;
		} else {
			earlier = node;
		}
		node = later;
	}
	return count;
}

int pabal__arena_reclaim(struct pabal__arena *arena)
{
	return reclaim(arena, UINT32_MAX, PABAL__ARENA_NONE);
}

int pabal__arena_reclaim_some(struct pabal__arena *arena, uint32_t count_max)
{
	return reclaim(arena, count_max, arena->newest);
}
