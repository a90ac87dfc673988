/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/cpu.c - yielding and short sleeps.
 */
#include "platform/cpu.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

void pabal__cpu_yield(void)
{
	sched_yield();
}

int pabal__cpu_nap(int64_t duration_ns)
{
	struct timespec duration = { .tv_sec = duration_ns / 1000000000, .tv_nsec = duration_ns % 1000000000 };

	return clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, NULL) == EINTR ? -EINTR : 0;
}
