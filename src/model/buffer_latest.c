/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer_latest.c - the form for sampled data: queue/latest.c, and memory for its blocks.
 *
 * A writer never waits. A reader waits for an item that it did not get yet, never for a writer in the middle of one. All who wait are woken by each item; as in
 * buffer_spsc.c, the sleeper pays for the barrier.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "model/buffer.h"
#include "model/bury.h"

/* Memory for one block more. */
static int grow(pabal_buffer *buffer)
{
	struct pabal__latest *latest = &buffer->latest;
	uint32_t high = pabal__latest_high(latest);
	int r = pabal__segment_back(&buffer->base.segment, PABAL__LATEST_ITEMS_AT + high * latest->stride, latest->stride);

	if (r == 0)
		pabal__latest_raise(latest, high);
	return r;
}

/* A block to fill. The dead may hold some: they are looked for before memory is, if that is short. */
static int claim(pabal_buffer *buffer, uint32_t *ret_block)
{
	struct pabal__burial burial = { 0 };
	enum pabal__ring_result result;
	int r = 0;

	for (int i = 0; i <= PABAL__LATEST_BLOCKS; i++) {
		result = pabal__latest_claim(&buffer->latest, ret_block);
		if (result == PABAL__RING_DONE)
			return 0;
		if (result == PABAL__RING_CORRUPT)
			break;
		if (r < 0)
			return r; /* no memory, and no dead to bury */
		r = grow(buffer);
		if (r < 0)
			pabal__bury_dead(&buffer->base.segment, &burial);
		if (r < 0 && !burial.buried)
			return r;
	}
	return -EBADMSG;
}

static int may_write(pabal_buffer *buffer)
{
	return buffer->loaned ? pabal__fail_with(-EBUSY, "a loan of this handle has not ended: commit or cancel it first") : 0;
}

/* Under the lock: the block holds the last of @count items. */
static void publish(pabal_buffer *buffer, uint32_t block, uint32_t count)
{
	pabal_mailbox *mailbox = &buffer->base;

	pabal__latest_publish(&buffer->latest, block, count);
	mailbox->sending.count += count; /* alone: statistics, ours to write */
	atomic_store_explicit(&mailbox->self->sent, mailbox->sending.count, memory_order_relaxed);
}

static int put(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	uint64_t size = buffer->item_size;
	uint32_t block;
	bool entered;
	int r;

	if (pabal__object_ended(&buffer->base.segment))
		return -ESHUTDOWN;
	if (call->count == 0)
		return 0;
	entered = pabal__side_enter(&buffer->base, &buffer->base.sending);
	r = may_write(buffer);
	if (r == 0)
		r = claim(buffer, &block);
	if (r == 0) {
		if (!PABAL__FAULT(LATEST_PUBLISH_FIRST))
			memcpy(pabal__latest_item(&buffer->latest, block), call->from + (call->count - 1) * size, size);
		publish(buffer, block, call->count);
		if (PABAL__FAULT(LATEST_PUBLISH_FIRST))
			memcpy(pabal__latest_item(&buffer->latest, block), call->from + (call->count - 1) * size, size);
		call->done = call->count;
	}
	pabal__side_leave(&buffer->base.sending, entered);
	if (r == 0)
		pabal__buffer_ring_items(buffer);
	return r;
}

static int loan(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	uint32_t block = 0;
	bool entered;
	int r;

	if (pabal__object_ended(&buffer->base.segment))
		return -ESHUTDOWN;
	entered = pabal__side_enter(&buffer->base, &buffer->base.sending);
	r = may_write(buffer);
	if (r == 0)
		r = claim(buffer, &block);
	if (r == 0) {
		buffer->loaned = block + 1;
		call->loan->data = pabal__latest_item(&buffer->latest, block);
		call->loan->size = buffer->item_size;
		call->loan->reserved[PABAL__ITEM_NUMBER] = ++buffer->loan_number;
	}
	pabal__side_leave(&buffer->base.sending, entered);
	return r;
}

static int end_loan(struct pabal__buffer_call *call, bool is_published)
{
	pabal_buffer *buffer = call->buffer;
	bool entered = pabal__side_enter(&buffer->base, &buffer->base.sending);
	int r = 0;

	if (!buffer->loaned || call->loan->reserved[PABAL__ITEM_NUMBER] != buffer->loan_number)
		r = pabal__fail_with(-EINVAL, "this loan has ended already");
	else if (is_published)
		publish(buffer, buffer->loaned - 1, 1);
	else
		pabal__latest_cancel(&buffer->latest, buffer->loaned - 1);
	if (r == 0)
		buffer->loaned = 0;
	pabal__side_leave(&buffer->base.sending, entered);
	if (r == 0 && is_published)
		pabal__buffer_ring_items(buffer);
	return r;
}

static int commit(struct pabal__buffer_call *call)
{
	return pabal__object_ended(&call->buffer->base.segment) ? -ESHUTDOWN : end_loan(call, true);
}

static int cancel(struct pabal__buffer_call *call)
{
	return end_loan(call, false);
}

/* The newest item is pinned. Under the lock. */
static int pin(pabal_buffer *buffer, uint64_t *ret_word)
{
	if (buffer->taken)
		return pabal__fail_with(-EBUSY, "an item that this handle took is not released: release it first");
	switch (pabal__latest_pin(&buffer->latest, ret_word)) {
	case PABAL__RING_DONE:
		return 0;
	case PABAL__RING_NOT_NOW:
		return pabal__object_ended(&buffer->base.segment) ? -ESHUTDOWN : PABAL__WAIT_MEMORY;
	case PABAL__RING_BUSY:
		return PABAL__WAIT_BUSY;
	default:
		return -EBADMSG;
	}
}

static void count_got(pabal_mailbox *mailbox)
{
	/* alone: statistics, ours to write */
	atomic_store_explicit(&mailbox->self->received, ++mailbox->receiving.count, memory_order_relaxed);
}

static int get(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	bool entered = pabal__side_enter(&buffer->base, &buffer->base.receiving);
	uint64_t word;
	int r = pin(buffer, &word);

	if (r == 0) {
		memcpy(call->to, pabal__latest_item(&buffer->latest, pabal__latest_block(word)), buffer->item_size);
		pabal__latest_unpin(&buffer->latest);
		call->done = 1;
		count_got(&buffer->base);
	}
	pabal__side_leave(&buffer->base.receiving, entered);
	return r;
}

static int take(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	bool entered = pabal__side_enter(&buffer->base, &buffer->base.receiving);
	struct pabal_message *items = call->items;
	uint64_t word;
	int r = pin(buffer, &word);

	if (r == 0) {
		buffer->taken = pabal__latest_block(word) + 1;
		items->data = pabal__latest_item(&buffer->latest, pabal__latest_block(word));
		items->size = buffer->item_size;
		items->sequence = pabal__latest_sequence(word) - 1; /* counted from 0, as in the other forms */
		items->delivery_count = 1;
		items->reserved[PABAL__ITEM_NUMBER] = ++buffer->take_number;
		count_got(&buffer->base);
	}
	pabal__side_leave(&buffer->base.receiving, entered);
	return r;
}

static int release(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	bool entered = pabal__side_enter(&buffer->base, &buffer->base.receiving);
	int r = 0;

	if (!buffer->taken || call->items->reserved[PABAL__ITEM_NUMBER] != buffer->take_number)
		r = pabal__fail_with(-EINVAL, "this item was released already");
	if (r == 0) {
		pabal__latest_unpin(&buffer->latest);
		buffer->taken = 0;
	}
	pabal__side_leave(&buffer->base.receiving, entered);
	return r;
}

static bool all_are_woken(pabal_buffer *buffer)
{
	(void)buffer; /* no baton */
	return false;
}

static void leave(pabal_buffer *buffer)
{
	pabal__latest_recover(&buffer->latest, buffer->base.id);
	pabal__object_leave(&buffer->base.segment, buffer->base.id, buffer->base.hold);
}

const struct pabal__buffer_form pabal__buffer_form_latest = {
	.put = put,
	.loan = loan,
	.commit = commit,
	.cancel = cancel,
	.get = get,
	.take = take,
	.release = release,
	.more_room = all_are_woken,
	.more_items = all_are_woken,
	.leave = leave,
};
