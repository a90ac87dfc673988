/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally.h - the numbers at the end of a run of demo or torture, and how they are told.
 */
#ifndef PABAL_TOOLS_TALLY_H
#define PABAL_TOOLS_TALLY_H

#include <stdbool.h>
#include <stdint.h>

struct plan;

struct tally {
	uint64_t sent;        /* known to be committed, or received */
	uint64_t received;    /* different messages */
	uint64_t lost;        /* known to be committed, and never received */
	uint64_t doubled;     /* received twice with the same delivery count, or again after a release that was confirmed */
	uint64_t stuck;       /* still in the mailbox after the drain, or blocks that are not accounted for */
	uint64_t redelivered; /* deliveries with a count above 1: a taker died, or gave it back */
	uint64_t invented;    /* never sent */
	uint64_t damaged;     /* a byte was not as sent */
	uint64_t disordered;  /* first deliveries to one receiver out of their sender's order */
	uint64_t failed;      /* workers that ended without being told to */
	uint64_t killed_senders;
	uint64_t killed_receivers;
	int64_t run_ns;
	char finding[640]; /* the first thing that was wrong, as a sentence */
};

/** tally_find() - note something that is wrong; the first one is kept. */
void tally_find(struct tally *tally, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** tally_is_sound() - nothing was wrong. */
bool tally_is_sound(const struct tally *tally);

/** tally_print() - the tally on standard output, as text or JSON; if it is not sound also one line on standard error. Return: the exit status. */
int tally_print(const struct tally *tally, const struct plan *plan);

#endif
