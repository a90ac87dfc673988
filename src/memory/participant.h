/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/participant.h - who is taking part in an object, and whether it lives.
 *
 * Each open handle has a slot, numbered from 1. Its word is `generation:32 | used:1`. What says that the participant lives is not the word but a lock that the
 * kernel holds for it: byte 2^40 + id of the file (platform/file.h). A slot that is used and not locked belongs to a dead one.
 *
 *   free(g) --lock first, then CAS--> used(g) --by the participant itself, or by its undertaker as the very last step--> free(g + 1)
 *
 * Killed between lock and CAS: the lock goes, the slot is free. Killed after the CAS: used and unlocked, to be buried.
 */
#ifndef PABAL_SRC_MEMORY_PARTICIPANT_H
#define PABAL_SRC_MEMORY_PARTICIPANT_H

#include "memory/segment.h"

struct pabal__participant {
	_Alignas(64) pabal__word word;
	pabal__word identity; /* pid:32 | uid:32, a claim; written before the word says used */
	pabal__word sent,
		received; /* written by the participant alone; in a region, where nothing is sent, @sent is pabal__participant_descriptors() */
	pabal__word late_wakes;
	/* Written by the participant alone, read by pabal_waits(): its wait for a message, and for room (wait/waiting.h); 0 while it does not wait. */
	pabal__word waits_message, waits_room; /* in a region: for an event, for a lock */
	pabal__word waits_index; /* a region: of the lock:32 | of the event:32; else: PABAL_READABLE, _WRITABLE: it has a descriptor for that */
};

_Static_assert(sizeof(struct pabal__participant) == PABAL__PARTICIPANT, "its size is in the layout");

static inline struct pabal__participant *pabal__participant_at(const struct pabal__segment *segment, uint32_t id)
{
	return (struct pabal__participant *)pabal__segment_at(segment, PABAL__PARTICIPANTS_AT) + id;
}

/*
 * Who of its descriptors is to be told (model/descriptor_post.h). Set by the participant; cleared by it, by its undertaker, and in a region by whoever has told it. In a region the upper half is a number that only goes
 * up, whoever has the slot.
 */
static inline pabal__word *pabal__participant_descriptors(const struct pabal__segment *segment, uint32_t id)
{
	struct pabal__participant *participant = pabal__participant_at(segment, id);

	return segment->kind->number == PABAL_KIND_REGION ? &participant->sent : &participant->waits_index;
}

/* Slots 1 .. this may be in use. */
uint32_t pabal__participants_high(const struct pabal__segment *segment);

static inline bool pabal__participant_used(uint64_t word)
{
	return word & 1;
}

/* Take a slot. -EUSERS: none is free (some may belong to the dead). */
int pabal__participant_join(struct pabal__segment *segment, const struct pabal__directory *directory, uint32_t *ret_id, void **ret_hold);

/* Give up one's own slot; everything that it held must have been given back. */
void pabal__participant_leave(struct pabal__segment *segment, uint32_t id, void *hold);

/* 1: the process of this used slot lives; 0: it is dead; negative: cannot tell, treat it as alive. */
int pabal__participant_lives(struct pabal__segment *segment, uint32_t id);

/* The byte that an undertaker of @id locks. */
static inline uint64_t pabal__participant_grave(uint32_t id)
{
	return (UINT64_C(1) << 41) + id;
}

#endif
