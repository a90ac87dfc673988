/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/bury.c - the undertaker.
 *
 * The order, each step a compare-and-swap from a state that was read, or repeatable as it is; so a burial may be killed anywhere and begun again by another:
 *
 *   0. lock the grave (byte 2^41 + id): one undertaker at a time; the kernel releases it if the undertaker dies
 *   1. make sure: the slot is used, the liveness lock is not held
 *   2. what the kind of object has to repair (bury_mailbox.c, lock.c)
 *   3. tell everybody
 *   4. the slot, as the last act: until then another undertaker would find the work again
 *
 * A hostile peer can make this do the wrong thing to the object. Every loop is bounded by the layout, every number is checked.
 */
#include "model/bury.h"

#include <errno.h>
#include <unistd.h>

#include "model/object.h"
#include "platform/file.h"
#include "platform/fork.h"

/*
 * Dead is who used the slot before and after its lock was found not to be held. One look is not enough: it may leave after that look, give the slot up, then the
 * lock; and whoever joins under its number next would be buried alive. The generation in the word tells the two apart.
 */
static bool is_dead(struct pabal__segment *segment, uint32_t id)
{
	pabal__word *slot = &pabal__participant_at(segment, id)->word;
	uint64_t word = atomic_load_explicit(slot, memory_order_acquire); /* pairs with claim() */

	return pabal__participant_used(word) && pabal__participant_lives(segment, id) == 0 &&
	       atomic_load_explicit(slot, memory_order_acquire) == word; /* pairs with the release of the leaver */
}

/* The grave is locked. */
static void bury_locked(struct pabal__segment *segment, uint32_t id, struct pabal__burial *burial)
{
	struct pabal__participant *dead = pabal__participant_at(segment, id);
	struct pabal__burial one = { 0 };
	uint64_t word;

	if (!is_dead(segment, id)) /* somebody else has buried it while we waited for the lock */
		return;
	if (pabal__object_kind(segment)->bury(segment, id, &one) < 0)
		return;
	/* Counted just before the last act; an undertaker killed in between leaves the next one nothing to count. */
	atomic_fetch_add_explicit(&segment->header->redelivered, one.redelivered, memory_order_relaxed); /* statistics */
	atomic_fetch_add_explicit(&segment->header->dropped, one.dropped, memory_order_relaxed);
	word = atomic_load_explicit(&dead->word, memory_order_relaxed); /* ours alone: it is dead and we hold the grave */
	pabal__object_notify(segment);
	/* release: pairs with the acquire in claim(): all is repaired before the slot is used again */
	atomic_store_explicit(&dead->word, ((word >> 32) + 1) << 32, memory_order_release);
	burial->buried++;
	burial->redelivered += one.redelivered;
	burial->dropped += one.dropped;
}

void pabal__bury(struct pabal__segment *segment, uint32_t id, struct pabal__burial *burial)
{
	int fd, grave;

	if (id < 1 || id > pabal__participants_high(segment) || !is_dead(segment, id))
		return;
	fd = pabal__segment_fd(segment);
	if (fd < 0)
		return;
	/* The grave's descriptor is open for the burial only, and a fork must not hand a child a share in it. */
	pabal__fork_guard();
	if (pabal__file_reopen(fd, -1, NULL, &grave) == 0) {
		if (pabal__file_lock(grave, pabal__participant_grave(id)) == 0)
			bury_locked(segment, id, burial);
		close(grave);
	}
	pabal__fork_unguard();
}

void pabal__bury_dead(struct pabal__segment *segment, struct pabal__burial *burial)
{
	uint32_t high = pabal__participants_high(segment);

	for (uint32_t id = 1; id <= high; id++)
		pabal__bury(segment, id, burial);
}
