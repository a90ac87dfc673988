/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_forms - a buffer as its users see it, form by form: items go in and come out whole and in order, the capacity is exact, runs and loans, what is
 * full and what is empty, and what is refused.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "buffer/items.h"

enum { CAPACITY = 7 };

static const uint32_t forms[] = { 0, PABAL_BUFFER_SPSC, PABAL_BUFFER_LATEST };

static pabal_buffer *make(uint32_t form, uint32_t capacity, uint32_t on_full)
{
	pabal_buffer *buffer = NULL;

	assert_int_equal(pabal_buffer_create("b", sizeof(struct item), capacity, BOPTS(.flags = form, .on_full = on_full), &buffer), 0);
	return buffer;
}

static void end(pabal_buffer *buffer)
{
	expect_sound("b", NULL);
	assert_null(pabal_buffer_close(buffer));
	assert_int_equal(pabal_buffer_destroy("b"), 0);
}

static int put(pabal_buffer *buffer, uint64_t first, uint32_t count, uint32_t *ret_count, int64_t timeout_ns)
{
	struct item items[64];

	for (uint32_t i = 0; i < count; i++)
		items[i] = item_of(first + i);
	return pabal_buffer_put(buffer, items, count, ret_count, timeout_ns);
}

static void expect_items(const struct item *items, uint64_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct item wanted = item_of(first + i);

		assert_memory_equal(&items[i], &wanted, sizeof wanted);
	}
}

static void expect_get(pabal_buffer *buffer, uint64_t first, uint32_t count_max, uint32_t count)
{
	struct item items[64];
	uint32_t got = 0;

	assert_int_equal(pabal_buffer_get(buffer, items, count_max, &got, PABAL_NOWAIT), 0);
	assert_int_equal(got, count);
	expect_items(items, first, count);
}

static void expect_empty(pabal_buffer *buffer)
{
	struct item item;

	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, 1000000), -ETIMEDOUT);
}

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

static void in_place(void **state)
{
	(void)state;
	for (int form = 0; form < 2; form++) {
		pabal_buffer *buffer = make(forms[form], CAPACITY, 0);
		uint64_t put_next = 1, get_next = 1;

		for (int round = 0; round < 30; round++) {
			struct pabal_message items;
			struct pabal_loan loan;
			uint32_t count;

			assert_int_equal(pabal_buffer_loan(buffer, 3, &loan, PABAL_NOWAIT), 0);
			assert_int_equal(loan.size % sizeof(struct item), 0);
			count = (uint32_t)(loan.size / sizeof(struct item));
			assert_in_range(count, 1, 3);
			for (uint32_t i = 0; i < count; i++)
				((struct item *)loan.data)[i] = item_of(put_next++);
			assert_int_equal(pabal_buffer_commit(buffer, &loan, 1), -EINVAL);
			assert_int_equal(pabal_buffer_commit(buffer, &loan, loan.size + sizeof(struct item)), -EINVAL);
			assert_int_equal(pabal_buffer_commit(buffer, &loan, loan.size), 0);
			assert_null(loan.data);
			assert_int_equal(pabal_buffer_commit(buffer, &loan, 0), -EINVAL);
			do {
				assert_int_equal(pabal_buffer_take(buffer, 3, &items, PABAL_NOWAIT), 0);
				count = (uint32_t)(items.size / sizeof(struct item));
				assert_int_equal(items.sequence, get_next - 1);
				assert_int_equal(items.delivery_count, 1);
				expect_items(items.data, get_next, count);
				get_next += count;
				assert_int_equal(pabal_buffer_release(buffer, &items), 0);
				assert_int_equal(pabal_buffer_release(buffer, &items), -EINVAL);
			} while (get_next < put_next);
		}
		expect_empty(buffer);
		end(buffer);
	}
}

static void a_loan_that_is_cancelled_leaves_nothing(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *buffer = make(forms[form], CAPACITY, 0);
		struct pabal_loan loan, copy;

		assert_int_equal(pabal_buffer_loan(buffer, 2, &loan, PABAL_NOWAIT), 0);
		memset(loan.data, 0xff, loan.size);
		copy = loan;
		assert_int_equal(pabal_buffer_cancel(buffer, &loan), 0);
		assert_int_equal(pabal_buffer_cancel(buffer, &copy), -EINVAL);
		copy.size = sizeof(struct item);
		assert_int_equal(pabal_buffer_commit(buffer, &copy, sizeof(struct item)), -EINVAL);
		expect_empty(buffer);
		assert_int_equal(pabal_buffer_loan(buffer, 2, &loan, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_commit(buffer, &loan, 0), 0); /* the same */
		expect_empty(buffer);
		assert_int_equal(put(buffer, 5, 1, NULL, PABAL_NOWAIT), 0);
		expect_get(buffer, 5, 1, 1);
		end(buffer);
	}
}

/* The default form hands out any number, and a commit waits, as long as the loan was told to, when others have filled the buffer. */
static void loans_of_the_default_form(void **state)
{
	pabal_buffer *buffer = make(0, 2, 0);
	struct pabal_loan one, two, three;

	(void)state;
	assert_int_equal(pabal_buffer_loan(buffer, 1, &one, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_buffer_loan(buffer, 1, &two, 1000000), 0);
	assert_int_equal(pabal_buffer_loan(buffer, 1, &three, PABAL_NOWAIT), 0);
	*(struct item *)one.data = item_of(1);
	*(struct item *)three.data = item_of(3);
	assert_int_equal(put(buffer, 2, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_buffer_commit(buffer, &three, three.size), 0);
	assert_int_equal(pabal_buffer_commit(buffer, &one, one.size), -EAGAIN);
	assert_int_equal(pabal_buffer_commit(buffer, &two, two.size), -ETIMEDOUT);
	assert_int_equal(pabal_buffer_loan(buffer, 1, &three, PABAL_NOWAIT), -EAGAIN); /* full */
	expect_get(buffer, 2, 2, 2);
	assert_int_equal(pabal_buffer_commit(buffer, &one, one.size), 0);
	expect_get(buffer, 1, 1, 1);
	pabal_buffer_cancel(buffer, &two);
	end(buffer);
}

static void a_copy_of_a_committed_loan_is_no_loan(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		struct pabal_loan loan, copy;
		pabal_buffer *buffer = NULL;
		struct item item = { 0 };

		assert_int_equal(pabal_buffer_create("b", sizeof item, 4, BOPTS(.flags = forms[form]), &buffer), 0);
		assert_int_equal(pabal_buffer_loan(buffer, 1, &loan, PABAL_NOWAIT), 0);
		memset(loan.data, 0, sizeof item);
		copy = loan;
		assert_int_equal(pabal_buffer_commit(buffer, &loan, sizeof item), 0);
		assert_int_equal(pabal_buffer_commit(buffer, &copy, sizeof item), -EINVAL);
		assert_int_equal(pabal_buffer_cancel(buffer, &copy), -EINVAL);
		assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
		end(buffer);
	}
}

static void spsc_and_latest_lend_one_at_a_time(void **state)
{
	(void)state;
	for (int form = 1; form < 3; form++) {
		pabal_buffer *buffer = make(forms[form], CAPACITY, 0);
		struct pabal_message items, more;
		struct pabal_loan loan, other;
		struct item item;

		assert_int_equal(put(buffer, 1, 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_loan(buffer, 1, &loan, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_loan(buffer, 1, &other, PABAL_NOWAIT), -EBUSY);
		assert_int_equal(put(buffer, 2, 1, NULL, PABAL_FOREVER), -EBUSY);
		assert_int_equal(pabal_buffer_take(buffer, 1, &items, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_take(buffer, 1, &more, PABAL_FOREVER), -EBUSY);
		assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_FOREVER), -EBUSY);
		expect_items(items.data, 1, 1);
		assert_int_equal(pabal_buffer_release(buffer, &items), 0);
		assert_int_equal(pabal_buffer_cancel(buffer, &loan), 0);
		end(buffer);
	}
}

static void closing_gives_back(void **state)
{
	(void)state;
	for (int form = 0; form < 2; form++) {
		pabal_buffer *buffer = make(forms[form], CAPACITY, 0), *other = NULL;
		struct pabal_message items;
		struct pabal_loan loan;

		assert_int_equal(put(buffer, 1, 3, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_take(buffer, 1, &items, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_loan(buffer, 1, &loan, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_open("b", NULL, &other), 0);
		pabal_buffer_close(buffer);
		assert_int_equal(buffer_stats(other).redelivered, 1);
		assert_int_equal(pabal_buffer_take(other, 3, &items, PABAL_NOWAIT), 0);
		assert_int_equal(items.size, sizeof(struct item));
		assert_int_equal(items.delivery_count, 2);
		expect_items(items.data, 1, 1);
		assert_int_equal(pabal_buffer_release(other, &items), 0);
		expect_get(other, 2, 9, 2);
		end(other);
	}
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

static void sizes_of_items(void **state)
{
	static const size_t sizes[] = { 1, 7, 8, 64, 96, 97, 1000, 4064, 4065, 8192, 100000, 1 << 20 };
	static uint8_t in[1 << 20], out[1 << 20];

	(void)state;
	for (int form = 0; form < 3; form++) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			pabal_buffer *buffer = NULL;

			assert_int_equal(pabal_buffer_create("b", sizes[i], 3, BOPTS(.flags = forms[form]), &buffer), 0);
			for (int n = 0; n < 8; n++) {
				memset(in, n + 1, sizes[i]);
				assert_int_equal(pabal_buffer_put(buffer, in, 1, NULL, PABAL_NOWAIT), 0);
				assert_int_equal(pabal_buffer_get(buffer, out, 1, NULL, PABAL_NOWAIT), 0);
				assert_memory_equal(in, out, sizes[i]);
			}
			if (form < 2) {
				for (int n = 0; n < 3; n++)
					assert_int_equal(pabal_buffer_put(buffer, in, 1, NULL, PABAL_NOWAIT), 0);
				assert_int_equal(pabal_buffer_put(buffer, in, 1, NULL, PABAL_NOWAIT), -EAGAIN);
			}
			end(buffer);
		}
	}
}

static void what_makes_no_sense_is_refused(void **state)
{
	pabal_buffer *buffer = NULL, *other = NULL;
	struct item item;
	struct pabal_loan loan = { 0 };
	struct pabal_message items = { 0 };
	uint32_t count;

	(void)state;
	assert_int_equal(pabal_buffer_create("b", 0, 1, NULL, &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_create("b", (size_t)1 << 33, 1, NULL, &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_create("b", 1, 0, NULL, &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_create("b", 1, 1 << 20, NULL, &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_create("b", (size_t)1 << 30, 1 << 19, NULL, &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_create("b", 1, 1, BOPTS(.flags = PABAL_BUFFER_SPSC | PABAL_BUFFER_LATEST), &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_create("b", 1, 1, BOPTS(.flags = PABAL_BUFFER_SPSC, .on_full = PABAL_FULL_DROP_OLDEST), &buffer), -ENOTSUP);
	assert_int_equal(pabal_buffer_create("b", 1, 1, BOPTS(.on_full = 3), &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_create("b", 1, 1, BOPTS(.flags = 1u << 30), &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_create("b", 1, 1, BOPTS(.flags = PABAL_READ_ONLY), &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_create("b", 1, 1, BOPTS(.mode = 01777), &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_create("b", 1, 1, NULL, NULL), -EINVAL);
	assert_int_equal(pabal_buffer_create(".b", 1, 1, NULL, &buffer), -EINVAL);
	assert_int_equal(pabal_buffer_open("b", NULL, &buffer), -ENOENT);
	assert_null(buffer);

	buffer = make(0, CAPACITY, 0);
	assert_int_equal(pabal_buffer_create("b", sizeof item, CAPACITY, NULL, &other), -EEXIST);
	assert_int_equal(pabal_buffer_create("b", sizeof item, CAPACITY + 1, BOPTS(.flags = PABAL_EXIST_OK), &other), -EEXIST);
	assert_int_equal(pabal_buffer_create("b", sizeof item + 1, CAPACITY, BOPTS(.flags = PABAL_EXIST_OK), &other), -EEXIST);
	assert_int_equal(pabal_buffer_create("b", sizeof item, CAPACITY, BOPTS(.flags = PABAL_EXIST_OK | PABAL_BUFFER_SPSC), &other), -EEXIST);
	assert_int_equal(pabal_buffer_create("b", sizeof item, CAPACITY, BOPTS(.flags = PABAL_EXIST_OK, .on_full = PABAL_FULL_FAIL), &other),
			 -EEXIST);
	assert_int_equal(pabal_buffer_create("b", sizeof item, CAPACITY, BOPTS(.flags = PABAL_EXIST_OK), &other), 0);
	assert_null(pabal_buffer_close(other));
	assert_int_equal(pabal_mailbox_destroy("b"), -EINVAL);
	assert_int_equal(pabal_buffer_open("b", BOPTS(.flags = PABAL_READ_ONLY), &other), 0);
	assert_int_equal(put(other, 1, 1, NULL, PABAL_NOWAIT), -EPERM);
	assert_int_equal(pabal_buffer_get(other, &item, 1, NULL, PABAL_NOWAIT), -EPERM);
	assert_int_equal(pabal_buffer_interrupt(other), -EPERM);
	assert_int_equal(buffer_stats(other).capacity, CAPACITY);
	assert_int_equal(buffer_stats(other).item_size, sizeof item);
	pabal_buffer_close(other);

	assert_int_equal(pabal_buffer_put(buffer, NULL, 1, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(put(buffer, 1, 1, NULL, -2), -EINVAL);
	assert_int_equal(pabal_buffer_put(NULL, &item, 1, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_buffer_get(buffer, &item, 0, &count, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_buffer_get(buffer, &item, 2, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_buffer_get(buffer, NULL, 1, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_buffer_loan(buffer, 0, &loan, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_buffer_loan(buffer, 1, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_buffer_take(buffer, 0, &items, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_buffer_take(buffer, 1, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_buffer_commit(buffer, &loan, 0), -EINVAL);
	assert_int_equal(pabal_buffer_commit(buffer, NULL, 0), -EINVAL);
	assert_int_equal(pabal_buffer_cancel(buffer, &loan), -EINVAL);
	assert_int_equal(pabal_buffer_release(buffer, &items), -EINVAL);
	assert_int_equal(pabal_buffer_stat(buffer, NULL), -EINVAL);
	assert_null(pabal_buffer_close(NULL));
	end(buffer);
	assert_int_equal(pabal_buffer_destroy("b"), -ENOENT);
}

static void destroy_ends_it_after_what_is_left(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *buffer = make(forms[form], CAPACITY, 0);
		struct item item;

		assert_int_equal(put(buffer, 1, 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_destroy("b"), 0);
		assert_int_equal(put(buffer, 2, 1, NULL, PABAL_FOREVER), -ESHUTDOWN);
		expect_get(buffer, 1, 1, 1);
		assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_FOREVER), -ESHUTDOWN);
		pabal_buffer_close(buffer);
	}
}

/* With some in, the call says so and the next wait is interrupted. */
static void an_interrupt_is_kept_by_a_put_that_went_half_way(void **state)
{
	(void)state;
	for (int form = 0; form < 2; form++) {
		pabal_buffer *buffer = make(forms[form], 2, 0);
		uint32_t count = 0;

		assert_int_equal(pabal_buffer_interrupt(buffer), 0);
		assert_int_equal(put(buffer, 1, 3, &count, PABAL_FOREVER), 0);
		assert_int_equal(count, 2);
		assert_int_equal(put(buffer, 3, 1, &count, PABAL_FOREVER), -ECANCELED);
		assert_int_equal(put(buffer, 3, 1, &count, 1000000), -ETIMEDOUT);
		end(buffer);
	}
}

static int forked(void *data)
{
	struct item item;

	child_equal(pabal_buffer_get(data, &item, 1, NULL, PABAL_NOWAIT), -ESTALE);
	child_equal(put(data, 1, 1, NULL, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_buffer_interrupt(data), -ESTALE);
	pabal_buffer_close(data);
	return 0;
}

static void a_handle_of_before_a_fork_is_stale(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *buffer = make(forms[form], CAPACITY, 0);

		assert_int_equal(put(buffer, 1, 1, NULL, PABAL_NOWAIT), 0);
		child_run(forked, buffer);
		expect_get(buffer, 1, 1, 1);
		end(buffer);
	}
}

static void ephemeral(void **state)
{
	pabal_buffer *buffer = NULL, *other = NULL;

	(void)state;
	for (int form = 0; form < 3; form++) {
		assert_int_equal(pabal_buffer_create("b", 8, 1, BOPTS(.flags = forms[form] | PABAL_EPHEMERAL), &buffer), 0);
		assert_int_equal(pabal_buffer_open("b", NULL, &other), 0);
		pabal_buffer_close(buffer);
		pabal_buffer_close(other);
		assert_int_equal(pabal_buffer_open("b", NULL, &other), -ENOENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_and_batch),
		cmocka_unit_test(full_is_exact_and_says_how_many_went_in),
		cmocka_unit_test(a_put_waits_until_all_are_in),
		cmocka_unit_test(fail_does_not_wait),
		cmocka_unit_test(drop_oldest_keeps_the_newest_and_counts),
		cmocka_unit_test(in_place),
		cmocka_unit_test(a_loan_that_is_cancelled_leaves_nothing),
		cmocka_unit_test(loans_of_the_default_form),
		cmocka_unit_test(a_copy_of_a_committed_loan_is_no_loan),
		cmocka_unit_test(spsc_and_latest_lend_one_at_a_time),
		cmocka_unit_test(closing_gives_back),
		cmocka_unit_test(latest_gives_the_newest),
		cmocka_unit_test(latest_readers_wait_for_newer),
		cmocka_unit_test(spsc_has_one_of_each),
		cmocka_unit_test(sizes_of_items),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(destroy_ends_it_after_what_is_left),
		cmocka_unit_test(an_interrupt_is_kept_by_a_put_that_went_half_way),
		cmocka_unit_test(a_handle_of_before_a_fork_is_stale),
		cmocka_unit_test(ephemeral),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
