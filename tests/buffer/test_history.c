/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_history - producers and consumers are killed at random and replaced; afterwards every item whose put had returned has been seen, none was invented, none came
 * twice as if for the first time, and each producer's items came in order.
 *
 * Each item has an id that is used once. A producer notes where it is before and after each put, on a board that it does not share with the buffer; so what a killed one had
 * in the works is known to be either. A consumer marks what it sees between take and release.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "buffer/items.h"

enum { PRODUCERS = 3, CONSUMERS = 3, SPACE = 1 << 21, BATCH = 7, CAPACITY = 50, KILLS = 150 };

struct board {
	_Atomic uint64_t next[PRODUCERS]; /* ids up to here may have been used */
	_Atomic uint64_t stop, puts, takes, again, wrong;
	_Atomic uint8_t put[PRODUCERS][SPACE], seen[PRODUCERS][SPACE];
};

static struct board *board;

static void wrong(const char *what, uint64_t id)
{
	fprintf(stderr, "%s: %llu\n", what, (unsigned long long)id);
	atomic_fetch_add(&board->wrong, 1);
}

static int produce(void *data)
{
	uint64_t me = (uintptr_t)data, random = (uint64_t)getpid();
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	while (!atomic_load(&board->stop)) {
		struct item items[BATCH];
		uint32_t count = 1 + next_random(&random) % BATCH, in = 0;
		uint64_t first = atomic_fetch_add(&board->next[me], count);
		int r;

		child_check(first + count < SPACE);
		if (first % 256 < count) /* the ids are to last */
			pause_briefly();
		for (uint32_t i = 0; i < count; i++)
			items[i] = item_of(me * SPACE + first + i);
		r = pabal_buffer_put(buffer, items, count, &in, 20000000);
		if (r == -ETIMEDOUT)
			continue;
		child_equal(r, 0);
		for (uint32_t i = 0; i < in; i++)
			atomic_store(&board->put[me][first + i], 1);
		atomic_fetch_add(&board->puts, in);
	}
	pabal_buffer_close(buffer);
	return 0;
}

static void see(const struct item *item, uint32_t delivery_count, uint64_t *last)
{
	uint64_t producer = item->id / SPACE, number = item->id % SPACE;

	if (!item_is_whole(item) || producer >= PRODUCERS || number >= atomic_load(&board->next[producer])) {
		wrong("invented or torn", item->id);
		return;
	}
	if (atomic_fetch_add(&board->seen[producer][number], 1) && delivery_count == 1)
		wrong("twice as if for the first time", item->id);
	if (delivery_count > 1) {
		atomic_fetch_add(&board->again, 1);
		return;
	}
	if (number + 1 <= last[producer])
		wrong("out of order", item->id);
	last[producer] = number + 1;
}

static int consume(void *data)
{
	uint64_t last[PRODUCERS] = { 0 };
	pabal_buffer *buffer;

	(void)data;
	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	for (;;) {
		struct pabal_message items;
		int r = pabal_buffer_take(buffer, 5, &items, 20000000);

		if (r == -ETIMEDOUT && atomic_load(&board->stop) == 2)
			break;
		if (r == -ETIMEDOUT)
			continue;
		child_equal(r, 0);
		for (size_t i = 0; i < items.size / sizeof(struct item); i++)
			see((const struct item *)items.data + i, items.delivery_count, last);
		if (atomic_fetch_add(&board->takes, 1) % 4 == 0) /* a while with items in hand, to be killed in */
			pause_briefly();
		child_equal(pabal_buffer_release(buffer, &items), 0);
	}
	pabal_buffer_close(buffer);
	return 0;
}

struct crew {
	uint32_t producers, consumers;
	pid_t pids[PRODUCERS + CONSUMERS];
};

static void start(struct crew *crew, uint32_t i)
{
	crew->pids[i] = i < crew->producers ? child_start(produce, as_pointer((uintptr_t)i)) : child_start(consume, NULL);
}

static void stop(const struct crew *crew)
{
	atomic_store(&board->stop, 1);
	for (uint32_t i = 0; i < crew->producers; i++)
		assert_int_equal(child_end(crew->pids[i]), 0);
	atomic_store(&board->stop, 2);
	for (uint32_t i = crew->producers; i < crew->producers + crew->consumers; i++)
		assert_int_equal(child_end(crew->pids[i]), 0);
}

static void audit(void)
{
	uint64_t lost = 0;

	for (uint32_t p = 0; p < PRODUCERS; p++)
		for (uint32_t i = 0; i < SPACE; i++)
			lost += atomic_load(&board->put[p][i]) && !atomic_load(&board->seen[p][i]);
	assert_int_equal(lost, 0);
	assert_int_equal(atomic_load(&board->wrong), 0);
}

static void torture(uint32_t flags, uint32_t producers, uint32_t consumers)
{
	struct crew crew = { .producers = producers, .consumers = consumers };
	struct pabal_check_result account;
	uint64_t random = 7, held = 0;
	pabal_buffer *buffer = NULL;

	memset((void *)board, 0, sizeof *board);
	assert_int_equal(pabal_buffer_create("b", sizeof(struct item), CAPACITY, BOPTS(.flags = flags), &buffer), 0);
	for (uint32_t i = 0; i < producers + consumers; i++)
		start(&crew, i);
	for (int kills = 0; kills < KILLS; kills++) {
		uint32_t victim = next_random(&random) % (producers + consumers);
		uint64_t before = atomic_load(&board->takes);

		assert_true(eventually_at_least(&board->takes, before + 20)); /* whoever died, the others go on */
		child_kill(crew.pids[victim]);
		held += pabal_check("b", &account) == 0 && account.held_by_dead;
		start(&crew, victim);
	}
	stop(&crew);
	audit();
	assert_int_equal(pabal_gc(NULL), 0);
	expect_sound("b", &account);
	assert_int_equal(account.held_by_dead + account.leased + account.redeliver + account.queued, 0);
	print_message("%llu items, %d kills, %llu of them with something in hand, %llu came again\n", (unsigned long long)atomic_load(&board->puts),
		      KILLS, (unsigned long long)held, (unsigned long long)atomic_load(&board->again));
	assert_true(atomic_load(&board->again) > 0);
	pabal_buffer_close(buffer);
	assert_int_equal(pabal_buffer_destroy("b"), 0);
}

static void many_to_many(void **state)
{
	(void)state;
	torture(0, PRODUCERS, CONSUMERS);
}

static void one_to_one(void **state)
{
	(void)state;
	torture(PABAL_BUFFER_SPSC, 1, 1);
}

static int write_newest(void *data)
{
	uint64_t me = (uintptr_t)data;
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	while (!atomic_load(&board->stop)) {
		struct item item = item_of(me << 40 | atomic_fetch_add(&board->next[me], 1));

		child_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
		atomic_fetch_add(&board->puts, 1);
	}
	pabal_buffer_close(buffer);
	return 0;
}

/* Half of them hold the item for a while: it stays whole while the writers go on. */
static int read_newest(void *data)
{
	uint64_t last[PRODUCERS] = { 0 }, sequence = 0;
	pabal_buffer *buffer;

	(void)data;
	child_equal(pabal_buffer_open("b", NULL, &buffer), 0);
	while (!atomic_load(&board->stop)) {
		struct pabal_message items;
		struct item item;
		uint64_t writer;
		int r = pabal_buffer_take(buffer, 1, &items, 20000000);

		if (r == -ETIMEDOUT)
			continue;
		child_equal(r, 0);
		if (atomic_fetch_add(&board->takes, 1) % 16 == 0)
			pause_briefly();
		item = *(const struct item *)items.data;
		writer = item.id >> 40;
		if (!item_is_whole(&item) || writer >= PRODUCERS)
			wrong("torn", item.id);
		else if ((item.id & 0xffffffffff) + 1 <= last[writer] || items.sequence + 1 <= sequence)
			wrong("older than before", item.id);
		else
			last[writer] = (item.id & 0xffffffffff) + 1;
		sequence = items.sequence + 1;
		child_equal(pabal_buffer_release(buffer, &items), 0);
	}
	pabal_buffer_close(buffer);
	return 0;
}

static void the_newest(void **state)
{
	struct crew crew = { .producers = 2, .consumers = 2 };
	uint64_t random = 9, held = 0;
	struct pabal_check_result account;
	pabal_buffer *buffer = NULL;

	(void)state;
	memset((void *)board, 0, sizeof *board);
	assert_int_equal(pabal_buffer_create("b", sizeof(struct item), 1, BOPTS(.flags = PABAL_BUFFER_LATEST), &buffer), 0);
	for (uint32_t i = 0; i < 4; i++)
		crew.pids[i] = i < 2 ? child_start(write_newest, as_pointer((uintptr_t)i)) : child_start(read_newest, NULL);
	for (int kills = 0; kills < KILLS; kills++) {
		uint32_t victim = next_random(&random) % 4;
		uint64_t before = atomic_load(&board->takes), puts = atomic_load(&board->puts);

		assert_true(eventually_at_least(&board->takes, before + 20));
		assert_true(eventually_at_least(&board->puts, puts + 20));
		child_kill(crew.pids[victim]);
		held += pabal_check("b", &account) == 0 && account.held_by_dead;
		crew.pids[victim] = victim < 2 ? child_start(write_newest, as_pointer((uintptr_t)victim)) : child_start(read_newest, NULL);
	}
	stop(&crew);
	assert_int_equal(atomic_load(&board->wrong), 0);
	assert_int_equal(pabal_gc(NULL), 0);
	expect_sound("b", &account);
	assert_int_equal(account.held_by_dead + account.leased + account.loaned, 0);
	assert_true(held > 0);
	print_message("%llu items, %d kills, %llu of them with a block in hand\n", (unsigned long long)atomic_load(&board->puts), KILLS,
		      (unsigned long long)held);
	pabal_buffer_close(buffer);
	assert_int_equal(pabal_buffer_destroy("b"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_to_many),
		cmocka_unit_test(one_to_one),
		cmocka_unit_test(the_newest),
	};

	board = shared_memory(sizeof *board);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
