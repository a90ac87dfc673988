/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_slots.h - places for what is out: loans of a link, and messages that were taken from it.
 *
 * Private to the process. A place has a number and a generation, which the caller's loan or message bears: so one that was committed or released already, or that belongs to another
 * handle, is told. Small payloads lie in the place itself: a message that is held does not hold the ring.
 *
 * One place is always tried first: that of the message before. Who is done with each message before the next one stores a single word for its place, and one more when it is done: in a stream the stores
 * are what there is most of.
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
	PABAL__SLOT_PLAIN,   /* the payload lies in the place, and nothing goes with it. As is a place that is free */
	PABAL__SLOT_PRIVATE, /* the payload lies in the place */
	PABAL__SLOT_BLOCK,   /* in the arena: @node of ours, or what @receipt is of in the peer's. Nothing goes with it */
	PABAL__SLOT_ARENA,   /* the same, and something goes with it */
	PABAL__SLOT_PARKED,  /* a message that lies in @parked */
};

struct pabal__slot {                /* NOLINT(clang-analyzer-optin.performance.Padding): the payload begins on a line of its own */
	_Alignas(64) uint64_t mark; /* generation:32 | number:32. What the caller's struct bears; the generation is odd while the place is in use */
	enum pabal__slot_state state;
	struct pabal__slot *next; /* of the spare ones */
	uint64_t receipt;
	uint32_t node;
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
	struct pabal__slot *first; /* the one that was taken last, in use or not. If none ever was, one that is no place, and always in use */
	struct pabal__slot *spare; /* the others that are free */
};

#define PABAL__SLOT_STEP (UINT64_C(1) << 32)

void pabal__slots_init(struct pabal__slots *slots);
void pabal__slots_deinit(struct pabal__slots *slots);

/* Take one when the first is in use. NULL: no memory. */
struct pabal__slot *pabal__slots_take_other(struct pabal__slots *slots);
/* How many are in use. */
uint32_t pabal__slots_used(const struct pabal__slots *slots);

static inline bool pabal__slot_in_use(const struct pabal__slot *slot)
{
	return slot->mark & PABAL__SLOT_STEP;
}

/* NULL: there never was such a place. */
static inline struct pabal__slot *pabal__slots_at(const struct pabal__slots *slots, uint32_t number)
{
	if (number / PABAL__SLOTS_A_CHUNK >= slots->chunk_count)
		return NULL;
	return &slots->chunks[number / PABAL__SLOTS_A_CHUNK][number % PABAL__SLOTS_A_CHUNK];
}

static inline bool pabal__slots_has_first(const struct pabal__slots *slots)
{
	return !pabal__slot_in_use(slots->first);
}

/* The first one, if it is free. */
static inline struct pabal__slot *pabal__slots_take_first(struct pabal__slots *slots)
{
	struct pabal__slot *slot = slots->first;

	if (__builtin_expect(!pabal__slots_has_first(slots), 0))
		return NULL;
	slot->mark += PABAL__SLOT_STEP;
	return slot;
}

/* It is PABAL__SLOT_PLAIN. NULL: no memory. */
static inline struct pabal__slot *pabal__slots_take(struct pabal__slots *slots)
{
	struct pabal__slot *slot = pabal__slots_take_first(slots);

	return slot ? slot : pabal__slots_take_other(slots);
}

/* Free again. It is PABAL__SLOT_PLAIN. */
static inline void pabal__slots_give(struct pabal__slots *slots, struct pabal__slot *slot)
{
	slot->mark += PABAL__SLOT_STEP;
	if (__builtin_expect(slot == slots->first, 1))
		return;
	slot->next = slots->spare;
	slots->spare = slot;
}

/* The place of a mark, if it is in use still. */
static inline struct pabal__slot *pabal__slots_find(const struct pabal__slots *slots, uint64_t mark)
{
	struct pabal__slot *slot = slots->first; /* most are done before the next one is taken */

	if (__builtin_expect(slot->mark == mark, 1)) /* a mark that was handed out is of a place in use */
		return slot;
	slot = pabal__slots_at(slots, (uint32_t)mark);
	return slot && slot->mark == mark ? slot : NULL;
}

#endif
