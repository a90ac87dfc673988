/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/attach.c - for tests alone: two handles on one mapping. Empty in the shipped library.
 */
#include "model/attach.h"

#ifdef PABAL_TEST
#include <string.h>
#include <sys/mman.h>

#include "model/mailbox.h"

/* Let the views that @mailbox has of the segment be those of @base instead. */
static void move_view(pabal_mailbox *mailbox, struct pabal__header *base)
{
	char *old = (char *)mailbox->segment.header, *new = (char *)base;

	mailbox->segment.header = base;
	mailbox->self = pabal__participant_at(&mailbox->segment, mailbox->id);
	mailbox->ring.slots = (pabal__word *)(void *)(new + ((char *)mailbox->ring.slots - old));
	for (int i = 0; i < 2; i++) {
		struct pabal__waiter *waiter = i ? &mailbox->sending.waiter : &mailbox->receiving.waiter;

		waiter->bell = i ? &base->room_bell : &base->items_bell;
		waiter->memory_bell = &base->memory_bell;
		waiter->late_wakes = &mailbox->self->late_wakes;
		waiter->waiting = i ? &mailbox->self->waits_room : &mailbox->self->waits_message;
	}
}

int pabal__mailbox_attach_shared(pabal_mailbox *first, uint32_t flags, pabal_mailbox **ret_mailbox)
{
	struct pabal_mailbox_opts opts = { .struct_size = sizeof opts, .flags = flags };
	pabal_mailbox *mailbox;
	int r = pabal_mailbox_open(first->segment.name, &opts, &mailbox);

	if (r < 0)
		return r;
	munmap(mailbox->segment.header, mailbox->segment.size);
	move_view(mailbox, first->segment.header);
	*ret_mailbox = mailbox;
	return 0;
}

void pabal__mailbox_detach_shared(pabal_mailbox *mailbox)
{
	/* Close unmaps what it has: give it a mapping of its own for that. */
	void *own = mmap(NULL, mailbox->segment.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, pabal__segment_fd(&mailbox->segment), 0);

	if (own != MAP_FAILED) {
		move_view(mailbox, own);
		pabal_mailbox_close(mailbox);
	}
}

struct pabal__segment *pabal__mailbox_segment(pabal_mailbox *mailbox)
{
	return &mailbox->segment;
}
#else
typedef int pabal__attach_is_empty; /* ISO C wants a declaration in every file */
#endif
