/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/region_layout.h - where everything lies in a region's segment, computed from its shape.
 *
 *   header page | participants | locks | events | data
 *
 * Locks and events have a cache line each, so that two who use different ones do not disturb each other. The data begins at a page; with huge pages, at one of those.
 */
#ifndef PABAL_SRC_MEMORY_REGION_LAYOUT_H
#define PABAL_SRC_MEMORY_REGION_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/shape.h"

enum {
	PABAL__LOCKS_MAX = 65536, /* a guess: 4 MiB of lock lines; burying looks at each */
	PABAL__EVENTS_MAX = 65536,
	PABAL__SYNC = 64,           /* bytes a lock or an event: a cache line */
	PABAL__HUGE_PAGE = 2 << 20, /* of x86-64, and of aarch64 with small pages of 4 KiB */
};

#define PABAL__REGION_MAX (UINT64_C(1) << 46)

struct pabal__region_layout {
	uint64_t locks, events, data;
	uint64_t size; /* of the file */
};

void pabal__region_layout_compute(const struct pabal__shape *shape, bool huge, struct pabal__region_layout *ret_layout);

#endif
