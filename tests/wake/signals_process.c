/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake/signals_process.c - the ways to wait by name: for a message from anyone, for one who asks for a link, for room, and for a peer that is not there yet.
 */
#include <errno.h>

#include "wake/signals.h"
#include "wake/signals_peers.h"

enum { LARGE = 200000 };

static char large[LARGE];

static int process_receive(uint32_t flags)
{
	pabal_process *own = own_process(flags);
	char byte;

	about_to_wait();
	return pabal_process_receive(own, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER);
}

static int receive_in_thread(void *process)
{
	char byte;

	return pabal_process_receive(process, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER);
}

static int process_receive_behind(uint32_t flags)
{
	pabal_process *own = own_process(flags);
	char byte;

	start_follower(receive_in_thread, own);
	about_to_wait();
	return pabal_process_receive(own, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER);
}

static int process_accept(uint32_t flags)
{
	pabal_process *own = own_process(flags);
	pabal_link *link;

	about_to_wait();
	return pabal_process_accept(own, &link, PABAL_FOREVER);
}

/* To one who is not there yet. */
static int process_send(uint32_t flags)
{
	pabal_process *own = own_process(flags);

	about_to_wait();
	return pabal_process_send(own, "parent", "x", 1, PABAL_FOREVER);
}

static int process_send_full(uint32_t flags)
{
	pabal_process *own = own_process(flags);
	pabal_link *link = NULL;
	int r;

	child_equal(pabal_process_link(own, "parent", &link, PABAL_FOREVER), 0);
	do {
		r = pabal_process_send(own, "parent", large, LARGE, PABAL_NOWAIT);
	} while (r == 0);
	child_equal(r, -EAGAIN);
	about_to_wait();
	return pabal_process_send(own, "parent", large, LARGE, PABAL_FOREVER);
}

static int process_link(uint32_t flags)
{
	pabal_process *own = own_process(flags);
	pabal_link *link;

	about_to_wait();
	return pabal_process_link(own, "parent", &link, PABAL_FOREVER);
}

static void process_give(void)
{
	assert_int_equal(pabal_process_send(parent.process, "child", "x", 1, HANG), 0);
}

static void process_give_two(void)
{
	process_give();
	process_give();
}

static void process_take_all(void)
{
	while (pabal_process_receive(parent.process, NULL, NULL, large, LARGE, NULL, PABAL_NOWAIT) == 0) {
	}
}

static void process_connect(void)
{
	assert_int_equal(pabal_process_link(parent.process, "child", &parent.link, HANG), 0);
}

static void process_appear(void)
{
	make_process();
	accept_child();
}

static void process_appear_and_receive(void)
{
	char byte;

	make_process();
	assert_int_equal(pabal_process_receive(parent.process, NULL, NULL, &byte, 1, NULL, HANG), 0);
}

static const struct way ways[] = {
	{ "process_receive", make_process, process_receive, NULL, process_give, end_process },
	{ "process_receive, behind another thread", make_process, process_receive_behind, NULL, process_give_two, end_process },
	{ "process_accept", make_process, process_accept, NULL, process_connect, end_process },
	{ "process_send, nobody there", NULL, process_send, NULL, process_appear_and_receive, end_process },
	{ "process_send, no room", make_process, process_send_full, accept_child, process_take_all, end_process },
	{ "process_link, nobody there", NULL, process_link, NULL, process_appear, end_process },
};

const struct ways process_ways = { ways, sizeof ways / sizeof *ways };
