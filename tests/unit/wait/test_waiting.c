/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_waiting - the word that tells of a wait: what goes in comes out, within a millisecond, and anything else comes out as something harmless.
 */
#include "wait/waiting.h"
#include "support/support.h"

#define MS PABAL__WAITING_UNIT
#define DAY (INT64_C(86400) * 1000 * MS)

static void what_goes_in_comes_out(void **state)
{
	static const int64_t moments[] = { 1, MS, 12345678901, 3 * DAY, 197 * DAY, 199 * DAY, 4000 * DAY };
	static const int64_t durations[] = { 0, 1, MS, 100 * MS, DAY, 12 * DAY };
	int64_t since, deadline;

	(void)state;
	for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
		for (size_t j = 0; j < sizeof durations / sizeof *durations; j++) {
			uint64_t word = pabal__waiting_pack(moments[i], moments[i] + durations[j]);

			assert_true(word != 0);
			for (int64_t later = 0; later < 190 * DAY; later += 30 * DAY) {
				pabal__waiting_read(word, moments[i] + later, &since, &deadline);
				assert_true(since <= moments[i] && since > moments[i] - MS);
				assert_true(deadline - moments[i] - durations[j] <= MS && deadline - moments[i] - durations[j] >= -MS);
			}
		}
	}
}

static void without_an_end(void **state)
{
	int64_t since, deadline;

	(void)state;
	pabal__waiting_read(pabal__waiting_pack(5 * MS, INT64_MAX), 7 * MS, &since, &deadline);
	assert_true(since == 5 * MS && deadline == INT64_MAX);
	pabal__waiting_read(pabal__waiting_pack(5 * MS, 13 * DAY), 7 * MS, &since, &deadline); /* more than fits is for ever, to those who look on */
	assert_true(deadline == INT64_MAX);
	pabal__waiting_read(pabal__waiting_pack(5 * MS, INT64_MAX - 1), 7 * MS, &since, &deadline);
	assert_true(deadline == INT64_MAX);
	pabal__waiting_read(pabal__waiting_pack(5 * MS, 4 * MS), 7 * MS, &since, &deadline); /* it is over, and still a wait */
	assert_true(deadline == 6 * MS);
}

static void anything_may_stand_in_it(void **state)
{
	static const uint64_t words[] = { 1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63, UINT64_C(0x123456789abcdef0) };
	int64_t since, deadline;

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		pabal__waiting_read(words[i], DAY, &since, &deadline);
		assert_true(since <= DAY && since > -200 * DAY);
		assert_true(deadline == INT64_MAX || deadline < 14 * DAY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(without_an_end),
		cmocka_unit_test(anything_may_stand_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
