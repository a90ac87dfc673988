/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_memory - the budget: used as needed, up to it, given back when idle; and one message as large as all of it always fits an empty mailbox.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

enum { BUDGET = 1 << 20 };

static void untouched_budget_costs_nothing(void **state)
{
	pabal_mailbox *a;
	uint64_t before;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.memory_max = UINT64_C(1) << 40), &a), 0);
	before = bytes_of("a");
	assert_in_range(before, 1, 64 << 10);
	stats_of(a);
	expect_sound("a", NULL);
	assert_int_equal(pabal_gc(NULL), 0);
	assert_in_range(bytes_of("a"), 1, before + 4096);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void a_large_message_in_a_larger_budget(void **state)
{
	const size_t size = (size_t)256 << 20;
	pabal_mailbox *a;
	struct pabal_message message;
	struct pabal_loan loan;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.memory_max = UINT64_C(1) << 30), &a), 0);
	assert_int_equal(pabal_mailbox_loan(a, size, &loan, PABAL_NOWAIT), 0);
	for (size_t i = 0; i < size; i += 1 << 16)
		((unsigned char *)loan.data)[i] = (unsigned char)(i >> 16);
	((unsigned char *)loan.data)[size - 1] = 99;
	assert_int_equal(pabal_mailbox_commit(a, &loan, size, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
	assert_int_equal(message.size, size);
	for (size_t i = 0; i < size; i += 1 << 16)
		assert_int_equal(((const unsigned char *)message.data)[i], (unsigned char)(i >> 16));
	assert_int_equal(((const unsigned char *)message.data)[size - 1], 99);
	assert_int_equal(pabal_mailbox_release(a, &message), 0);
	pabal_mailbox_close(a);
	assert_in_range(bytes_of("a"), 1, 1 << 20); /* given back */
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

/* Send messages of @size until nothing more goes; returns how many went. */
static uint32_t fill(pabal_mailbox *a, const void *data, size_t size)
{
	uint32_t count = 0;
	int r;

	while ((r = pabal_mailbox_send(a, data, size, PABAL_NOWAIT)) == 0)
		count++;
	assert_int_equal(r, -EAGAIN);
	return count;
}

static void drain(pabal_mailbox *a, void *data, size_t size)
{
	int r;

	while ((r = pabal_mailbox_receive(a, data, size, NULL, PABAL_NOWAIT)) == 0) {
	}
	assert_int_equal(r, -EAGAIN);
}

static void the_whole_budget_fits_after_small_ones_of_any_class(void **state)
{
	static const size_t sizes[] = { 1, 96, 100, 224, 230, 480, 900, 2000, 4000, 4097, 8192, 10000, 40000, 300000, BUDGET };
	char *data = calloc(1, BUDGET);
	pabal_mailbox *a, *idle;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.memory_max = BUDGET, .capacity = 20000), &a), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &idle), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		/* All of them sent by one who then idles and lives. */
		uint32_t count = fill(idle, data, sizes[i]);

		assert_in_range(count, 1, 20000);
		assert_int_equal(pabal_mailbox_send(a, data, BUDGET, PABAL_NOWAIT), -EAGAIN);
		drain(a, data, BUDGET);
		assert_int_equal(pabal_mailbox_send(a, data, BUDGET, PABAL_NOWAIT), 0);
		if (sizes[i] > 96) /* the smallest class is bounded by the capacity alone */
			assert_in_range(fill(idle, data, sizes[i]), 0, 64);
		drain(idle, data, BUDGET);
	}
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	pabal_mailbox_close(idle);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	free(data);
}

static void memory_comes_back(void **state)
{
	char *data = calloc(1, BUDGET);
	struct pabal_check_result account;
	pabal_mailbox *a;
	uint64_t before;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.memory_max = BUDGET, .capacity = 100000), &a), 0);
	before = bytes_of("a");
	for (size_t size = 1; size < 200000; size *= 3) {
		fill(a, data, size);
		drain(a, data, BUDGET);
	}
	pabal_mailbox_close(a);
	assert_int_equal(pabal_gc(NULL), 0);
	expect_sound("a", &account);
	assert_int_equal(account.bytes, 0);
	assert_in_range(bytes_of("a"), 1, before + (256 << 10)); /* the tables stay */
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	free(data);
}

/* More leases than the smallest class has blocks: the others come from larger classes, and when all are released the smallest class is used again. */
static void more_leases_than_a_class_has_blocks(void **state)
{
	enum { LEASES = 135000, AFTER = 2000 };
	struct pabal_message *leased = calloc(LEASES, sizeof *leased);
	struct pabal_check_result result;
	pabal_mailbox *a;

	(void)state;
	assert_non_null(leased);
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 64, .memory_max = 256 << 20), &a), 0);
	for (uint32_t i = 0; i < LEASES; i++) {
		assert_int_equal(pabal_mailbox_send(a, &i, sizeof i, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_take(a, NULL, &leased[i], PABAL_NOWAIT), 0);
	}
	assert_int_equal(stats_of(a).leases, LEASES);
	expect_sound("a", &result);
	for (uint32_t i = 0; i < LEASES; i++) {
		assert_int_equal(*(const uint32_t *)leased[i].data, i);
		assert_int_equal(pabal_mailbox_release(a, &leased[i]), 0);
	}
	for (uint32_t i = 0; i < AFTER; i++) {
		uint32_t got;

		assert_int_equal(pabal_mailbox_send(a, &i, sizeof i, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_receive(a, &got, sizeof got, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(got, i);
	}
	assert_int_equal(stats_of(a).leases, 0);
	expect_sound("a", &result);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	free(leased);
}

static void budget_is_kept(void **state)
{
	char *data = calloc(1, BUDGET);
	pabal_mailbox *a;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.memory_max = BUDGET, .capacity = 20000), &a), 0);
	for (size_t size = 128; size < 500000; size = size * 2 + 1) {
		uint32_t count = fill(a, data, size);

		assert_in_range(count * size, 1, BUDGET + (64 << 10));
		/* At least half of the budget is payload: classes are powers of two. */
		assert_in_range((count + 2) * size, BUDGET / 2, BUDGET + (64 << 10) + 2 * size);
		assert_in_range(stats_of(a).memory, 1, BUDGET + (64 << 10)); /* beyond it: one idle home a class */
		drain(a, data, BUDGET);
	}
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	free(data);
}

static int wait_for_memory(void *data)
{
	char *message = calloc(1, BUDGET);
	pabal_mailbox *a;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	child_equal(pabal_mailbox_send(a, message, BUDGET, HANG), 0);
	pabal_mailbox_close(a);
	free(message);
	return 0;
}

static void a_sender_waits_for_memory(void **state)
{
	char *data = calloc(1, BUDGET);
	pabal_mailbox *a;
	pid_t pid;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.memory_max = BUDGET), &a), 0);
	assert_int_equal(pabal_mailbox_send(a, data, BUDGET, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_send(a, data, BUDGET, 2000000), -ETIMEDOUT);
	assert_int_equal(pabal_mailbox_loan(a, BUDGET, &(struct pabal_loan){ 0 }, 2000000), -ETIMEDOUT);
	pid = child_start(wait_for_memory, NULL);
	child_await_sleep(pid);
	assert_int_equal(pabal_mailbox_receive(a, data, BUDGET, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(stats_of(a).depth, 1);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untouched_budget_costs_nothing),
		cmocka_unit_test(a_large_message_in_a_larger_budget),
		cmocka_unit_test(the_whole_budget_fits_after_small_ones_of_any_class),
		cmocka_unit_test(memory_comes_back),
		cmocka_unit_test(more_leases_than_a_class_has_blocks),
		cmocka_unit_test(budget_is_kept),
		cmocka_unit_test(a_sender_waits_for_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
