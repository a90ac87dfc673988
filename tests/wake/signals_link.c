/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake/signals_link.c - the ways to wait on a link: for a message, for room, and for an answer.
 */
#include <errno.h>

#include "wake/signals.h"
#include "wake/signals_peers.h"

enum { LARGE = 200000 };

static char large[LARGE];

static pabal_link *own_link(uint32_t flags)
{
	pabal_process *own = own_process(flags);
	pabal_link *link = NULL;
	int r;

	do {
		r = pabal_process_link(own, "parent", &link, PABAL_FOREVER);
	} while (r == -EINTR);
	child_equal(r, 0);
	return link;
}

static pabal_link *own_full_link(uint32_t flags)
{
	pabal_link *link = own_link(flags);
	int r;

	do {
		r = pabal_link_send(link, large, LARGE, PABAL_NOWAIT);
	} while (r == 0);
	child_equal(r, -EAGAIN);
	return link;
}

static int link_receive(uint32_t flags)
{
	pabal_link *link = own_link(flags);
	char byte;

	about_to_wait();
	return pabal_link_receive(link, &byte, 1, NULL, PABAL_FOREVER);
}

static int receive_in_thread(void *link)
{
	char byte;

	return pabal_link_receive(link, &byte, 1, NULL, PABAL_FOREVER);
}

static int link_receive_behind(uint32_t flags)
{
	pabal_link *link = own_link(flags);
	char byte;

	start_follower(receive_in_thread, link);
	about_to_wait();
	return pabal_link_receive(link, &byte, 1, NULL, PABAL_FOREVER);
}

static int link_take(uint32_t flags)
{
	pabal_link *link = own_link(flags);
	struct pabal_message message;

	about_to_wait();
	return pabal_link_take(link, NULL, &message, PABAL_FOREVER);
}

static int link_send(uint32_t flags)
{
	pabal_link *link = own_full_link(flags);

	about_to_wait();
	return pabal_link_send(link, large, LARGE, PABAL_FOREVER);
}

static int link_loan(uint32_t flags)
{
	pabal_link *link = own_full_link(flags);
	struct pabal_loan own_loan;

	about_to_wait();
	return pabal_link_loan(link, LARGE, &own_loan, PABAL_FOREVER);
}

static int link_call(uint32_t flags)
{
	pabal_link *link = own_link(flags);
	char reply[8];
	size_t size;

	about_to_wait();
	return pabal_link_call(link, "q", 1, reply, sizeof reply, &size, PABAL_FOREVER);
}

static int link_call_finish(uint32_t flags)
{
	pabal_link *link = own_link(flags);
	char reply[8];
	uint64_t call;
	size_t size;

	child_equal(pabal_link_call_start(link, "q", 1, &call, PABAL_NOWAIT), 0);
	about_to_wait();
	return pabal_link_call_finish(link, call, reply, sizeof reply, &size, PABAL_FOREVER);
}

static void link_give(void)
{
	assert_int_equal(pabal_link_send(parent.link, "x", 1, PABAL_NOWAIT), 0);
}

static void link_give_two(void)
{
	link_give();
	link_give();
}

static void link_take_all(void)
{
	while (pabal_link_receive(parent.link, large, LARGE, NULL, PABAL_NOWAIT) == 0) {
	}
}

static void link_answer(void)
{
	struct pabal_message request;

	assert_int_equal(pabal_link_take(parent.link, NULL, &request, HANG), 0);
	assert_int_equal(pabal_link_reply(parent.link, &request, "a", 1, PABAL_NOWAIT), 0);
	pabal_link_release(parent.link, &request);
}

static const struct way ways[] = {
	{ "link_receive", make_process, link_receive, accept_child, link_give, end_process },
	{ "link_receive, behind another thread", make_process, link_receive_behind, accept_child, link_give_two, end_process },
	{ "link_take", make_process, link_take, accept_child, link_give, end_process },
	{ "link_send", make_process, link_send, accept_child, link_take_all, end_process },
	{ "link_loan", make_process, link_loan, accept_child, link_take_all, end_process },
	{ "link_call", make_process, link_call, accept_child, link_answer, end_process },
	{ "link_call_finish", make_process, link_call_finish, accept_child, link_answer, end_process },
};

const struct ways link_ways = { ways, sizeof ways / sizeof *ways };
