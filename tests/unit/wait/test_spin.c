/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_spin - what an adaptive wait learns, and that two who ask and answer do not stay asleep for good.
 *
 * Time is made up: each wait is said to have taken so long.
 */
#include "wait/spin.h"

#include <math.h>

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

/* One wait that needs so long, as wait.c and doorbell_wait.c do it: how long it might have spun for it. */
static int64_t wait_once(struct pabal__spin *spin, int64_t needs)
{
	int64_t budget = pabal__spin_begin(spin);
	bool came = budget >= needs;

	if (budget)
		pabal__spin_learn(spin, budget, came ? needs : budget, came);
	if (!came)
		pabal__spin_slept(spin, needs);
	return budget;
}

static bool spins_until_it_comes(struct pabal__spin *spin, int64_t needs)
{
	return wait_once(spin, needs) >= needs;
}

struct pair {
	struct pabal__spin asks, answers;
	bool asker_spun, answerer_spun;
};

/* Who answers one that sleeps has to wake it first; so the next question comes as much later. true: both spun. */
static bool turn(struct pair *pair)
{
	pair->asker_spun = spins_until_it_comes(&pair->asks, pair->answerer_spun ? QUICK : WAKE);
	pair->answerer_spun = spins_until_it_comes(&pair->answers, pair->asker_spun ? QUICK : WAKE);
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

	(void)state;
	pabal__spin_init(&pair.asks);
	pabal__spin_init(&pair.answers);
	pair.asker_spun = pair.answerer_spun = true;
	turns_until_quick(&pair, 10);
	for (int i = 0; i < 100; i++) {
		pair.asker_spun = spins_until_it_comes(&pair.asks, 3 * (int64_t)WAKE);
		pair.answerer_spun = spins_until_it_comes(&pair.answers, 3 * (int64_t)WAKE);
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
		bool trial = wait_once(&spin, WAKE) > MOST;

		trials += trial;
		late += trial && i >= WAITS / 2;
	}
	assert_true(trials > 0);
	assert_true(late <= WAITS / 2 / 100);
}

/* The time that is spun away in waits that need so long, one after the other, in hundredths of the time that is waited. */
static int64_t share_spun(int64_t (*next)(uint64_t *state))
{
	enum { WAITS = 200000 };
	struct pabal__spin spin = { 0 };
	int64_t spun = 0, waited = 0;
	uint64_t random = 1;

	pabal__spin_init(&spin);
	for (uint32_t i = 0; i < WAITS; i++) {
		int64_t needs = next(&random), budget = wait_once(&spin, needs);

		spun += budget < needs ? budget : needs;
		waited += needs;
	}
	return spun * 100 / waited;
}

/* Many senders that know nothing of each other: short waits and long ones, without a rule. */
static int64_t by_chance(uint64_t *state)
{
	return (int64_t)(-100000 * log((next_random(state) + 1.0) / 2147483649.0));
}

/* One message brings another soon after it, and then there is nothing for a while. */
static int64_t in_pairs(uint64_t *state)
{
	return ++*state % 3 ? WAKE : QUICK;
}

static void what_comes_by_chance_is_not_spun_for(void **state)
{
	(void)state;
	assert_in_range(share_spun(by_chance), 0, 2);
}

static void nor_is_what_comes_in_pairs(void **state)
{
	(void)state;
	assert_in_range(share_spun(in_pairs), 0, 20);
}

static void long_sleeps_are_no_reason_to_spin(void **state)
{
	struct pabal__spin spin = { 0 };

	(void)state;
	pabal__spin_init(&spin);
	give_up_spinning(&spin);
	for (uint32_t i = 0; i < 100000; i++)
		assert_true(wait_once(&spin, SECOND / 1000) <= MOST);
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
		cmocka_unit_test(what_comes_by_chance_is_not_spun_for),
		cmocka_unit_test(nor_is_what_comes_in_pairs),
		cmocka_unit_test(long_sleeps_are_no_reason_to_spin),
		cmocka_unit_test(a_yield_that_is_no_hog_is_allowed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
