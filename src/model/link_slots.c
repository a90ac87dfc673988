/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_slots.c - places in chunks that never move: a payload that lies in one keeps its address.
 */
#include "model/link_slots.h"

#include <stdlib.h>
#include <string.h>

/* Of no number that a place has, nor the one that a loan in the ring bears. */
static struct pabal__slot nobody = { .mark = PABAL__SLOT_STEP | (PABAL__SLOT_NONE - 1) };

void pabal__slots_init(struct pabal__slots *slots)
{
	*slots = (struct pabal__slots){ .first = &nobody };
}

void pabal__slots_deinit(struct pabal__slots *slots)
{
	for (uint32_t i = 0; i < slots->chunk_count; i++)
		free(slots->chunks[i]);
	free(slots->chunks);
	memset(slots, 0, sizeof *slots);
}

static bool have_room(struct pabal__slots *slots)
{
	uint32_t room = slots->chunk_room ? slots->chunk_room * 2 : 4;
	struct pabal__slot **chunks;

	if (slots->chunk_count < slots->chunk_room)
		return true;
	chunks = realloc(slots->chunks, room * sizeof(struct pabal__slot *));
	if (!chunks)
		return false;
	slots->chunks = chunks;
	slots->chunk_room = room;
	return true;
}

/* More of them, all spare. */
static bool grow(struct pabal__slots *slots)
{
	struct pabal__slot *chunk;

	if (!have_room(slots))
		return false;
	chunk = aligned_alloc(64, PABAL__SLOTS_A_CHUNK * sizeof *chunk);
	if (!chunk)
		return false;
	for (uint32_t i = PABAL__SLOTS_A_CHUNK; i-- > 0;) {
		memset(&chunk[i], 0, offsetof(struct pabal__slot, data));
		chunk[i].mark = slots->chunk_count * PABAL__SLOTS_A_CHUNK + i;
		chunk[i].next = slots->spare;
		slots->spare = &chunk[i];
	}
	slots->chunks[slots->chunk_count++] = chunk;
	return true;
}

struct pabal__slot *pabal__slots_take_other(struct pabal__slots *slots)
{
	struct pabal__slot *slot;

	if (!slots->spare && !grow(slots))
		return NULL;
	slot = slots->spare;
	slots->spare = slot->next;
	slots->first = slot;
	slot->mark += PABAL__SLOT_STEP;
	return slot;
}

uint32_t pabal__slots_used(const struct pabal__slots *slots)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < slots->chunk_count * PABAL__SLOTS_A_CHUNK; i++)
		used += pabal__slot_in_use(pabal__slots_at(slots, i));
	return used;
}
