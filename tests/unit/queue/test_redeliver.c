/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redeliver - what came back is found, oldest first, however many there are; what makes no sense is said once and gone.
 */
#include "queue/redeliver.h"
#include "support/support.h"

#include "memory/pool.h"
#include "model/attach.h"

enum { ME = 1, COUNT = 3 * PABAL__REDELIVER_BATCH + 5 };

static pabal_mailbox *mailbox;
static struct pabal__segment *segment;
static struct pabal__pool pool;
static struct pabal__redeliver redeliver;

static int set_up(void **state)
{
	(void)state;
	if (pabal_mailbox_create("a", NULL, &mailbox) < 0)
		return -1;
	segment = pabal__mailbox_segment(mailbox);
	pool = (struct pabal__pool){ .segment = segment, .me = ME };
	pabal__redeliver_init(&redeliver, segment, ME);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pabal__pool_leave(&pool);
	pabal_mailbox_close(mailbox);
	return pabal_mailbox_destroy("a");
}

/* A block with this sequence number, given back. */
static struct pabal__block give(uint64_t sequence, size_t size)
{
	struct pabal__block block;

	assert_int_equal(pabal__pool_allocate(&pool, size, &block), 0);
	pabal__block_set(&block, PABAL__WORD_SEQUENCE, sequence << 16);
	pabal__block_set(&block, PABAL__WORD_LENGTH, (uint64_t)size << 32);
	assert_true(pabal__redeliver_give(segment, &block, block.words[0], 1));
	assert_false(pabal__redeliver_give(segment, &block, pabal__header_next(0, PABAL__OWNED, 99, 0), 1)); /* it is another's by now */
	return block;
}

static void the_oldest_comes_first_in_any_number(void **state)
{
	struct pabal__block block;
	uint64_t header;

	(void)state;
	for (uint64_t i = 0; i < COUNT; i++)
		give(i * 77 % COUNT, i % 3 ? 1 : 3000);
	assert_int_equal(pabal__redeliver_count(segment), COUNT);
	pabal__redeliver_refresh(&redeliver);
	for (uint64_t i = 0; i < COUNT; i++) {
		assert_int_equal(pabal__redeliver_take(&redeliver, UINT64_MAX, &block, &header), PABAL__RING_DONE);
		assert_int_equal(pabal__block_get(&block, PABAL__WORD_SEQUENCE) >> 16, i);
		assert_int_equal(pabal__header_deliveries(header), 2);
		assert_int_equal(pabal__header_owner(header), ME);
	}
	assert_int_equal(pabal__redeliver_take(&redeliver, UINT64_MAX, &block, &header), PABAL__RING_NOT_NOW);
	assert_int_equal(pabal__redeliver_count(segment), 0);
}

/* They were passed over, and the list made anew, for ever. */
static void false_lengths_are_said_once_and_gone(void **state)
{
	struct pabal__block block;
	uint64_t header;

	(void)state;
	for (uint64_t i = 0; i < COUNT; i++) {
		block = give(i, 1);
		pabal__block_set(&block, PABAL__WORD_LENGTH, UINT64_MAX);
	}
	for (uint64_t i = 0; i < COUNT; i++)
		assert_int_equal(pabal__redeliver_take(&redeliver, UINT64_MAX, &block, &header), PABAL__RING_CORRUPT);
	assert_int_equal(pabal__redeliver_take(&redeliver, UINT64_MAX, &block, &header), PABAL__RING_NOT_NOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_oldest_comes_first_in_any_number, set_up, tear_down),
		cmocka_unit_test_setup_teardown(false_lengths_are_said_once_and_gone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
