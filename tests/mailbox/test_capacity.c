/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_capacity - exactly so many messages, first in first out, of every size.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

static void fill_and_drain(pabal_mailbox *a, uint32_t capacity, uint32_t first)
{
	uint32_t got;
	size_t size;

	for (uint32_t i = 0; i < capacity; i++) {
		uint32_t value = first + i;

		assert_int_equal(pabal_mailbox_send(a, &value, sizeof value, PABAL_NOWAIT), 0);
	}
	assert_int_equal(pabal_mailbox_send(a, &first, sizeof first, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_mailbox_send(a, &first, sizeof first, 1000000), -ETIMEDOUT);
	assert_int_equal(stats_of(a).depth, capacity);
	for (uint32_t i = 0; i < capacity; i++) {
		assert_int_equal(pabal_mailbox_receive(a, &got, sizeof got, &size, PABAL_NOWAIT), 0);
		assert_int_equal(size, sizeof got);
		assert_int_equal(got, first + i);
	}
	assert_int_equal(pabal_mailbox_receive(a, &got, sizeof got, &size, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_mailbox_receive(a, &got, sizeof got, &size, 1000000), -ETIMEDOUT);
	assert_int_equal(stats_of(a).depth, 0);
}

/* From an offset, so that the fill goes over the end of the ring in every way. */
static void capacity_is_exact(void **state)
{
	static const uint32_t capacities[] = { 1, 2, 3, 7, 1000, 1024, 1025, 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
		uint32_t capacity = capacities[i], got;
		pabal_mailbox *a;

		assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = capacity), &a), 0);
		for (uint32_t round = 0; round < 3; round++) {
			fill_and_drain(a, capacity, round * 1000);
			for (uint32_t j = 0; j < capacity / 3 + 1; j++) {
				assert_int_equal(pabal_mailbox_send(a, &j, sizeof j, PABAL_NOWAIT), 0);
				assert_int_equal(pabal_mailbox_receive(a, &got, sizeof got, NULL, PABAL_NOWAIT), 0);
			}
		}
		expect_sound("a", NULL);
		pabal_mailbox_close(a);
		assert_int_equal(pabal_mailbox_destroy("a"), 0);
	}
}

static void one_place_is_one_place(void **state)
{
	pabal_mailbox *sender, *receiver;
	uint32_t got;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 3), &sender), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &receiver), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(pabal_mailbox_send(sender, &i, sizeof i, PABAL_NOWAIT), 0);
	for (uint32_t i = 3; i < 10000; i++) {
		assert_int_equal(pabal_mailbox_send(i % 2 ? sender : receiver, &i, sizeof i, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(pabal_mailbox_receive(i % 3 ? receiver : sender, &got, sizeof got, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(got, i - 3);
		assert_int_equal(pabal_mailbox_send(i % 5 ? sender : receiver, &i, sizeof i, PABAL_NOWAIT), 0);
	}
	pabal_mailbox_close(sender);
	pabal_mailbox_close(receiver);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void every_size(void **state)
{
	enum { MOST = 70000 };
	unsigned char *sent = malloc(MOST), *got = malloc(MOST);
	pabal_mailbox *a;
	size_t size;

	(void)state;
	for (size_t i = 0; i < MOST; i++)
		sent[i] = (unsigned char)(i * 7 + i / 251);
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	for (size_t wanted = 0; wanted <= MOST; wanted += wanted < 600 ? 1 : wanted < 9000 ? 61 : 997) {
		memset(got, 0, wanted);
		assert_int_equal(pabal_mailbox_send(a, wanted ? sent : NULL, wanted, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_receive(a, got, MOST, &size, PABAL_NOWAIT), 0);
		assert_int_equal(size, wanted);
		assert_memory_equal(sent, got, wanted);
	}
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	free(sent);
	free(got);
}

static void what_does_not_fit_stays_and_tells_its_size(void **state)
{
	pabal_mailbox *a;
	char text[16];
	size_t size = 77;
	struct pabal_message message;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	assert_int_equal(pabal_mailbox_send(a, "first one", 9, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_send(a, "second", 6, PABAL_NOWAIT), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pabal_mailbox_receive(a, text, 8, &size, PABAL_NOWAIT), -EMSGSIZE);
		assert_int_equal(size, 9);
	}
	assert_int_equal(pabal_mailbox_receive(a, NULL, 0, NULL, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(stats_of(a).depth, 2);
	assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
	assert_int_equal(message.size, 9);
	assert_int_equal(message.delivery_count, 1); /* it was not delivered by what could not hold it */
	assert_int_equal(pabal_mailbox_requeue(a, &message), 0);
	assert_int_equal(pabal_mailbox_receive(a, text, 9, &size, PABAL_NOWAIT), 0);
	assert_memory_equal(text, "first one", 9);
	assert_int_equal(pabal_mailbox_receive(a, text, 6, &size, PABAL_NOWAIT), 0);
	assert_memory_equal(text, "second", 6);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capacity_is_exact),
		cmocka_unit_test(one_place_is_one_place),
		cmocka_unit_test(every_size),
		cmocka_unit_test(what_does_not_fit_stays_and_tells_its_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
