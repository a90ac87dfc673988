/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_descriptor_memory - the mailbox has room for more messages, and no memory: a send that was told so waits by the descriptor, or in pabal_wait_many(), until there is some, and is not told of the room over and over.
 *
 * The wait slices are endless (noslice): whoever is not told of the memory that came back sleeps for ever.
 */
#include <errno.h>
#include <poll.h>

#include "support/support.h"

enum { SMALL = 4000, LARGE = 20000, ROUNDS = 200, MEMORY = 1 << 20 };

static char data[LARGE];

/* The memory is used up, the capacity is not. How many messages. */
static uint32_t fill(pabal_mailbox *mailbox)
{
	uint32_t count = 0;

	while (pabal_mailbox_send(mailbox, data, SMALL, PABAL_NOWAIT) == 0)
		count++;
	assert_true(count > MEMORY / 4096 / 2 && count < 1024);
	return count;
}

static bool is_told(pabal_mailbox *mailbox)
{
	struct pollfd poll_fd = { .fd = pabal_mailbox_fd(mailbox, PABAL_WRITABLE), .events = POLLIN };

	assert_true(poll_fd.fd >= 0);
	return poll(&poll_fd, 1, 0) == 1;
}

static void who_found_no_memory_is_not_told_of_room(void **state)
{
	pabal_mailbox *mailbox, *receiver;
	struct pabal_wait wait = { .events = PABAL_WRITABLE };
	struct pabal_message message;

	(void)state;
	assert_int_equal(pabal_mailbox_create("m", OPTS(.memory_max = MEMORY), &mailbox), 0);
	assert_int_equal(pabal_mailbox_open("m", NULL, &receiver), 0);
	wait.object = mailbox;
	fill(mailbox);
	assert_true(is_told(mailbox)); /* there is room, and nobody was refused since the descriptor is there */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0); /* room, as it was said */
		assert_int_equal(pabal_mailbox_take(receiver, NULL, &message, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_send(mailbox, data, LARGE, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(pabal_wait_many(&wait, 1, NULL, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(pabal_wait_many(&wait, 1, NULL, 1000000), -ETIMEDOUT);
		assert_false(is_told(mailbox));
		assert_int_equal(pabal_mailbox_release(receiver, &message), 0); /* memory, and no room more than before */
		assert_true(is_told(mailbox));
		assert_int_equal(pabal_wait_many(&wait, 1, NULL, PABAL_FOREVER), 0);
		assert_int_equal(wait.ret_events, PABAL_WRITABLE);
	}
	pabal_mailbox_close(receiver);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("m"), 0);
}

static int send_large(void *unused)
{
	pabal_mailbox *mailbox;
	struct pabal_wait wait = { .events = PABAL_WRITABLE };

	(void)unused;
	child_equal(pabal_mailbox_open("m", NULL, &mailbox), 0);
	wait.object = mailbox;
	for (int i = 0; i < ROUNDS;) {
		int r = pabal_mailbox_send(mailbox, data, LARGE, PABAL_NOWAIT);

		if (r == 0)
			i++;
		else
			child_equal(r, -EAGAIN);
		if (r < 0)
			child_equal(pabal_wait_many(&wait, 1, NULL, PABAL_FOREVER), 0);
	}
	pabal_mailbox_close(mailbox);
	return 0;
}

static void memory_that_comes_back_is_told(void **state)
{
	pabal_mailbox *mailbox;
	pid_t senders[2];
	uint32_t count;

	(void)state;
	assert_int_equal(pabal_mailbox_create("m", OPTS(.memory_max = MEMORY), &mailbox), 0);
	count = fill(mailbox) + 2 * ROUNDS;
	for (int i = 0; i < 2; i++)
		senders[i] = child_start(send_large, NULL);
	child_await_sleep(senders[0]);
	child_await_sleep(senders[1]);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(pabal_mailbox_receive(mailbox, data, sizeof data, NULL, PABAL_FOREVER), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(child_end(senders[i]), 0);
	expect_sound("m", NULL);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("m"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_found_no_memory_is_not_told_of_room),
		cmocka_unit_test(memory_that_comes_back_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
