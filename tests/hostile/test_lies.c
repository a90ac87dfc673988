/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lies - one lie in the shared memory of a mailbox or buffer, each at its place, and the call that finds it out.
 *
 * test_hostile.c writes at random while others work; here each check that refuses is led to on purpose. Nobody crashes, and a call says -EBADMSG.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "buffer/items.h"
#include "model/buffer.h"

enum { CAPACITY = 4 };

static pabal_buffer *make(uint32_t form)
{
	pabal_buffer *buffer = NULL;

	assert_int_equal(pabal_buffer_create("b", sizeof(struct item), CAPACITY, BOPTS(.flags = form), &buffer), 0);
	return buffer;
}

static void end(pabal_buffer *buffer)
{
	pabal_buffer_close(buffer);
	assert_int_equal(pabal_buffer_destroy("b"), 0);
}

static int put(pabal_buffer *buffer)
{
	struct item item = item_of(1);

	return pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT);
}

static int get(pabal_buffer *buffer)
{
	struct item item;

	return pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT);
}

/* Positions that are further apart than the capacity, when a role is claimed: and the role is had once they make sense. */
static void spsc_positions_at_the_beginning(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_SPSC);
	struct pabal__spsc_shared *shared = &buffer->shared->positions;
	uint64_t tail = atomic_load(&shared->tail);

	(void)state;
	atomic_store(&shared->tail, tail + CAPACITY + 1);
	assert_int_equal(put(buffer), -EBADMSG);
	assert_int_equal(get(buffer), -EBADMSG);
	atomic_store(&shared->tail, tail - 1);
	assert_int_equal(put(buffer), -EBADMSG);
	assert_int_equal(get(buffer), -EBADMSG);
	atomic_store(&shared->tail, tail);
	assert_int_equal(put(buffer), 0);
	assert_int_equal(get(buffer), 0);
	end(buffer);
}

static void spsc_positions_on_the_way(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_SPSC);
	struct pabal__spsc_shared *shared = &buffer->shared->positions;
	uint64_t head, tail;

	(void)state;
	for (int i = 0; i < CAPACITY; i++)
		assert_int_equal(put(buffer), 0);
	assert_int_equal(put(buffer), -EAGAIN);
	assert_int_equal(get(buffer), 0);
	assert_int_equal(put(buffer), 0);
	head = atomic_load(&shared->head);
	tail = atomic_load(&shared->tail);
	atomic_store(&shared->head, head - 1); /* it leaps back */
	assert_int_equal(put(buffer), -EBADMSG);
	atomic_store(&shared->head, tail + 1); /* it overtakes */
	assert_int_equal(put(buffer), -EBADMSG);
	atomic_store(&shared->head, head);
	for (int i = 0; i < CAPACITY; i++)
		assert_int_equal(get(buffer), 0);
	atomic_store(&shared->tail, tail + CAPACITY + 1);
	assert_int_equal(get(buffer), -EBADMSG);
	atomic_store(&shared->tail, tail - 1);
	assert_int_equal(get(buffer), -EBADMSG);
	atomic_store(&shared->tail, tail);
	assert_int_equal(get(buffer), -EAGAIN);
	end(buffer);
}

static void latest_names_a_block_without_memory(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_LATEST);
	struct pabal__latest_shared *shared = buffer->latest.shared;

	(void)state;
	assert_int_equal(put(buffer), 0);
	for (int i = 0; i < 2; i++) {
		atomic_store(&shared->newest, UINT64_C(77) << 16 | (i ? 0xffff : atomic_load(&shared->high)));
		assert_int_equal(get(buffer), -EBADMSG);
	}
	atomic_store(&shared->newest, UINT64_C(78) << 16);
	assert_int_equal(get(buffer), 0);
	end(buffer);
}

static void latest_has_no_block_left(void **state)
{
	pabal_buffer *buffer = make(PABAL_BUFFER_LATEST);
	struct pabal__latest_shared *shared = buffer->latest.shared;

	(void)state;
	atomic_store(&shared->high, UINT64_MAX);
	for (int i = 0; i < PABAL__LATEST_BLOCKS; i++)
		atomic_store(&shared->owners[i], 1023);
	assert_int_equal(put(buffer), -EBADMSG);
	end(buffer);
}

/* Write @length into each block of the smallest class. */
static void write_lengths(const struct pabal__segment *segment, uint64_t length)
{
	struct pabal__block block;

	for (uint32_t i = 0; i < 1u << segment->layout.classes[0].shift; i++) {
		pabal__block_at(segment, &segment->layout.classes[0], i, &block);
		pabal__block_set(&block, PABAL__WORD_LENGTH, length << 32);
	}
}

static void an_item_of_another_size(void **state)
{
	struct pabal_message items;
	pabal_buffer *buffer = make(0);

	(void)state;
	assert_int_equal(put(buffer), 0);
	write_lengths(&buffer->base.segment, sizeof(struct item) - 1);
	assert_int_equal(get(buffer), -EBADMSG);
	assert_int_equal(put(buffer), 0);
	write_lengths(&buffer->base.segment, sizeof(struct item) + 1);
	assert_int_equal(pabal_buffer_take(buffer, 1, &items, PABAL_NOWAIT), -EBADMSG);
	assert_int_equal(get(buffer), -EAGAIN);
	end(buffer);
}

/* A good item and a bad one behind it: first the good one, then the refusal, then what comes next. */
static void a_bad_item_behind_a_good_one(void **state)
{
	pabal_buffer *buffer = make(0);
	struct item items[CAPACITY] = { 0 };
	struct pabal__block block;
	uint32_t count;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(put(buffer), 0);
	pabal__block_at(&buffer->base.segment, &buffer->base.segment.layout.classes[0], 1, &block);
	pabal__block_set(&block, PABAL__WORD_LENGTH, UINT64_C(1) << 32);
	assert_int_equal(pabal_buffer_get(buffer, items, CAPACITY, &count, PABAL_NOWAIT), 0);
	assert_int_equal(count, 1);
	assert_int_equal(get(buffer), -EBADMSG);
	assert_int_equal(put(buffer), 0);
	assert_int_equal(get(buffer), 0);
	end(buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spsc_positions_at_the_beginning),
		cmocka_unit_test(spsc_positions_on_the_way),
		cmocka_unit_test(latest_names_a_block_without_memory),
		cmocka_unit_test(latest_has_no_block_left),
		cmocka_unit_test(an_item_of_another_size),
		cmocka_unit_test(a_bad_item_behind_a_good_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
