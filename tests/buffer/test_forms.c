/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_forms - a buffer as its users see it, form by form: items go in and come out whole and in order, the capacity is exact, what happens when it is full
 * or empty, and what only one form does.
 */
#include <errno.h>
#include <string.h>

#include "buffer/forms.h"

static void single_and_batch(void **state)
{
	(void)state;
	for (int form = 0; form < 2; form++) {
		pabal_buffer *buffer = make(forms[form], CAPACITY, 0);
		uint64_t next = 1;
		uint32_t count = 0;

		for (uint32_t batch = 1; batch <= CAPACITY; batch++) {
			for (int i = 0; i < 20; i++) {
				assert_int_equal(put(buffer, next, batch, &count, PABAL_NOWAIT), 0);
				assert_int_equal(count, batch);
				assert_int_equal(buffer_stats(buffer).depth, batch);
				expect_get(buffer, next, i % 2 ? CAPACITY : batch, batch);
				next += batch;
			}
		}
		expect_empty(buffer);
		assert_int_equal(buffer_stats(buffer).put, next - 1);
		assert_int_equal(buffer_stats(buffer).got, next - 1);
		end(buffer);
	}
}

/* 0 with fewer when some are in, the error when none are. */
static void full_is_exact_and_says_how_many_went_in(void **state)
{
	(void)state;
	for (int form = 0; form < 2; form++) {
		pabal_buffer *buffer = make(forms[form], CAPACITY, 0);
		uint32_t count = 0;

		assert_int_equal(put(buffer, 1, 5, &count, PABAL_NOWAIT), 0);
		assert_int_equal(put(buffer, 6, 5, &count, PABAL_NOWAIT), 0);
		assert_int_equal(count, 2);
		count = 99;
		assert_int_equal(put(buffer, 8, 1, &count, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(put(buffer, 8, 1, &count, 2000000), -ETIMEDOUT);
		assert_int_equal(count, 99);
		expect_get(buffer, 1, 3, 3);
		assert_int_equal(put(buffer, 8, 9, &count, 2000000), 0);
		assert_int_equal(count, 3);
		assert_int_equal(put(buffer, 11, 9, NULL, 2000000), -ETIMEDOUT);
		expect_get(buffer, 4, 64, CAPACITY);
		assert_int_equal(put(buffer, 11, 0, &count, PABAL_NOWAIT), 0);
		assert_int_equal(count, 0);
		end(buffer);
	}
}

static void a_put_waits_until_all_are_in_child(pabal_buffer *buffer)
{
	uint64_t next = 1;

	while (next <= 60) {
		struct item items[4];
		uint32_t count;

		child_equal(pabal_buffer_get(buffer, items, 4, &count, HANG), 0);
		for (uint32_t i = 0; i < count; i++)
			child_equal(items[i].id, next++);
	}
}

static int getter(void *unused)
{
	pabal_buffer *buffer;

	(void)unused;
	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	a_put_waits_until_all_are_in_child(buffer);
	pabal_buffer_close(buffer);
	return 0;
}

static void a_put_waits_until_all_are_in(void **state)
{
	(void)state;
	for (int form = 0; form < 2; form++) {
		pabal_buffer *buffer = make(forms[form], CAPACITY, 0);
		pid_t child = child_start(getter, NULL);
		uint32_t count;

		assert_int_equal(put(buffer, 1, 60, &count, HANG), 0);
		assert_int_equal(count, 60);
		assert_int_equal(child_end(child), 0);
		end(buffer);
	}
}

static void fail_does_not_wait(void **state)
{
	(void)state;
	for (int form = 0; form < 2; form++) {
		pabal_buffer *buffer = make(forms[form], 2, PABAL_FULL_FAIL);
		struct pabal_loan loan;
		uint32_t count;

		assert_int_equal(put(buffer, 1, 3, &count, PABAL_FOREVER), 0);
		assert_int_equal(count, 2);
		assert_int_equal(put(buffer, 3, 1, &count, PABAL_FOREVER), -EAGAIN);
		assert_int_equal(pabal_buffer_loan(buffer, 1, &loan, PABAL_FOREVER), -EAGAIN);
		expect_get(buffer, 1, 9, 2);
		assert_int_equal(buffer_stats(buffer).dropped, 0);
		end(buffer);
	}
}

static void drop_oldest_keeps_the_newest_and_counts(void **state)
{
	pabal_buffer *buffer = make(0, 3, PABAL_FULL_DROP_OLDEST);
	struct pabal_message leased;
	struct pabal_loan loan;
	struct item item;
	uint32_t count;

	(void)state;
	assert_int_equal(put(buffer, 1, 10, &count, PABAL_NOWAIT), 0);
	assert_int_equal(count, 10);
	assert_int_equal(buffer_stats(buffer).dropped, 7);
	assert_int_equal(buffer_stats(buffer).depth, 3);
	assert_int_equal(pabal_buffer_take(buffer, 1, &leased, PABAL_NOWAIT), 0); /* never a lease */
	assert_int_equal(put(buffer, 11, 5, &count, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_buffer_loan(buffer, 1, &loan, PABAL_NOWAIT), 0);
	item = item_of(16);
	memcpy(loan.data, &item, sizeof item);
	assert_int_equal(pabal_buffer_commit(buffer, &loan, sizeof item), 0);
	expect_items(leased.data, 8, 1);
	assert_int_equal(pabal_buffer_release(buffer, &leased), 0);
	expect_get(buffer, 14, 9, 3);
	assert_int_equal(buffer_stats(buffer).dropped, 7 + 5);
	assert_int_equal(buffer_stats(buffer).put, 16);
	end(buffer);
}

static void latest_gives_the_newest(void **state)
{
	pabal_buffer *writer = make(PABAL_BUFFER_LATEST, 1, 0), *reader = NULL, *late = NULL;
	struct pabal_message held;
	uint32_t count;

	(void)state;
	assert_int_equal(pabal_buffer_open("b", NULL, &reader), 0);
	expect_empty(reader);
	assert_int_equal(put(writer, 1, 1, &count, PABAL_NOWAIT), 0);
	expect_get(reader, 1, 9, 1);
	expect_empty(reader); /* nothing newer */
	assert_int_equal(put(writer, 2, 5, &count, PABAL_NOWAIT), 0);
	assert_int_equal(count, 5);
	assert_int_equal(pabal_buffer_take(reader, 9, &held, PABAL_NOWAIT), 0);
	assert_int_equal(held.sequence, 5);
	expect_items(held.data, 6, 1);
	for (uint64_t i = 0; i < 500; i++)
		assert_int_equal(put(writer, 100 + i, 1, NULL, PABAL_NOWAIT), 0);
	expect_items(held.data, 6, 1); /* as it was */
	assert_int_equal(pabal_buffer_release(reader, &held), 0);
	expect_get(reader, 599, 1, 1);
	assert_int_equal(pabal_buffer_open("b", NULL, &late), 0);
	expect_get(late, 599, 1, 1); /* the first get returns what there is */
	assert_int_equal(buffer_stats(late).depth, 1);
	assert_int_equal(buffer_stats(late).put, 506);
	assert_in_range(buffer_stats(late).memory, 64, 6 * 64);
	pabal_buffer_close(late);
	pabal_buffer_close(reader);
	end(writer);
}

static int late_writer(void *unused)
{
	pabal_buffer *buffer;

	(void)unused;
	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	for (uint64_t i = 1; i <= 2000; i++)
		child_equal(put(buffer, i, 1, NULL, PABAL_NOWAIT), 0);
	pabal_buffer_close(buffer);
	return 0;
}

static void latest_readers_wait_for_newer(void **state)
{
	pabal_buffer *reader = make(PABAL_BUFFER_LATEST, 1, 0);
	pid_t child = child_start(late_writer, NULL);
	uint64_t last = 0;

	(void)state;
	while (last < 2000) {
		struct item item, wanted;

		assert_int_equal(pabal_buffer_get(reader, &item, 1, NULL, HANG), 0);
		wanted = item_of(item.id);
		assert_memory_equal(&item, &wanted, sizeof item);
		assert_true(item.id > last);
		last = item.id;
	}
	assert_int_equal(child_end(child), 0);
	end(reader);
}

static void spsc_has_one_of_each(void **state)
{
	pabal_buffer *one = make(PABAL_BUFFER_SPSC, CAPACITY, 0), *two = NULL, *three = NULL;
	struct item item;

	(void)state;
	assert_int_equal(pabal_buffer_open("b", NULL, &two), 0);
	assert_int_equal(pabal_buffer_open("b", NULL, &three), 0);
	assert_int_equal(put(one, 1, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(put(two, 2, 1, NULL, PABAL_NOWAIT), -EBUSY);
	assert_int_equal(put(two, 2, 1, NULL, PABAL_FOREVER), -EBUSY);
	expect_get(two, 1, 1, 1);
	assert_int_equal(pabal_buffer_get(three, &item, 1, NULL, PABAL_FOREVER), -EBUSY);
	assert_int_equal(pabal_buffer_get(one, &item, 1, NULL, PABAL_FOREVER), -EBUSY);
	assert_int_not_equal(buffer_stats(three).producer, 0);
	assert_int_not_equal(buffer_stats(three).producer, buffer_stats(three).consumer);
	pabal_buffer_close(one);
	assert_int_equal(buffer_stats(three).producer, 0);
	assert_int_equal(put(three, 2, 1, NULL, PABAL_NOWAIT), 0); /* the place is free again */
	expect_get(two, 2, 1, 1);
	pabal_buffer_close(two);
	end(three);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_and_batch),
		cmocka_unit_test(full_is_exact_and_says_how_many_went_in),
		cmocka_unit_test(a_put_waits_until_all_are_in),
		cmocka_unit_test(fail_does_not_wait),
		cmocka_unit_test(drop_oldest_keeps_the_newest_and_counts),
		cmocka_unit_test(latest_gives_the_newest),
		cmocka_unit_test(latest_readers_wait_for_newer),
		cmocka_unit_test(spsc_has_one_of_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
