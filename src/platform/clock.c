/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/clock.c - two kernel clocks, read through the vDSO: no system call.
 */
#include "platform/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t pabal__clock_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t pabal__clock_boot(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

int64_t pabal__clock_coarse(void)
{
	return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t pabal__clock_deadline(int64_t timeout_ns)
{
	int64_t now;

	if (timeout_ns < 0)
		return INT64_MAX;
	now = pabal__clock_now();
	return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}
