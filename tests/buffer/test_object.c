/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_object - a buffer as an object, form by form: items of any size, what is refused, and its handles: destroyed, interrupted, forked, the last one closed.
 */
#include <errno.h>
#include <string.h>

#include "buffer/forms.h"

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
		cmocka_unit_test(sizes_of_items),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(destroy_ends_it_after_what_is_left),
		cmocka_unit_test(an_interrupt_is_kept_by_a_put_that_went_half_way),
		cmocka_unit_test(a_handle_of_before_a_fork_is_stale),
		cmocka_unit_test(ephemeral),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
