/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/cpu.c - CPUs, yielding and short sleeps.
 */
#include "platform/cpu.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

int pabal__cpu_count(void)
{
	static _Atomic int known;
	int count = atomic_load_explicit(&known, memory_order_relaxed); /* alone: the value is the same whoever stores it */
	cpu_set_t set;

	if (count > 0)
		return count;
	count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 2;
	atomic_store_explicit(&known, count, memory_order_relaxed);
	return count;
}

void pabal__cpu_yield(void)
{
	sched_yield();
}

int pabal__cpu_nap(int64_t duration_ns)
{
	struct timespec duration = { .tv_sec = duration_ns / 1000000000, .tv_nsec = duration_ns % 1000000000 };

	return clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, NULL) == EINTR ? -EINTR : 0;
}
