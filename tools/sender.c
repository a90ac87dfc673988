/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender.c - a sending process of demo and torture.
 *
 * It sends numbered messages of random sizes, copied or written in place, as fast as it can, and keeps its two words of the ledger
 * around each of them. No time-out anywhere: a wake-up that is lost would hang here, and be seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <pabal/mailbox.h>

#include "payload.h"
#include "random.h"
#include "worker.h"

#define MISCHIEF_EVERY 64 /* guess: often enough to happen thousands of times in a run */

struct sender {
	const struct post *post;
	pabal_mailbox *mailbox;
	struct random random;
	void *buffer; /* of size_max */
};

static void send_copy(struct sender *sender, uint64_t id, size_t size)
{
	int r;

	payload_fill(sender->buffer, size, id);
	r = pabal_mailbox_send(sender->mailbox, sender->buffer, size, PABAL_FOREVER);
	if (r < 0)
		worker_fail(sender->post, "send", r);
}

static void send_in_place(struct sender *sender, uint64_t id, size_t size)
{
	struct pabal_loan loan;
	int r;

	r = pabal_mailbox_loan(sender->mailbox, size, &loan, PABAL_FOREVER);
	if (r < 0)
		worker_fail(sender->post, "loan", r);
	payload_fill(loan.data, size, id);
	r = pabal_mailbox_commit(sender->mailbox, &loan, size, PABAL_FOREVER);
	if (r < 0)
		worker_fail(sender->post, "commit", r);
}

/* A loan that comes to nothing: what was written in it must never be received. */
static void cancel_one(struct sender *sender, size_t size)
{
	struct pabal_loan loan;
	int r;

	r = pabal_mailbox_loan(sender->mailbox, size, &loan, PABAL_FOREVER);
	if (r < 0)
		worker_fail(sender->post, "loan", r);
	payload_fill(loan.data, size, ledger_id(LEDGER_SENDERS_MAX, 1));
	r = pabal_mailbox_cancel(sender->mailbox, &loan);
	if (r < 0)
		worker_fail(sender->post, "cancel", r);
}

/* Most real messages are small: half of the sizes come from the lowest thirty-second of the range. */
static size_t pick_size(struct sender *sender)
{
	uint64_t range = sender->post->plan->size_max - PAYLOAD_SIZE_MIN;

	if (random_next(&sender->random) & 1)
		range /= 32;
	return PAYLOAD_SIZE_MIN + (size_t)random_below(&sender->random, range + 1);
}

static void send_next(struct sender *sender, struct ledger_sender *mine, uint64_t n)
{
	uint64_t id = ledger_id(sender->post->number, n);
	size_t size = pick_size(sender);

	if (sender->post->plan->mischief && random_below(&sender->random, MISCHIEF_EVERY) == 0)
		cancel_one(sender, size);
	atomic_store(&mine->intent, n);
	if (random_next(&sender->random) & 1)
		send_copy(sender, id, size);
	else
		send_in_place(sender, id, size);
	atomic_store(&mine->committed, n);
}

_Noreturn void sender_run(const struct post *post)
{
	static const struct pabal_mailbox_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_RESTART };
	struct ledger_sender *mine = &post->ledger->senders[post->number];
	struct sender sender = { .post = post, .random.state = post->seed };
	int r;

	sender.buffer = malloc(post->plan->size_max);
	if (!sender.buffer)
		worker_fail(post, "malloc", -ENOMEM);
	r = pabal_mailbox_open(post->mailbox, &opts, &sender.mailbox);
	if (r < 0)
		worker_fail(post, "open", r);
	for (uint64_t n = 1; !atomic_load(&post->ledger->stop); n++)
		send_next(&sender, mine, n);
	pabal_mailbox_close(sender.mailbox);
	_exit(0);
}
