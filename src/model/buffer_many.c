/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/buffer_many.c - the default form: many producers, many consumers, by the queue of a mailbox.
 *
 * Each item lies in a block of its own, and goes in and out by the compare-and-swaps of ring.c; what that promises, and what a death leaves, stands there. Of a call with
 * many items the lock of the handle, the look whether the buffer has ended, the counter and the bell are paid once.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "model/buffer.h"

enum { DROPS = 64 }; /* oldest items that one attempt drops for one of its own: others may be faster to use the room; a guess */

static uint64_t header_of(const struct pabal__block *block)
{
	return atomic_load_explicit(&block->words[PABAL__WORD_HEADER], memory_order_relaxed); /* ours alone */
}

static void write_meta(const struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	uint64_t identity = atomic_load_explicit(&buffer->base.self->identity, memory_order_relaxed); /* ours; a claim in any case */

	pabal__block_set(&call->block, PABAL__WORD_LENGTH, (uint64_t)(uint32_t)buffer->item_size << 32);
	pabal__block_set(&call->block, PABAL__WORD_SENDER, identity);
}

/*
 * Make room by an ordinary take at the head. It is counted before it is freed: killed between, it is our lease and comes back, and one drop too many was counted;
 * never one too few. false: nothing was dropped.
 */
static bool drop_oldest(pabal_buffer *buffer)
{
	pabal_mailbox *mailbox = &buffer->base;
	bool entered = pabal__side_enter(mailbox, &mailbox->receiving);
	struct pabal__block block;
	uint64_t header;
	enum pabal__ring_result result = pabal__ring_take(&mailbox->ring, UINT64_MAX, &block, &header);

	pabal__side_leave(&mailbox->receiving, entered);
	if (result == PABAL__RING_DONE) {
		atomic_fetch_add_explicit(&mailbox->segment.header->dropped, 1, memory_order_relaxed); /* statistics */
		pabal__mailbox_free(mailbox, &block, header);
	}
	return result == PABAL__RING_DONE;
}

/* The block is filled: into the ring with it. */
static int send_block(struct pabal__buffer_call *call)
{
	pabal_mailbox *mailbox = call->call.mailbox;
	uint64_t low = call->buffer->item_size >> 32 & 0xffff;
	bool drop = mailbox->segment.shape.on_full == PABAL_FULL_DROP_OLDEST;
	int r;

	for (int i = 0;; i++) {
		r = pabal__mailbox_from_ring(pabal__ring_send(&mailbox->ring, &call->block, low, &call->call.busy_position));
		if (r != PABAL__WAIT_BELL || !drop)
			return r;
		if (i == DROPS)
			return PABAL__WAIT_BUSY;
		drop_oldest(call->buffer);
	}
}

static int put_one(struct pabal__buffer_call *call)
{
	uint64_t size = call->buffer->item_size;
	int r = 0;

	if (!call->has_block) {
		r = pabal__mailbox_take_block(call->call.mailbox, size, &call->block);
		if (r)
			return r;
		call->has_block = true;
		if (!PABAL__FAULT(COMMIT_BEFORE_FILL))
			memcpy(call->block.data, call->from + call->done * size, size);
		write_meta(call);
	}
	r = send_block(call);
	if (r)
		return r;
	if (PABAL__FAULT(COMMIT_BEFORE_FILL))
		memcpy(call->block.data, call->from + call->done * size, size);
	call->has_block = false;
	call->done++;
	return 0;
}

/* @count items more are in. Under the send lock. true: it is time for a glance. */
static bool count_put(pabal_mailbox *mailbox, uint32_t count)
{
	return pabal__side_count(&mailbox->sending, count, &mailbox->self->sent);
}

static int put(struct pabal__buffer_call *call)
{
	pabal_mailbox *mailbox = call->call.mailbox;
	uint32_t before = call->done;
	bool entered, look = false;
	int r = 0;

	if (pabal__object_ended(&mailbox->segment))
		return -ESHUTDOWN;
	entered = pabal__side_enter(mailbox, &mailbox->sending);
	while (r == 0 && call->done < call->count)
		r = put_one(call);
	if (call->done != before)
		look = count_put(mailbox, call->done - before);
	pabal__side_leave(&mailbox->sending, entered);
	if (call->done != before)
		pabal__mailbox_ring_items(mailbox);
	if (__builtin_expect(look, 0))
		pabal__mailbox_glance(mailbox, &mailbox->sending);
	return r;
}

static int loan(struct pabal__buffer_call *call)
{
	pabal_mailbox *mailbox = call->call.mailbox;
	bool entered, room;
	int r = PABAL__WAIT_BELL;

	if (pabal__object_ended(&mailbox->segment))
		return -ESHUTDOWN;
	entered = pabal__side_enter(mailbox, &mailbox->sending);
	room = mailbox->segment.shape.on_full == PABAL_FULL_DROP_OLDEST || pabal__ring_has_room(&mailbox->ring);
	if (room)
		r = pabal__mailbox_take_block(mailbox, call->buffer->item_size, &call->block);
	pabal__side_leave(&mailbox->sending, entered);
	if (r)
		return r;
	pabal__block_set(&call->block, PABAL__WORD_SEQUENCE, PABAL__SEQUENCE_LOANED);
	call->loan->data = call->block.data;
	call->loan->size = call->buffer->item_size;
	call->loan->reserved[PABAL__ITEM_NUMBER] = call->block.number;
	call->loan->reserved[PABAL__ITEM_HEADER] = header_of(&call->block);
	return 0;
}

/* The block of a loan or a message, if it is ours and as it was. */
static int find_block(const pabal_buffer *buffer, const uint64_t *words, struct pabal__block *ret_block)
{
	if (words[PABAL__ITEM_NUMBER] < PABAL__BLOCKS &&
	    pabal__extent_find_block(&buffer->base.segment, (uint32_t)words[PABAL__ITEM_NUMBER], ret_block) &&
	    header_of(ret_block) == words[PABAL__ITEM_HEADER])
		return 0;
	return pabal__fail_with(-EINVAL, "this loan or take has ended already, or is another handle's");
}

/* The block of a loan that was not committed: a copy of one that was is refused. Under the send lock: another thread may hold a copy. */
static int find_loan(struct pabal__buffer_call *call)
{
	int r = find_block(call->buffer, call->loan->reserved, &call->block);

	if (r == 0 && pabal__block_get(&call->block, PABAL__WORD_SEQUENCE) != PABAL__SEQUENCE_LOANED)
		r = pabal__fail_with(-EINVAL, "this loan was committed already");
	return r;
}

static int commit(struct pabal__buffer_call *call)
{
	pabal_mailbox *mailbox = call->call.mailbox;
	bool entered = pabal__side_enter(mailbox, &mailbox->sending), look = false;
	int r = find_loan(call);

	if (r == 0 && pabal__object_ended(&mailbox->segment))
		r = -ESHUTDOWN;
	if (r == 0) {
		write_meta(call);
		r = send_block(call);
		if (r == 0)
			look = count_put(mailbox, 1);
		else /* an attempt may have written one */
			pabal__block_set(&call->block, PABAL__WORD_SEQUENCE, PABAL__SEQUENCE_LOANED);
	}
	pabal__side_leave(&mailbox->sending, entered);
	if (r == 0)
		pabal__mailbox_ring_items(mailbox);
	if (__builtin_expect(look, 0))
		pabal__mailbox_glance(mailbox, &mailbox->sending);
	return r;
}

static int cancel(struct pabal__buffer_call *call)
{
	pabal_mailbox *mailbox = call->call.mailbox;
	bool entered = pabal__side_enter(mailbox, &mailbox->sending);
	int r = find_loan(call);

	if (r == 0)
		pabal__mailbox_free(mailbox, &call->block, call->loan->reserved[PABAL__ITEM_HEADER]);
	pabal__side_leave(&mailbox->sending, entered);
	return r;
}

/* One item, leased to us, of the size that it must have. Under the receive lock. */
static enum pabal__ring_result take_one(pabal_buffer *buffer, struct pabal__block *block, uint64_t *header, bool *from_ring)
{
	enum pabal__ring_result result = pabal__mailbox_take_one(&buffer->base, UINT64_MAX, block, header, from_ring);

	if (result == PABAL__RING_DONE && block->length != buffer->item_size) {
		pabal__mailbox_free(&buffer->base, block, *header);
		result = PABAL__RING_CORRUPT;
	}
	return result;
}

/* What was taken, as the caller hears it; @result is that of the last look. */
static int taken(pabal_buffer *buffer, enum pabal__ring_result result, uint32_t done)
{
	if (done) {
		buffer->damaged |= result == PABAL__RING_CORRUPT;
		return 0;
	}
	if (result == PABAL__RING_NOT_NOW && pabal__object_ended(&buffer->base.segment))
		return -ESHUTDOWN;
	return pabal__mailbox_from_ring(result);
}

/* As count_put(). Under the receive lock. */
static bool count_got(pabal_mailbox *mailbox, uint32_t count)
{
	return pabal__side_count(&mailbox->receiving, count, &mailbox->self->received);
}

static int get(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	pabal_mailbox *mailbox = &buffer->base;
	bool entered = pabal__side_enter(mailbox, &mailbox->receiving), from_ring = false, look = false;
	enum pabal__ring_result result = buffer->damaged ? PABAL__RING_CORRUPT : PABAL__RING_DONE;
	uint64_t size = buffer->item_size, header;
	int r;

	buffer->damaged = false;
	while (result == PABAL__RING_DONE && call->done < call->count) {
		result = take_one(buffer, &call->block, &header, &from_ring);
		if (result != PABAL__RING_DONE)
			break;
		memcpy(call->to + call->done * size, call->block.data, size);
		pabal__mailbox_free(mailbox, &call->block, header);
		call->done++;
	}
	if (call->done)
		look = count_got(mailbox, call->done);
	r = taken(buffer, result, call->done);
	pabal__side_leave(&mailbox->receiving, entered);
	if (from_ring && (call->done || result == PABAL__RING_CORRUPT))
		pabal__mailbox_ring_room(mailbox);
	if (__builtin_expect(look, 0))
		pabal__mailbox_glance(mailbox, &mailbox->receiving);
	return r;
}

static int take(struct pabal__buffer_call *call)
{
	pabal_buffer *buffer = call->buffer;
	pabal_mailbox *mailbox = &buffer->base;
	bool entered = pabal__side_enter(mailbox, &mailbox->receiving), from_ring = false, look = false;
	struct pabal_message *items = call->items;
	uint64_t header = 0, sender;
	enum pabal__ring_result result = take_one(buffer, &call->block, &header, &from_ring);
	int r = taken(buffer, result, result == PABAL__RING_DONE);

	if (r == 0)
		look = count_got(mailbox, 1);
	pabal__side_leave(&mailbox->receiving, entered);
	if (from_ring && (r == 0 || r == -EBADMSG))
		pabal__mailbox_ring_room(mailbox);
	if (__builtin_expect(look, 0))
		pabal__mailbox_glance(mailbox, &mailbox->receiving);
	if (r)
		return r;
	sender = pabal__block_get(&call->block, PABAL__WORD_SENDER);
	items->data = call->block.data;
	items->size = buffer->item_size;
	items->sequence = pabal__block_get(&call->block, PABAL__WORD_SEQUENCE) >> 16;
	items->delivery_count = pabal__header_deliveries(header);
	items->claimed_pid = (pid_t)(sender >> 32);
	items->claimed_uid = (uid_t)sender;
	items->reserved[PABAL__ITEM_NUMBER] = call->block.number;
	items->reserved[PABAL__ITEM_HEADER] = header;
	return 0;
}

static int release(struct pabal__buffer_call *call)
{
	int r = find_block(call->buffer, call->items->reserved, &call->block);

	if (r == 0)
		pabal__mailbox_free(call->call.mailbox, &call->block, call->items->reserved[PABAL__ITEM_HEADER]);
	return r;
}

static bool more_room(pabal_buffer *buffer)
{
	bool entered = pabal__side_enter(&buffer->base, &buffer->base.sending), more; /* other threads of this handle move its position */

	more = pabal__ring_has_room(&buffer->base.ring);
	pabal__side_leave(&buffer->base.sending, entered);
	return more;
}

static bool more_items(pabal_buffer *buffer)
{
	return pabal__mailbox_has_more(&buffer->base);
}

static void leave(pabal_buffer *buffer)
{
	pabal__mailbox_leave(&buffer->base);
}

const struct pabal__buffer_form pabal__buffer_form_many = {
	.put = put,
	.loan = loan,
	.commit = commit,
	.cancel = cancel,
	.get = get,
	.take = take,
	.release = release,
	.more_room = more_room,
	.more_items = more_items,
	.leave = leave,
};
