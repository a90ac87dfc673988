/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/attach.c - for tests alone: two handles of a mailbox or a buffer on one mapping. Empty in the shipped library.
 */
#include "model/attach.h"

#ifdef PABAL_TEST
#include <string.h>
#include <sys/mman.h>

#include "model/buffer.h"

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
		waiter->sleepers->told = i ? &mailbox->self->waits_room : &mailbox->self->waits_message;
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

/* The form's views, too. */
static void move_buffer(pabal_buffer *buffer, struct pabal__header *base)
{
	char *old = (char *)buffer->base.segment.header, *new = (char *)base;
	uint32_t flags = buffer->base.segment.shape.flags;

	move_view(&buffer->base, base);
	if (flags & (PABAL_BUFFER_SPSC | PABAL_BUFFER_LATEST)) {
		buffer->base.sending.waiter.memory_bell = buffer->base.sending.waiter.bell;
		buffer->base.receiving.waiter.memory_bell = buffer->base.receiving.waiter.bell;
	}
	if (flags & PABAL_BUFFER_SPSC) {
		buffer->shared = pabal__buffer_spsc_of(&buffer->base.segment);
		buffer->producer.shared = buffer->consumer.shared = &buffer->shared->positions;
		buffer->producer.items = buffer->consumer.items = (uint8_t *)new + ((char *)buffer->producer.items - old);
	}
	if (flags & PABAL_BUFFER_LATEST) {
		buffer->latest.shared = (struct pabal__latest_shared *)(void *)(new + ((char *)buffer->latest.shared - old));
		buffer->latest.items = (uint8_t *)new + ((char *)buffer->latest.items - old);
	}
}

int pabal__buffer_attach_shared(pabal_buffer *first, uint32_t flags, pabal_buffer **ret_buffer)
{
	struct pabal_buffer_opts opts = { .struct_size = sizeof opts, .flags = flags };
	pabal_buffer *buffer;
	int r = pabal_buffer_open(first->base.segment.name, &opts, &buffer);

	if (r < 0)
		return r;
	munmap(buffer->base.segment.header, buffer->base.segment.size);
	move_buffer(buffer, first->base.segment.header);
	*ret_buffer = buffer;
	return 0;
}

void pabal__buffer_detach_shared(pabal_buffer *buffer)
{
	struct pabal__segment *segment = &buffer->base.segment;
	void *own = mmap(NULL, segment->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, pabal__segment_fd(segment), 0);

	if (own != MAP_FAILED) {
		move_buffer(buffer, own);
		pabal_buffer_close(buffer);
	}
}

struct pabal__segment *pabal__mailbox_segment(pabal_mailbox *mailbox)
{
	return &mailbox->segment;
}
#else
typedef int pabal__attach_is_empty; /* ISO C wants a declaration in every file */
#endif
