/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer_role.c - who is the producer, and who the consumer, of an SPSC buffer.
 *
 *   0 --CAS: the first put (get) of a handle--> (generation, participant) --its close, or its burial--> 0
 *                                                        |
 *                                                        +--CAS from this very word, by who finds that it is dead--> another
 *
 * The word names the slot and its generation, so a number that is used again is not taken for the one who had the role. Dead is who the kernel no longer holds the liveness
 * lock for; the word was read before that was asked, and the CAS fails if anything happened since. A claimer that is killed after its CAS is a dead holder like any
 * other. A hostile peer may write the word: then the wrong one has the role, or nobody, and each side checks the positions all the same.
 */
#include <errno.h>

#include "base/error.h"
#include "model/bury.h"
#include "model/buffer.h"

static uint64_t generation_of(const struct pabal__segment *segment, uint32_t id)
{
	return atomic_load_explicit(&pabal__participant_at(segment, id)->word, memory_order_acquire) >> 32; /* pairs with claim() of a slot */
}

/* Does the holder that @word names take part no more? */
static bool holder_is_gone(struct pabal__segment *segment, uint64_t word)
{
	uint32_t id = (uint32_t)word;
	uint64_t slot;

	if (id > pabal__participants_high(segment))
		return true;                                                                          /* nobody has such a number */
	slot = atomic_load_explicit(&pabal__participant_at(segment, id)->word, memory_order_acquire); /* pairs with claim() of a slot */
	if (!pabal__participant_used(slot) || slot >> 32 != word >> 32)
		return true; /* it left, or was buried, without giving up the role: by an enemy's hand */
	return pabal__participant_lives(segment, id) == 0 || PABAL__FAULT(ROLE_UNASKED);
}

static int begin_role(pabal_buffer *buffer, enum pabal__role role, uint64_t mine)
{
	struct pabal__spsc_end *end = role == PABAL__PRODUCER ? &buffer->producer : &buffer->consumer;

	buffer->has_role[role] = pabal__spsc_adopt(end, mine) == PABAL__RING_DONE;
	return buffer->has_role[role] ? 0 : -EBADMSG;
}

static int refuse(const struct pabal__segment *segment, enum pabal__role role)
{
	return pabal__fail(-EBUSY, "'%s' has a living %s: an SPSC buffer has one of each", segment->name,
			   role == PABAL__PRODUCER ? "producer" : "consumer");
}

int pabal__role_claim(pabal_buffer *buffer, enum pabal__role role)
{
	struct pabal__segment *segment = &buffer->base.segment;
	uint64_t mine = generation_of(segment, buffer->base.id) << 32 | buffer->base.id;
	pabal__word *word = &buffer->shared->roles[role];
	uint64_t found = atomic_load_explicit(word, memory_order_acquire); /* pairs with the release of who had the role before */
	struct pabal__burial burial = { 0 };

	if (found == mine) /* claimed, but the positions were impossible then */
		return begin_role(buffer, role, mine);
	if (found && !holder_is_gone(segment, found))
		return refuse(segment, role);
	if (found) {
		/* It counts what comes again, and frees the role. Where it cannot (another undertaker is at it) the word is as it was, and that will do. */
		pabal__bury(segment, (uint32_t)found, &burial);
		if (burial.buried)
			found = 0;
	}
	/* acq_rel: what the one before us did is visible; pairs with the CAS or the store that freed it. A failure: somebody else was here since. */
	if (!atomic_compare_exchange_strong_explicit(word, &found, mine, memory_order_acq_rel, memory_order_relaxed))
		return refuse(segment, role);
	return begin_role(buffer, role, mine);
}

/* Items that the consumer with this word holds in place; 0 also if the numbers make no sense. */
static uint64_t in_hand(const struct pabal__segment *segment, uint64_t word)
{
	struct pabal__spsc_shared *shared = &pabal__buffer_spsc_of(segment)->positions;
	uint64_t put, got, held = 0, back;

	if (pabal__spsc_count(shared, segment->shape.capacity, &put, &got))
		pabal__spsc_count_handed(shared, put, got, word, &held, &back);
	return held;
}

void pabal__role_free(struct pabal__segment *segment, uint32_t id, uint64_t generation, struct pabal__burial *burial)
{
	struct pabal__buffer_spsc *shared = pabal__buffer_spsc_of(segment);

	for (int role = PABAL__PRODUCER; role <= PABAL__CONSUMER; role++) {
		uint64_t found = generation << 32 | id;
		uint64_t again = role == PABAL__CONSUMER ? in_hand(segment, found) : 0;

		/* release: all that it did comes before the next one's doing; pairs with pabal__role_claim() */
		if (atomic_compare_exchange_strong_explicit(&shared->roles[role], &found, 0, memory_order_acq_rel, memory_order_relaxed))
			burial->redelivered += again;
	}
}

uint32_t pabal__role_holder(const struct pabal__segment *segment, enum pabal__role role)
{
	return (uint32_t)atomic_load_explicit(&pabal__buffer_spsc_of(segment)->roles[role], memory_order_relaxed); /* a look */
}
