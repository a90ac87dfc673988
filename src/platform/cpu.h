/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/cpu.h - what a waiting loop asks of the processor and the scheduler.
 */
#ifndef PABAL_SRC_PLATFORM_CPU_H
#define PABAL_SRC_PLATFORM_CPU_H

#include <stdint.h>

/* One pause of a spinning loop: tens of cycles, and the sibling hardware thread gets them. */
static inline void pabal__cpu_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

void pabal__cpu_yield(void);

/* Sleep for about @duration_ns. 0, or -EINTR: a signal handler ran. */
int pabal__cpu_nap(int64_t duration_ns);

#endif
