/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/measure.h - the measurements, one file each.
 */
#ifndef PABAL_BENCH_MEASURE_H
#define PABAL_BENCH_MEASURE_H

#include "contest.h"

void measure_round_trip(const struct settings *settings); /* across cores, spinning; and both on one core, blocking */
void measure_many(const struct settings *settings);       /* messages per second, 1x1 to 8x8, and how fairly they are served */
void measure_stream(const struct settings *settings);     /* one way through a link, in place */
void measure_hand_over(const struct settings *settings);  /* zero copy */
void measure_buffer(const struct settings *settings);     /* buffers beside rings that promise nothing */
void measure_calls(const struct settings *settings);      /* system calls per message */
void measure_lock(const struct settings *settings);       /* a lock of a region beside glibc's mutexes */
void measure_cost(const struct settings *settings);       /* create, open, memory, an idle receiver */

#endif
