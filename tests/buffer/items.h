/* SPDX-License-Identifier: Apache-2.0 */
/*
 * items.h - what the tests of buffers share: an item that says which one it is, and whether it is whole.
 */
#ifndef PABAL_TESTS_BUFFER_ITEMS_H
#define PABAL_TESTS_BUFFER_ITEMS_H

#include <string.h>

#include "support/support.h"

#define BOPTS(...) (&(struct pabal_buffer_opts){ .struct_size = sizeof(struct pabal_buffer_opts), __VA_ARGS__ })

struct item {
	uint64_t id, check;
	uint8_t rest[48];
};

static inline struct item item_of(uint64_t id)
{
	struct item item = { .id = id, .check = ~id };

	memset(item.rest, (int)id, sizeof item.rest);
	return item;
}

static inline bool item_is_whole(const struct item *item)
{
	struct item wanted = item_of(item->id);

	return memcmp(item, &wanted, sizeof wanted) == 0;
}

static inline struct pabal_buffer_stats buffer_stats(pabal_buffer *buffer)
{
	struct pabal_buffer_stats stats = { .struct_size = sizeof stats };

	assert_int_equal(pabal_buffer_stat(buffer, &stats), 0);
	return stats;
}

#endif
