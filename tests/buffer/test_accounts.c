/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_accounts - what is said of a buffer: who holds how much, what came back, and which side a call failed on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buffer/forms.h"

/* What is said of it must not hang on what others had before. */
static void expect_held(pabal_buffer *buffer, uint32_t leases, uint64_t redelivered, uint64_t back)
{
	struct pabal_check_result account;

	expect_sound("b", &account);
	assert_int_equal(buffer_stats(buffer).leases, leases);
	assert_int_equal(buffer_stats(buffer).redelivered, redelivered);
	assert_int_equal(account.leased, leases);
	assert_int_equal(account.redeliver, back);
	assert_int_equal(account.queued, buffer_stats(buffer).depth - leases - back);
}

/* The first consumer takes all and gives it back; those that come after it only copy, or take some of it, or take beyond it. */
static void a_consumer_answers_for_what_it_holds_itself(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_SPSC, CAPACITY, 0), *consumer = NULL;
	struct pabal_message items;

	(void)state;
	assert_int_equal(put(buffer, 1, CAPACITY, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_buffer_open("b", NULL, &consumer), 0);
	assert_int_equal(pabal_buffer_take(consumer, CAPACITY, &items, PABAL_NOWAIT), 0);
	expect_held(buffer, CAPACITY, 0, 0);
	pabal_buffer_close(consumer);
	expect_held(buffer, 0, CAPACITY, CAPACITY);
	for (uint32_t i = 1; i <= 2; i++) { /* copied: they hold nothing, and nothing comes back */
		assert_int_equal(pabal_buffer_open("b", NULL, &consumer), 0);
		expect_get(consumer, i, 1, 1);
		expect_held(buffer, 0, CAPACITY, CAPACITY - i);
		pabal_buffer_close(consumer);
		expect_held(buffer, 0, CAPACITY, CAPACITY - i);
	}
	assert_int_equal(pabal_buffer_open("b", NULL, &consumer), 0); /* items 3 and 4 of 3 ... 7 that came back */
	assert_int_equal(pabal_buffer_take(consumer, 2, &items, PABAL_NOWAIT), 0);
	assert_int_equal(items.delivery_count, 2);
	expect_held(buffer, 2, CAPACITY, 3);
	assert_int_equal(pabal_buffer_release(consumer, &items), 0);
	expect_held(buffer, 0, CAPACITY, 3);
	assert_int_equal(pabal_buffer_take(consumer, 1, &items, PABAL_NOWAIT), 0);
	expect_held(buffer, 1, CAPACITY, 2);
	pabal_buffer_close(consumer);
	expect_held(buffer, 0, CAPACITY + 1, 3);
	assert_int_equal(put(buffer, CAPACITY + 1, 4, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_buffer_open("b", NULL, &consumer), 0); /* 5, 6, 7; then 8, which is new */
	expect_get(consumer, 5, 3, 3);
	expect_held(buffer, 0, CAPACITY + 1, 0);
	assert_int_equal(pabal_buffer_take(consumer, 1, &items, PABAL_NOWAIT), 0);
	assert_int_equal(items.delivery_count, 1);
	expect_held(buffer, 1, CAPACITY + 1, 0);
	assert_int_equal(pabal_buffer_release(consumer, &items), 0);
	expect_held(buffer, 0, CAPACITY + 1, 0);
	pabal_buffer_close(consumer);
	expect_held(buffer, 0, CAPACITY + 1, 0);
	end(buffer);
}

/* Two hold the newest, which waits for a third all the same; then it is the newest no more. */
static void a_take_of_the_newest_is_counted(void **state)
{
	pabal_buffer *writer = make(PABAL_BUFFER_LATEST, 1, 0), *readers[2] = { NULL };
	struct pabal_message held[2];
	struct pabal_check_result account;

	(void)state;
	assert_int_equal(put(writer, 1, 1, NULL, PABAL_NOWAIT), 0);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(pabal_buffer_open("b", NULL, &readers[i]), 0);
		assert_int_equal(pabal_buffer_take(readers[i], 1, &held[i], PABAL_NOWAIT), 0);
		assert_int_equal(buffer_stats(writer).leases, i + 1);
		expect_sound("b", &account);
		assert_int_equal(account.queued, 1);
	}
	assert_int_equal(put(writer, 2, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(buffer_stats(writer).leases, 2);
	expect_sound("b", &account);
	assert_int_equal(account.leased, 1); /* one block, which two read */
	assert_int_equal(pabal_buffer_release(readers[0], &held[0]), 0);
	assert_int_equal(buffer_stats(writer).leases, 1);
	pabal_buffer_close(readers[1]);
	assert_int_equal(buffer_stats(writer).leases, 0);
	pabal_buffer_close(readers[0]);
	end(writer);
}

/* It would claim the producer's place, and wait for room, or for a loan. */
static void a_put_of_nothing_does_nothing(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *one = make(forms[form], 1, 0), *two = NULL;
		struct pabal_loan loan;
		struct item item;
		uint32_t count = 77;

		assert_int_equal(pabal_buffer_open("b", NULL, &two), 0);
		assert_int_equal(pabal_buffer_put(one, NULL, 0, &count, PABAL_FOREVER), 0);
		assert_int_equal(count, 0);
		assert_int_equal(pabal_buffer_put(one, &item, 0, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_get(one, &item, 0, &count, PABAL_NOWAIT), -EINVAL); /* these ask for one at least */
		assert_int_equal(pabal_buffer_loan(one, 0, &loan, PABAL_NOWAIT), -EINVAL);
		assert_int_equal(pabal_buffer_take(one, 0, &(struct pabal_message){ 0 }, PABAL_NOWAIT), -EINVAL);
		assert_int_equal(buffer_stats(two).producer, 0);
		assert_int_equal(buffer_stats(two).consumer, 0);
		assert_int_equal(put(two, 1, 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_put(one, NULL, 0, &count, PABAL_FOREVER), 0); /* full, and not the producer */
		expect_get(two, 1, 1, 1);
		assert_int_equal(pabal_buffer_loan(two, 1, &loan, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_put(two, NULL, 0, &count, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_buffer_cancel(two, &loan), 0);
		assert_int_equal(pabal_buffer_put(one, NULL, 0, NULL, -2), -EINVAL);
		pabal_buffer_close(two);
		expect_sound("b", NULL);
		assert_int_equal(pabal_buffer_destroy("b"), 0);
		assert_int_equal(pabal_buffer_put(one, NULL, 0, NULL, PABAL_NOWAIT), -ESHUTDOWN);
		pabal_buffer_close(one);
	}
}

static void expect_words(const char *has, const char *has_not)
{
	assert_non_null(strstr(pabal_error_detail(), has));
	assert_null(strstr(pabal_error_detail(), has_not));
}

static void a_failure_names_the_side_that_it_is_about(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *buffer = make(forms[form], 1, 0);
		struct item item;

		assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
		expect_words(form == 2 ? "did not get yet" : "empty", "full");
		assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, 1000000), -ETIMEDOUT);
		expect_words("an item", "room");
		assert_int_equal(put(buffer, 1, 1, NULL, PABAL_NOWAIT), 0);
		if (form < 2) {
			assert_int_equal(put(buffer, 1, 1, NULL, PABAL_NOWAIT), -EAGAIN);
			expect_words("full", "empty");
			assert_int_equal(put(buffer, 1, 1, NULL, 1000000), -ETIMEDOUT);
			expect_words("room", "item");
		}
		end(buffer);
	}
}

/* Nothing can be dropped but what waits: when takes hold all that the buffer may have, a put waits for a release. */
static void drop_oldest_waits_when_takes_hold_everything(void **state)
{
	enum { LARGE = 65536, MOST = 2048 };
	struct pabal_message *held = calloc(MOST, sizeof *held);
	void *item = calloc(1, LARGE);
	pabal_buffer *buffer = NULL;
	uint32_t count = 0;
	int r;

	(void)state;
	assert_int_equal(pabal_buffer_create("b", LARGE, 1, BOPTS(.on_full = PABAL_FULL_DROP_OLDEST), &buffer), 0);
	while ((r = pabal_buffer_put(buffer, item, 1, NULL, PABAL_NOWAIT)) == 0 && count < MOST)
		assert_int_equal(pabal_buffer_take(buffer, 1, &held[count++], PABAL_NOWAIT), 0);
	assert_int_equal(r, -EAGAIN);
	expect_words("takes hold", "full");
	assert_int_equal(pabal_buffer_put(buffer, item, 1, NULL, 2000000), -ETIMEDOUT);
	expect_words("takes hold", "full");
	assert_int_equal(pabal_buffer_release(buffer, &held[0]), 0);
	assert_int_equal(pabal_buffer_put(buffer, item, 1, NULL, PABAL_NOWAIT), 0);
	free(item);
	free(held);
	end(buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_consumer_answers_for_what_it_holds_itself),
		cmocka_unit_test(a_take_of_the_newest_is_counted),
		cmocka_unit_test(a_put_of_nothing_does_nothing),
		cmocka_unit_test(a_failure_names_the_side_that_it_is_about),
		cmocka_unit_test(drop_oldest_waits_when_takes_hold_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
