/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/patience.h - who has asked waits for a moment before it looks for the answer.
 *
 * A look takes the line away from the one who is about to write it: who answers then has to ask for that line once more, and the one who waits for it gets it a journey later. Who looks for the first time when the answer has just been
 * written saves both. For two who ask and answer each other, both by spinning, that is a third of the whole. How long to wait, in pauses of the processor, is a matter of where the two CPUs lie and of what both do with a message: 2 to 4
 * where they are near each other, 5 to 12 where they are far.
 *
 * It cannot be learned by each for himself: the patience of one delays the message of the other, and whatever they conclude from looks in vain, both wait longer and longer. So one of the two tries for both, and says what is in force in a
 * word of its memory, which the other one follows. It measures what matters: how long a round trip takes. Now and then it tries each number of pauses, none among them, and takes the best. The rest is each one's own (wait/trim.h). Measured; see
 * decisions/0017.
 */
#ifndef PABAL_SRC_WAIT_PATIENCE_H
#define PABAL_SRC_WAIT_PATIENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/cpu.h"

enum {
	PABAL__PATIENCE_A_PAUSE = 4, /* delays are counted in quarters of a pause */
	PABAL__PATIENCE_MAX = 64,    /* 16 pauses: 0.4 to 0.7 microseconds. Measured: between far CPUs 5 to 12 are best */
	PABAL__PATIENCE_TURNS = 20,  /* of an empty loop, a cycle each: about a quarter of the shortest pause that was met, which is 90 */
	PABAL__PATIENCE_ROUNDS = 32, /* round trips that are measured together; a guess */
	PABAL__PATIENCE_RUNGS = 13,  /* delays that are tried, one after the other */
	PABAL__PATIENCE_PASSES = 3,  /* times that each is tried: the middle one counts, so that one that was disturbed does not */
	PABAL__PATIENCE_TRYING = 128 /* a bit in the word: this delay is only tried, and nobody is to draw conclusions */
};

/* Of the one who tries; for one thread. All zeros to begin with. */
struct pabal__patience {
	uint64_t began;  /* ticks, when the window began that is being measured; 0: there is none */
	uint32_t rounds; /* in it */
	uint32_t delay;  /* in force */
	bool trying;
	uint32_t rung, pass; /* of a trial: which is being measured, the how manieth time */
	uint32_t rungs;      /* so many are worth trying: more pauses took twice as long as none */
	uint32_t chosen;     /* the delay in force between two trials */
	uint32_t usual;      /* ticks of a window with it */
	uint32_t windows;    /* since the last trial */
	uint32_t interval;   /* so many until the next; 0: there was none yet */
	uint32_t strange;    /* windows in a row that took much more or less than usual */
	uint32_t ticks[PABAL__PATIENCE_RUNGS][PABAL__PATIENCE_PASSES];
};

/* A window is over, at this moment. */
void pabal__patience_window(struct pabal__patience *patience, uint64_t ticks);

/* Let that long pass. Pauses keep the processor from running ahead to the look; so does a loop that takes as long as so many instructions do, if the pauses come last. */
static inline void pabal__patience_delay(uint32_t delay)
{
	for (uint32_t i = delay % PABAL__PATIENCE_A_PAUSE * PABAL__PATIENCE_TURNS; i > 0; i--)
		atomic_signal_fence(memory_order_relaxed); /* nothing, but the compiler keeps the loop */
	for (uint32_t i = delay / PABAL__PATIENCE_A_PAUSE; i > 0; i--)
		pabal__cpu_pause();
}

/* What the other side is told. */
static inline uint32_t pabal__patience_word(const struct pabal__patience *patience)
{
	return patience->delay | (patience->trying ? PABAL__PATIENCE_TRYING : 0);
}

/* The delay that such a word bears, whatever it is. */
static inline uint32_t pabal__patience_said(uint32_t word)
{
	uint32_t delay = word & (PABAL__PATIENCE_TRYING - 1);

	return delay < PABAL__PATIENCE_MAX ? delay : PABAL__PATIENCE_MAX;
}

/* Another round trip begins. Is a window over? Then pabal__patience_window() is due: only then the clock has to be read. */
static inline bool pabal__patience_round(struct pabal__patience *patience)
{
	return ++patience->rounds >= PABAL__PATIENCE_ROUNDS;
}

#endif
