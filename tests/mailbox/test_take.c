/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_take - reading in place: take, release, requeue; order, delivery counts, and what is not a lease.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/support.h"

static pabal_mailbox *with_numbers(uint32_t count)
{
	pabal_mailbox *a;

	assert_int_equal(pabal_mailbox_create("a", OPTS(.flags = PABAL_TIMESTAMPS), &a), 0);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(pabal_mailbox_send(a, &i, sizeof i, PABAL_NOWAIT), 0);
	return a;
}

static void done_with(pabal_mailbox *a)
{
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static uint32_t number_in(const struct pabal_message *message)
{
	uint32_t number;

	assert_int_equal(message->size, sizeof number);
	memcpy(&number, message->data, sizeof number);
	return number;
}

static void a_message_says_where_it_comes_from(void **state)
{
	pabal_mailbox *a = with_numbers(3);
	struct pabal_message message;
	int64_t last = 0;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct timespec now;

		assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
		clock_gettime(CLOCK_BOOTTIME, &now);
		assert_int_equal(number_in(&message), i);
		assert_int_equal(message.sequence, i);
		assert_int_equal(message.delivery_count, 1);
		assert_int_equal(message.claimed_pid, getpid());
		assert_int_equal(message.claimed_uid, getuid());
		assert_true(message.time_ns >= last && message.time_ns > 0 && message.time_ns <= now.tv_sec * SECOND + now.tv_nsec);
		last = message.time_ns;
		assert_int_equal(pabal_mailbox_release(a, &message), 0);
	}
	done_with(a);
}

static void released_in_any_order(void **state)
{
	pabal_mailbox *a = with_numbers(1000);
	struct pabal_message messages[1000];
	struct pabal_check_result account;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(pabal_mailbox_take(a, NULL, &messages[i], PABAL_NOWAIT), 0);
	assert_int_equal(stats_of(a).leases, 1000);
	expect_sound("a", &account);
	assert_int_equal(account.leased, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(pabal_mailbox_release(a, &messages[i * 7 % 1000]), 0);
	assert_int_equal(stats_of(a).leases, 0);
	done_with(a);
}

static void released_twice_is_refused(void **state)
{
	pabal_mailbox *a = with_numbers(2), *b;
	struct pabal_message message, copy;

	(void)state;
	assert_int_equal(pabal_mailbox_open("a", NULL, &b), 0);
	assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
	copy = message;
	assert_int_equal(pabal_mailbox_release(b, &message), -EINVAL); /* another handle's */
	assert_int_equal(pabal_mailbox_requeue(b, &message), -EINVAL);
	assert_int_equal(pabal_mailbox_release(a, &message), 0);
	assert_null(message.data);
	assert_int_equal(pabal_mailbox_release(a, &message), -EINVAL);
	assert_int_equal(pabal_mailbox_release(a, &copy), -EINVAL);
	assert_int_equal(pabal_mailbox_requeue(a, &copy), -EINVAL);
	assert_int_equal(pabal_mailbox_release(a, NULL), -EINVAL);
	/* Also when the block has another message by now. */
	for (uint32_t i = 0; i < 200; i++) {
		assert_int_equal(pabal_mailbox_send(a, &i, sizeof i, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_release(a, &copy), -EINVAL);
		assert_int_equal(pabal_mailbox_release(a, &message), 0);
	}
	pabal_mailbox_close(b);
	done_with(a);
}

static void requeued_comes_first_and_in_order(void **state)
{
	enum { COUNT = 200, TAKEN = 150 };
	pabal_mailbox *a = with_numbers(COUNT);
	struct pabal_message messages[TAKEN], message;

	(void)state;
	for (uint32_t i = 0; i < TAKEN; i++)
		assert_int_equal(pabal_mailbox_take(a, NULL, &messages[i], PABAL_NOWAIT), 0);
	for (uint32_t i = 0; i < TAKEN; i++)
		assert_int_equal(pabal_mailbox_requeue(a, &messages[i * 11 % TAKEN]), 0);
	assert_int_equal(stats_of(a).depth, COUNT);
	assert_int_equal(stats_of(a).redelivered, TAKEN);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
		assert_int_equal(number_in(&message), i);
		assert_int_equal(message.delivery_count, i < TAKEN ? 2 : 1);
		assert_int_equal(pabal_mailbox_release(a, &message), 0);
	}
	assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), -EAGAIN);
	done_with(a);
}

static void deliveries_are_counted_up_to_what_fits(void **state)
{
	pabal_mailbox *a = with_numbers(1);
	struct pabal_message message;

	(void)state;
	for (uint32_t i = 1; i <= 66000; i++) {
		assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
		assert_int_equal(message.delivery_count, i < 65535 ? i : 65535);
		assert_int_equal(pabal_mailbox_requeue(a, &message), 0);
	}
	done_with(a);
}

static int take_waiting(void *data)
{
	struct pabal_message message;
	pabal_mailbox *a;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	child_equal(pabal_mailbox_take(a, NULL, &message, HANG), 0);
	child_equal(message.delivery_count, 2);
	child_equal(pabal_mailbox_release(a, &message), 0);
	pabal_mailbox_close(a);
	return 0;
}

static void requeue_wakes_who_waits(void **state)
{
	pabal_mailbox *a = with_numbers(2);
	struct pabal_message messages[2];
	pid_t pids[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pabal_mailbox_take(a, NULL, &messages[i], PABAL_NOWAIT), 0);
	for (int i = 0; i < 2; i++)
		pids[i] = child_start(take_waiting, NULL);
	for (int i = 0; i < 2; i++)
		child_await_sleep(pids[i]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pabal_mailbox_requeue(a, &messages[i]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(child_end(pids[i]), 0);
	done_with(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_says_where_it_comes_from),
		cmocka_unit_test(released_in_any_order),
		cmocka_unit_test(released_twice_is_refused),
		cmocka_unit_test(requeued_comes_first_and_in_order),
		cmocka_unit_test(deliveries_are_counted_up_to_what_fits),
		cmocka_unit_test(requeue_wakes_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
