/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/waitable.c - the descriptors of mailboxes and buffers: is there something, is there room?
 */
#include "model/waitable.h"

#include <errno.h>
#include <poll.h>

#include "base/error.h"
#include "model/buffer.h"
#include "model/descriptor.h"

static bool mailbox_is_ready(pabal_mailbox *mailbox, uint32_t event)
{
	struct pabal__side *side = event == PABAL_READABLE ? &mailbox->receiving : &mailbox->sending;
	bool entered, ready;

	if (pabal__object_ended(&mailbox->segment))
		return true;
	entered = pabal__side_enter(mailbox, side); /* other threads of this handle move its position */
	if (event == PABAL_READABLE)
		ready = pabal__ring_has_message(&mailbox->ring) || pabal__redeliver_count(&mailbox->segment) > 0;
	else
		ready = pabal__ring_has_room(&mailbox->ring);
	pabal__side_leave(side, entered);
	return ready;
}

static bool latest_is_news(pabal_buffer *buffer)
{
	struct pabal__side *side = &buffer->base.receiving;
	bool entered = pabal__side_enter(&buffer->base, side); /* other threads of this handle see what is new */
	bool news = pabal__latest_is_news(&buffer->latest);

	pabal__side_leave(side, entered);
	return news;
}

static bool buffer_is_ready(pabal_mailbox *mailbox, uint32_t event)
{
	pabal_buffer *buffer = (pabal_buffer *)mailbox; /* the mailbox is its first member */
	const struct pabal__shape *shape = &mailbox->segment.shape;
	uint64_t put, got;

	if (pabal__object_ended(&mailbox->segment))
		return true;
	if (shape->flags & PABAL_BUFFER_LATEST)
		return event == PABAL_WRITABLE || latest_is_news(buffer);
	if (shape->flags & PABAL_BUFFER_SPSC) /* positions that make no sense: the call says so */
		return !pabal__spsc_count(&buffer->shared->positions, shape->capacity, &put, &got) ||
		       (event == PABAL_READABLE ? put != got : put - got < shape->capacity);
	return (event == PABAL_WRITABLE && shape->on_full == PABAL_FULL_DROP_OLDEST) || mailbox_is_ready(mailbox, event);
}

static int check_event(uint32_t event)
{
	return event == PABAL_READABLE || event == PABAL_WRITABLE
		       ? 0
		       : pabal__fail(-EINVAL, "event is 0x%x: ask for PABAL_READABLE or PABAL_WRITABLE, each has a descriptor of its own", event);
}

int pabal_mailbox_fd(pabal_mailbox *mailbox, uint32_t event)
{
	int r = pabal__mailbox_check(mailbox, true, PABAL_NOWAIT);

	if (r == 0)
		r = check_event(event);
	return r < 0 ? r : pabal__descriptor_of(mailbox, event, mailbox_is_ready);
}

int pabal_buffer_fd(pabal_buffer *buffer, uint32_t event)
{
	int r = pabal__buffer_check(buffer, true, PABAL_NOWAIT);

	if (r == 0)
		r = check_event(event);
	return r < 0 ? r : pabal__descriptor_of(&buffer->base, event, buffer_is_ready);
}

bool pabal__waitable_is(const void *object)
{
	uint32_t magic = object ? *(const uint32_t *)object : 0;

	return magic == PABAL__HANDLE_MAGIC || magic == PABAL__BUFFER_MAGIC;
}

static int waitable_fd(void *object, uint32_t event)
{
	return ((pabal_mailbox *)object)->magic == PABAL__BUFFER_MAGIC ? pabal_buffer_fd(object, event) : pabal_mailbox_fd(object, event);
}

static bool verify(void *object, uint32_t event)
{
	pabal_mailbox *mailbox = object; /* a buffer begins with one */

	return pabal__descriptor_verify(mailbox, event, mailbox->magic == PABAL__BUFFER_MAGIC ? buffer_is_ready : mailbox_is_ready);
}

/* Both descriptors become readable when the object is destroyed: another is needed only where neither is polled. */
static int end_fds(void *object, uint32_t events, int *ret_fds, short *ret_events)
{
	int r;

	if (events & (PABAL_READABLE | PABAL_WRITABLE))
		return 0;
	r = waitable_fd(object, PABAL_READABLE);
	if (r < 0)
		return r;
	pabal__descriptor_end_fds(object, ret_fds);
	for (int i = 0; i < PABAL__WAIT_END_FDS; i++)
		ret_events[i] = POLLIN;
	return 0;
}

static bool has_ended(void *object, bool told)
{
	pabal_mailbox *mailbox = object;

	if (told && !pabal__object_ended(&mailbox->segment))
		pabal__descriptor_hush(mailbox);
	return pabal__object_ended(&mailbox->segment);
}

static bool is_lost(void *object)
{
	return pabal__descriptor_is_lost(object);
}

struct pabal__wait_kind pabal__waitable_kind(void *object)
{
	static const struct pabal__wait_calls_of_kind calls = {
		.fd = waitable_fd,
		.verify = verify,
		.end_fds = end_fds,
		.has_ended = has_ended,
		.is_lost = is_lost,
	};
	pabal_mailbox *mailbox = object;

	return (struct pabal__wait_kind){
		.calls = &calls,
		.flags = mailbox->flags,
		.interrupts = &mailbox->interrupts,
		.acknowledged = &mailbox->acknowledged,
		.nudges = &mailbox->nudges,
	};
}
