/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer_put.c - put, loan, commit and cancel: what they have in common whatever the form.
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
	call->has_block = false;
}

static inline int64_t time_for(const pabal_buffer *buffer, int64_t timeout_ns)
{
	return buffer->base.segment.shape.on_full == PABAL_FULL_FAIL ? PABAL_NOWAIT : timeout_ns;
}

/* The call has ended with @r: tell how many are in. */
static int tell(const struct pabal__buffer_call *call, int r, uint32_t *ret_count)
{
	pabal_mailbox *mailbox = call->call.mailbox;

	if (r < 0 && (!call->done || !ret_count))
		return r;
	if (r == -ECANCELED) /* relaxed, alone: the interrupt is kept for the next wait, which ends with it */
		atomic_fetch_sub_explicit(&mailbox->acknowledged, 1, memory_order_relaxed);
	if (ret_count)
		*ret_count = call->done;
	return 0;
}

int pabal_buffer_put(pabal_buffer *buffer, const void *items, uint32_t count, uint32_t *ret_count, int64_t timeout_ns)
{
	struct pabal__buffer_call call;
	int r = pabal__buffer_check(buffer, true, timeout_ns);

	if (r == 0 && !items && count)
		r = pabal__fail_with(-EINVAL, "items is NULL but count is not 0");
	if (r < 0)
		return r;
	begin(&call, buffer, buffer->form->put);
	call.from = items;
	call.count = count;
	r = pabal__buffer_do(&call, &buffer->base.sending, time_for(buffer, timeout_ns));
	if (call.has_block) /* relaxed: ours alone */
		pabal__mailbox_free(&buffer->base, &call.block, atomic_load_explicit(&call.block.words[PABAL__WORD_HEADER], memory_order_relaxed));
	return tell(&call, r, ret_count);
}

int pabal_buffer_loan(pabal_buffer *buffer, uint32_t count_max, struct pabal_loan *ret_loan, int64_t timeout_ns)
{
	struct pabal_loan loan = { 0 };
	struct pabal__buffer_call call;
	int r = pabal__buffer_check(buffer, true, timeout_ns);

	if (r == 0 && (!ret_loan || !count_max))
		r = pabal__fail_with(-EINVAL, "ret_loan is NULL, or count_max is 0: ask for one item at least");
	if (r < 0)
		return r;
	/* relaxed: read by close, when no other thread uses the handle; stored before there can be anything to find */
	atomic_store_explicit(&buffer->base.borrowed, 1, memory_order_relaxed);
	begin(&call, buffer, buffer->form->loan);
	call.loan = &loan;
	call.count = count_max;
	r = pabal__buffer_do(&call, &buffer->base.sending, time_for(buffer, timeout_ns));
	if (r < 0)
		return r;
	loan.reserved[PABAL__ITEM_HANDLE] = (uintptr_t)buffer;
	loan.reserved[PABAL__ITEM_TIMEOUT] = (uint64_t)time_for(buffer, timeout_ns);
	*ret_loan = loan;
	return 0;
}

static int check_loan(const pabal_buffer *buffer, const struct pabal_loan *loan)
{
	int r = pabal__buffer_check(buffer, true, PABAL_NOWAIT);

	if (r == 0 && (!loan || !loan->data || loan->reserved[PABAL__ITEM_HANDLE] != (uintptr_t)buffer))
		r = pabal__fail_with(-EINVAL, "this is no loan of this handle");
	return r;
}

int pabal_buffer_commit(pabal_buffer *buffer, struct pabal_loan *loan, size_t size)
{
	struct pabal__buffer_call call;
	int64_t timeout_ns;
	int r = check_loan(buffer, loan);

	if (r == 0 && (size > loan->size || size % buffer->item_size))
		r = pabal__fail(-EINVAL, "%zu bytes cannot be committed: the loan has %zu, and items have %zu", size, loan->size,
				(size_t)buffer->item_size);
	if (r < 0)
		return r;
	if (size == 0)
		return pabal_buffer_cancel(buffer, loan);
	begin(&call, buffer, buffer->form->commit);
	call.loan = loan;
	call.count = (uint32_t)(size / buffer->item_size);
	timeout_ns = (int64_t)loan->reserved[PABAL__ITEM_TIMEOUT];
	r = pabal__buffer_do(&call, &buffer->base.sending, timeout_ns < PABAL_FOREVER ? PABAL_NOWAIT : timeout_ns);
	if (r == 0)
		memset(loan, 0, sizeof *loan);
	return r;
}

int pabal_buffer_cancel(pabal_buffer *buffer, struct pabal_loan *loan)
{
	struct pabal__buffer_call call;
	int r = check_loan(buffer, loan);

	if (r < 0)
		return r;
	begin(&call, buffer, NULL);
	call.loan = loan;
	r = buffer->form->cancel(&call);
	if (r == 0)
		memset(loan, 0, sizeof *loan);
	return r;
}
