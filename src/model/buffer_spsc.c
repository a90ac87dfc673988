/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer_spsc.c - the form with one producer and one consumer: queue/spsc.c, roles, and one publication a call.
 *
 * Its bells are rung after a plain store, so it is the sleeper who pays for the barrier: every wait here has the reason PABAL__WAIT_MEMORY, with the bell of its own
 * side in the place of the memory bell (buffer_open.c).
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "model/buffer.h"

static int busy(const char *what)
{
	return what[0] == 'l' ? pabal__fail_with(-EBUSY, "a loan of this handle has not ended: commit or cancel it first")
			      : pabal__fail_with(-EBUSY, "items that this handle took are not released: release them first");
}

/* May we put (get) @count now? Nothing always, and it claims no place. Under the lock of the side. */
static inline int may_put(pabal_buffer *buffer, uint32_t count)
{
	int r = __builtin_expect(buffer->has_role[PABAL__PRODUCER], 1) || !count ? 0 : pabal__role_claim(buffer, PABAL__PRODUCER);

	return r == 0 && buffer->loaned && count ? busy("loan") : r;
}

static inline int may_get(pabal_buffer *buffer)
{
	int r = __builtin_expect(buffer->has_role[PABAL__CONSUMER], 1) ? 0 : pabal__role_claim(buffer, PABAL__CONSUMER);

	return r == 0 && buffer->taken ? busy("take") : r;
}

static inline int reason(enum pabal__ring_result result)
{
	return result == PABAL__RING_DONE ? 0 : result == PABAL__RING_NOT_NOW ? PABAL__WAIT_MEMORY : -EBADMSG;
}

static inline void count(struct pabal__side *side, pabal__word *word, uint64_t some)
{
	side->count += some; /* alone: statistics, ours to write */
	atomic_store_explicit(word, side->count, memory_order_relaxed);
}

static int put(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	uint32_t before = call->done, some;
	bool entered;
	int r;

	if (pabal__object_ended(&buffer->base.segment))
		return -ESHUTDOWN;
	entered = pabal__side_enter(&buffer->base, &buffer->base.sending);
	r = may_put(buffer, call->count);
	while (r == 0 && call->done < call->count) {
		r = reason(pabal__spsc_look(&buffer->producer, call->count - call->done, &some));
		if (r)
			break;
		pabal__spsc_put(&buffer->producer, call->from + call->done * buffer->item_size, some);
		call->done += some;
	}
	if (call->done != before)
		count(&buffer->base.sending, &buffer->base.self->sent, call->done - before);
	pabal__side_leave(&buffer->base.sending, entered);
	if (call->done != before)
		pabal__buffer_ring_items(buffer);
	return r;
}

static int loan(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	uint32_t some = 0;
	bool entered, again;
	int r;

	if (pabal__object_ended(&buffer->base.segment))
		return -ESHUTDOWN;
	entered = pabal__side_enter(&buffer->base, &buffer->base.sending);
	r = may_put(buffer, call->count);
	if (r == 0)
		r = reason(pabal__spsc_look(&buffer->producer, call->count, &some));
	if (r == 0) {
		buffer->loaned = pabal__spsc_run(&buffer->producer, some, &call->loan->data, &again);
		call->loan->size = buffer->loaned * buffer->item_size;
		call->loan->reserved[PABAL__ITEM_NUMBER] = ++buffer->loan_number;
	}
	pabal__side_leave(&buffer->base.sending, entered);
	return r;
}

/* The loan ends, with @count items of it published. */
static int end_loan(struct pabal__buffer_call *call, uint32_t some)
{
	pabal_buffer *buffer = call->buffer;
	bool entered = pabal__side_enter(&buffer->base, &buffer->base.sending);
	int r = 0;

	if (!buffer->loaned || call->loan->reserved[PABAL__ITEM_NUMBER] != buffer->loan_number || some > buffer->loaned)
		r = pabal__fail_with(-EINVAL, "this loan has ended already");
	if (r == 0)
		buffer->loaned = 0;
	if (r == 0 && some) {
		pabal__spsc_publish(&buffer->producer, some);
		count(&buffer->base.sending, &buffer->base.self->sent, some);
	}
	pabal__side_leave(&buffer->base.sending, entered);
	if (r == 0 && some)
		pabal__buffer_ring_items(buffer);
	return r;
}

static int commit(struct pabal__buffer_call *call)
{
	return pabal__object_ended(&call->buffer->base.segment) ? -ESHUTDOWN : end_loan(call, call->count);
}

static int cancel(struct pabal__buffer_call *call)
{
	return end_loan(call, 0);
}

/* How many items, up to call->count, are there? Under the lock. */
static int look_for_items(struct pabal__buffer_call *call, uint32_t *ret_some)
{
	pabal_buffer *buffer = call->buffer;
	int r = may_get(buffer);

	if (r == 0)
		r = reason(pabal__spsc_look(&buffer->consumer, call->count, ret_some));
	return r > 0 && pabal__object_ended(&buffer->base.segment) ? -ESHUTDOWN : r;
}

static int get(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	bool entered = pabal__side_enter(&buffer->base, &buffer->base.receiving);
	uint32_t some;
	int r = look_for_items(call, &some);

	if (r == 0) {
		pabal__spsc_get(&buffer->consumer, call->to, some);
		call->done = some;
		count(&buffer->base.receiving, &buffer->base.self->received, some);
	}
	pabal__side_leave(&buffer->base.receiving, entered);
	if (r == 0)
		pabal__buffer_ring_room(buffer);
	return r;
}

static int take(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	bool entered = pabal__side_enter(&buffer->base, &buffer->base.receiving), again;
	struct pabal_message *items = call->items;
	uint32_t some;
	int r = look_for_items(call, &some);

	if (r == 0) {
		void *run;

		some = pabal__spsc_run(&buffer->consumer, some, &run, &again);
		pabal__spsc_hand_out(&buffer->consumer, some);
		buffer->taken = some;
		items->data = run;
		items->size = some * buffer->item_size;
		items->sequence = buffer->consumer.position;
		items->delivery_count = again ? 2 : 1; /* 2 or more: how often is not known */
		items->reserved[PABAL__ITEM_NUMBER] = ++buffer->take_number;
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
		r = pabal__fail_with(-EINVAL, "these items were released already");
	if (r == 0) {
		pabal__spsc_publish(&buffer->consumer, buffer->taken);
		count(&buffer->base.receiving, &buffer->base.self->received, buffer->taken);
		buffer->taken = 0;
	}
	pabal__side_leave(&buffer->base.receiving, entered);
	if (r == 0)
		pabal__buffer_ring_room(buffer);
	return r;
}

static bool nobody_else(pabal_buffer *buffer)
{
	(void)buffer; /* one waits on each side at most */
	return false;
}

static void leave(pabal_buffer *buffer)
{
	struct pabal__segment *segment = &buffer->base.segment;
	struct pabal__burial burial = { 0 };
	/* relaxed: the slot is ours */
	uint64_t slot = atomic_load_explicit(&buffer->base.self->word, memory_order_relaxed);

	pabal__role_free(segment, buffer->base.id, slot >> 32, &burial);
	atomic_fetch_add_explicit(&segment->header->redelivered, burial.redelivered, memory_order_relaxed); /* statistics */
	if (burial.redelivered)
		pabal__object_notify(segment);
	pabal__object_leave(segment, buffer->base.id, buffer->base.hold);
}

const struct pabal__buffer_form pabal__buffer_form_spsc = {
	.put = put,
	.loan = loan,
	.commit = commit,
	.cancel = cancel,
	.get = get,
	.take = take,
	.release = release,
	.more_room = nobody_else,
	.more_items = nobody_else,
	.leave = leave,
};
