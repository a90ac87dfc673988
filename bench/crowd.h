/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/crowd.h - senders and receivers that run until they are killed: what the receivers got meanwhile, how fairly, and what it cost.
 *
 * The senders are the first actors of the stage, the receivers the next; each receiver counts in its lane.
 */
#ifndef PABAL_BENCH_CROWD_H
#define PABAL_BENCH_CROWD_H

#include "contest.h"
#include "stage.h"

enum { CROWD_PAIRS_MAX = 8 };

/* Let them run for a burst, and count. */
void crowd_watch(struct stage *stage, uint32_t pairs, struct burst *ret_burst);

/* End them all. Returns the processor time that they used, in ns, by what they received. */
double crowd_end(struct stage *stage, uint32_t pairs);

#endif
