/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer/forms.h - what the tests of one behaviour in all forms share: a buffer "b" of a form, items put in by number, and what is expected to come out.
 *
 * The forms stand in an order: those before the last are queues and give each item once, those after the first lend one loan and one take at a time.
 */
#ifndef PABAL_TESTS_BUFFER_FORMS_H
#define PABAL_TESTS_BUFFER_FORMS_H

#include <errno.h>

#include "buffer/items.h"

enum { CAPACITY = 7 };

static const uint32_t forms[] = { 0, PABAL_BUFFER_SPSC, PABAL_BUFFER_LATEST };

static inline pabal_buffer *make(uint32_t form, uint32_t capacity, uint32_t on_full)
{
	pabal_buffer *buffer = NULL;

	assert_int_equal(pabal_buffer_create("b", sizeof(struct item), capacity, BOPTS(.flags = form, .on_full = on_full), &buffer), 0);
	return buffer;
}

static inline void end(pabal_buffer *buffer)
{
	expect_sound("b", NULL);
	assert_null(pabal_buffer_close(buffer));
	assert_int_equal(pabal_buffer_destroy("b"), 0);
}

static inline int put(pabal_buffer *buffer, uint64_t first, uint32_t count, uint32_t *ret_count, int64_t timeout_ns)
{
	struct item items[64];

	for (uint32_t i = 0; i < count; i++)
		items[i] = item_of(first + i);
	return pabal_buffer_put(buffer, items, count, ret_count, timeout_ns);
}

static inline void expect_items(const struct item *items, uint64_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct item wanted = item_of(first + i);

		assert_memory_equal(&items[i], &wanted, sizeof wanted);
	}
}

static inline void expect_get(pabal_buffer *buffer, uint64_t first, uint32_t count_max, uint32_t count)
{
	struct item items[64];
	uint32_t got = 0;

	assert_int_equal(pabal_buffer_get(buffer, items, count_max, &got, PABAL_NOWAIT), 0);
	assert_int_equal(got, count);
	expect_items(items, first, count);
}

static inline void expect_empty(pabal_buffer *buffer)
{
	struct item item;

	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, 1000000), -ETIMEDOUT);
}

#endif
