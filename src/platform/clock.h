/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/clock.h - time, in nanoseconds.
 *
 * Waiting uses CLOCK_MONOTONIC (futexes count in it). Time-stamps use CLOCK_BOOTTIME, which goes on while the machine sleeps. Neither is ever used to
 * guess that somebody died.
 */
#ifndef PABAL_SRC_PLATFORM_CLOCK_H
#define PABAL_SRC_PLATFORM_CLOCK_H

#include <stdint.h>

int64_t pabal__clock_now(void);    /* monotonic */
int64_t pabal__clock_boot(void);   /* since boot, suspend included */
int64_t pabal__clock_coarse(void); /* monotonic, a few milliseconds late, cheap */

/* The moment @timeout_ns from now; INT64_MAX for PABAL_FOREVER and for what would overflow. */
int64_t pabal__clock_deadline(int64_t timeout_ns);

#endif
