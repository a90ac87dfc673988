/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_buffer_threads - whole buffer handles used by threads, on one handle and as several participants on one mapping, so that ThreadSanitizer sees the races between them.
 *
 * With an argument: the name of a deliberate fault of memory order, which it must report (tests/thread/test-race).
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/fault.h"
#include "buffer/items.h"
#include "model/attach.h"

enum { MOST = 4, ITEMS_MOST = 20000, BATCH = 20, ORIGIN_SHIFT = 32 };

struct game {
	uint32_t form, flags, pairs, items; /* items: of each producer */
	uint32_t capacity;
	bool one_handle;
};

static struct game game;
static pabal_buffer *shared;
static _Atomic uint64_t opened, got;
static _Atomic unsigned char seen[MOST][ITEMS_MOST];

static pabal_buffer *join(void)
{
	pabal_buffer *own = shared;

	if (!game.one_handle)
		child_equal(pabal__buffer_attach_shared(shared, game.flags, &own), 0);
	/* Who closes first would give memory back and end slots; not before all are there. */
	atomic_fetch_add(&opened, 1);
	child_check(eventually_at_least(&opened, UINT64_C(2) * game.pairs));
	return own;
}

static void leave(pabal_buffer *own)
{
	if (own != shared)
		pabal__buffer_detach_shared(own);
}

static struct item item_from(uint32_t origin, uint32_t number)
{
	return item_of((uint64_t)origin << ORIGIN_SHIFT | number);
}

/* In place as many as fit, or copies. Returns how many. */
static uint32_t put_some(pabal_buffer *own, uint32_t me, uint32_t next, bool in_place)
{
	struct item items[BATCH];
	struct pabal_loan loan;
	uint32_t count = game.items - next < BATCH ? game.items - next : BATCH;

	for (uint32_t i = 0; i < count; i++)
		items[i] = item_from(me, next + i);
	if (!in_place) {
		child_equal(pabal_buffer_put(own, items, count, NULL, HANG), 0);
		return count;
	}
	child_equal(pabal_buffer_loan(own, count, &loan, HANG), 0);
	count = (uint32_t)(loan.size / sizeof *items);
	memcpy(loan.data, items, loan.size);
	child_equal(pabal_buffer_commit(own, &loan, loan.size), 0);
	return count;
}

static void *produce(void *data)
{
	uint32_t me = *(uint32_t *)data;
	pabal_buffer *own = join();

	for (uint32_t next = 0, turn = 0; next < game.items; turn++)
		next += put_some(own, me, next, turn % 2);
	leave(own);
	return NULL;
}

static void mark(const struct item *item)
{
	uint64_t from = item->id >> ORIGIN_SHIFT, number = item->id & UINT32_MAX;

	child_check(item_is_whole(item) && from < MOST && number < ITEMS_MOST);
	child_equal(atomic_fetch_add(&seen[from][number], 1), 0);
}

/* As put_some(). */
static uint32_t get_some(pabal_buffer *own, uint32_t most, bool in_place)
{
	struct item items[BATCH];
	struct pabal_message taken;
	uint32_t count = most < BATCH ? most : BATCH;

	if (!in_place) {
		child_equal(pabal_buffer_get(own, items, count, &count, HANG), 0);
		for (uint32_t i = 0; i < count; i++)
			mark(&items[i]);
		return count;
	}
	child_equal(pabal_buffer_take(own, count, &taken, HANG), 0);
	count = (uint32_t)(taken.size / sizeof *items);
	for (uint32_t i = 0; i < count; i++)
		mark((const struct item *)taken.data + i);
	child_equal(pabal_buffer_release(own, &taken), 0);
	return count;
}

static void *consume(void *unused)
{
	pabal_buffer *own = join();

	for (uint32_t count = 0, turn = 0; count < game.items; turn++)
		count += get_some(own, game.items - count, turn % 2);
	atomic_fetch_add(&got, game.items);
	leave(own);
	return unused;
}

static _Atomic int stop;

/* Each reader gets whole items, and takes none again that it took before. */
static void *read_newest(void *unused)
{
	pabal_buffer *own = join();
	uint64_t last = 0, mine = 0;

	for (uint32_t turn = 0; !mine || !atomic_load(&stop); turn++) { /* the last one stays, so each gets one */
		struct pabal_message taken;
		struct item item;
		int r;

		if (turn % 2) {
			r = pabal_buffer_get(own, &item, 1, NULL, 1000000);
			child_check(r == -ETIMEDOUT || (r == 0 && item_is_whole(&item)));
		} else {
			r = pabal_buffer_take(own, 1, &taken, 1000000);
			child_check(r == -ETIMEDOUT || (r == 0 && item_is_whole(taken.data) && taken.sequence + 1 > last));
			last = r == 0 ? taken.sequence + 1 : last;
			if (r == 0)
				child_equal(pabal_buffer_release(own, &taken), 0);
		}
		mine += r == 0;
	}
	atomic_fetch_add(&got, mine > 0);
	leave(own);
	return unused;
}

static void play(struct game given)
{
	static uint32_t numbers[MOST];
	pthread_t producers[MOST], consumers[MOST];
	bool newest = given.form & PABAL_BUFFER_LATEST;

	game = given;
	memset(seen, 0, sizeof seen);
	opened = got = 0;
	stop = 0;
	assert_int_equal(pabal_buffer_create("b", sizeof(struct item), game.capacity, BOPTS(.flags = game.form | game.flags), &shared), 0);
	for (uint32_t i = 0; i < game.pairs; i++) {
		numbers[i] = i;
		pthread_create(&producers[i], NULL, produce, &numbers[i]);
		pthread_create(&consumers[i], NULL, newest ? read_newest : consume, NULL);
	}
	for (uint32_t i = 0; i < game.pairs; i++)
		pthread_join(producers[i], NULL);
	stop = 1;
	for (uint32_t i = 0; i < game.pairs; i++)
		pthread_join(consumers[i], NULL);
	assert_int_equal(got, (uint64_t)game.pairs * (newest ? 1 : game.items));
	if (!pabal__fault_on)
		expect_sound("b", NULL);
	pabal_buffer_close(shared);
	assert_int_equal(pabal_buffer_destroy("b"), 0);
}

static void many_to_many(void **state)
{
	(void)state;
	play((struct game){ .pairs = 3, .items = 4000, .capacity = 100, .one_handle = true });
	play((struct game){ .pairs = 3, .items = 4000, .capacity = 100 });
	play((struct game){ .pairs = 3, .items = 2000, .capacity = 2, .flags = PABAL_WAIT_BLOCK });
	play((struct game){ .pairs = 2, .items = 2000, .capacity = 7, .flags = PABAL_SINGLE_THREAD });
}

static void one_and_one(void **state)
{
	(void)state;
	play((struct game){ .form = PABAL_BUFFER_SPSC, .pairs = 1, .items = 15000, .capacity = 100, .one_handle = true });
	play((struct game){ .form = PABAL_BUFFER_SPSC, .pairs = 1, .items = 15000, .capacity = 100, .flags = PABAL_SINGLE_THREAD });
	play((struct game){ .form = PABAL_BUFFER_SPSC, .pairs = 1, .items = 5000, .capacity = 3, .flags = PABAL_WAIT_BLOCK });
}

static void the_newest(void **state)
{
	(void)state;
	play((struct game){ .form = PABAL_BUFFER_LATEST, .pairs = 1, .items = 5000, .capacity = 1, .one_handle = true });
	play((struct game){ .form = PABAL_BUFFER_LATEST, .pairs = 3, .items = 5000, .capacity = 1 });
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_to_many),
		cmocka_unit_test(one_and_one),
		cmocka_unit_test(the_newest),
	};

	if (argc > 1) {
		bool spsc = strcmp(argv[1], "SPSC_RELAXED") == 0;

		pabal__fault_on = spsc ? PABAL__FAULT_SPSC_RELAXED : PABAL__FAULT_LATEST_RELAXED;
		play((struct game){ .form = spsc ? PABAL_BUFFER_SPSC : PABAL_BUFFER_LATEST,
				    .pairs = 1,
				    .items = 15000,
				    .capacity = 50,
				    .flags = PABAL_WAIT_SPIN | PABAL_SINGLE_THREAD });
		return pabal__fault_hits > 0 ? 0 : 3;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
