/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/close.c - interrupt, close and destroy: the ends of a wait, of a handle, of a mailbox.
 *
 * Killed while closing: what close gives back one by one, an undertaker gives back as well. While destroying: see object_end.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "model/descriptor.h"
#include "model/mailbox.h"
#include "platform/file.h"

void pabal__mailbox_stop_waits(pabal_mailbox *mailbox)
{
	/* release: pairs with the acquire of the waits; counted before they are woken */
	atomic_fetch_add_explicit(&mailbox->interrupts, 1, memory_order_release);
	pabal__bell_ring_out(&mailbox->segment.header->items_bell);
	pabal__bell_ring_out(&mailbox->segment.header->room_bell);
	pabal__bell_ring_out(&mailbox->segment.header->memory_bell);
	pabal__descriptor_poke(mailbox);
	pabal__nudge_all(&mailbox->nudges);
}

int pabal_mailbox_interrupt(pabal_mailbox *mailbox)
{
	/* For signal handlers: atomics and a few system calls, no lock, and no sentence, which is not safe there. */
	if (!mailbox || mailbox->magic != PABAL__HANDLE_MAGIC)
		return -EINVAL;
	if (mailbox->generation != pabal__fork_generation())
		return -ESTALE;
	if (mailbox->flags & PABAL_READ_ONLY)
		return -EPERM;
	pabal__mailbox_stop_waits(mailbox);
	return 0;
}

void pabal__mailbox_leave(pabal_mailbox *mailbox)
{
	struct pabal__segment *segment = &mailbox->segment;
	struct pabal__burial burial = { 0 };
	/* relaxed: no other thread uses the handle any more */
	uint32_t borrowed = atomic_load_explicit(&mailbox->borrowed, memory_order_relaxed);

	if (borrowed && pabal__bury_blocks(segment, mailbox->id, false, &burial) < 0) {
		pabal__file_let_go(mailbox->hold); /* no memory: look dead instead, and be buried by somebody who has some */
		return;
	}
	pabal__pool_leave(&mailbox->pool);
	pabal__mailbox_ring_memory(segment); /* homes that float are memory for others */
	atomic_fetch_add_explicit(&segment->header->redelivered, burial.redelivered, memory_order_relaxed); /* statistics */
	if (borrowed) /* there may be messages again, and memory */
		pabal__mailbox_notify(segment);
	pabal__mailbox_reclaim(segment, mailbox->id);
	atomic_fetch_add_explicit(&segment->header->late_wakes, atomic_load_explicit(&mailbox->self->late_wakes, memory_order_relaxed),
				  memory_order_relaxed);
	pabal__object_leave(segment, mailbox->id, mailbox->hold);
}

pabal_mailbox *pabal_mailbox_close(pabal_mailbox *mailbox)
{
	if (!mailbox || mailbox->magic != PABAL__HANDLE_MAGIC)
		return NULL;
	pabal__descriptor_close(mailbox, mailbox->generation == pabal__fork_generation());
	/* A fork child gives back nothing of its parent's. Its copy of the descriptor and of the mapping go all the same. */
	if (!(mailbox->flags & PABAL_READ_ONLY) && mailbox->generation == pabal__fork_generation())
		pabal__mailbox_leave(mailbox);
	mailbox->magic = 0;
	pthread_mutex_destroy(&mailbox->sending.lock);
	pthread_mutex_destroy(&mailbox->receiving.lock);
	pabal__sleepers_deinit(&mailbox->sending.sleepers);
	pabal__sleepers_deinit(&mailbox->receiving.sleepers);
	pabal__segment_close(&mailbox->segment);
	free(mailbox);
	return NULL;
}

int pabal_mailbox_destroy(const char *name)
{
	return pabal__object_destroy(&pabal__mailbox_kind, name);
}
