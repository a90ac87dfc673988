/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region/poll.h - what the tests share in which pabal_wait_many() waits for the events of regions.
 */
#ifndef PABAL_TESTS_REGION_POLL_H
#define PABAL_TESTS_REGION_POLL_H

#include "region/region.h"

/* Wait for one item: the result of the call, and what it told. */
static inline int poll_for(void *object, uint32_t events, uint32_t *ret_events, int64_t timeout_ns)
{
	struct pabal_wait item = { .object = object, .events = events, .ret_events = 77 };
	int r = pabal_wait_many(&item, 1, NULL, timeout_ns);

	if (ret_events)
		*ret_events = item.ret_events;
	return r;
}

static inline int poll_event(pabal_region *region, uint32_t index, int64_t timeout_ns)
{
	return poll_for(region, PABAL_READABLE | PABAL_EVENT(index), NULL, timeout_ns);
}

static inline pabal_region *region_opened(uint32_t flags)
{
	pabal_region *region;

	assert_int_equal(pabal_region_open("r", REGION(.flags = flags), &region), 0);
	return region;
}

static inline pabal_region *region_made(uint32_t events)
{
	pabal_region *region;

	assert_int_equal(pabal_region_create("r", 4096, REGION(.events = events), &region), 0);
	return region;
}

/* All of them are closed. */
static inline void region_ends(pabal_region *region)
{
	pabal_region_close(region);
	assert_int_equal(sockets_there(), 0);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

#endif
