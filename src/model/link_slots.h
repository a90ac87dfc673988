/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_slots.h - places for what is out: loans of a link, and messages that were taken from it.
 *
 * Private to the process. A place has a number and a generation, which the caller's loan or message bears: so one that was committed or released already, or that belongs to another
 * handle, is told. Small payloads lie in the place itself: a message that is held does not hold the ring. The place freed last is used first; it is in the cache.
 */
#ifndef PABAL_SRC_MODEL_LINK_SLOTS_H
#define PABAL_SRC_MODEL_LINK_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pabal/process.h>

enum { PABAL__SLOT_NONE = UINT32_MAX, PABAL__SLOTS_A_CHUNK = 16, PABAL__SLOT_BYTES = PABAL_LINK_INLINE_MAX };

struct pabal__parked;

enum pabal__slot_state {
	PABAL__SLOT_FREE,
	PABAL__SLOT_PRIVATE, /* the payload lies in the place */
	PABAL__SLOT_ARENA,   /* in the arena: @node of ours, or @ticket of the peer's */
	PABAL__SLOT_PARKED,  /* a message that lies in @parked */
};

struct pabal__slot {                /* NOLINT(clang-analyzer-optin.performance.Padding): the payload begins on a line of its own */
	_Alignas(64) uint64_t mark; /* generation:32 | number:32. What the caller's struct bears; the generation goes on with each use */
	enum pabal__slot_state state;
	struct pabal__slot *next; /* of those that are free */
	uint32_t node;            /* of the arena */
	uint32_t ticket, use;     /* of the peer's arena */
	uint32_t fd_count;
	int *fds;
	struct pabal__parked *parked;
	uint64_t call; /* of a request that was not answered yet; else 0 */
	bool request;
	_Alignas(64) unsigned char data[PABAL__SLOT_BYTES];
};

struct pabal__slots {
	struct pabal__slot **chunks;
	uint32_t chunk_count, chunk_room;
	struct pabal__slot *spare;
	struct pabal__slot *latest; /* the one that was taken last; NULL: none ever was */
	uint32_t used;
};

/* A zeroed struct is empty and ready. */
void pabal__slots_deinit(struct pabal__slots *slots);

/* Make more; the slow path of taking one. NULL: no memory. */
struct pabal__slot *pabal__slots_grow(struct pabal__slots *slots);
/* NULL: there never was such a place. */
static inline struct pabal__slot *pabal__slots_at(const struct pabal__slots *slots, uint32_t number)
{
	if (number / PABAL__SLOTS_A_CHUNK >= slots->chunk_count)
		return NULL;
	return &slots->chunks[number / PABAL__SLOTS_A_CHUNK][number % PABAL__SLOTS_A_CHUNK];
}

static inline struct pabal__slot *pabal__slots_take(struct pabal__slots *slots)
{
	struct pabal__slot *slot = slots->spare;

	if (__builtin_expect(!slot, 0)) {
		slot = pabal__slots_grow(slots);
		if (!slot)
			return NULL;
	}
	slots->spare = slot->next;
	slots->latest = slot;
	slots->used++;
	return slot;
}

static inline void pabal__slots_give(struct pabal__slots *slots, struct pabal__slot *slot)
{
	slot->state = PABAL__SLOT_FREE;
	slot->mark += UINT64_C(1) << 32;
	slot->next = slots->spare;
	slots->spare = slot;
	slots->used--;
}

/* The place of a mark, if it is in use still. */
static inline struct pabal__slot *pabal__slots_find(const struct pabal__slots *slots, uint64_t mark)
{
	struct pabal__slot *slot = slots->latest; /* most are done before the next one is taken */

	if (__builtin_expect(!slot || slot->mark != mark, 0))
		slot = pabal__slots_at(slots, (uint32_t)mark);
	return slot && slot->state != PABAL__SLOT_FREE && slot->mark == mark ? slot : NULL;
}

#endif
