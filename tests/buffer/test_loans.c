/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_loans - items of a buffer in place, form by form: loans and runs that are taken, what a cancel and a close give back, and what is no loan any more.
 */
#include <errno.h>
#include <string.h>

#include "buffer/forms.h"

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

/* Its memory was given back: to look at the header of its block gave it to the hole again. */
static void a_copy_of_a_released_item_brings_no_memory_back(void **state)
{
	pabal_buffer *writer = make(0, CAPACITY, 0), *reader;
	struct pabal_message items, copy;
	uint64_t before;

	(void)state;
	assert_int_equal(pabal_buffer_open("b", NULL, &reader), 0);
	assert_int_equal(put(writer, 1, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_buffer_take(reader, 1, &items, PABAL_NOWAIT), 0);
	copy = items;
	assert_int_equal(pabal_buffer_release(reader, &items), 0);
	assert_null(pabal_buffer_close(writer)); /* its extent floats */
	assert_int_equal(pabal_gc(NULL), 0);
	before = bytes_of("b");
	assert_int_equal(pabal_buffer_release(reader, &copy), -EINVAL);
	assert_int_equal(bytes_of("b"), before);
	end(reader);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_place),
		cmocka_unit_test(a_loan_that_is_cancelled_leaves_nothing),
		cmocka_unit_test(loans_of_the_default_form),
		cmocka_unit_test(a_copy_of_a_committed_loan_is_no_loan),
		cmocka_unit_test(a_copy_of_a_released_item_brings_no_memory_back),
		cmocka_unit_test(spsc_and_latest_lend_one_at_a_time),
		cmocka_unit_test(closing_gives_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
