/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer.c - what every call on a buffer handle shares: is it fit for use, how it waits, what is said when it fails.
 */
#include "model/buffer.h"

#include <errno.h>

#include "base/error.h"

int pabal__buffer_refuse(const pabal_buffer *buffer, bool write)
{
	if (!buffer || buffer->base.magic != PABAL__BUFFER_MAGIC)
		return pabal__fail_with(-EINVAL, "this is no open buffer handle");
	if (buffer->base.generation != pabal__fork_generation())
		return pabal__fail_with(-ESTALE,
					"this handle was opened before a fork and belongs to the parent: open the buffer again in the child");
	if (write && (buffer->base.flags & PABAL_READ_ONLY))
		return pabal__fail_with(-EPERM, "this handle is read-only: open the buffer without PABAL_READ_ONLY");
	return pabal__fail_with(-EINVAL, "the time-out is negative: PABAL_NOWAIT, PABAL_FOREVER or nanoseconds");
}

/* What the call found, on the side that it was about. */
static int say_not_now(int error, const pabal_buffer *buffer, bool reading)
{
	const struct pabal__shape *shape = &buffer->base.segment.shape;
	bool late = error == -ETIMEDOUT;

	if (reading && shape->flags & PABAL_BUFFER_LATEST)
		return pabal__fail_with(error, late ? "the time was up before there was an item that this handle did not get yet"
						    : "not now: there is no item that this handle did not get yet; give a time-out to wait");
	if (reading)
		return pabal__fail_with(error, late ? "the time was up before the buffer had an item"
						    : "not now: the buffer is empty; give a time-out to wait");
	if (shape->on_full == PABAL_FULL_DROP_OLDEST)
		return pabal__fail_with(
			error, late ? "the time was up before the buffer had room: takes hold all its memory"
				    : "not now: takes hold all memory of the buffer, so that nothing can be dropped; give a time-out to wait");
	if (shape->on_full == PABAL_FULL_FAIL)
		return pabal__fail_with(error, "not now: the buffer is full, and was created not to wait then");
	return pabal__fail_with(error, late ? "the time was up before the buffer had room" : "not now: the buffer is full; give a time-out to wait");
}

int pabal__buffer_say(int error, const pabal_buffer *buffer, const struct pabal__side *side)
{
	switch (error) {
	case -EAGAIN:
	case -ETIMEDOUT:
		return say_not_now(error, buffer, side == &buffer->base.receiving);
	case -EINTR:
		return pabal__fail_with(error, "a signal handler ran while the call waited: call again, or open with PABAL_RESTART");
	case -ECANCELED:
		return pabal__fail_with(error, "the wait was interrupted with pabal_buffer_interrupt()");
	case -ESHUTDOWN:
		return pabal__fail_with(error, "the buffer was destroyed: close the handle");
	case -EBADMSG:
		return pabal__fail_with(
			error, "the content of the buffer is corrupt: somebody who may write it damaged it; run pabal fsck, then destroy it");
	default:
		return error; /* said already */
	}
}

int pabal__buffer_do(struct pabal__buffer_call *call, struct pabal__side *side, int64_t timeout_ns)
{
	int r = call->attempt(call);

	if (r > 0)
		r = pabal__mailbox_go_on(&call->call, side, r, timeout_ns);
	return r < 0 ? pabal__buffer_say(r, call->buffer, side) : r;
}

static int attempt(void *argument)
{
	struct pabal__buffer_call *call = argument;

	return call->attempt(call);
}

static bool more_room(void *argument)
{
	pabal_buffer *buffer = ((struct pabal__buffer_call *)argument)->buffer;

	return buffer->form->more_room(buffer);
}

static bool more_items(void *argument)
{
	pabal_buffer *buffer = ((struct pabal__buffer_call *)argument)->buffer;

	return buffer->form->more_items(buffer);
}

static void not_busy(void *argument)
{
	(void)argument; /* a consumer never waits for another one */
}

const struct pabal__wait_calls pabal__put_calls = {
	.attempt = attempt,
	.more = more_room,
	.idle = pabal__mailbox_idle,
	.told = pabal__mailbox_told_room,
	.busy = pabal__mailbox_busy, /* only the default form is ever busy on this side */
	.before_sleep = pabal__mailbox_before_sleep,
};

const struct pabal__wait_calls pabal__get_calls = {
	.attempt = attempt,
	.more = more_items,
	.idle = pabal__mailbox_idle,
	.told = pabal__mailbox_told_items,
	.busy = not_busy,
	.before_sleep = pabal__mailbox_before_sleep,
};
