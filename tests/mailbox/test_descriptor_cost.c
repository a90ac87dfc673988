/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_descriptor_cost - a send that rings the bell makes no socket, and opens nothing, where nobody has a descriptor for that: nobody had one, the only one was closed, or it is for room.
 *
 * The sender runs under ptrace, which counts what it makes, opens and sends to.
 */
#include <errno.h>
#include <unistd.h>

#include "support/syscalls.h"

enum { SENDS = 20 };

/* What another handle has at the time. */
enum had { NONE, CLOSED, FOR_ROOM, FOR_MESSAGES };

static void have(enum had had)
{
	pabal_mailbox *other;

	child_equal(pabal_mailbox_open("a", NULL, &other), 0);
	if (had != NONE)
		child_check(pabal_mailbox_fd(other, had == FOR_ROOM ? PABAL_WRITABLE : PABAL_READABLE) >= 0);
	if (had != FOR_ROOM && had != FOR_MESSAGES)
		pabal_mailbox_close(other);
}

static int send_and_ring(void *data)
{
	pabal_mailbox *mailbox;
	char byte = 'x';

	child_equal(pabal_mailbox_open("a", NULL, &mailbox), 0);
	have(*(const enum had *)data);
	for (int i = 0; i <= SENDS; i++) {
		if (i == 1) /* whoever waits for room was told of some */
			syscalls_count_from_here();
		child_equal(pabal_mailbox_receive(mailbox, &byte, 1, NULL, 1), -ETIMEDOUT); /* its bell is armed now */
		child_equal(pabal_mailbox_send(mailbox, &byte, 1, PABAL_NOWAIT), 0);
		child_equal(pabal_mailbox_receive(mailbox, &byte, 1, NULL, PABAL_NOWAIT), 0);
	}
	_exit(0);
}

static uint64_t sockets_with(enum had had)
{
	pabal_mailbox *mailbox = NULL;
	struct syscalls calls;

	assert_int_equal(pabal_mailbox_create("a", NULL, &mailbox), 0);
	calls = syscalls_of(send_and_ring, &had);
	assert_true(calls.others > SENDS); /* each rang */
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	return calls.sockets;
}

static void only_who_has_a_descriptor_costs_others(void **state)
{
	(void)state;
	assert_int_equal(sockets_with(NONE), 0);
	assert_int_equal(sockets_with(CLOSED), 0);
	assert_int_equal(sockets_with(FOR_ROOM), 0);
	assert_true(sockets_with(FOR_MESSAGES) >= SENDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(only_who_has_a_descriptor_costs_others) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
