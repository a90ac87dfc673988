/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ring - each row of what a sender and a receiver do with a slot, by putting that slot there.
 *
 * A slot is `turn:32 | state:2 | owner:10 | block:20`; the tables stand in ring.c. The ring begins a few turns before they wrap.
 */
#include "queue/ring.h"
#include "support/support.h"

#include "memory/pool.h"
#include "model/attach.h"

enum { ME = 1, OTHER = 9, SLOTS = 1024, CAPACITY = 100 };

static const uint32_t first = 0xfffffffd; /* the first turn of a test build */
static pabal_mailbox *mailbox;
static struct pabal__segment *segment;
static struct pabal__ring ring;
static struct pabal__pool pool;

static uint64_t word(uint32_t turn, enum pabal__slot_state state, uint32_t owner, uint32_t block)
{
	return (uint64_t)turn << 32 | (uint64_t)state << 30 | (uint64_t)owner << 20 | block;
}

/* Consecutive positions lie in different cache lines. */
static pabal__word *slot(uint64_t index)
{
	return &ring.slots[(index % (SLOTS / 8)) * 8 + index / (SLOTS / 8)];
}

static int set_up(void **state)
{
	(void)state;
	if (pabal_mailbox_create("a", OPTS(.capacity = CAPACITY), &mailbox) < 0)
		return -1;
	segment = pabal__mailbox_segment(mailbox);
	pabal__ring_init(&ring, segment, ME);
	pool = (struct pabal__pool){ .segment = segment, .me = ME };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pabal__pool_leave(&pool);
	pabal_mailbox_close(mailbox);
	return pabal_mailbox_destroy("a");
}

static struct pabal__block new_block(void)
{
	struct pabal__block block;

	assert_int_equal(pabal__pool_allocate(&pool, 1, &block), 0);
	pabal__block_set(&block, PABAL__WORD_LENGTH, UINT64_C(1) << 32);
	return block;
}

static enum pabal__ring_result send(void)
{
	struct pabal__block block = new_block();
	uint64_t busy;

	return pabal__ring_send(&ring, &block, 0, &busy);
}

static enum pabal__ring_result take(struct pabal__block *ret_block)
{
	uint64_t header;

	return pabal__ring_take(&ring, UINT64_MAX, ret_block, &header);
}

static void a_send_fills_and_a_take_lets_go(void **state)
{
	struct pabal__block sent = new_block(), got;
	uint64_t busy, header;

	(void)state;
	assert_int_equal(*slot(0), word(first, PABAL__EMPTY, 0, 0));
	assert_int_equal(pabal__ring_send(&ring, &sent, 0, &busy), PABAL__RING_DONE);
	assert_int_equal(*slot(0), word(first, PABAL__FULL, ME, sent.number));
	assert_int_equal(pabal__header_state(sent.words[0]), PABAL__OWNED); /* the header is unchanged */
	assert_true(pabal__ring_has_message(&ring));
	assert_int_equal(pabal__ring_take(&ring, UINT64_MAX, &got, &header), PABAL__RING_DONE);
	assert_int_equal(got.number, sent.number);
	assert_int_equal(*slot(0), word(first + 1, PABAL__EMPTY, 0, 0));
	assert_int_equal(pabal__header_state(header), PABAL__LEASED);
	assert_int_equal(header, got.words[0]);
	assert_false(pabal__ring_has_message(&ring));
}

static void a_sender_goes_on_over_what_others_filled(void **state)
{
	struct pabal__block theirs = new_block(), got;

	(void)state;
	*slot(0) = word(first, PABAL__FULL, OTHER, theirs.number);
	*slot(1) = word(first, PABAL__TAKEN, OTHER, theirs.number);
	*slot(2) = word(first + 1, PABAL__EMPTY, 0, 0);
	assert_int_equal(send(), PABAL__RING_DONE);
	assert_int_equal(*slot(3) >> 30 & 3, PABAL__FULL);
	/* A receiver takes the first, passes over the one that is being taken and the one that was, and finds ours. */
	assert_int_equal(take(&got), PABAL__RING_DONE);
	assert_int_equal(got.number, theirs.number);
	assert_int_equal(take(&got), PABAL__RING_DONE);
	assert_int_equal(take(&got), PABAL__RING_NOT_NOW);
}

static void what_is_too_large_is_not_touched(void **state)
{
	struct pabal__block sent = new_block(), got;
	uint64_t busy, header, before = sent.words[0];

	(void)state;
	pabal__block_set(&sent, PABAL__WORD_LENGTH, UINT64_C(2) << 32);
	assert_int_equal(pabal__ring_send(&ring, &sent, 0, &busy), PABAL__RING_DONE);
	assert_int_equal(pabal__ring_take(&ring, 1, &got, &header), PABAL__RING_LARGE);
	assert_int_equal(got.length, 2);
	assert_int_equal(*slot(0), word(first, PABAL__FULL, ME, sent.number));
	assert_int_equal(sent.words[0], before);
	assert_int_equal(pabal__ring_take(&ring, 2, &got, &header), PABAL__RING_DONE);
	assert_int_equal(got.number, sent.number);
}

/* It must not stay the next for ever, with a size that somebody may believe. */
static void a_length_beyond_its_block_is_corrupt_for_small_buffers_too(void **state)
{
	struct pabal__block sent = new_block(), got;
	uint64_t busy, header;

	(void)state;
	pabal__block_set(&sent, PABAL__WORD_LENGTH, (sent.room + 1) << 32);
	assert_int_equal(pabal__ring_send(&ring, &sent, 0, &busy), PABAL__RING_DONE);
	assert_int_equal(pabal__ring_take(&ring, 1, &got, &header), PABAL__RING_CORRUPT);
	assert_int_equal(*slot(0), word(first + 1, PABAL__EMPTY, 0, 0));
	assert_int_equal(pabal__ring_take(&ring, 1, &got, &header), PABAL__RING_NOT_NOW);
}

static void full_is_exact(void **state)
{
	struct pabal__block got;

	(void)state;
	for (int i = 0; i < CAPACITY; i++)
		assert_int_equal(send(), PABAL__RING_DONE);
	assert_int_equal(send(), PABAL__RING_NOT_NOW);
	assert_false(pabal__ring_has_room(&ring));
	assert_int_equal(take(&got), PABAL__RING_DONE);
	assert_true(pabal__ring_has_room(&ring));
	assert_int_equal(send(), PABAL__RING_DONE);
	assert_int_equal(send(), PABAL__RING_NOT_NOW);
}

static void a_taker_in_the_middle_keeps_nobody_but_at_the_wrap(void **state)
{
	struct pabal__block got, block;
	uint64_t busy = 0, seen = 0;

	(void)state;
	assert_int_equal(send(), PABAL__RING_DONE);
	*slot(0) = word(first, PABAL__TAKEN, OTHER, *slot(0) & 0xfffff);
	ring.head.position++;
	for (int i = 1; i < SLOTS; i++) {
		assert_int_equal(send(), PABAL__RING_DONE);
		assert_int_equal(take(&got), PABAL__RING_DONE);
		got.words[0] = pabal__header_next(got.words[0], PABAL__FREE, 0, 0);
	}
	block = new_block();
	assert_int_equal(pabal__ring_send(&ring, &block, 0, &busy), PABAL__RING_BUSY);
	assert_int_equal(busy % SLOTS, 0);
	assert_int_equal(pabal__ring_taker(&ring, busy, &seen), OTHER);
	pabal__ring_repair(&ring, busy, seen - (UINT64_C(1) << 32)); /* a take of the same number, a turn ago: not this one */
	assert_int_equal(*slot(0), seen);
	pabal__ring_repair(&ring, busy, seen);
	assert_int_equal(*slot(0), word(first + 1, PABAL__EMPTY, 0, 0));
	assert_int_equal(pabal__ring_send(&ring, &block, 0, &busy), PABAL__RING_DONE);
}

static void what_nobody_honest_writes_is_corrupt(void **state)
{
	struct pabal__block got;

	(void)state;
	for (int i = 0; i < SLOTS; i++)
		*slot(i) = word(first - 5, PABAL__EMPTY, 0, 0);
	assert_int_equal(send(), PABAL__RING_CORRUPT);
	assert_int_equal(take(&got), PABAL__RING_CORRUPT);
	pabal__ring_format(segment);
	*slot(0) = word(first, PABAL__FULL, OTHER, PABAL__BLOCKS - 1); /* there is no such block */
	assert_int_equal(take(&got), PABAL__RING_CORRUPT);
	assert_int_equal(*slot(0), word(first + 1, PABAL__EMPTY, 0, 0)); /* let go, so that the next can be found */
}

static void a_slot_is_repaired_with_its_lease(void **state)
{
	struct pabal__block block = new_block();
	uint64_t bits[PABAL__BLOCKS / 64] = { 0 };

	(void)state;
	*slot(7) = word(first, PABAL__TAKEN, OTHER, block.number);
	assert_int_equal(pabal__ring_named(segment, bits), 0);
	assert_true(bits[block.number / 64] >> block.number % 64 & 1);
	pabal__ring_repair_all(&ring, OTHER);
	assert_int_equal(*slot(7), word(first + 1, PABAL__EMPTY, 0, 0));
	assert_int_equal(pabal__header_state(block.words[0]), PABAL__LEASED);
	assert_int_equal(pabal__header_owner(block.words[0]), OTHER);
	assert_int_equal(pabal__header_deliveries(block.words[0]), 1);
}

/* Another repairer was faster, and the block was received and given back since. To read its header would give memory to the hole. */
static void a_late_repairer_does_not_look_at_a_block_without_memory(void **state)
{
	struct pabal__block block = new_block();
	uint64_t before;

	(void)state;
	block.words[0] = pabal__header_next(block.words[0], PABAL__FREE, 0, 0);
	pabal__pool_leave(&pool);
	assert_int_equal(pabal__pool_reclaim(segment, ME), PABAL__EXTENT);
	before = bytes_of("a");
	*slot(7) = word(first, PABAL__TAKEN, OTHER, block.number);
	pabal__ring_repair_all(&ring, OTHER);
	assert_int_equal(*slot(7), word(first + 1, PABAL__EMPTY, 0, 0));
	assert_int_equal(bytes_of("a"), before);
}

static void turns_wrap(void **state)
{
	struct pabal__block got;
	uint64_t sent, taken;

	(void)state;
	for (int i = 0; i < SLOTS * 6; i++) {
		assert_int_equal(send(), PABAL__RING_DONE);
		assert_int_equal(take(&got), PABAL__RING_DONE);
		assert_int_equal(pabal__block_get(&got, PABAL__WORD_SEQUENCE) >> 16, i);
		got.words[0] = pabal__header_next(got.words[0], PABAL__FREE, 0, 0);
	}
	assert_int_equal(*slot(5) >> 32, (uint32_t)(first + 6));
	pabal__ring_count(segment, &sent, &taken);
	assert_int_equal(sent, SLOTS * 6);
	assert_int_equal(taken, SLOTS * 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_send_fills_and_a_take_lets_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_sender_goes_on_over_what_others_filled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_too_large_is_not_touched, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_length_beyond_its_block_is_corrupt_for_small_buffers_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(full_is_exact, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_taker_in_the_middle_keeps_nobody_but_at_the_wrap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_nobody_honest_writes_is_corrupt, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_slot_is_repaired_with_its_lease, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_late_repairer_does_not_look_at_a_block_without_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(turns_wrap, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
