/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults - the ways in which locks could be wrong. Each is off and nothing is broken; then on, executed, and the invariant that it breaks is broken.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "region/region.h"

static _Atomic uint64_t *ready, *turns;
static const char *broken; /* the first invariant that did not hold */

static void hold(bool holds, const char *invariant)
{
	if (!holds && !broken)
		broken = invariant;
}

static int lock_and_die(void *data)
{
	pabal_region *region;

	(void)data;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_check(pabal_region_lock(region, 0, HANG) >= 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

/* One dies with the lock, we have it; another dies with it, and is buried. */
static void live_with_the_dead(void)
{
	pabal_region *region;
	pid_t pids[2];

	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	for (int i = 0; i < 2; i++) {
		int r;

		atomic_store(ready, 0);
		pids[i] = child_start(lock_and_die, NULL);
		assert_true(eventually_at_least(ready, 1));
		child_kill(pids[i]);
		if (i == 1) {
			assert_int_equal(pabal_gc(NULL), 0);
			hold(region_stats(region).locks_held == 0, "the dead hold nothing");
		}
		r = pabal_region_lock(region, 0, PABAL_NOWAIT);
		hold(r != -EAGAIN, "a dead one blocks nobody");
		if (r == -EAGAIN)
			r = pabal_region_lock(region, 0, HANG);
		hold(r == PABAL_INHERITED, "told of the dead");
		hold(pabal_region_unlock(region, 0) == 0, "given back");
		hold(pabal_region_lock(region, 0, PABAL_NOWAIT) == 0, "told once");
		hold(pabal_region_unlock(region, 0) == 0, "given back");
	}
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static int take_one_turn(void *data)
{
	pabal_region *region;

	(void)data;
	child_equal(pabal_region_open("r", REGION(.flags = PABAL_WAIT_BLOCK), &region), 0);
	child_equal(pabal_region_lock(region, 0, HANG), 0);
	atomic_fetch_add(turns, 1);
	child_equal(pabal_region_unlock(region, 0), 0);
	pabal_region_close(region);
	return 0;
}

/* We unlock and lock again at once: somebody who sleeps for the lock has no chance but by courtesy. Returns how often we had it before that one. */
static uint64_t be_greedy(uint64_t most)
{
	uint64_t count = 0;
	pabal_region *region;
	pid_t pid;

	atomic_store(turns, 0);
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	assert_int_equal(pabal_region_lock(region, 0, HANG), 0);
	pid = child_start(take_one_turn, NULL);
	child_await_sleep(pid);
	for (int i = 0; i < 20; i++)
		pause_briefly(); /* it becomes impatient meanwhile */
	for (; count < most && !atomic_load(turns); count++) {
		assert_int_equal(pabal_region_unlock(region, 0), 0);
		assert_int_equal(pabal_region_lock(region, 0, HANG), 0);
	}
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	assert_int_equal(child_end(pid), 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
	return count;
}

/* Off: it holds. On: it was executed, and it does not. */
static void expect_caught(enum pabal__fault fault, const char *invariant)
{
	broken = NULL;
	live_with_the_dead();
	assert_null(broken);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	live_with_the_dead();
	pabal__fault_on = PABAL__FAULT_NONE;
	assert_true(pabal__fault_hits > 0);
	assert_non_null(broken);
	assert_string_equal(broken, invariant);
}

static void the_dead_are_seen_to(void **state)
{
	(void)state;
	expect_caught(PABAL__FAULT_NO_TAKEOVER, "a dead one blocks nobody");
	expect_caught(PABAL__FAULT_NO_INHERITANCE, "told of the dead");
	expect_caught(PABAL__FAULT_KEEP_MARK, "told once");
	expect_caught(PABAL__FAULT_NO_LOCK_BURIAL, "the dead hold nothing");
}

static void who_has_waited_long_is_let_in(void **state)
{
	/* A slow machine may take longer than our courtesy lasts, and somebody may be lucky without it: not every time. */
	enum { FEW = 20, MANY = 10000, ROUNDS = 10 };
	int with = 0, without = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++)
		with += be_greedy(MANY) <= FEW;
	pabal__fault_hits = 0;
	pabal__fault_on = PABAL__FAULT_NO_COURTESY;
	for (int i = 0; i < ROUNDS; i++)
		without += be_greedy(FEW + 1) <= FEW;
	pabal__fault_on = PABAL__FAULT_NONE;
	assert_true(pabal__fault_hits > 0);
	print_message("let in within %d turns: %d of %d times; without courtesy %d\n", FEW, with, ROUNDS, without);
	assert_true(with > without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dead_are_seen_to),
		cmocka_unit_test(who_has_waited_long_is_let_in),
	};

	ready = shared_memory(sizeof *ready);
	turns = shared_memory(sizeof *turns);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
