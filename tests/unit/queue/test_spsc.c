/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_spsc - two positions and an array: what can be put and got, runs at the wrap, who comes after the dead, and positions that a liar wrote.
 */
#include "queue/spsc.h"
#include "support/support.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 5, MANY = 100000 };

static struct pabal__spsc_shared shared;
static uint64_t items[CAPACITY];
static struct pabal__spsc_end producer, consumer;

static struct pabal__spsc_end end_of(bool is_producer)
{
	return (struct pabal__spsc_end){
		.shared = &shared, .items = (uint8_t *)items, .item_size = sizeof *items, .capacity = CAPACITY, .producer = is_producer
	};
}

static int set_up(void **state)
{
	(void)state;
	memset(&shared, 0, sizeof shared);
	memset(items, 0, sizeof items);
	producer = end_of(true);
	consumer = end_of(false);
	return pabal__spsc_adopt(&producer, 1) || pabal__spsc_adopt(&consumer, 1);
}

static uint32_t look(struct pabal__spsc_end *end, uint32_t wanted)
{
	uint32_t count = 0;
	enum pabal__ring_result result = pabal__spsc_look(end, wanted, &count);

	assert_int_equal(result, count ? PABAL__RING_DONE : PABAL__RING_NOT_NOW);
	return count;
}

static void put(uint64_t first, uint32_t count)
{
	uint64_t some[CAPACITY];

	for (uint32_t i = 0; i < count; i++)
		some[i] = first + i;
	assert_int_equal(look(&producer, count), count);
	pabal__spsc_put(&producer, some, count);
}

static void get(uint64_t first, uint32_t count)
{
	uint64_t some[CAPACITY];

	assert_int_equal(look(&consumer, count), count);
	pabal__spsc_get(&consumer, some, count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(some[i], first + i);
}

static void every_offset_and_count(void **state)
{
	uint64_t next = 1;

	(void)state;
	for (uint32_t count = 1; count <= CAPACITY; count++) {
		for (int i = 0; i < 2 * CAPACITY; i++) {
			put(next, count);
			get(next, count);
			next += count;
		}
	}
}

static void the_capacity_is_exact(void **state)
{
	(void)state;
	put(1, 3);
	assert_int_equal(look(&producer, 10), 2);
	put(4, 2);
	assert_int_equal(look(&producer, 1), 0);
	assert_int_equal(look(&consumer, 10), 5);
	get(1, 1);
	assert_int_equal(look(&producer, 10), 1);
	get(2, 4);
	assert_int_equal(look(&consumer, 1), 0);
	assert_int_equal(look(&producer, 10), 5);
}

static void nothing_is_seen_before_it_is_published(void **state)
{
	void *run;
	bool again;

	(void)state;
	assert_int_equal(look(&producer, 2), 2);
	assert_int_equal(pabal__spsc_run(&producer, 2, &run, &again), 2);
	memset(run, 1, 2 * sizeof *items);
	assert_int_equal(look(&consumer, 1), 0);
	pabal__spsc_publish(&producer, 2);
	assert_int_equal(look(&consumer, 5), 2);
}

static void a_run_ends_at_the_wrap(void **state)
{
	void *run;
	bool again;

	(void)state;
	put(1, 4);
	get(1, 4);
	assert_int_equal(look(&producer, 3), 3);
	assert_int_equal(pabal__spsc_run(&producer, 3, &run, &again), 1);
	assert_ptr_equal(run, &items[4]);
	put(5, 3);
	assert_int_equal(look(&consumer, 3), 3);
	assert_int_equal(pabal__spsc_run(&consumer, 3, &run, &again), 1);
	assert_false(again);
	assert_ptr_equal(run, &items[4]);
	pabal__spsc_publish(&consumer, 1);
	assert_int_equal(pabal__spsc_run(&consumer, 2, &run, &again), 2);
	assert_ptr_equal(run, &items[0]);
}

/* The consumer had two of four in hand, of which it finished one, and died. */
static void what_the_dead_had_in_hand_comes_again_and_is_marked(void **state)
{
	void *run;
	bool again;

	(void)state;
	put(1, 4);
	assert_int_equal(look(&consumer, 4), 4);
	assert_int_equal(pabal__spsc_run(&consumer, 2, &run, &again), 2);
	pabal__spsc_hand_out(&consumer, 2);
	pabal__spsc_publish(&consumer, 1);

	consumer = end_of(false);
	assert_int_equal(pabal__spsc_adopt(&consumer, 1), PABAL__RING_DONE);
	assert_int_equal(look(&consumer, 4), 3);
	assert_int_equal(pabal__spsc_run(&consumer, 3, &run, &again), 1);
	assert_true(again);
	assert_int_equal(*(uint64_t *)run, 2);
	pabal__spsc_hand_out(&consumer, 1);
	pabal__spsc_publish(&consumer, 1);
	assert_int_equal(pabal__spsc_run(&consumer, 2, &run, &again), 2);
	assert_false(again);
	get(3, 2);
}

static void expect_handed(uint64_t whose, uint64_t in_hand, uint64_t back)
{
	uint64_t put_count, got, held = 77, rest = 77;

	assert_true(pabal__spsc_count(&shared, CAPACITY, &put_count, &got));
	pabal__spsc_count_handed(&shared, put_count, got, whose, &held, &rest);
	assert_int_equal(held, in_hand);
	assert_int_equal(rest, back);
}

/* Two of four in hand, dead; the next one has a place, and is killed before it has begun; the third takes one. */
static void what_was_handed_out_is_told_by_whom(void **state)
{
	void *run;
	bool again;

	(void)state;
	expect_handed(0, 0, 0);
	put(1, 4);
	assert_int_equal(look(&consumer, 4), 4);
	pabal__spsc_run(&consumer, 2, &run, &again);
	pabal__spsc_hand_out(&consumer, 2);
	expect_handed(1, 2, 0);
	expect_handed(2, 0, 2); /* not this one */
	expect_handed(0, 0, 2); /* nobody */
	consumer = end_of(false);
	assert_int_equal(pabal__spsc_adopt(&consumer, 3), PABAL__RING_DONE);
	expect_handed(3, 0, 2);
	assert_int_equal(look(&consumer, 4), 4);
	pabal__spsc_hand_out(&consumer, 1);
	expect_handed(3, 1, 1);
	pabal__spsc_publish(&consumer, 1);
	expect_handed(3, 0, 1);
	get(2, 1);
	expect_handed(3, 0, 0);
	pabal__spsc_hand_out(&consumer, 2);
	expect_handed(3, 2, 0);
	pabal__spsc_publish(&consumer, 2);
	expect_handed(3, 0, 0);
	for (uint64_t lie = UINT64_MAX - 3; lie != 20; lie++) { /* never more than there is */
		uint64_t held = 0, rest = 0;

		atomic_store(&shared.handed, lie);
		atomic_store(&shared.came, 7 * lie);
		atomic_store(&shared.out, 3 * lie);
		pabal__spsc_count_handed(&shared, 4, 2, 3, &held, &rest);
		assert_in_range(held + rest, 0, 2);
	}
}

static void a_producer_that_died_before_it_published_left_nothing(void **state)
{
	void *run;
	bool again;

	(void)state;
	put(1, 2);
	pabal__spsc_run(&producer, 3, &run, &again);
	memset(run, 0xff, 3 * sizeof *items);
	producer = end_of(true);
	assert_int_equal(pabal__spsc_adopt(&producer, 1), PABAL__RING_DONE);
	assert_int_equal(look(&producer, 9), 3);
	put(3, 3);
	get(1, 5);
}

/* Each impossible position, seen by each side; nothing changes that the side itself knows. */
static void impossible_positions_are_corrupt(void **state)
{
	uint32_t count = 77;

	(void)state;
	put(1, 3);
	get(1, 1);
	atomic_store(&shared.tail, 1 + CAPACITY + 1); /* further than the capacity allows */
	assert_int_equal(pabal__spsc_look(&consumer, 5, &count), PABAL__RING_CORRUPT);
	atomic_store(&shared.tail, 2); /* back */
	assert_int_equal(pabal__spsc_look(&consumer, 5, &count), PABAL__RING_CORRUPT);
	atomic_store(&shared.tail, UINT64_MAX);
	assert_int_equal(pabal__spsc_look(&consumer, 5, &count), PABAL__RING_CORRUPT);
	atomic_store(&shared.tail, 3);
	get(2, 2);
	atomic_store(&shared.head, 4); /* got what was never put */
	assert_int_equal(pabal__spsc_look(&producer, 5, &count), PABAL__RING_CORRUPT);
	atomic_store(&shared.head, UINT64_MAX - 3);
	assert_int_equal(pabal__spsc_look(&producer, 5, &count), PABAL__RING_CORRUPT);
	assert_int_equal(count, 77);
	atomic_store(&shared.head, 3);
	assert_int_equal(look(&producer, 5), 5);
	atomic_store(&shared.head, 2); /* back */
	put(4, 5);
	assert_int_equal(pabal__spsc_look(&producer, 1, &count), PABAL__RING_CORRUPT);
}

static void nobody_begins_on_impossible_positions(void **state)
{
	uint64_t put_count, got;

	(void)state;
	atomic_store(&shared.head, 7);
	atomic_store(&shared.tail, 7 + CAPACITY + 1);
	assert_int_equal(pabal__spsc_adopt(&producer, 1), PABAL__RING_CORRUPT);
	assert_int_equal(pabal__spsc_adopt(&consumer, 1), PABAL__RING_CORRUPT);
	assert_false(pabal__spsc_count(&shared, CAPACITY, &put_count, &got));
	atomic_store(&shared.tail, 7 + CAPACITY);
	assert_int_equal(pabal__spsc_adopt(&producer, 1), PABAL__RING_DONE);
	assert_int_equal(producer.index, 7 % CAPACITY + 5 - CAPACITY);
	atomic_store(&shared.handed, 1000); /* marks nothing */
	assert_int_equal(pabal__spsc_adopt(&consumer, 1), PABAL__RING_DONE);
	assert_int_equal(consumer.again, 7);
	assert_true(pabal__spsc_count(&shared, CAPACITY, &put_count, &got));
	assert_int_equal(put_count - got, CAPACITY);
}

static void *produce(void *unused)
{
	uint64_t next = 1;

	(void)unused;
	while (next <= MANY) {
		uint64_t some[3] = { next, next + 1, next + 2 };
		uint32_t count = 0, wanted = next + 2 <= MANY ? 3 : 1;

		if (pabal__spsc_look(&producer, wanted, &count) != PABAL__RING_DONE) {
			sched_yield();
			continue;
		}
		pabal__spsc_put(&producer, some, count);
		next += count;
	}
	return NULL;
}

/* For ThreadSanitizer, too. */
static void two_threads(void **state)
{
	uint64_t next = 1;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, produce, NULL), 0);
	while (next <= MANY) {
		uint64_t some[4];
		uint32_t count = 0;

		if (pabal__spsc_look(&consumer, 4, &count) != PABAL__RING_DONE) {
			sched_yield();
			continue;
		}
		pabal__spsc_get(&consumer, some, count);
		for (uint32_t i = 0; i < count; i++)
			assert_int_equal(some[i], next++);
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_offset_and_count, set_up),
		cmocka_unit_test_setup(the_capacity_is_exact, set_up),
		cmocka_unit_test_setup(nothing_is_seen_before_it_is_published, set_up),
		cmocka_unit_test_setup(a_run_ends_at_the_wrap, set_up),
		cmocka_unit_test_setup(what_the_dead_had_in_hand_comes_again_and_is_marked, set_up),
		cmocka_unit_test_setup(what_was_handed_out_is_told_by_whom, set_up),
		cmocka_unit_test_setup(a_producer_that_died_before_it_published_left_nothing, set_up),
		cmocka_unit_test_setup(impossible_positions_are_corrupt, set_up),
		cmocka_unit_test_setup(nobody_begins_on_impossible_positions, set_up),
		cmocka_unit_test_setup(two_threads, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
