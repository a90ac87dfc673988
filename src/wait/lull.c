/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/lull.c - when a reader lets the writer get ahead, and for how long.
 */
#include "wait/lull.h"

#include "platform/cpu.h"

enum {
	RUN = 16,            /* messages that come in a lull, if it is right: in a microsecond there are 20 and more. A guess */
	INTERVAL_MIN = 64,   /* waits until one is tried */
	INTERVAL_MAX = 8192, /* who asks and answers waits that often in a millisecond, and loses a microsecond */
	PART = 4,         /* of 5 microseconds. Measured: half as long, and a third is lost of what there is to gain; twice as long gains a tenth */
	PAUSES_MAX = 512, /* should the clock stand still */
};

bool pabal__lull_is_due(struct pabal__lulls *lulls, uint32_t run)
{
	uint32_t state = atomic_load_explicit(&lulls->state, memory_order_relaxed); /* alone, as the store: tuning only */
	uint32_t interval = state >> 16, waits = (state & 0xffff) + 1;
	bool flows = run >= RUN, due;

	if (flows || interval < INTERVAL_MIN)
		interval = INTERVAL_MIN;
	due = flows || waits >= interval;
	if (due && !flows && interval < INTERVAL_MAX)
		interval *= 2;
	atomic_store_explicit(&lulls->state, interval << 16 | (due ? 0 : waits), memory_order_relaxed);
	return due;
}

void pabal__lull(uint64_t ticks_5us)
{
	uint64_t start = pabal__cpu_ticks();

	for (int i = 0; i < PAUSES_MAX && pabal__cpu_ticks() - start < ticks_5us / PART; i++)
		pabal__cpu_pause();
}
