/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver.c - a receiving process of demo and torture.
 *
 * It takes messages, checks every byte, enters each into its log and only then releases it. Several may be in its hands at once, and
 * they are released in any order. It waits without a time-out: a wake-up that is lost would hang here, and be seen.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <pabal/mailbox.h>

#include "payload.h"
#include "random.h"
#include "worker.h"

#define HOLD_MAX 16
#define MISCHIEF_EVERY 64 /* guess: often enough to happen thousands of times in a run */

struct held {
	struct pabal_message message;
	uint64_t id;
	uint32_t delivery_count;
};

struct receiver {
	const struct post *post;
	pabal_mailbox *mailbox;
	struct ledger_log *log;
	struct random random;
	unsigned count; /* messages in hand */
	struct held held[HOLD_MAX];
};

static volatile sig_atomic_t is_told_to_stop;
static _Atomic(pabal_mailbox *) interrupted;

static void on_signal(int number)
{
	pabal_mailbox *mailbox = atomic_load(&interrupted);

	(void)number;
	is_told_to_stop = 1;
	if (mailbox)
		(void)pabal_mailbox_interrupt(mailbox);
}

static void release_one(struct receiver *receiver, unsigned index)
{
	struct held *held = &receiver->held[index];
	int r;

	r = pabal_mailbox_release(receiver->mailbox, &held->message);
	if (r < 0)
		worker_fail(receiver->post, "release", r);
	ledger_write(receiver->log, held->id, held->delivery_count, LEDGER_RELEASED);
	*held = receiver->held[--receiver->count];
}

static void give_up_damaged(struct receiver *receiver, struct held *held)
{
	int r;

	ledger_write(receiver->log, held->id, held->message.delivery_count, LEDGER_DAMAGED);
	r = pabal_mailbox_release(receiver->mailbox, &held->message);
	if (r < 0)
		worker_fail(receiver->post, "release", r);
}

static void give_back(struct receiver *receiver, struct held *held)
{
	int r = pabal_mailbox_requeue(receiver->mailbox, &held->message);

	if (r < 0)
		worker_fail(receiver->post, "requeue", r);
}

/* A message is in the log before its release can begin, or it was given back and is in nobody's log. */
static void accept(struct receiver *receiver, struct held *held)
{
	const struct plan *plan = receiver->post->plan;

	if (!payload_check(held->message.data, held->message.size, &held->id)) {
		give_up_damaged(receiver, held);
	} else if (plan->mischief && random_below(&receiver->random, MISCHIEF_EVERY) == 0) {
		give_back(receiver, held);
	} else {
		held->delivery_count = held->message.delivery_count;
		ledger_write(receiver->log, held->id, held->delivery_count, LEDGER_TAKEN);
		receiver->count++;
		if (receiver->count >= plan->hold_max)
			release_one(receiver, (unsigned)random_below(&receiver->random, receiver->count));
	}
}

/* Before it waits it lets go of everything: senders may need that memory. Return: 0, or -EAGAIN when it is time to end. */
static int wait_for_one(struct receiver *receiver)
{
	struct pabal_message *message = &receiver->held[0].message;
	int r;

	while (receiver->count > 0)
		release_one(receiver, receiver->count - 1);
	if (is_told_to_stop)
		return -EAGAIN;
	r = pabal_mailbox_take(receiver->mailbox, NULL, message, PABAL_FOREVER);
	if (r == -ECANCELED)
		return pabal_mailbox_take(receiver->mailbox, NULL, message, PABAL_NOWAIT);
	return r;
}

static int take_one(struct receiver *receiver)
{
	struct held *held = &receiver->held[receiver->count];
	int r;

	r = pabal_mailbox_take(receiver->mailbox, NULL, &held->message, PABAL_NOWAIT);
	if (r == -EAGAIN) {
		r = wait_for_one(receiver);
		held = &receiver->held[0];
	}
	if (r == 0)
		accept(receiver, held);
	return r;
}

_Noreturn void receiver_run(const struct post *post)
{
	static const struct pabal_mailbox_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_RESTART };
	struct sigaction action = { .sa_handler = on_signal };
	struct receiver receiver = { .post = post, .log = &post->ledger->logs[post->number], .random.state = post->seed };
	sigset_t unblocked;
	int r;

	sigemptyset(&unblocked);
	sigaddset(&unblocked, WORKER_SIGNAL);
	sigaction(WORKER_SIGNAL, &action, NULL);
	sigprocmask(SIG_UNBLOCK, &unblocked, NULL);
	r = pabal_mailbox_open(post->mailbox, &opts, &receiver.mailbox);
	if (r < 0)
		worker_fail(post, "open", r);
	atomic_store(&interrupted, receiver.mailbox);
	do
		r = take_one(&receiver);
	while (r == 0);
	if (r != -EAGAIN || !is_told_to_stop)
		worker_fail(post, "take", r);
	atomic_store(&interrupted, NULL);
	pabal_mailbox_close(receiver.mailbox);
	_exit(0);
}
