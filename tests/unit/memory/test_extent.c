/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_extent - each step of an extent: grow, float, reclaim, and what a death in the middle leaves.
 */
#include "memory/extent.h"
#include "support/support.h"

#include "memory/pool.h"
#include "model/attach.h"

enum { ME = 1, DEAD = 7 };

static pabal_mailbox *mailbox;
static struct pabal__segment *segment;

static int set_up(void **state)
{
	(void)state;
	if (pabal_mailbox_create("a", OPTS(.memory_max = 1 << 20), &mailbox) < 0)
		return -1;
	segment = pabal__mailbox_segment(mailbox);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pabal_mailbox_close(mailbox);
	return pabal_mailbox_destroy("a");
}

static pabal__word *extent(uint32_t number, uint32_t index)
{
	return pabal__extent_word(segment, &segment->layout.classes[number], index);
}

static void an_extent_grows_floats_and_is_given_back(void **state)
{
	struct pabal__block block;
	uint32_t index, version;

	(void)state;
	assert_int_equal(pabal__extent_grow(segment, 2, ME, 0, &index), 0);
	assert_int_equal(pabal__extent_state(*extent(2, index)), PABAL__HOME);
	assert_int_equal(pabal__extent_owner(*extent(2, index)), ME);
	assert_int_equal(pabal__extent_reclaim_small(segment, 2, index, ME), 0); /* somebody's home */
	version = (uint32_t)(*extent(2, index) >> 32);
	*extent(2, index) = pabal__extent_small(version, 0, PABAL__FLOATING);
	pabal__block_at(segment, &segment->layout.classes[2], 3, &block);
	block.words[0] = pabal__header_next(block.words[0], PABAL__LEASED, ME, 1);
	assert_int_equal(pabal__extent_reclaim_small(segment, 2, index, ME), 0); /* in use */
	assert_int_equal(pabal__extent_state(*extent(2, index)), PABAL__FLOATING);
	block.words[0] = pabal__header_next(block.words[0], PABAL__FREE, 0, 0);
	assert_int_equal(pabal__extent_reclaim_small(segment, 2, index, ME), PABAL__EXTENT);
	assert_int_equal(pabal__extent_state(*extent(2, index)), PABAL__HOLE);
	/* New memory begins past every version that was used, so that no old compare-and-swap succeeds on it. */
	assert_int_equal(pabal__extent_grow(segment, 2, ME, 0, &index), 0);
	assert_true((uint32_t)(block.words[0] >> 32) > version + 1);
}

static void what_a_death_leaves_is_finished(void **state)
{
	static const struct {
		enum pabal__extent_state left, after;
	} cases[] = {
		{ PABAL__BACKING, PABAL__HOLE }, { PABAL__PUNCHING, PABAL__HOLE }, { PABAL__CHECKING, PABAL__FLOATING }, { PABAL__HOME, PABAL__HOME }
	};
	uint32_t index;

	(void)state;
	assert_int_equal(pabal__extent_grow(segment, 1, ME, 0, &index), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		*extent(1, index) = pabal__extent_small(5, DEAD, cases[i].left);
		pabal__extent_recover(segment, 1, index, DEAD + 1); /* not its */
		assert_int_equal(pabal__extent_state(*extent(1, index)), cases[i].left);
		pabal__extent_recover(segment, 1, index, DEAD);
		assert_int_equal(pabal__extent_state(*extent(1, index)), cases[i].after);
		assert_int_equal(*extent(1, index) >> 32, 5);
	}
}

static void a_large_block_has_what_it_needs(void **state)
{
	const struct pabal__class *class = &segment->layout.classes[PABAL__SMALL_CLASSES];
	uint64_t charged, all;
	uint32_t index;

	(void)state;
	assert_int_equal(pabal__extent_raise(segment, PABAL__SMALL_CLASSES, &index), 0);
	assert_int_equal(pabal__extent_back_large(segment, class, index, ME, 5000), 0);
	assert_int_equal(pabal__extent_state(*extent(PABAL__SMALL_CLASSES, index)), PABAL__BACKED);
	pabal__extents_sum(segment, &charged, &all);
	assert_int_equal(charged, 8192);
	assert_int_equal(pabal__extent_reclaim_large(segment, PABAL__SMALL_CLASSES, index, ME), 8192);
	pabal__extents_sum(segment, &charged, &all);
	assert_int_equal(charged, 0);
}

static void a_hostile_word_cannot_make_the_sum_overflow(void **state)
{
	uint64_t charged, all;
	uint32_t index;

	(void)state;
	assert_int_equal(pabal__extent_raise(segment, PABAL__SMALL_CLASSES, &index), 0);
	*extent(PABAL__SMALL_CLASSES, index) = UINT64_MAX;
	segment->header->extents_high[PABAL__SMALL_CLASSES] = UINT64_MAX;
	assert_int_equal(pabal__extents_high(segment, PABAL__SMALL_CLASSES), segment->layout.classes[PABAL__SMALL_CLASSES].extents);
	pabal__extents_sum(segment, &charged, &all);
	assert_in_range(charged, 1, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_extent_grows_floats_and_is_given_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_death_leaves_is_finished, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_large_block_has_what_it_needs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hostile_word_cannot_make_the_sum_overflow, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
