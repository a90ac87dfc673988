/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_slots.c - places in chunks that never move: a payload that lies in one keeps its address.
 */
#include "model/link_slots.h"

#include <stdlib.h>
#include <string.h>

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

struct pabal__slot *pabal__slots_grow(struct pabal__slots *slots)
{
	struct pabal__slot *chunk;

	if (!have_room(slots))
		return NULL;
	chunk = aligned_alloc(64, PABAL__SLOTS_A_CHUNK * sizeof *chunk);
	if (!chunk)
		return NULL;
	for (uint32_t i = PABAL__SLOTS_A_CHUNK; i-- > 0;) {
		memset(&chunk[i], 0, offsetof(struct pabal__slot, data));
		chunk[i].mark = UINT64_C(1) << 32 | (slots->chunk_count * PABAL__SLOTS_A_CHUNK + i);
		chunk[i].next = slots->spare;
		slots->spare = &chunk[i];
	}
	slots->chunks[slots->chunk_count++] = chunk;
	return slots->spare;
}
