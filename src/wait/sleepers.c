/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/sleepers.c - who waits for one thing on one handle, and the word that tells of them.
 *
 * The word is written under the lock of the list, and always from the list: so whoever comes and whoever goes may cross, and what the last of them wrote is how it is. Nobody sleeps, or makes a system call but for
 * this lock, while he has it.
 *
 * A fork child has a copy of the list, perhaps locked, with sleepers on stacks that no thread of it runs on. It never looks at it: every call on the handle is refused before (-ESTALE), and close leaves it.
 *
 * Killed anywhere: the word stays, and the dead are not asked (model/waits.c).
 */
#include "wait/sleepers.h"

#include <stddef.h>

#include "wait/waiting.h"

void pabal__sleepers_init(struct pabal__sleepers *sleepers, _Atomic uint64_t *told, _Atomic uint64_t *index, uint32_t shift)
{
	*sleepers = (struct pabal__sleepers){ .told = told, .index = index, .shift = shift };
	pthread_mutex_init(&sleepers->lock, NULL);
}

void pabal__sleepers_deinit(struct pabal__sleepers *sleepers)
{
	pthread_mutex_destroy(&sleepers->lock);
}

/* Under the lock: the first one is another, or there is none. */
static void tell(const struct pabal__sleepers *sleepers)
{
	const struct pabal__sleeper *first = sleepers->first;

	if (!sleepers->told)
		return;
	if (first && sleepers->index) {
		/* Not with the index of another. Relaxed, all: for lookers-on. The other half belongs to another list of the handle. */
		atomic_store_explicit(sleepers->told, 0, memory_order_relaxed);
		atomic_fetch_and_explicit(sleepers->index, ~(UINT64_C(0xffffffff) << sleepers->shift), memory_order_relaxed);
		atomic_fetch_or_explicit(sleepers->index, (uint64_t)first->index << sleepers->shift, memory_order_relaxed);
	}
	atomic_store_explicit(sleepers->told, first ? first->waiting : 0,
			      memory_order_release); /* after its index; pairs with the look of pabal_waits() */
}

void pabal__sleepers_enter(struct pabal__sleepers *sleepers, struct pabal__sleeper *sleeper, uint32_t index, int64_t now, int64_t deadline)
{
	sleeper->next = NULL;
	sleeper->waiting = pabal__waiting_pack(now, deadline);
	sleeper->index = index;
	pthread_mutex_lock(&sleepers->lock);
	sleeper->previous = sleepers->last;
	if (sleeper->previous)
		sleeper->previous->next = sleeper;
	else
		sleepers->first = sleeper;
	sleepers->last = sleeper;
	if (sleepers->first == sleeper)
		tell(sleepers);
	pthread_mutex_unlock(&sleepers->lock);
}

void pabal__sleepers_leave(struct pabal__sleepers *sleepers, struct pabal__sleeper *sleeper)
{
	pthread_mutex_lock(&sleepers->lock);
	if (sleeper->next)
		sleeper->next->previous = sleeper->previous;
	else
		sleepers->last = sleeper->previous;
	if (sleeper->previous) {
		sleeper->previous->next = sleeper->next;
	} else {
		sleepers->first = sleeper->next;
		tell(sleepers);
	}
	pthread_mutex_unlock(&sleepers->lock);
}
