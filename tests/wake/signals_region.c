/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake/signals_region.c - the ways to wait on a region: for a lock and for an event, alone or as one of many.
 */
#include "wake/signals.h"

#include <errno.h>

#define ROPTS(...) (&(struct pabal_region_opts){ .struct_size = sizeof(struct pabal_region_opts), __VA_ARGS__ })

/* The parent's. */
static pabal_region *region;

static void make_region(void)
{
	assert_int_equal(pabal_region_create("o", 4096, NULL, &region), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), 0);
}

static pabal_region *own_region(uint32_t flags)
{
	pabal_region *own = NULL;

	child_equal(pabal_region_open("o", ROPTS(.flags = flags), &own), 0);
	return own;
}

static int region_lock(uint32_t flags)
{
	pabal_region *own = own_region(flags);
	int r;

	about_to_wait();
	r = pabal_region_lock(own, 0, PABAL_FOREVER);
	if (r == 0)
		child_equal(pabal_region_unlock(own, 0), 0);
	return r;
}

static int region_wait(uint32_t flags)
{
	pabal_region *own = own_region(flags);
	uint32_t seen;

	child_equal(pabal_region_event(own, 0, &seen), 0);
	about_to_wait();
	return pabal_region_wait(own, 0, seen, &seen, PABAL_FOREVER);
}

static int region_many(uint32_t flags)
{
	pabal_region *own = own_region(flags);
	struct pabal_wait item = { .object = own, .events = PABAL_READABLE };
	int r;

	child_equal(pabal_wait_many(&item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	about_to_wait();
	r = pabal_wait_many(&item, 1, NULL, PABAL_FOREVER);
	pabal_region_close(own);
	return r;
}

static void unlock(void)
{
	assert_int_equal(pabal_region_unlock(region, 0), 0);
}

static void notify(void)
{
	assert_int_equal(pabal_region_notify(region, 0, 1), 0);
}

static void end_region(void)
{
	region = pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("o"), 0);
}

static const struct way ways[] = {
	{ "region_lock", make_region, region_lock, NULL, unlock, end_region },
	{ "region_wait", make_region, region_wait, NULL, notify, end_region },
	{ "region_wait_many", make_region, region_many, NULL, notify, end_region },
};

const struct ways region_ways = { ways, sizeof ways / sizeof *ways };
