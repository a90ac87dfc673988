/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_layout - for many shapes: everything fits into 20 bits, nothing overlaps, each size has a class.
 */
#include "memory/layout.h"
#include "support/support.h"

#include "memory/block.h"

static void check_classes(const struct pabal__layout *layout, const struct pabal__shape *shape)
{
	uint64_t at = layout->large_headers;
	uint32_t block = 0, extent = 0;

	assert_in_range(layout->class_count, PABAL__SMALL_CLASSES + 1, PABAL__CLASSES);
	for (uint32_t i = 0; i < layout->class_count; i++) {
		const struct pabal__class *class = &layout->classes[i];

		assert_int_equal(class->first_block, block);
		assert_int_equal(class->first_extent, extent);
		assert_true(class->extents > 0);
		assert_true(class->data >= at && class->data % PABAL__PAGE == 0);
		assert_true(class->room > (i ? class[-1].room : 0));
		block += class->extents << class->shift;
		extent += class->extents;
		at = class->data + ((uint64_t) class->extents << class->shift) * class->block_size;
		assert_int_equal(class->block_end, block);
		if (i < PABAL__SMALL_CLASSES)
			assert_int_equal(class->block_size << class->shift, PABAL__EXTENT);
	}
	assert_int_equal(layout->block_count, block);
	assert_int_equal(layout->extent_count, extent);
	assert_in_range(block, 1, PABAL__BLOCKS);
	assert_true(layout->size >= at);
	assert_true(layout->classes[layout->class_count - 1].room >= shape->memory_max);
	assert_true((uint64_t)layout->classes[0].extents << layout->classes[0].shift >= shape->capacity);
}

static void check(const struct pabal__shape *shape)
{
	struct pabal__layout layout;

	pabal__layout_compute(shape, &layout);
	assert_true(layout.ring_slots >= shape->capacity && 1u << layout.ring_shift == layout.ring_slots);
	assert_true(layout.ring >= PABAL__PARTICIPANTS_END);
	assert_true(layout.index >= layout.ring + 8ull * layout.ring_slots);
	assert_true(layout.extent_words >= layout.index + layout.extent_count / 8);
	assert_true(layout.large_headers >= layout.extent_words + 8ull * layout.extent_count);
	assert_true(layout.classes[0].data >=
		    layout.large_headers + (uint64_t)PABAL__LARGE_HEADER * (layout.block_count - layout.classes[PABAL__SMALL_CLASSES].first_block));
	check_classes(&layout, shape);
	for (uint64_t size = 0; size <= shape->memory_max; size = size * 3 / 2 + 1) {
		uint32_t number = pabal__layout_class_for(&layout, size);

		assert_true(number < layout.class_count);
		assert_true(number == 0 || layout.classes[number - 1].room < size);
	}
	for (uint32_t i = 0; i < layout.class_count; i++) {
		assert_int_equal(pabal__layout_class(&layout, layout.classes[i].first_block), i);
		assert_int_equal(pabal__layout_class(&layout, layout.classes[i].block_end - 1), i);
	}
}

static void every_shape_fits(void **state)
{
	static const uint32_t capacities[] = { 1, 2, 3, 63, 64, 65, 1000, 1024, 65536, 99999, PABAL__CAPACITY_MAX - 1, PABAL__CAPACITY_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
		for (uint32_t power = 0; power <= 40; power++) {
			for (int odd = -1; odd <= 1; odd++) {
				struct pabal__shape shape = { .capacity = capacities[i], .flags = power % 2 ? PABAL_TIMESTAMPS : 0 };

				shape.memory_max = (UINT64_C(1) << power) + (uint64_t)(int64_t)odd;
				if (shape.memory_max >= 1 && shape.memory_max <= PABAL__MEMORY_MAX)
					check(&shape);
			}
		}
	}
}

static void block_words_say_what_was_put_in(void **state)
{
	uint64_t header = 0;

	(void)state;
	header = pabal__header_next(header, PABAL__OWNED, 1023, 0);
	assert_int_equal(pabal__header_state(header), PABAL__OWNED);
	assert_int_equal(pabal__header_owner(header), 1023);
	assert_int_equal(header >> 32, 1);
	header = pabal__header_lease(header, 5);
	assert_int_equal(pabal__header_deliveries(header), 1);
	assert_int_equal(pabal__header_owner(header), 5);
	header = pabal__header_next(header, PABAL__REDELIVER, 0, 0xffff);
	assert_int_equal(pabal__header_deliveries(pabal__header_lease(header, 7)), 0xffff); /* it stands there; it does not wrap */
	header = UINT64_C(0xffffffff) << 32 | (uint64_t)PABAL__OWNED;
	header = pabal__header_next(header, PABAL__FREE, 0, 0); /* the version wraps, and nothing runs over */
	assert_int_equal(header, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_fits),
		cmocka_unit_test(block_words_say_what_was_put_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
