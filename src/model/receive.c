/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/receive.c - receive, take, release, requeue.
 *
 * All begin alike: what came back from the dead first, else the compare-and-swap of ring.c; then the message is leased to us. receive leases only what fits, copies
 * and frees it; take hands it to the caller. Killed while it is leased: it is delivered again. Killed after the store that frees it: it was received.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "model/mailbox.h"

struct receive {
	struct pabal__call call;
	uint64_t size_max; /* a larger message stays where it is */
	struct pabal__block block;
	uint64_t header; /* the lease, as it stands in the header of the block */
};

/* There is a message that came back: announced to all, and one of those who sleep is woken. */
static void announce(pabal_mailbox *mailbox)
{
	/* seq_cst: what came back is visible before the number changes, and the number before the bell is looked at */
	atomic_fetch_add_explicit(&mailbox->segment.header->notice, 1, memory_order_seq_cst);
	pabal__mailbox_ring_items(mailbox);
}

enum pabal__ring_result pabal__mailbox_take_redelivered(pabal_mailbox *mailbox, uint64_t notice, uint64_t size_max, struct pabal__block *ret_block,
							uint64_t *ret_header)
{
	enum pabal__ring_result result;

	if (notice != mailbox->seen_notice) {
		mailbox->seen_notice = notice;
		pabal__redeliver_refresh(&mailbox->redeliver);
	}
	result = pabal__redeliver_take(&mailbox->redeliver, size_max, ret_block, ret_header);
	if (mailbox->redeliver.announce) {
		mailbox->redeliver.announce = false;
		announce(mailbox);
	}
	return result;
}

static inline int try_receive(struct receive *receive)
{
	pabal_mailbox *mailbox = receive->call.mailbox;
	struct pabal__side *side = &mailbox->receiving;
	bool entered = pabal__side_enter(mailbox, side), from_ring = false, look = false;
	enum pabal__ring_result result = pabal__mailbox_take_one(mailbox, receive->size_max, &receive->block, &receive->header, &from_ring);

	if (result == PABAL__RING_DONE)
		look = pabal__side_count(side, 1, &mailbox->self->received);
	pabal__side_leave(side, entered);
	if (from_ring && (result == PABAL__RING_DONE || result == PABAL__RING_CORRUPT))
		pabal__mailbox_ring_room(mailbox);
	if (__builtin_expect(look, 0))
		pabal__mailbox_glance(mailbox, side);
	if (result == PABAL__RING_NOT_NOW && pabal__object_ended(&mailbox->segment))
		return -ESHUTDOWN;
	return pabal__mailbox_from_ring(result);
}

static int attempt_receive(void *argument)
{
	return try_receive(argument);
}

bool pabal__mailbox_has_more(pabal_mailbox *mailbox)
{
	bool entered = pabal__side_enter(mailbox, &mailbox->receiving), more; /* other threads of this handle move its position */

	more = pabal__ring_has_message(&mailbox->ring) || mailbox->redeliver.next < mailbox->redeliver.count || mailbox->redeliver.more;
	pabal__side_leave(&mailbox->receiving, entered);
	return more;
}

static bool more_messages(void *argument)
{
	return pabal__mailbox_has_more(((const struct receive *)argument)->call.mailbox);
}

static void not_busy(void *argument)
{
	(void)argument; /* a taker never waits for another taker */
}

const struct pabal__wait_calls pabal__receive_calls = {
	.attempt = attempt_receive,
	.more = more_messages,
	.idle = pabal__mailbox_idle,
	.told = pabal__mailbox_told_items,
	.busy = not_busy,
	.before_sleep = pabal__mailbox_before_sleep,
};

/* Lease a message: at once, or after waiting. */
static inline int lease(struct receive *receive, int64_t timeout_ns)
{
	int r = try_receive(receive);

	if (r > 0)
		r = pabal__mailbox_wait(&receive->call, &receive->call.mailbox->receiving, r, timeout_ns);
	else if (r < 0)
		pabal__mailbox_say(r);
	if (__builtin_expect(r == -EMSGSIZE, 0))
		pabal__fail(r, "the message has %llu bytes, the buffer %llu: it stays the next; receive it with a larger buffer",
			    (unsigned long long)receive->block.length, (unsigned long long)receive->size_max);
	return r;
}

int pabal_mailbox_receive(pabal_mailbox *mailbox, void *data, size_t size_max, size_t *ret_size, int64_t timeout_ns)
{
	struct receive receive = { .call.mailbox = mailbox, .size_max = size_max };
	int r = pabal__mailbox_check(mailbox, true, timeout_ns);

	if (r == 0 && !data && size_max)
		r = pabal__fail_with(-EINVAL, "data is NULL but size_max is not 0");
	if (r == 0)
		r = lease(&receive, timeout_ns);
	if (ret_size && (r == 0 || r == -EMSGSIZE))
		*ret_size = receive.block.length;
	if (r)
		return r;
	if (data) /* else it has no bytes */
		memcpy(data, receive.block.data, receive.block.length);
	pabal__mailbox_free(mailbox, &receive.block, receive.header);
	return 0;
}

/* What a message keeps in its reserved words. */
enum { MESSAGE_BLOCK, MESSAGE_HEADER, MESSAGE_HANDLE };

static int read_take_opts(const struct pabal_take_opts *given)
{
	struct pabal_take_opts opts;
	int r;

	if (!given)
		return 0;
	r = pabal__options_copy(given, &opts, sizeof opts);
	if (r < 0)
		return r;
	if (opts.mode > PABAL_TAKE_LOWEST)
		return pabal__fail(-EINVAL, "mode is %u: it is one of PABAL_TAKE_ANY, _TAGS, _EXCEPT, _LOWEST", opts.mode);
	if (opts.mode != PABAL_TAKE_ANY)
		return pabal__fail_with(-ENOTSUP, "this version of pabal does not have selection by tag yet: take with PABAL_TAKE_ANY");
	if (opts.tag_count || opts.tags || opts.tag_max || opts.reserved_)
		return pabal__fail_with(-EINVAL, "PABAL_TAKE_ANY has no tags: leave the other members at 0");
	return 0;
}

static int describe(pabal_mailbox *mailbox, const struct receive *receive, struct pabal_message *ret_message)
{
	const struct pabal__block *block = &receive->block;
	uint64_t sender = pabal__block_get(block, PABAL__WORD_SENDER);

	memset(ret_message, 0, sizeof *ret_message);
	ret_message->data = block->data;
	ret_message->size = block->length;
	ret_message->sequence = pabal__block_get(block, PABAL__WORD_SEQUENCE) >> 16;
	if (mailbox->segment.shape.flags & PABAL_TIMESTAMPS)
		ret_message->time_ns = (int64_t)pabal__block_get(block, PABAL__WORD_TIME);
	ret_message->delivery_count = pabal__header_deliveries(receive->header);
	ret_message->tag = (uint32_t)pabal__block_get(block, PABAL__WORD_LENGTH);
	ret_message->claimed_pid = (pid_t)(sender >> 32);
	ret_message->claimed_uid = (uid_t)sender;
	ret_message->reserved[MESSAGE_BLOCK] = block->number;
	ret_message->reserved[MESSAGE_HEADER] = receive->header;
	ret_message->reserved[MESSAGE_HANDLE] = (uintptr_t)mailbox;
	return 0;
}

int pabal_mailbox_take(pabal_mailbox *mailbox, const struct pabal_take_opts *opts, struct pabal_message *ret_message, int64_t timeout_ns)
{
	struct receive receive = { .call.mailbox = mailbox, .size_max = UINT64_MAX };
	int r = pabal__mailbox_check(mailbox, true, timeout_ns);

	if (r == 0 && !ret_message)
		r = pabal__fail_with(-EINVAL, "ret_message is NULL: it receives the message");
	if (r == 0)
		r = read_take_opts(opts);
	if (r < 0)
		return r;
	/* relaxed: read by close, when no other thread uses the handle; stored before there can be anything to find */
	atomic_store_explicit(&mailbox->borrowed, 1, memory_order_relaxed);
	r = lease(&receive, timeout_ns);
	return r < 0 ? r : describe(mailbox, &receive, ret_message);
}

/* The block of a message, if it is leased to this handle. */
static int message_block(const pabal_mailbox *mailbox, const struct pabal_message *message, struct pabal__block *ret_block)
{
	int r = pabal__mailbox_check(mailbox, true, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (message && message->data && message->reserved[MESSAGE_HANDLE] == (uintptr_t)mailbox && message->reserved[MESSAGE_BLOCK] < PABAL__BLOCKS &&
	    pabal__extent_find_block(&mailbox->segment, (uint32_t)message->reserved[MESSAGE_BLOCK], ret_block) &&
	    /* relaxed: ours alone while it is leased to us */
	    atomic_load_explicit(&ret_block->words[PABAL__WORD_HEADER], memory_order_relaxed) == message->reserved[MESSAGE_HEADER])
		return 0;
	return pabal__fail_with(-EINVAL, "this message is not leased to this handle: it was released or requeued already, or is another handle's");
}

int pabal_mailbox_release(pabal_mailbox *mailbox, struct pabal_message *message)
{
	struct pabal__block block;
	int r = message_block(mailbox, message, &block);

	if (r < 0)
		return r;
	pabal__mailbox_free(mailbox, &block, message->reserved[MESSAGE_HEADER]);
	memset(message, 0, sizeof *message);
	return 0;
}

int pabal_mailbox_requeue(pabal_mailbox *mailbox, struct pabal_message *message)
{
	struct pabal__block block;
	int r = message_block(mailbox, message, &block);

	if (r < 0)
		return r;
	pabal__redeliver_give(&mailbox->segment, &block, message->reserved[MESSAGE_HEADER],
			      pabal__header_deliveries(message->reserved[MESSAGE_HEADER]));
	announce(mailbox);
	atomic_fetch_add_explicit(&mailbox->segment.header->redelivered, 1, memory_order_relaxed); /* statistics */
	memset(message, 0, sizeof *message);
	return 0;
}
