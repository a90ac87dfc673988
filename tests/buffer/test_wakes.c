/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wakes - blocking puts and gets through small buffers of each form, with endless wait slices (noslice): who is not woken sleeps for ever, and the test hangs.
 *
 * Nobody is killed, and nothing else comes to the rescue. That a ring which is left out is noticed is shown by "nobody sleeps while there is an item", or room.
 */
#include <errno.h>
#include <stdatomic.h>

#include "base/fault.h"
#include "buffer/items.h"

enum { MOST = 4, ORIGIN_SHIFT = 32 };

struct game {
	uint32_t form, flags, capacity, producers, consumers, items; /* items: of each producer; consumers share them evenly */
	uint32_t batch;
};

struct common {
	_Atomic uint64_t got, late, next;
	_Atomic unsigned char seen[MOST][1 << 16];
};

static struct game game;
static struct common *common;

static pabal_buffer *open_it(const char *name)
{
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open(name, BOPTS(.flags = game.flags), &buffer), 0);
	return buffer;
}

static void leave(pabal_buffer *buffer)
{
	struct pabal_buffer_stats stats = { .struct_size = sizeof stats };

	child_equal(pabal_buffer_stat(buffer, &stats), 0);
	atomic_fetch_add(&common->late, stats.late_wakes);
	pabal_buffer_close(buffer);
}

static int produce(void *data)
{
	uint64_t origin = (uintptr_t)data << ORIGIN_SHIFT;
	pabal_buffer *buffer = open_it("b");

	for (uint32_t i = 0; i < game.items; i += game.batch) {
		struct item items[8];

		for (uint32_t j = 0; j < game.batch; j++)
			items[j] = item_of(origin | (i + j));
		child_equal(pabal_buffer_put(buffer, items, game.batch, NULL, PABAL_FOREVER), 0);
	}
	leave(buffer);
	return 0;
}

static int consume(void *unused)
{
	uint32_t wanted = game.items * game.producers / game.consumers, count;
	pabal_buffer *buffer = open_it("b");

	(void)unused;
	for (uint32_t done = 0; done < wanted; done += count) {
		struct item items[8];
		uint32_t most = wanted - done < game.batch ? wanted - done : game.batch;

		child_equal(pabal_buffer_get(buffer, items, most, &count, PABAL_FOREVER), 0);
		for (uint32_t j = 0; j < count; j++) {
			uint64_t from = items[j].id >> ORIGIN_SHIFT, number = items[j].id & UINT32_MAX;

			child_check(item_is_whole(&items[j]) && from < game.producers && number < game.items);
			child_equal(atomic_fetch_add(&common->seen[from][number], 1), 0);
		}
		atomic_fetch_add(&common->got, count);
	}
	leave(buffer);
	return 0;
}

static void play(struct game given)
{
	pid_t pids[2 * MOST];
	pabal_buffer *buffer = NULL;
	uint32_t count = 0;

	game = given;
	*common = (struct common){ 0 };
	assert_int_equal(pabal_buffer_create("b", sizeof(struct item), game.capacity, BOPTS(.flags = game.form), &buffer), 0);
	for (uint32_t i = 0; i < game.producers; i++)
		pids[count++] = child_start(produce, as_pointer(i));
	for (uint32_t i = 0; i < game.consumers; i++)
		pids[count++] = child_start(consume, NULL);
	while (count > 0)
		assert_int_equal(child_end(pids[--count]), 0);
	assert_int_equal(common->got, (uint64_t)game.items * game.producers);
	assert_int_equal(common->late, 0);
	assert_int_equal(buffer_stats(buffer).depth, 0);
	expect_sound("b", NULL);
	pabal_buffer_close(buffer);
	assert_int_equal(pabal_buffer_destroy("b"), 0);
}

static void many_to_many(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		uint32_t flags = i ? 0 : PABAL_WAIT_BLOCK;

		play((struct game){ .flags = flags, .capacity = 1, .producers = 1, .consumers = 1, .items = 4000, .batch = 1 });
		play((struct game){ .flags = flags, .capacity = 1, .producers = 3, .consumers = 3, .items = 2000, .batch = 1 });
		play((struct game){ .flags = flags, .capacity = 5, .producers = 4, .consumers = 2, .items = 4000, .batch = 4 });
		play((struct game){ .flags = flags, .capacity = 3, .producers = 2, .consumers = 4, .items = 4000, .batch = 1 });
	}
}

static void one_and_one(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct game each = { .form = PABAL_BUFFER_SPSC, .flags = i ? 0 : PABAL_WAIT_BLOCK, .producers = 1, .consumers = 1, .batch = 1 };

		for (each.capacity = 1; each.capacity < 4; each.capacity++) {
			each.items = 5000;
			play(each);
		}
		each.batch = 8;
		each.items = 40000;
		play(each);
	}
}

static int echo(void *data)
{
	uint32_t turns = (uint32_t)(uintptr_t)data;
	pabal_buffer *there = open_it("there"), *back = open_it("back");
	struct item item;

	for (uint64_t i = 1; i <= turns; i++) {
		child_equal(pabal_buffer_get(there, &item, 1, NULL, PABAL_FOREVER), 0);
		child_equal(item.id, i);
		child_equal(pabal_buffer_put(back, &item, 1, NULL, PABAL_FOREVER), 0);
	}
	leave(there);
	leave(back);
	return 0;
}

/* Each waits for the other's newest. */
static void the_newest(void **state)
{
	pabal_buffer *there = NULL, *back = NULL;
	uint32_t turns = 4000;

	(void)state;
	for (int run = 0; run < 2; run++) {
		pid_t child;

		game = (struct game){ .flags = run ? 0 : PABAL_WAIT_BLOCK };
		assert_int_equal(pabal_buffer_create("there", sizeof(struct item), 1, BOPTS(.flags = game.flags | PABAL_BUFFER_LATEST), &there), 0);
		assert_int_equal(pabal_buffer_create("back", sizeof(struct item), 1, BOPTS(.flags = game.flags | PABAL_BUFFER_LATEST), &back), 0);
		child = child_start(echo, as_pointer(turns));
		for (uint64_t i = 1; i <= turns; i++) {
			struct item item = item_of(i);

			assert_int_equal(pabal_buffer_put(there, &item, 1, NULL, PABAL_FOREVER), 0);
			assert_int_equal(pabal_buffer_get(back, &item, 1, NULL, PABAL_FOREVER), 0);
			assert_int_equal(item.id, i);
		}
		assert_int_equal(child_end(child), 0);
		pabal_buffer_close(there);
		pabal_buffer_close(back);
		assert_int_equal(pabal_buffer_destroy("there"), 0);
		assert_int_equal(pabal_buffer_destroy("back"), 0);
	}
}

/* The newest alone may be the second of two at once. */
static int get_until_two(void *unused)
{
	pabal_buffer *buffer = open_it("b");
	struct item item = { 0 };

	(void)unused;
	while (item.id < 2) {
		child_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_FOREVER), 0);
		atomic_fetch_add(&common->got, 1);
	}
	pabal_buffer_close(buffer);
	return 0;
}

/* Put one without ringing. false: it was not armed yet, or looked once more, and found it. */
static bool sleeps_beside_an_item(pabal_buffer *buffer, pid_t child)
{
	uint64_t before = atomic_load(&common->got);
	struct item one = item_of(1);

	child_await_sleep(child);
	pabal__fault_hits = 0;
	assert_int_equal(pabal_buffer_put(buffer, &one, 1, NULL, PABAL_NOWAIT), 0);
	if (!pabal__fault_hits) {
		assert_true(eventually_at_least(&common->got, before + 1));
		return false;
	}
	child_await_sleep(child);
	return atomic_load(&common->got) == before;
}

/* "Nobody sleeps while there is an item": broken by a put that does not ring, and only until somebody does. */
static void a_ring_that_is_left_out_is_noticed(void **state)
{
	static const uint32_t forms[] = { 0, PABAL_BUFFER_SPSC, PABAL_BUFFER_LATEST };

	(void)state;
	for (int form = 0; form < 3; form++) {
		struct item two = item_of(2);
		pabal_buffer *buffer = NULL;
		pid_t child;

		game = (struct game){ .flags = PABAL_WAIT_BLOCK };
		*common = (struct common){ 0 };
		assert_int_equal(pabal_buffer_create("b", sizeof(struct item), 4, BOPTS(.flags = forms[form]), &buffer), 0);
		child = child_start(get_until_two, NULL);
		pabal__fault_on = PABAL__FAULT_NO_RING;
		while (!sleeps_beside_an_item(buffer, child)) {
		}
		pabal__fault_on = PABAL__FAULT_NONE;
		assert_int_equal(pabal_buffer_put(buffer, &two, 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(child_end(child), 0);
		pabal_buffer_close(buffer);
		assert_int_equal(pabal_buffer_destroy("b"), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_to_many),
		cmocka_unit_test(one_and_one),
		cmocka_unit_test(the_newest),
		cmocka_unit_test(a_ring_that_is_left_out_is_noticed),
	};

	common = shared_memory(sizeof *common);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
