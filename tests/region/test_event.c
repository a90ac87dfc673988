/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_event - a number that goes up, and those who sleep until it does.
 */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "region/region.h"

struct common {
	_Atomic uint64_t ready, woken;
};

static struct common *common;

static void it_counts(void **state)
{
	pabal_region *region;
	uint32_t now = 7;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, REGION(.events = 2), &region), 0);
	assert_int_equal(pabal_region_event(region, 0, &now), 0);
	assert_int_equal(now, 0);
	assert_int_equal(pabal_region_wait(region, 0, 0, &now, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_region_wait(region, 0, 0, &now, 2000000), -ETIMEDOUT);
	assert_int_equal(pabal_region_notify(region, 0, 0), 0);
	assert_int_equal(pabal_region_notify(region, 0, 1), 0);
	assert_int_equal(pabal_region_notify(region, 0, UINT32_MAX), 0);
	assert_int_equal(pabal_region_wait(region, 0, 0, &now, PABAL_FOREVER), 0);
	assert_int_equal(now, 3);
	assert_int_equal(pabal_region_wait(region, 0, 2, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_region_event(region, 1, &now), 0);
	assert_int_equal(now, 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static int sleep_until_it_comes(void *data)
{
	pabal_region *region;
	uint32_t now;

	(void)data;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(pabal_region_wait(region, 0, 0, &now, HANG), 0);
	child_check(now > 0);
	atomic_fetch_add(&common->woken, 1);
	pabal_region_close(region);
	return 0;
}

static void one_notify_wakes_all_it_is_told_to(void **state)
{
	pabal_region *region;
	pid_t pids[6];

	(void)state;
	for (uint32_t max = 1; max <= 6; max += 5) {
		assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
		for (int i = 0; i < 6; i++)
			pids[i] = child_start(sleep_until_it_comes, NULL);
		for (int i = 0; i < 6; i++)
			child_await_sleep(pids[i]);
		assert_int_equal(pabal_region_notify(region, 0, max), 0);
		for (int i = 0; i < 6; i++) /* those who are not woken find out when their slice ends */
			assert_int_equal(child_end(pids[i]), 0);
		pabal_region_close(region);
		assert_int_equal(pabal_region_destroy("r"), 0);
	}
	assert_int_equal(common->woken, 12);
}

/* A notify that counted and died before it woke anybody: the sleepers find the number changed. */
static void a_waker_that_died_is_noticed(void **state)
{
	pabal_region *region, *looker;
	pid_t pid;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	pid = child_start(sleep_until_it_comes, NULL);
	child_await_sleep(pid);
	assert_int_equal(pabal_region_notify(region, 0, 0), 0); /* counts, and wakes nobody */
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(pabal_region_open("r", REGION(.flags = PABAL_READ_ONLY), &looker), 0);
	assert_int_equal(region_stats(looker).late_wakes, 1);
	pabal_region_close(looker);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_counts),
		cmocka_unit_test(one_notify_wakes_all_it_is_told_to),
		cmocka_unit_test(a_waker_that_died_is_noticed),
	};

	common = shared_memory(sizeof *common);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
