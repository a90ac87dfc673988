/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - what a run of demo or torture is to be like, and the options that both have.
 */
#ifndef PABAL_TOOLS_PLAN_H
#define PABAL_TOOLS_PLAN_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

struct plan {
	const char *name;      /* of the mailbox; NULL: one of our own in a directory of our own */
	const char *directory; /* instead of $PABAL_DIR; may be NULL */
	unsigned senders;
	unsigned receivers;
	unsigned workers_max; /* of each role: what the options allow */
	uint32_t capacity;
	uint64_t memory_max;
	uint64_t size_max;        /* of a message */
	int64_t run_ns;           /* how long there is killing, before the drain */
	int64_t kill_every_ns;    /* on average; 0: nobody is killed */
	int64_t replace_after_ns; /* how long the dead stay visible */
	unsigned hold_max;        /* messages that a receiver holds at the same time */
	bool mischief;            /* also cancel loans and requeue messages now and then */
	bool refill;              /* afterwards fill the mailbox exactly to its capacity and drain it */
	bool json;
	uint64_t seed;
};

/** plan_argp - the options of a plan, as an argp child; its input is the struct plan. */
extern const struct argp plan_argp;

/** plan_seed() - a seed, if the user gave none. */
void plan_seed(struct plan *plan);

#endif
