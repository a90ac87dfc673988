/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_trim - two who are patient correct the delay that both use: the quicker one waits longer, and a delay that is too short or too long does no harm.
 *
 * Both are played, with made-up times: a look in vain takes the line of the one who is about to write it, and makes it later still. The times are those that were measured where CPUs are near each other, in nanoseconds.
 */
#include "wait/trim.h"

#include "support/support.h"

enum {
	QUARTER = 6, /* of a pause */
	AGAIN = 24,  /* until the next look */
	JOURNEY = 35,
	LATER = 50, /* is what is written to a line that somebody has looked at */
	ROUNDS = 20000,
};

struct side {
	struct pabal__trim trim;
	uint64_t work;   /* from what is found to the answer, and from there to the delay */
	uint64_t commit; /* when its last answer could be seen */
};

struct game {
	struct side sides[2];
	uint64_t random;
};

static uint64_t some(struct game *game, uint64_t time)
{
	return time - time / 8 + next_random(&game->random) % (time / 4 + 1); /* no two are alike */
}

/* The answer of @side to what the other one has said. @delay: in quarters. */
static void answer(struct game *game, struct side *side, struct side *other, uint32_t delay)
{
	uint64_t look = side->commit + some(game, side->work) + (uint64_t)delay * QUARTER;

	side->trim.too_early = look < other->commit;
	if (side->trim.too_early)
		other->commit += LATER;
	while (look < other->commit)
		look += AGAIN;
	side->commit = look + JOURNEY + some(game, side->work);
}

/* A round trip with the same delays all the time. */
static uint64_t played(const uint64_t works[2], uint32_t first, uint32_t second)
{
	struct game game = { .sides = { { .work = works[0] }, { .work = works[1] } }, .random = 3 };

	for (int i = 0; i < ROUNDS / 10; i++) {
		answer(&game, &game.sides[0], &game.sides[1], first);
		answer(&game, &game.sides[1], &game.sides[0], second);
	}
	return game.sides[1].commit / (ROUNDS / 10);
}

/* The same, each with its trim, when that has settled. */
static uint64_t trimmed(const uint64_t works[2], uint32_t delay, int32_t ret_quarters[2])
{
	struct game game = { .sides = { { .work = works[0] }, { .work = works[1] } }, .random = 4 };
	uint64_t began = 0;

	for (int i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS / 2)
			began = game.sides[1].commit;
		answer(&game, &game.sides[0], &game.sides[1], pabal__trim_apply(&game.sides[0].trim, delay));
		answer(&game, &game.sides[1], &game.sides[0], pabal__trim_apply(&game.sides[1].trim, delay));
	}
	for (int i = 0; i < 2; i++)
		ret_quarters[i] = game.sides[i].trim.quarters;
	return (game.sides[1].commit - began) / (ROUNDS / 2);
}

static uint64_t best_of(const uint64_t works[2])
{
	uint64_t best = UINT64_MAX;

	for (uint32_t first = 1; first < 20; first++)
		for (uint32_t second = 1; second < 20; second++) {
			uint64_t time = played(works, first, second);

			best = time < best ? time : best;
		}
	return best;
}

static void any_delay_will_do(void **state)
{
	const uint64_t works[2] = { 25, 25 };
	uint64_t best = best_of(works), worst = 0;
	int32_t quarters[2];

	(void)state;
	for (uint32_t delay = 4; delay < PABAL__TRIM_UNTIL; delay += 4) {
		uint64_t untrimmed = played(works, delay, delay);

		worst = untrimmed > worst ? untrimmed : worst;
		assert_true(trimmed(works, delay, quarters) < best * 11 / 10);
	}
	assert_true(worst > best * 3 / 2); /* else there was nothing to be won */
}

static void the_quicker_one_waits_longer(void **state)
{
	const uint64_t works[2] = { 20, 40 };
	uint64_t best = best_of(works);
	int32_t quarters[2];

	(void)state;
	for (uint32_t delay = 4; delay < PABAL__TRIM_UNTIL; delay += 4) {
		uint64_t time = trimmed(works, delay, quarters);

		assert_true(quarters[0] > quarters[1]);
		assert_true(time < best * 11 / 10);
		assert_true(time < played(works, delay, delay) * 9 / 10); /* whatever both do alike, it is not this */
	}
}

static uint32_t after(struct pabal__trim *trim, uint32_t delay, bool too_early, int looks)
{
	uint32_t trimmed = 0;

	for (int i = 0; i < looks; i++) {
		trimmed = pabal__trim_apply(trim, delay);
		trim->too_early = too_early;
	}
	return trimmed;
}

static void it_is_bounded(void **state)
{
	struct pabal__trim trim = { 0 };

	(void)state;
	assert_int_equal(after(&trim, 4, true, 100000), 4 + PABAL__TRIM_MAX);
	assert_int_equal(after(&trim, 4, false, 100000), 1);
	assert_int_equal(after(&trim, 12, false, 1), 12); /* another delay: what was found out is of the other one */
	assert_int_equal(after(&trim, 12, false, 100000), 12 - PABAL__TRIM_MAX);
	assert_int_equal(after(&trim, PABAL__TRIM_UNTIL, true, 100000), PABAL__TRIM_UNTIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_delay_will_do),
		cmocka_unit_test(the_quicker_one_waits_longer),
		cmocka_unit_test(it_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
