/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake/signals_mailbox.c - the ways to wait on a mailbox: for a message, for room, for memory, and for the mailbox itself.
 */
#include <errno.h>

#include "wake/signals.h"

enum { LARGE = 200000, CAPACITY = 2 };

/* The parent's. */
static pabal_mailbox *mailbox;
static struct pabal_loan loan;

static void make_mailbox(void)
{
	assert_int_equal(pabal_mailbox_create("o", OPTS(.capacity = CAPACITY, .memory_max = 1 << 18), &mailbox), 0);
}

static void make_full_mailbox(void)
{
	make_mailbox();
	for (int i = 0; i < CAPACITY; i++)
		assert_int_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
}

static void make_mailbox_without_memory(void)
{
	make_mailbox();
	assert_int_equal(pabal_mailbox_loan(mailbox, LARGE, &loan, PABAL_NOWAIT), 0);
}

static pabal_mailbox *own_mailbox(uint32_t flags)
{
	pabal_mailbox *own = NULL;

	child_equal(pabal_mailbox_open("o", OPTS(.flags = flags), &own), 0);
	return own;
}

static int mailbox_receive(uint32_t flags)
{
	pabal_mailbox *own = own_mailbox(flags);
	char byte;

	about_to_wait();
	return pabal_mailbox_receive(own, &byte, 1, NULL, PABAL_FOREVER);
}

static int mailbox_take(uint32_t flags)
{
	pabal_mailbox *own = own_mailbox(flags);
	struct pabal_message message;

	about_to_wait();
	return pabal_mailbox_take(own, NULL, &message, PABAL_FOREVER);
}

static int mailbox_send(uint32_t flags)
{
	pabal_mailbox *own = own_mailbox(flags);

	about_to_wait();
	return pabal_mailbox_send(own, "y", 1, PABAL_FOREVER);
}

static int mailbox_commit(uint32_t flags)
{
	pabal_mailbox *own = own_mailbox(flags);
	struct pabal_loan own_loan;
	int r;

	child_equal(pabal_mailbox_loan(own, 10, &own_loan, PABAL_NOWAIT), 0);
	about_to_wait();
	r = pabal_mailbox_commit(own, &own_loan, 10, PABAL_FOREVER);
	if (r == -EINTR)
		child_equal(pabal_mailbox_cancel(own, &own_loan), 0); /* it stayed */
	return r;
}

static int mailbox_loan(uint32_t flags)
{
	pabal_mailbox *own = own_mailbox(flags);
	struct pabal_loan own_loan;

	about_to_wait();
	return pabal_mailbox_loan(own, LARGE, &own_loan, PABAL_FOREVER);
}

/* Waiting for an object that does not exist yet. */
static int open_when_there(uint32_t flags)
{
	pabal_mailbox *own;

	about_to_wait();
	return pabal_mailbox_open("o", OPTS(.flags = flags | PABAL_WAIT_EXISTS, .wait_ns = PABAL_FOREVER), &own);
}

static void give_message(void)
{
	assert_int_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
}

static void take_message(void)
{
	char byte;

	assert_int_equal(pabal_mailbox_receive(mailbox, &byte, 1, NULL, PABAL_NOWAIT), 0);
}

static void give_memory(void)
{
	assert_int_equal(pabal_mailbox_cancel(mailbox, &loan), 0);
}

static void end_mailbox(void)
{
	mailbox = pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("o"), 0);
}

static void end_created(void)
{
	if (!mailbox)
		make_mailbox();
	end_mailbox();
}

static const struct way ways[] = {
	{ "mailbox_receive", make_mailbox, mailbox_receive, NULL, give_message, end_mailbox },
	{ "mailbox_take", make_mailbox, mailbox_take, NULL, give_message, end_mailbox },
	{ "mailbox_send", make_full_mailbox, mailbox_send, NULL, take_message, end_mailbox },
	{ "mailbox_commit", make_full_mailbox, mailbox_commit, NULL, take_message, end_mailbox },
	{ "mailbox_loan", make_mailbox_without_memory, mailbox_loan, NULL, give_memory, end_mailbox },
	{ "mailbox_open, PABAL_WAIT_EXISTS", NULL, open_when_there, NULL, make_mailbox, end_created },
};

const struct ways mailbox_ways = { ways, sizeof ways / sizeof *ways };
