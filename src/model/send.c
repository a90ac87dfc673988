/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/send.c - send, loan, commit, cancel.
 *
 * A send takes a block, fills it, and commits it with the one compare-and-swap of ring.c. Waiting keeps the block: first for memory, then for room. Killed before
 * the commit: the block is OWNED by us and in no slot, and comes back by itself. Killed after it: the message is there.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/options.h"
#include "model/mailbox.h"
#include "platform/clock.h"

enum { FILL_LOCKED_MAX = 4096 }; /* a larger message is copied in without the handle's lock; a guess: two locks cost what 4 KiB of copying does */

enum send_kind { SEND, LOAN, COMMIT };

struct send {
	struct pabal__call call;
	const void *data; /* SEND alone; NULL: the message is empty */
	size_t size;
	uint32_t tag;
	bool has_block;                /* SEND alone: an attempt before this one has filled it */
	uint8_t kind;                  /* enum send_kind */
	const struct pabal_loan *loan; /* COMMIT alone */
	struct pabal__block block;
};

/* What a loan keeps in its reserved words. */
enum { LOAN_BLOCK, LOAN_HEADER, LOAN_HANDLE };

/* Our block's header as it must be: OWNED by us. */
static uint64_t owned_header(const struct pabal__block *block)
{
	return atomic_load_explicit(&block->words[PABAL__WORD_HEADER], memory_order_relaxed); /* ours alone */
}

/* Was this lent by this handle, at some time? By what the caller hands in alone. */
static bool is_loan_of(const pabal_mailbox *mailbox, const struct pabal_loan *loan)
{
	return loan && loan->data && loan->reserved[LOAN_HANDLE] == (uintptr_t)mailbox && loan->reserved[LOAN_BLOCK] < PABAL__BLOCKS;
}

static int no_loan(void)
{
	return pabal__fail_with(-EINVAL, "this is no loan of this handle: it was committed or cancelled already, or is another handle's");
}

/* The block of a loan that is not done yet. Under the send lock, as whatever ends a loan: another thread may hold a copy of it. */
static int loan_block(const pabal_mailbox *mailbox, const struct pabal_loan *loan, struct pabal__block *ret_block)
{
	if (pabal__extent_find_block(&mailbox->segment, (uint32_t)loan->reserved[LOAN_BLOCK], ret_block) &&
	    owned_header(ret_block) == loan->reserved[LOAN_HEADER] && pabal__block_get(ret_block, PABAL__WORD_SEQUENCE) == PABAL__SEQUENCE_LOANED)
		return 0;
	return no_loan();
}

static inline void write_meta(const struct send *send)
{
	const pabal_mailbox *mailbox = send->call.mailbox;
	uint64_t identity = atomic_load_explicit(&mailbox->self->identity, memory_order_relaxed); /* ours; a claim in any case */

	pabal__block_set(&send->block, PABAL__WORD_LENGTH, (uint64_t)(uint32_t)send->size << 32 | send->tag);
	pabal__block_set(&send->block, PABAL__WORD_SENDER, identity);
	if (mailbox->segment.shape.flags & PABAL_TIMESTAMPS)
		pabal__block_set(&send->block, PABAL__WORD_TIME, (uint64_t)pabal__clock_boot());
}

/* The mailbox was destroyed? One load of a line that hardly ever changes, unless something rare has happened. */
static inline bool is_shut(const pabal_mailbox *mailbox)
{
	return pabal__object_ended(&mailbox->segment);
}

static int allocate(struct send *send, struct pabal__side *side, bool *entered)
{
	pabal_mailbox *mailbox = send->call.mailbox;
	int r = pabal__mailbox_take_block(mailbox, send->size, &send->block);

	if (r)
		return r;
	send->has_block = true;
	if (PABAL__FAULT(COMMIT_BEFORE_FILL))
		return 0;
	if (send->size > FILL_LOCKED_MAX) { /* the block is ours: other threads may send meanwhile */
		pabal__side_leave(side, *entered);
		memcpy(send->block.data, send->data, send->size);
		*entered = pabal__side_enter(mailbox, side);
	} else if (send->size) {
		memcpy(send->block.data, send->data, send->size);
	}
	return 0;
}

/* The block is filled: this commits it. Under the send lock. */
static inline int put_in_ring(struct send *send)
{
	write_meta(send);
	return pabal__mailbox_from_ring(
		pabal__ring_send(&send->call.mailbox->ring, &send->block, (uint64_t)send->size >> 32 & 0xffff, &send->call.busy_position));
}

/* The end of an attempt that began with entering the side: @r is what came of it. */
static inline int end_attempt(const struct send *send, bool entered, int r)
{
	pabal_mailbox *mailbox = send->call.mailbox;
	struct pabal__side *side = &mailbox->sending;
	bool look = false;

	if (r == 0)
		look = pabal__side_count(side, 1, &mailbox->self->sent);
	pabal__side_leave(side, entered);
	if (r == 0)
		pabal__mailbox_ring_items(mailbox);
	if (__builtin_expect(look, 0))
		pabal__mailbox_glance(mailbox, side);
	return r;
}

static inline int try_send(struct send *send)
{
	pabal_mailbox *mailbox = send->call.mailbox;
	struct pabal__side *side = &mailbox->sending;
	bool entered;
	int r = 0;

	if (is_shut(mailbox))
		return -ESHUTDOWN;
	entered = pabal__side_enter(mailbox, side);
	if (!send->has_block)
		r = allocate(send, side, &entered);
	if (r == 0)
		r = put_in_ring(send);
	if (r == 0 && send->data && PABAL__FAULT(COMMIT_BEFORE_FILL))
		memcpy(send->block.data, send->data, send->size);
	return end_attempt(send, entered, r);
}

/* Since the attempt before this one, another thread may have ended the loan through a copy of it. */
static int try_commit(struct send *send)
{
	pabal_mailbox *mailbox = send->call.mailbox;
	bool entered;
	int r;

	if (is_shut(mailbox))
		return -ESHUTDOWN;
	entered = pabal__side_enter(mailbox, &mailbox->sending);
	r = loan_block(mailbox, send->loan, &send->block);
	if (r == 0) {
		r = put_in_ring(send);
		if (r) /* it may have written a sequence number */
			pabal__block_set(&send->block, PABAL__WORD_SEQUENCE, PABAL__SEQUENCE_LOANED);
	}
	return end_attempt(send, entered, r);
}

static int try_loan(struct send *send)
{
	pabal_mailbox *mailbox = send->call.mailbox;
	bool entered;
	int r;

	if (is_shut(mailbox))
		return -ESHUTDOWN;
	entered = pabal__side_enter(mailbox, &mailbox->sending);
	r = pabal__mailbox_take_block(mailbox, send->size, &send->block);
	pabal__side_leave(&mailbox->sending, entered);
	return r;
}

static int attempt_send(void *argument)
{
	struct send *send = argument;

	switch (send->kind) {
	case LOAN:
		return try_loan(send);
	case COMMIT:
		return try_commit(send);
	default:
		return try_send(send);
	}
}

static bool more_room(void *argument)
{
	pabal_mailbox *mailbox = ((const struct send *)argument)->call.mailbox;
	bool entered = pabal__side_enter(mailbox, &mailbox->sending), more; /* other threads of this handle move its position */

	more = pabal__ring_has_room(&mailbox->ring);
	pabal__side_leave(&mailbox->sending, entered);
	return more;
}

const struct pabal__wait_calls pabal__send_calls = {
	.attempt = attempt_send,
	.more = more_room,
	.idle = pabal__mailbox_idle,
	.told = pabal__mailbox_told_room,
	.busy = pabal__mailbox_busy,
	.before_sleep = pabal__mailbox_before_sleep,
};

static int read_message_opts(const struct pabal_message_opts *given, uint32_t *ret_tag)
{
	struct pabal_message_opts opts;
	int r;

	r = pabal__options_copy(given, &opts, sizeof opts);
	if (r < 0)
		return r;
	if (opts.flags)
		return pabal__fail(-EINVAL, "flags of a message are 0x%x: there are none yet", opts.flags);
	if (opts.priority)
		return pabal__fail_with(-ENOTSUP, "this version of pabal does not have priorities yet: leave priority at 0");
	if (opts.ttl_ns)
		return pabal__fail_with(-ENOTSUP, "this version of pabal does not have a time to live yet: leave ttl_ns at 0");
	if (opts.fd_count)
		return pabal__fail_with(-ENOTSUP, "descriptors travel on links only: leave fd_count at 0");
	*ret_tag = opts.tag;
	return 0;
}

static int check_size(const pabal_mailbox *mailbox, size_t size)
{
	if (size > mailbox->segment.shape.memory_max)
		return pabal__fail(-EMSGSIZE, "a message of %zu bytes does not fit: memory_max of '%s' is %llu; create the mailbox with more", size,
				   mailbox->segment.name, (unsigned long long)mailbox->segment.shape.memory_max);
	return 0;
}

int pabal_mailbox_send_with(pabal_mailbox *mailbox, const struct pabal_message_opts *message, const void *data, size_t size, int64_t timeout_ns)
{
	struct send send;
	int r = pabal__mailbox_check(mailbox, true, timeout_ns);

	if (r == 0)
		r = check_size(mailbox, size);
	if (r == 0 && !data && size)
		r = pabal__fail_with(-EINVAL, "data is NULL but size is not 0");
	send.tag = 0;
	if (r == 0 && message)
		r = read_message_opts(message, &send.tag);
	if (r < 0)
		return r;
	send.call.mailbox = mailbox;
	send.data = data;
	send.size = size;
	send.has_block = false;
	send.kind = SEND;
	r = try_send(&send);
	if (__builtin_expect(r == 0, 1))
		return 0;
	if (r > 0)
		r = pabal__mailbox_wait(&send.call, &mailbox->sending, r, timeout_ns);
	else
		pabal__mailbox_say(r);
	if (r < 0 && send.has_block)
		pabal__mailbox_free(mailbox, &send.block, owned_header(&send.block));
	return r;
}

int pabal_mailbox_send(pabal_mailbox *mailbox, const void *data, size_t size, int64_t timeout_ns)
{
	return pabal_mailbox_send_with(mailbox, NULL, data, size, timeout_ns);
}

int pabal_mailbox_loan(pabal_mailbox *mailbox, size_t size, struct pabal_loan *ret_loan, int64_t timeout_ns)
{
	struct send send = { .call.mailbox = mailbox, .size = size, .kind = LOAN };
	int r = pabal__mailbox_check(mailbox, true, timeout_ns);

	if (r == 0)
		r = check_size(mailbox, size);
	if (r == 0 && !ret_loan)
		r = pabal__fail_with(-EINVAL, "ret_loan is NULL: it receives the loan");
	if (r < 0)
		return r;
	/* relaxed: read by close, when no other thread uses the handle; stored before there can be anything to find */
	atomic_store_explicit(&mailbox->borrowed, 1, memory_order_relaxed);
	r = try_loan(&send);
	if (r > 0)
		r = pabal__mailbox_wait(&send.call, &mailbox->sending, r, timeout_ns);
	else
		pabal__mailbox_say(r);
	if (r < 0)
		return r;
	pabal__block_set(&send.block, PABAL__WORD_SEQUENCE, PABAL__SEQUENCE_LOANED);
	memset(ret_loan, 0, sizeof *ret_loan);
	ret_loan->data = send.block.data;
	ret_loan->size = size;
	ret_loan->reserved[LOAN_BLOCK] = send.block.number;
	ret_loan->reserved[LOAN_HEADER] = owned_header(&send.block);
	ret_loan->reserved[LOAN_HANDLE] = (uintptr_t)mailbox;
	return 0;
}

int pabal_mailbox_commit_with(pabal_mailbox *mailbox, const struct pabal_message_opts *message, struct pabal_loan *loan, size_t size,
			      int64_t timeout_ns)
{
	struct send send = { .call.mailbox = mailbox, .size = size, .kind = COMMIT, .loan = loan };
	int r = pabal__mailbox_check(mailbox, true, timeout_ns);

	if (r == 0 && !is_loan_of(mailbox, loan))
		r = no_loan();
	if (r == 0 && size > loan->size)
		r = pabal__fail(-EINVAL, "the message has %zu bytes but the loan %zu: ask for a larger loan", size, loan->size);
	if (r == 0 && message)
		r = read_message_opts(message, &send.tag);
	if (r < 0)
		return r;
	r = try_commit(&send);
	if (r > 0)
		r = pabal__mailbox_wait(&send.call, &mailbox->sending, r, timeout_ns);
	else
		pabal__mailbox_say(r);
	if (r == 0)
		memset(loan, 0, sizeof *loan);
	return r;
}

int pabal_mailbox_commit(pabal_mailbox *mailbox, struct pabal_loan *loan, size_t size, int64_t timeout_ns)
{
	return pabal_mailbox_commit_with(mailbox, NULL, loan, size, timeout_ns);
}

int pabal_mailbox_cancel(pabal_mailbox *mailbox, struct pabal_loan *loan)
{
	struct pabal__block block;
	bool entered;
	int r = pabal__mailbox_check(mailbox, true, PABAL_NOWAIT);

	if (r == 0 && !is_loan_of(mailbox, loan))
		r = no_loan();
	if (r < 0)
		return r;
	entered = pabal__side_enter(mailbox, &mailbox->sending);
	r = loan_block(mailbox, loan, &block);
	if (r == 0)
		pabal__mailbox_free(mailbox, &block, loan->reserved[LOAN_HEADER]);
	pabal__side_leave(&mailbox->sending, entered);
	if (r == 0)
		memset(loan, 0, sizeof *loan);
	return r;
}
