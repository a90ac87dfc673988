/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_spin - what an adaptive wait learns, and that two who ask and answer do not stay asleep for good.
 *
 * Time is made up: each wait is said to have taken so long.
 */
#include "wait/spin.h"

#include "platform/clock.h"
#include "support/support.h"

enum {
	START = 4000, /* nanoseconds, as the next three */
	MOST = 20000,
	RETRY = 64, /* waits */
	QUICK = 1000,
	WAKE = 50000,
};

static void give_up_spinning(struct pabal__spin *spin)
{
	for (int64_t budget = pabal__spin_begin(spin); budget; budget = pabal__spin_begin(spin))
		pabal__spin_learn(spin, budget, budget, false);
}

static void what_pays_gets_more(void **state)
{
	static const int64_t expected[] = { START, INT64_C(2) * START, INT64_C(4) * START, MOST, MOST };
	struct pabal__spin spin = { 0 };

	(void)state;
	pabal__spin_init(&spin);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(pabal__spin_begin(&spin), expected[i]);
		pabal__spin_learn(&spin, expected[i], QUICK, true);
	}
	pabal__spin_learn(&spin, MOST, MOST, false);
	assert_int_equal(pabal__spin_begin(&spin), MOST / 2);
}

static void what_never_pays_is_tried_now_and_then(void **state)
{
	struct pabal__spin spin = { 0 };
	uint32_t tries = 0;

	(void)state;
	pabal__spin_init(&spin);
	give_up_spinning(&spin);
	for (uint32_t i = 0; i < 100 * RETRY; i++) {
		int64_t budget = pabal__spin_begin(&spin);

		tries += budget != 0;
		if (budget)
			pabal__spin_learn(&spin, budget, budget, false);
	}
	assert_int_equal(tries, 100);
}

/* One wait that needs so long, as wait.c and doorbell_wait.c do it. true: it spun until then. */
static bool wait_once(struct pabal__spin *spin, int64_t needs, bool *ret_trial)
{
	int64_t budget = pabal__spin_begin(spin);
	bool came = budget >= needs;

	*ret_trial = budget > MOST;
	if (budget)
		pabal__spin_learn(spin, budget, came ? needs : budget, came);
	if (!came)
		pabal__spin_slept(spin, needs);
	return came;
}

struct pair {
	struct pabal__spin asks, answers;
	bool asker_spun, answerer_spun;
};

/* Who answers one that sleeps has to wake it first; so the next question comes as much later. true: both spun. */
static bool turn(struct pair *pair)
{
	bool trial;

	pair->asker_spun = wait_once(&pair->asks, pair->answerer_spun ? QUICK : WAKE, &trial);
	pair->answerer_spun = wait_once(&pair->answers, pair->asker_spun ? QUICK : WAKE, &trial);
	return pair->asker_spun && pair->answerer_spun;
}

static uint32_t turns_until_quick(struct pair *pair, uint32_t most)
{
	uint32_t turns = 0, quick = 0;

	while (quick < 1000 && turns < most + 1000) {
		quick = turn(pair) ? quick + 1 : 0;
		turns++;
	}
	assert_int_equal(quick, 1000);
	return turns - quick;
}

static void two_who_sleep_find_out_that_they_need_not(void **state)
{
	struct pair pair = { 0 };

	(void)state;
	pabal__spin_init(&pair.asks);
	pabal__spin_init(&pair.answers);
	give_up_spinning(&pair.asks);
	give_up_spinning(&pair.answers);
	turns_until_quick(&pair, 1000);
}

/* One of them had to wait for a processor: both fall asleep over that. */
static void one_long_wait_is_soon_forgotten(void **state)
{
	struct pair pair = { 0 };
	bool trial;

	(void)state;
	pabal__spin_init(&pair.asks);
	pabal__spin_init(&pair.answers);
	pair.asker_spun = pair.answerer_spun = true;
	turns_until_quick(&pair, 10);
	for (int i = 0; i < 100; i++) {
		pair.asker_spun = wait_once(&pair.asks, 3 * (int64_t)WAKE, &trial);
		pair.answerer_spun = wait_once(&pair.answers, 3 * (int64_t)WAKE, &trial);
		turns_until_quick(&pair, 10);
	}
}

/* Nobody could be faster: all that spinning does is to keep a processor busy. */
static void trials_in_vain_become_rare(void **state)
{
	enum { WAITS = 200000 };
	struct pabal__spin spin = { 0 };
	uint32_t trials = 0, late = 0;

	(void)state;
	pabal__spin_init(&spin);
	for (uint32_t i = 0; i < WAITS; i++) {
		bool trial;

		wait_once(&spin, WAKE, &trial);
		trials += trial;
		late += trial && i >= WAITS / 2;
	}
	assert_true(trials > 0);
	assert_true(late <= WAITS / 2 / 100);
}

static void long_sleeps_are_no_reason_to_spin(void **state)
{
	struct pabal__spin spin = { 0 };

	(void)state;
	pabal__spin_init(&spin);
	give_up_spinning(&spin);
	for (uint32_t i = 0; i < 100000; i++) {
		bool trial;

		wait_once(&spin, SECOND / 1000, &trial);
		assert_false(trial);
	}
}

static void a_yield_that_is_no_hog_is_allowed_again(void **state)
{
	struct pabal__spin spin = { 0 };

	(void)state;
	pabal__spin_init(&spin);
	assert_true(pabal__spin_may_yield(&spin));
	atomic_store(&spin.yield_after, pabal__clock_now() + 3600 * SECOND);
	assert_false(pabal__spin_may_yield(&spin));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_pays_gets_more),
		cmocka_unit_test(what_never_pays_is_tried_now_and_then),
		cmocka_unit_test(two_who_sleep_find_out_that_they_need_not),
		cmocka_unit_test(one_long_wait_is_soon_forgotten),
		cmocka_unit_test(trials_in_vain_become_rare),
		cmocka_unit_test(long_sleeps_are_no_reason_to_spin),
		cmocka_unit_test(a_yield_that_is_no_hog_is_allowed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
