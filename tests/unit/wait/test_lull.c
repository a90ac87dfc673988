/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lull - when a reader lets the writer get ahead: always in a stream, hardly ever where two ask and answer.
 */
#include "wait/lull.h"

#include "support/support.h"

enum { MANY = 1000, WAITS = 1000000 };

static uint32_t count_lulls(struct pabal__lulls *lulls, uint32_t waits, uint32_t run)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < waits; i++)
		count += pabal__lull_is_due(lulls, run);
	return count;
}

static void a_stream_has_one_at_each_wait(void **state)
{
	struct pabal__lulls lulls = { 0 };

	(void)state;
	assert_int_equal(count_lulls(&lulls, 100, MANY), 100);
}

/* A reader that is too close never sees more than one message at a time: only a lull can show that there might be more. */
static void one_who_is_too_close_finds_out_soon(void **state)
{
	struct pabal__lulls lulls = { 0 };

	(void)state;
	assert_int_equal(count_lulls(&lulls, 100, 1), 1);
}

static void who_asks_and_answers_has_hardly_any(void **state)
{
	struct pabal__lulls lulls = { 0 };
	uint32_t count = count_lulls(&lulls, WAITS, 1);

	(void)state;
	assert_in_range(count, 1, WAITS / 5000);
}

static void after_a_stream_they_are_tried_anew(void **state)
{
	struct pabal__lulls lulls = { 0 };

	(void)state;
	count_lulls(&lulls, WAITS, 1);
	assert_int_equal(count_lulls(&lulls, 1, MANY), 1);
	assert_int_equal(count_lulls(&lulls, 100, 1), 1);
}

static void it_ends(void **state)
{
	(void)state;
	pabal__lull(1);
	pabal__lull(UINT64_MAX); /* a clock that does not go on */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_has_one_at_each_wait),
		cmocka_unit_test(one_who_is_too_close_finds_out_soon),
		cmocka_unit_test(who_asks_and_answers_has_hardly_any),
		cmocka_unit_test(after_a_stream_they_are_tried_anew),
		cmocka_unit_test(it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
