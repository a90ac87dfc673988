/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sleepers - the word that tells of all who wait: it is the first one's, whoever comes and goes.
 */
#include "wait/sleepers.h"

#include <pthread.h>

#include "support/support.h"
#include "wait/waiting.h"

enum { COUNT = 4, INDEX = 7, OTHER_INDEX = 9, THREADS = 3, ROUNDS = 20000 };

static int64_t moment(uint32_t i)
{
	return (i + 1) * SECOND;
}

static void the_first_is_told_in_each_order_of_leaving(void **state)
{
	(void)state;
	for (uint32_t order = 0; order < COUNT * COUNT * COUNT * COUNT; order++) {
		_Atomic uint64_t told = 0, index = (uint64_t)OTHER_INDEX << 32;
		struct pabal__sleeper all[COUNT];
		struct pabal__sleepers sleepers;
		uint32_t there = 0, first = 0;

		pabal__sleepers_init(&sleepers, &told, &index, 0);
		for (uint32_t i = 0; i < COUNT; i++) {
			pabal__sleepers_enter(&sleepers, &all[i], INDEX + i, moment(i), INT64_MAX);
			there |= 1u << i;
			assert_int_equal(told, pabal__waiting_pack(moment(0), INT64_MAX));
		}
		for (uint32_t rest = order; there; rest /= COUNT) {
			uint32_t i = rest % COUNT;

			while (!(there & 1u << i))
				i = (i + 1) % COUNT;
			pabal__sleepers_leave(&sleepers, &all[i]);
			there &= ~(1u << i);
			while (first < COUNT && !(there & 1u << first))
				first++;
			assert_int_equal(told, there ? pabal__waiting_pack(moment(first), INT64_MAX) : 0);
			if (there)
				assert_int_equal(index, (uint64_t)OTHER_INDEX << 32 | (INDEX + first)); /* the other half is another's */
		}
		assert_null(sleepers.first);
		assert_null(sleepers.last);
		pabal__sleepers_deinit(&sleepers);
	}
}

static void nowhere_to_tell_is_none_of_their_business(void **state)
{
	struct pabal__sleepers sleepers;
	struct pabal__sleeper sleeper;

	(void)state;
	pabal__sleepers_init(&sleepers, NULL, NULL, 0);
	pabal__sleepers_enter(&sleepers, &sleeper, 0, 1, 2);
	assert_ptr_equal(sleepers.first, &sleeper);
	pabal__sleepers_leave(&sleepers, &sleeper);
	assert_null(sleepers.first);
	pabal__sleepers_deinit(&sleepers);
}

struct crossing {
	struct pabal__sleepers sleepers;
	_Atomic uint64_t told;
	_Atomic uint32_t wrong;
};

static void *come_and_go(void *data)
{
	struct crossing *crossing = data;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct pabal__sleeper sleeper;

		pabal__sleepers_enter(&crossing->sleepers, &sleeper, 0, moment(i), INT64_MAX);
		if (atomic_load(&crossing->told) == 0) /* we are there, so somebody is told */
			atomic_fetch_add(&crossing->wrong, 1);
		pabal__sleepers_leave(&crossing->sleepers, &sleeper);
	}
	return NULL;
}

static void while_anybody_is_there_somebody_is_told(void **state)
{
	struct crossing crossing = { .told = 0 };
	pthread_t threads[THREADS];

	(void)state;
	pabal__sleepers_init(&crossing.sleepers, &crossing.told, NULL, 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crossing), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crossing.wrong, 0);
	assert_int_equal(crossing.told, 0);
	pabal__sleepers_deinit(&crossing.sleepers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_told_in_each_order_of_leaving),
		cmocka_unit_test(nowhere_to_tell_is_none_of_their_business),
		cmocka_unit_test(while_anybody_is_there_somebody_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
