/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/lull.h - who has caught up with a writer in full flow lets it get ahead.
 *
 * Such a reader looks at each line while it is being written. That takes the line away from the writer, who thereby becomes slow enough to be caught up with again: messages of 64 bytes then take 60 to 80 ns
 * each between processors that are far from each other, where they take 25 if the two keep a distance. So before it looks for more, the reader does nothing for 1 to 2 microseconds. Measured; see decisions/0014.
 *
 * That is right where many messages have come by the end of it. Where they have not, as with two who ask and answer, the next attempt comes after twice as many waits, so that they do not feel it.
 */
#ifndef PABAL_SRC_WAIT_LULL_H
#define PABAL_SRC_WAIT_LULL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* For one direction; all zeros to begin with. A hint: threads may mix it up without harm. */
struct pabal__lulls {
	_Atomic uint32_t state; /* interval:16 | waits since the last one:16 */
};

/* A wait begins, after @run messages that were there one after the other. Is it time for a lull? */
bool pabal__lull_is_due(struct pabal__lulls *lulls, uint32_t run);

/* Do nothing for a quarter of @ticks_5us. */
void pabal__lull(uint64_t ticks_5us);

#endif
