/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer/described.h - what the tests of descriptors share: buffers by name, and a put by another process.
 */
#ifndef PABAL_TESTS_BUFFER_DESCRIBED_H
#define PABAL_TESTS_BUFFER_DESCRIBED_H

#include <poll.h>

#include "buffer/items.h"

enum { CAPACITY = 4 };

static const uint32_t forms[] = { 0, PABAL_BUFFER_SPSC, PABAL_BUFFER_LATEST };

static inline pabal_buffer *make(const char *name, uint32_t flags)
{
	pabal_buffer *buffer = NULL;

	assert_int_equal(pabal_buffer_create(name, sizeof(struct item), CAPACITY, BOPTS(.flags = flags), &buffer), 0);
	return buffer;
}

static inline void end(pabal_buffer *buffer, const char *name)
{
	expect_sound(name, NULL);
	pabal_buffer_close(buffer);
	assert_int_equal(pabal_buffer_destroy(name), 0);
}

static inline pabal_buffer *open_it(const char *name)
{
	pabal_buffer *buffer;

	child_equal(pabal_buffer_open(name, NULL, &buffer), 0);
	return buffer;
}

static inline bool is_readable(int fd)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1;
}

static inline int put_one(void *data)
{
	pabal_buffer *buffer = open_it("b");
	struct item item = item_of((uintptr_t)data);

	child_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
	pabal_buffer_close(buffer);
	return 0;
}

#endif
