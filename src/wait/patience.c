/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/patience.c - which delay before the first look is best: by trying.
 */
#include "wait/patience.h"

enum {
	FIRST = 8,           /* windows until the first trial. A guess: who exchanges 250 messages may well exchange more */
	INTERVAL_MIN = 64,   /* between two trials, while their results differ; a trial takes 39 windows */
	INTERVAL_MAX = 2048, /* while they do not: some 20 ms. A virtual machine moves its CPUs each few seconds */
	STRANGE = 16,        /* windows in a row that are out of the ordinary are the new ordinary */
	LONGEST = 1 << 30,   /* ticks; twice as much is still a number */
	GAIN = 16,           /* patience has to gain more than one part of so many: else it is noise */
};

/* In pauses. */
static const uint32_t ladder[PABAL__PATIENCE_RUNGS] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, PABAL__PATIENCE_MAX / PABAL__PATIENCE_A_PAUSE };

_Static_assert(PABAL__PATIENCE_PASSES == 3, "typical() is of three");
_Static_assert(PABAL__PATIENCE_MAX < PABAL__PATIENCE_TRYING, "both are said in one word");

/* What a window takes. */
static uint32_t typical(const struct pabal__patience *patience, uint32_t rung)
{
	const uint32_t *ticks = patience->ticks[rung];
	uint32_t a = ticks[0], b = ticks[1], c = ticks[2], low = a < b ? a : b, high = a < b ? b : a;

	return c < low ? low : c > high ? high : c;
}

static void set(struct pabal__patience *patience, uint32_t rung)
{
	patience->rung = rung;
	patience->delay = ladder[rung] * PABAL__PATIENCE_A_PAUSE;
}

/* The rung that takes least, and less than @least; 0: none does. */
static uint32_t best_of(const struct pabal__patience *patience, uint32_t least)
{
	uint32_t best = 0;

	for (uint32_t rung = 1; rung < patience->rungs; rung++) {
		uint32_t ticks = typical(patience, rung);

		if (ticks < least) {
			least = ticks;
			best = rung;
		}
	}
	return best;
}

static bool is_beside(uint32_t a, uint32_t b)
{
	return a <= b + PABAL__PATIENCE_A_PAUSE && b <= a + PABAL__PATIENCE_A_PAUSE;
}

static void choose(struct pabal__patience *patience)
{
	uint32_t none = typical(patience, 0), best = best_of(patience, none - none / GAIN), before = patience->chosen;

	set(patience, best);
	patience->chosen = patience->delay;
	if (!is_beside(patience->chosen, before) || !patience->interval)
		patience->interval = INTERVAL_MIN;
	else if (patience->interval < INTERVAL_MAX)
		patience->interval *= 2;
	patience->usual = typical(patience, best);
	patience->trying = false;
	patience->windows = patience->strange = 0;
}

static void begin(struct pabal__patience *patience)
{
	patience->trying = true;
	patience->rungs = PABAL__PATIENCE_RUNGS;
	patience->pass = 0;
	set(patience, 0);
}

/* More pauses than that are not worth trying. One window that was disturbed does not say so, two in a row do. */
static bool is_enough(const struct pabal__patience *patience)
{
	uint32_t twice = 2 * patience->ticks[0][0], rung = patience->rung;

	return patience->pass == 0 && rung >= 2 && patience->ticks[rung][0] > twice && patience->ticks[rung - 1][0] > twice;
}

static void try_next(struct pabal__patience *patience, uint32_t took)
{
	patience->ticks[patience->rung][patience->pass] = took;
	if (is_enough(patience))
		patience->rungs = patience->rung + 1;
	if (patience->rung + 1 < patience->rungs) {
		set(patience, patience->rung + 1);
		return;
	}
	if (++patience->pass < PABAL__PATIENCE_PASSES)
		set(patience, 0);
	else
		choose(patience);
}

/* Not what it was when it was chosen: the CPUs have moved, or the two do something else. */
static bool is_strange(const struct pabal__patience *patience, uint32_t took)
{
	return took < patience->usual - patience->usual / 4 || took > patience->usual + patience->usual / 3;
}

static void hold(struct pabal__patience *patience, uint32_t took)
{
	bool due = ++patience->windows >= (patience->interval ? patience->interval : FIRST);

	patience->strange = patience->interval && is_strange(patience, took) ? patience->strange + 1 : 0;
	if (due || (patience->strange >= STRANGE && patience->windows >= INTERVAL_MIN))
		begin(patience);
}

void pabal__patience_window(struct pabal__patience *patience, uint64_t ticks)
{
	uint64_t took = ticks - patience->began;
	bool measured = patience->began != 0;

	patience->began = ticks;
	patience->rounds = 0;
	if (!measured)
		return;
	if (took > LONGEST)
		took = LONGEST;
	if (patience->trying)
		try_next(patience, (uint32_t)took);
	else
		hold(patience, (uint32_t)took);
}
