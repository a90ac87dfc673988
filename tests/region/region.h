/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region/region.h - what the tests of regions share.
 */
#ifndef PABAL_TESTS_REGION_REGION_H
#define PABAL_TESTS_REGION_REGION_H

#include "support/support.h"

#define REGION(...) (&(struct pabal_region_opts){ .struct_size = sizeof(struct pabal_region_opts), __VA_ARGS__ })

static inline struct pabal_region_stats region_stats(pabal_region *region)
{
	struct pabal_region_stats stats = { .struct_size = sizeof stats };

	assert_int_equal(pabal_region_stat(region, &stats), 0);
	return stats;
}

#endif
