/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/bury.h - declare a dead participant dead, and repair what it left.
 *
 * Called by whoever attaches, whose wait slice ends, who is stuck at a slot of a dead one, who closes, and by pabal_gc().
 */
#ifndef PABAL_SRC_MODEL_BURY_H
#define PABAL_SRC_MODEL_BURY_H

#include "memory/participant.h"

struct pabal__burial {
	uint32_t buried;
	uint64_t redelivered, dropped;
};

/* Bury all the dead. Adds to @burial. Whoever cannot be buried now (another undertaker is at it, no memory) is left for later. */
void pabal__bury_dead(struct pabal__segment *segment, struct pabal__burial *burial);

/* Bury @id if it is dead. */
void pabal__bury(struct pabal__segment *segment, uint32_t id, struct pabal__burial *burial);

#endif
