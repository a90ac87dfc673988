/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_patience - which delay is best is found out, and found out anew when that changes; nobody is patient who gains nothing; and trying costs little.
 *
 * Two who ask and answer are played, with made-up times: a look in vain costs the other one's line, and who is patient for too long waits for nothing. The times are those that were measured.
 */
#include "wait/patience.h"

#include "support/support.h"

/* How far the two CPUs are from each other, in ticks. */
struct distance {
	uint32_t pause;   /* one */
	uint32_t journey; /* what both do with a message, and the way of a line: sooner there is nothing to be seen */
	uint32_t vain;    /* a round trip with looks in vain */
};

static const struct distance near = { 66, 215, 480 }, far = { 66, 620, 1600 };

enum { NO_GAIN = 800 /* ticks of a round trip where patience changes nothing */ };

struct game {
	struct pabal__patience patience;
	uint64_t now, random;
	uint64_t rounds, spent; /* since it was cleared */
	uint32_t noise;         /* one window of so many is disturbed, and one is lucky; 0: none */
};

static uint32_t round_trip(const struct distance *distance, uint32_t delay)
{
	uint32_t waited = delay * distance->pause / PABAL__PATIENCE_A_PAUSE, patient = waited + distance->journey / 2;

	return waited < distance->journey / 2 ? distance->vain : patient > distance->journey ? patient : distance->journey;
}

/* @distance NULL: what it takes does not depend on the delay. */
static void play(struct game *game, const struct distance *distance, uint32_t windows)
{
	for (uint32_t i = 0; i < windows; i++) {
		uint64_t chance = game->noise ? next_random(&game->random) % game->noise : 2, began = game->now;

		do {
			uint64_t ticks = distance ? round_trip(distance, game->patience.delay) : NO_GAIN;

			ticks += next_random(&game->random) % (ticks / 16); /* no two are alike */
			game->now += ticks;
			game->spent += ticks;
			game->rounds++;
		} while (!pabal__patience_round(&game->patience));
		if (chance == 0)
			game->now += 1000000;
		if (chance == 1)
			game->now -= (game->now - began) * 3 / 5;
		pabal__patience_window(&game->patience, game->now);
	}
}

static uint64_t average(struct game *game)
{
	uint64_t ticks = game->spent / game->rounds;

	game->spent = game->rounds = 0;
	return ticks;
}

/* Of whole pauses. */
static uint32_t best_of(const struct distance *distance)
{
	uint32_t best = 0;

	for (uint32_t delay = PABAL__PATIENCE_A_PAUSE; delay <= PABAL__PATIENCE_MAX; delay += PABAL__PATIENCE_A_PAUSE)
		if (round_trip(distance, delay) < round_trip(distance, best))
			best = delay;
	return best;
}

static void the_best_number_is_found(void **state)
{
	static const struct distance *const distances[] = { &near, &far };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct game game = { .now = 1, .random = 5 };

		play(&game, distances[i], 100);
		assert_int_equal(game.patience.delay, best_of(distances[i]));
		play(&game, distances[i], 10000);
		average(&game);
		play(&game, distances[i], 10000); /* in the long run trying costs next to nothing */
		assert_true(average(&game) < round_trip(distances[i], best_of(distances[i])) * 108 / 100);
	}
}

static void one_window_decides_nothing(void **state)
{
	struct game game = { .now = 1, .random = 6, .noise = 24 };
	uint32_t right = 0;

	(void)state;
	play(&game, &near, 1000);
	for (int i = 0; i < 1000; i++) {
		play(&game, &near, 10);
		right += game.patience.delay == best_of(&near);
	}
	assert_true(right > 940); /* of windows that decide alone: 909 */
}

static void who_gains_nothing_is_not_patient(void **state)
{
	struct game game = { .now = 1, .random = 7 };
	uint32_t patient = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		play(&game, NULL, 1);
		patient += game.patience.delay != 0;
	}
	assert_true(patient < 500);
}

/* Virtual CPUs move: what was best becomes a loss. */
static void it_is_found_out_anew_when_that_changes(void **state)
{
	struct game game = { .now = 1, .random = 8 };

	(void)state;
	for (int i = 0; i < 10; i++) {
		play(&game, &near, 20000); /* so long that trials have become rare */
		assert_int_equal(game.patience.delay, best_of(&near));
		play(&game, &far, 400);
		assert_int_equal(game.patience.delay, best_of(&far));
		play(&game, &far, 20000);
		play(&game, &near, 400);
		assert_int_equal(game.patience.delay, best_of(&near));
	}
}

/* Clocks stand still, jump ahead and go back. */
static void a_bad_clock_does_no_harm(void **state)
{
	struct pabal__patience patience = { 0 };
	uint64_t random = 9;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		pabal__patience_window(&patience, i < 1000 ? 1 : (uint64_t)next_random(&random) << (next_random(&random) % 40));
		assert_in_range(patience.delay, 0, PABAL__PATIENCE_MAX);
	}
	play(&(struct game){ .patience = patience, .now = 1 }, &near, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_number_is_found),         cmocka_unit_test(one_window_decides_nothing),
		cmocka_unit_test(who_gains_nothing_is_not_patient), cmocka_unit_test(it_is_found_out_anew_when_that_changes),
		cmocka_unit_test(a_bad_clock_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
