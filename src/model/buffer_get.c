/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer_get.c - get, take and release: what they have in common whatever the form.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "model/buffer.h"

static inline void begin(struct pabal__buffer_call *call, pabal_buffer *buffer, int (*attempt)(struct pabal__buffer_call *))
{
	call->call.mailbox = &buffer->base;
	call->buffer = buffer;
	call->attempt = attempt;
	call->done = 0;
}

int pabal_buffer_get(pabal_buffer *buffer, void *items, uint32_t count_max, uint32_t *ret_count, int64_t timeout_ns)
{
	struct pabal__buffer_call call;
	int r = pabal__buffer_check(buffer, true, timeout_ns);

	if (r == 0 && (!items || !count_max || (!ret_count && count_max > 1)))
		r = pabal__fail_with(-EINVAL, "items is NULL, or count_max is 0, or it is more than 1 and ret_count is NULL");
	if (r < 0)
		return r;
	begin(&call, buffer, buffer->form->get);
	call.to = items;
	call.count = count_max;
	r = pabal__buffer_do(&call, &buffer->base.receiving, timeout_ns);
	if (r == 0 && ret_count)
		*ret_count = call.done;
	return r;
}

int pabal_buffer_take(pabal_buffer *buffer, uint32_t count_max, struct pabal_message *ret_items, int64_t timeout_ns)
{
	struct pabal_message items = { 0 };
	struct pabal__buffer_call call;
	int r = pabal__buffer_check(buffer, true, timeout_ns);

	if (r == 0 && (!ret_items || !count_max))
		r = pabal__fail_with(-EINVAL, "ret_items is NULL, or count_max is 0: ask for one item at least");
	if (r < 0)
		return r;
	/* relaxed: read by close, when no other thread uses the handle; stored before there can be anything to find */
	atomic_store_explicit(&buffer->base.borrowed, 1, memory_order_relaxed);
	begin(&call, buffer, buffer->form->take);
	call.items = &items;
	call.count = count_max;
	r = pabal__buffer_do(&call, &buffer->base.receiving, timeout_ns);
	if (r < 0)
		return r;
	items.reserved[PABAL__ITEM_HANDLE] = (uintptr_t)buffer;
	*ret_items = items;
	return 0;
}

int pabal_buffer_release(pabal_buffer *buffer, struct pabal_message *items)
{
	struct pabal__buffer_call call;
	int r = pabal__buffer_check(buffer, true, PABAL_NOWAIT);

	if (r == 0 && (!items || !items->data || items->reserved[PABAL__ITEM_HANDLE] != (uintptr_t)buffer))
		r = pabal__fail_with(-EINVAL, "these items were not taken by this handle");
	if (r < 0)
		return r;
	begin(&call, buffer, NULL);
	call.items = items;
	r = buffer->form->release(&call);
	if (r == 0)
		memset(items, 0, sizeof *items);
	return r;
}
