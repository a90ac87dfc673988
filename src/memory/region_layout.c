/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/region_layout.c - from a region's shape to its layout. Pure arithmetic: the shape was checked, so nothing overflows.
 */
#include "memory/region_layout.h"

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

void pabal__region_layout_compute(const struct pabal__shape *shape, bool huge, struct pabal__region_layout *ret_layout)
{
	uint64_t page = huge ? PABAL__HUGE_PAGE : PABAL__PAGE;

	ret_layout->locks = PABAL__PARTICIPANTS_END;
	ret_layout->events = ret_layout->locks + (uint64_t)shape->locks * PABAL__SYNC;
	ret_layout->data = round_up(ret_layout->events + (uint64_t)shape->events * PABAL__SYNC, page);
	ret_layout->size = ret_layout->data + round_up(shape->memory_max, page);
}
