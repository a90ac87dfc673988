/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_loans - what a loan in the ring must not do to the messages beside it.
 */
#include <errno.h>
#include <string.h>

#include "base/fault.h"
#include "support/link_pair.h"

/* How many messages of that size go until there is no room. */
static int fill(pabal_link *link, const void *data, size_t size)
{
	int count = 0, r;

	while ((r = pabal_link_send(link, data, size, PABAL_NOWAIT)) == 0)
		count++;
	assert_int_equal(r, -EAGAIN);
	return count;
}

static void expect_receive(pabal_link *link, size_t size)
{
	unsigned char data[PABAL_LINK_INLINE_MAX];
	size_t got;

	assert_int_equal(pabal_link_receive(link, data, sizeof data, &got, PABAL_NOWAIT), 0);
	assert_int_equal(got, size);
}

/* A message that would overtake a loan and finds no room behind it lays no skip: a reader that meets too many of them takes the writer for an enemy. */
static void sends_that_find_no_room_leave_nothing(void **state)
{
	static const unsigned char data[PABAL_LINK_INLINE_MAX];
	struct pabal_loan loan;
	pabal_link *links[2];
	int count;

	(void)state;
	link_pair_default(0, links);
	count = fill(links[0], data, 1000);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(pabal_link_loan(links[0], 8, &loan, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_link_send(links[0], data, 1000, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(pabal_link_cancel(links[0], &loan), 0);
	}
	assert_int_equal(pabal_link_loan(links[0], 8, &loan, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_send(links[0], data, 1, PABAL_NOWAIT), 0);
	memset(loan.data, 0, 8);
	assert_int_equal(pabal_link_commit(links[0], &loan, 8, PABAL_NOWAIT), 0);
	while (count--)
		expect_receive(links[1], 1000);
	expect_receive(links[1], 1);
	expect_receive(links[1], 8);
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

/* Payload that says of itself that it is the next message, in a loan that is committed shorter than it is. */
static bool rest_of_a_loan_passes(enum pabal__fault fault)
{
	enum { WORDS = 64 };
	struct pabal_loan loan;
	pabal_link *links[2];
	unsigned char got[8];
	bool passes = false;

	link_pair_default(0, links);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	for (size_t length = 0; length < 8 * (size_t)WORDS && !passes; length++) {
		uint64_t forged = (uint64_t)(uint32_t)(links[0]->sending.writer.sequence + 1) << 32 | (uint64_t)PABAL__STREAM_DATA << 28 | 8;

		assert_int_equal(pabal_link_loan(links[0], 8 * (size_t)WORDS, &loan, PABAL_NOWAIT), 0);
		for (int i = 0; i < WORDS; i++)
			((uint64_t *)loan.data)[i] = forged;
		assert_int_equal(pabal_link_commit(links[0], &loan, length, PABAL_NOWAIT), 0);
		expect_receive(links[1], length);
		passes = pabal_link_receive(links[1], got, sizeof got, NULL, PABAL_NOWAIT) != -EAGAIN;
	}
	pabal__fault_on = PABAL__FAULT_NONE;
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
	return passes;
}

static void the_rest_of_a_loan_is_no_header(void **state)
{
	(void)state;
	assert_false(rest_of_a_loan_passes(PABAL__FAULT_NONE));
}

static void a_rest_that_is_not_looked_at_is_caught(void **state)
{
	(void)state;
	assert_true(rest_of_a_loan_passes(PABAL__FAULT_STALE_HEADER));
	assert_true(pabal__fault_hits > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_that_find_no_room_leave_nothing),
		cmocka_unit_test(the_rest_of_a_loan_is_no_header),
		cmocka_unit_test(a_rest_that_is_not_looked_at_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
