/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_too_small - a receive whose buffer is too small for the next message changes nothing: it stays the next, the place it fills stays filled, and nobody has received it.
 */
#include <errno.h>
#include <string.h>

#include "support/support.h"

enum { SIZE = 100 };

static int add_received(const struct pabal_participant_info *info, void *data)
{
	*(uint64_t *)data += info->received;
	return 0;
}

static uint64_t received_by(const char *name)
{
	uint64_t received = 0;

	assert_true(pabal_participants(name, add_received, &received) >= 0);
	return received;
}

static void expect_too_small(pabal_mailbox *a, size_t room)
{
	char text[SIZE];
	size_t size = 77;

	assert_int_equal(pabal_mailbox_receive(a, room ? text : NULL, room, &size, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(size, SIZE);
	assert_non_null(strstr(pabal_error_detail(), "has 100 bytes"));
	assert_int_equal(pabal_mailbox_receive(a, room ? text : NULL, room, &size, HANG), -EMSGSIZE);
	assert_int_equal(size, SIZE);
}

static void the_place_stays_filled_and_the_counts_stay(void **state)
{
	char text[SIZE] = "first";
	struct pabal_message message;
	pabal_mailbox *a;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 1), &a), 0);
	assert_int_equal(pabal_mailbox_send(a, text, SIZE, PABAL_NOWAIT), 0);
	expect_too_small(a, 0);
	expect_too_small(a, 1);
	expect_too_small(a, SIZE - 1);
	assert_int_equal(pabal_mailbox_send(a, text, 1, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(stats_of(a).depth, 1);
	assert_int_equal(stats_of(a).received, 0);
	assert_int_equal(stats_of(a).redelivered, 0);
	assert_int_equal(received_by("a"), 0);
	assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
	assert_int_equal(message.delivery_count, 1);
	assert_int_equal(pabal_mailbox_requeue(a, &message), 0);
	expect_too_small(a, SIZE - 1); /* the same of one that was given back */
	assert_int_equal(received_by("a"), 1);
	assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
	assert_int_equal(message.delivery_count, 2);
	assert_int_equal(message.size, SIZE);
	assert_int_equal(pabal_mailbox_release(a, &message), 0);
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

/* Blocks have more room than that, and the buffer has not. */
static void what_fits_to_the_byte_is_received(void **state)
{
	static const size_t sizes[] = { 0, 1, 95, 96, 97, 4000, 5000, 70000 };
	static uint8_t sent[70000], got[70000];
	pabal_mailbox *a;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 8), &a), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t size = 77;

		memset(sent, (int)i + 1, sizes[i]);
		assert_int_equal(pabal_mailbox_send(a, sent, sizes[i], PABAL_NOWAIT), 0);
		if (sizes[i])
			assert_int_equal(pabal_mailbox_receive(a, got, sizes[i] - 1, &size, PABAL_NOWAIT), -EMSGSIZE);
		assert_int_equal(pabal_mailbox_receive(a, got, sizes[i], &size, PABAL_NOWAIT), 0);
		assert_int_equal(size, sizes[i]);
		assert_memory_equal(sent, got, sizes[i]);
	}
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static int receive_small(void *data)
{
	char text[SIZE];
	pabal_mailbox *a;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	child_equal(pabal_mailbox_receive(a, text, SIZE - 1, NULL, PABAL_FOREVER), -EMSGSIZE);
	pabal_mailbox_close(a);
	return 0;
}

static int receive_large(void *data)
{
	char text[SIZE];
	pabal_mailbox *a;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	child_equal(pabal_mailbox_receive(a, text, SIZE, NULL, PABAL_FOREVER), 0);
	pabal_mailbox_close(a);
	return 0;
}

/* One message wakes one sleeper, and who cannot take it wakes the next. */
static void who_cannot_take_it_wakes_the_next(bool given_back)
{
	char text[SIZE] = "one";
	struct pabal_message message;
	pid_t small, large;
	pabal_mailbox *a;

	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	if (given_back) {
		assert_int_equal(pabal_mailbox_send(a, text, SIZE, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
	}
	small = child_start(receive_small, NULL);
	child_await_sleep(small);
	large = child_start(receive_large, NULL);
	child_await_sleep(large);
	if (given_back)
		assert_int_equal(pabal_mailbox_requeue(a, &message), 0);
	else
		assert_int_equal(pabal_mailbox_send(a, text, SIZE, PABAL_NOWAIT), 0);
	/* Either may be first; who needs a large buffer gets it, and then one is sent for the other, if it sleeps still. */
	assert_int_equal(child_end(large), 0);
	assert_int_equal(pabal_mailbox_send(a, text, SIZE, PABAL_NOWAIT), 0);
	assert_int_equal(child_end(small), 0);
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void who_cannot_take_a_message_wakes_the_next(void **state)
{
	(void)state;
	who_cannot_take_it_wakes_the_next(false);
}

static void who_cannot_take_one_given_back_wakes_the_next(void **state)
{
	(void)state;
	who_cannot_take_it_wakes_the_next(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_place_stays_filled_and_the_counts_stay),
		cmocka_unit_test(what_fits_to_the_byte_is_received),
		cmocka_unit_test(who_cannot_take_a_message_wakes_the_next),
		cmocka_unit_test(who_cannot_take_one_given_back_wakes_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
