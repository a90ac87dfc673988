/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_latest - blocks, pins and the newest: who may fill what, what a reader gets, what the dead leave, and what a liar can do.
 */
#include "queue/latest.h"
#include "support/support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 32, READERS = 2, WRITERS = 2, MANY = 20000 };

static struct pabal__header header;
static struct pabal__segment segment = { .header = &header };
static struct pabal__latest_shared *shared;
static uint64_t *items;

static struct pabal__latest view(uint32_t id)
{
	return (struct pabal__latest){ .segment = &segment, .shared = shared, .items = (uint8_t *)items, .stride = WORDS * sizeof *items, .me = id };
}

static int set_up(void **state)
{
	(void)state;
	shared = aligned_alloc(64, sizeof *shared);
	items = calloc(PABAL__LATEST_BLOCKS, WORDS * sizeof *items);
	if (!shared || !items)
		return -1;
	memset(shared, 0, sizeof *shared);
	atomic_store(&header.participants_high, 4);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(shared);
	free(items);
	return 0;
}

/* Claim, with memory for one block more when none is free. */
static uint32_t claim_one(struct pabal__latest *latest)
{
	enum pabal__ring_result result;
	uint32_t block;

	while ((result = pabal__latest_claim(latest, &block)) == PABAL__RING_NOT_NOW)
		pabal__latest_raise(latest, pabal__latest_high(latest));
	assert_int_equal(result, PABAL__RING_DONE);
	return block;
}

static uint64_t write_one(struct pabal__latest *latest, uint64_t value)
{
	uint32_t block = claim_one(latest);
	uint64_t *item = pabal__latest_item(latest, block);

	for (int i = 0; i < WORDS; i++)
		item[i] = value;
	return pabal__latest_publish(latest, block, 1);
}

static void a_reader_gets_the_newest_once(void **state)
{
	struct pabal__latest writer = view(1), reader = view(2);
	uint64_t word;

	(void)state;
	assert_int_equal(pabal__latest_pin(&reader, &word), PABAL__RING_NOT_NOW);
	assert_int_equal(write_one(&writer, 5), 1);
	assert_int_equal(write_one(&writer, 6), 2);
	assert_true(pabal__latest_is_news(&reader));
	assert_int_equal(pabal__latest_pin(&reader, &word), PABAL__RING_DONE);
	assert_int_equal(pabal__latest_sequence(word), 2);
	assert_int_equal(*(uint64_t *)pabal__latest_item(&reader, pabal__latest_block(word)), 6);
	pabal__latest_unpin(&reader);
	assert_int_equal(pabal__latest_pin(&reader, &word), PABAL__RING_NOT_NOW);
	assert_false(pabal__latest_is_news(&reader));
}

static void what_is_pinned_is_not_written_over(void **state)
{
	struct pabal__latest writer = view(1), reader = view(2);
	uint64_t word;

	(void)state;
	write_one(&writer, 5);
	assert_int_equal(pabal__latest_pin(&reader, &word), PABAL__RING_DONE);
	for (uint64_t i = 0; i < 100; i++)
		write_one(&writer, 100 + i);
	assert_int_equal(*(uint64_t *)pabal__latest_item(&reader, pabal__latest_block(word)), 5);
	assert_in_range(pabal__latest_high(&writer), 3, 4);
	pabal__latest_unpin(&reader);
	for (uint64_t i = 0; i < 100; i++)
		write_one(&writer, 100 + i);
	assert_in_range(pabal__latest_high(&writer), 3, 4);
}

static void what_is_claimed_is_nobody_elses(void **state)
{
	struct pabal__latest one = view(1), other = view(3), reader = view(2);
	uint32_t block = claim_one(&one);
	uint64_t word;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		write_one(&other, i);
	assert_int_equal(pabal__latest_pin(&reader, &word), PABAL__RING_DONE);
	assert_int_not_equal(pabal__latest_block(word), block);
	assert_int_equal(pabal__latest_publish(&one, block, 3), 103); /* the last of three */
}

/* One died with a block, one with a pin: neither is used until the burial, both after it. */
static void the_dead_give_back(void **state)
{
	struct pabal__latest writer = view(1), reader = view(2), dead = view(3);
	uint32_t high, block;
	uint64_t word;

	(void)state;
	block = claim_one(&dead);
	write_one(&writer, 1);
	assert_int_equal(pabal__latest_pin(&reader, &word), PABAL__RING_DONE);
	for (int i = 0; i < 10; i++)
		write_one(&writer, 2);
	high = pabal__latest_high(&writer);
	pabal__latest_recover(&writer, 3);
	assert_int_equal((uint32_t)atomic_load(&shared->owners[block]), 0);
	pabal__latest_recover(&writer, 2);
	assert_int_equal(atomic_load(&shared->pins[2].block), 0);
	pabal__latest_recover(&writer, 2); /* begun again: nothing more to do */
	for (int i = 0; i < 10; i++)
		write_one(&writer, 3);
	assert_int_equal(pabal__latest_high(&writer), high);
}

static void lies(void **state)
{
	struct pabal__latest writer = view(1), reader = view(2);
	uint64_t word;
	uint32_t block;

	(void)state;
	write_one(&writer, 1);
	atomic_store(&shared->newest, UINT64_C(9) << 16 | 0xffff); /* no such block */
	assert_int_equal(pabal__latest_pin(&reader, &word), PABAL__RING_CORRUPT);
	assert_int_equal(atomic_load(&shared->pins[2].block), 0);
	atomic_store(&shared->newest, UINT64_C(9) << 16 | pabal__latest_high(&writer)); /* no memory behind it */
	assert_int_equal(pabal__latest_pin(&reader, &word), PABAL__RING_CORRUPT);
	atomic_store(&shared->pins[3].block, UINT64_MAX);
	write_one(&writer, 1);
	atomic_store(&header.participants_high, UINT64_MAX);
	write_one(&writer, 1);
	atomic_store(&shared->high, UINT64_MAX);
	assert_int_equal(pabal__latest_high(&writer), PABAL__LATEST_BLOCKS);
	write_one(&writer, 1);
	for (int i = 0; i < PABAL__LATEST_BLOCKS; i++)
		atomic_store(&shared->owners[i], 7);
	assert_int_equal(pabal__latest_claim(&writer, &block), PABAL__RING_CORRUPT);
}

/* However many hold one each: every participant fills a block and reads another. */
static void there_is_always_a_free_one(void **state)
{
	struct pabal__latest writer = view(1);
	uint64_t word;

	(void)state;
	atomic_store(&header.participants_high, PABAL__PARTICIPANTS);
	for (uint32_t id = 2; id <= PABAL__PARTICIPANTS; id++) {
		struct pabal__latest other = view(id);

		write_one(&writer, id);
		assert_int_equal(pabal__latest_pin(&other, &word), PABAL__RING_DONE);
		claim_one(&other);
	}
	write_one(&writer, 1);
	write_one(&writer, 2);
	assert_in_range(pabal__latest_high(&writer), 2, PABAL__LATEST_BLOCKS);
}

static _Atomic uint32_t writing;

static void *write_many(void *id)
{
	struct pabal__latest writer = view((uint32_t)(uintptr_t)id);

	for (uint64_t i = 1; i <= MANY; i++)
		write_one(&writer, i << 8 | (uintptr_t)id);
	atomic_fetch_sub(&writing, 1);
	return NULL;
}

static void *read_many(void *id)
{
	struct pabal__latest reader = view((uint32_t)(uintptr_t)id);
	uint64_t word, last[WRITERS + 1] = { 0 }, torn = 0, back = 0;

	while (atomic_load(&writing)) {
		const uint64_t *item;

		if (pabal__latest_pin(&reader, &word) != PABAL__RING_DONE)
			continue;
		item = pabal__latest_item(&reader, pabal__latest_block(word));
		for (int i = 1; i < WORDS; i++)
			torn += item[i] != item[0];
		back += item[0] < last[item[0] & 0xff];
		last[item[0] & 0xff] = item[0];
		pabal__latest_unpin(&reader);
	}
	return as_pointer((uintptr_t)(torn + back));
}

/* For ThreadSanitizer, too. */
static void never_torn_and_never_older(void **state)
{
	pthread_t writers[WRITERS], readers[READERS];

	(void)state;
	writing = WRITERS;
	for (uintptr_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_many, as_pointer(i + 1)), 0);
	for (uintptr_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_many, as_pointer(i + 1 + WRITERS)), 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	for (int i = 0; i < READERS; i++) {
		void *wrong;

		pthread_join(readers[i], &wrong);
		assert_null(wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reader_gets_the_newest_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_pinned_is_not_written_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_claimed_is_nobody_elses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_dead_give_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_always_a_free_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(never_torn_and_never_older, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
