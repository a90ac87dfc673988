/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_inherit - what becomes of the locks of the dead.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "region/region.h"

static _Atomic uint64_t *ready;

/* Lock, expecting to be told @expected, and be killed with it. */
static int lock_and_die(void *data)
{
	pabal_region *region;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(pabal_region_lock(region, 0, HANG), *(int *)data);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static void die_with_the_lock(int expected)
{
	pid_t pid;

	atomic_store(ready, 0);
	pid = child_start(lock_and_die, &expected);
	assert_true(eventually_at_least(ready, 1));
	child_kill(pid);
}

static void each_next_holder_is_told_until_one_unlocks(void **state)
{
	pabal_region *region;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	die_with_the_lock(0);
	die_with_the_lock(PABAL_INHERITED); /* taken from the dead one, and dead again */
	assert_int_equal(region_stats(region).locks_held, 1);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), PABAL_INHERITED); /* without waiting, too */
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), -EDEADLK);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	assert_true(region_stats(region).inherited >= 2);
	assert_int_equal(region_stats(region).locks_inherited, 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static int is_left(const struct pabal_lock_info *info, void *data)
{
	(void)data;
	assert_int_equal(info->index, 0);
	assert_int_equal(info->id, 0);
	assert_int_equal(info->inherited, 1);
	return 0;
}

static void the_undertaker_passes_it_on(void **state)
{
	struct pabal_check_result account;
	struct pabal_gc_result result;
	pabal_region *region;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	die_with_the_lock(0);
	expect_sound("r", &account);
	assert_int_equal(account.held_by_dead, 1);
	assert_int_equal(pabal_gc(&result), 0);
	assert_int_equal(result.buried, 1);
	expect_sound("r", &account);
	assert_int_equal(account.held_by_dead, 0);
	assert_int_equal(pabal_region_locks("r", is_left, NULL), 1);
	assert_int_equal(region_stats(region).locks_held, 0);
	assert_int_equal(region_stats(region).locks_inherited, 1);
	die_with_the_lock(PABAL_INHERITED); /* the mark outlives this one as well */
	assert_int_equal(pabal_region_lock(region, 0, PABAL_FOREVER), PABAL_INHERITED);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static int is_mine(const struct pabal_lock_info *info, void *data)
{
	assert_int_equal(info->alive, 1);
	assert_int_equal(info->claimed_pid, getpid());
	*(uint32_t *)data = info->id;
	return 0;
}

/* Who gets the number of a dead one does not hold what that one held. */
static void a_number_used_anew_holds_nothing(void **state)
{
	uint32_t before = 0, after = 0;
	pabal_region *region, *other;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, REGION(.locks = 2), &region), 0);
	assert_int_equal(pabal_region_open("r", NULL, &other), 0);
	assert_int_equal(pabal_region_lock(other, 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_region_locks("r", is_mine, &before), 1);
	pabal_region_close(other); /* as if it had died */
	die_with_the_lock(0);
	assert_int_equal(pabal_region_open("r", NULL, &other), 0); /* buries, and gets the number */
	assert_int_equal(region_stats(other).locks_held, 0);
	assert_int_equal(pabal_region_lock(other, 0, PABAL_NOWAIT), PABAL_INHERITED);
	assert_int_equal(pabal_region_unlock(other, 0), 0);
	assert_int_equal(pabal_region_lock(other, 1, PABAL_NOWAIT), PABAL_INHERITED);
	assert_int_equal(pabal_region_locks("r", is_mine, &after), 1);
	assert_int_equal(before, after);
	pabal_region_close(other);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static int wait_for_it(void *data)
{
	pabal_region *region;

	(void)data;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(pabal_region_lock(region, 0, HANG), PABAL_INHERITED);
	child_equal(pabal_region_unlock(region, 0), 0);
	pabal_region_close(region);
	return 0;
}

static void one_who_sleeps_gets_it_from_the_dead(void **state)
{
	int expected = 0;
	pabal_region *region;
	pid_t holder, waiter;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	atomic_store(ready, 0);
	holder = child_start(lock_and_die, &expected);
	assert_true(eventually_at_least(ready, 1));
	waiter = child_start(wait_for_it, NULL);
	child_await_sleep(waiter);
	child_kill(holder);
	assert_int_equal(child_end(waiter), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

/* A stopped waiter has been promised the lock; the others do not wait for it for long. A stopped holder keeps it. */
static int wait_and_be_stopped(void *data)
{
	pabal_region *region;
	int r;

	(void)data;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	atomic_fetch_add(ready, 1);
	r = pabal_region_lock(region, 0, HANG);
	child_check(r == 0);
	child_equal(pabal_region_unlock(region, 0), 0);
	pabal_region_close(region);
	return 0;
}

static void a_stopped_waiter_stops_nobody(void **state)
{
	pabal_region *region;
	pid_t pid;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_FOREVER), 0);
	atomic_store(ready, 0);
	pid = child_start(wait_and_be_stopped, NULL);
	assert_true(eventually_at_least(ready, 1));
	child_await_sleep(pid);
	for (int i = 0; i < 20; i++) /* until it has waited long enough to be let in first */
		pause_briefly();
	kill(pid, SIGSTOP);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(pabal_region_lock(region, 0, HANG), 0);
		assert_int_equal(pabal_region_unlock(region, 0), 0);
	}
	kill(pid, SIGCONT);
	assert_int_equal(child_end(pid), 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_next_holder_is_told_until_one_unlocks),
		cmocka_unit_test(the_undertaker_passes_it_on),
		cmocka_unit_test(a_number_used_anew_holds_nothing),
		cmocka_unit_test(one_who_sleeps_gets_it_from_the_dead),
		cmocka_unit_test(a_stopped_waiter_stops_nobody),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
