/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/cpu.h - what waiting loops and queues ask of the processor and the scheduler.
 */
#ifndef PABAL_SRC_PLATFORM_CPU_H
#define PABAL_SRC_PLATFORM_CPU_H

#include <stdint.h>
#include <string.h>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include "platform/clock.h"
#endif

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

/* The line at @address will be written soon: it may begin its way here. Any address will do. */
static inline void pabal__cpu_fetch_to_write(const void *address)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw (%0)" : : "r"(address)); /* does nothing where a processor does not know it */
#else
	__builtin_prefetch(address, 1);
#endif
}

/*
 * memcpy() into memory that another core has read: the string instruction writes whole lines without fetching them from that core first, which plain stores must. Its stores
 * come in any order among themselves, and all of them before any later store, such as the one that publishes them. A sanitizer would not see them.
 */
static inline void pabal__cpu_copy_to_share(void *to, const void *from, uint64_t size)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
	enum { LEAST = 512, MOST = 65536 }; /* bytes: measured at 2 KiB, where it is 1.7 times as fast; the bounds are guesses */

	if (size >= LEAST && size <= MOST && ((uintptr_t)to | size) % 8 == 0) {
		uint64_t words = size / 8;

		__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
		return;
	}
#endif
	memcpy(to, from, size);
}

/*
 * A counter that only says how much time has passed, roughly, for a few cycles and no system call. It may jump between CPUs on bad machines: what depends on it must be
 * right whatever it says, and only be slower for a wrong answer.
 */
static inline uint64_t pabal__cpu_ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return (uint64_t)pabal__clock_now();
#endif
}

/* Ticks of about five microseconds. */
static inline uint64_t pabal__cpu_ticks_5us(void)
{
#if defined(__x86_64__)
	return 16384; /* 4 to 8 microseconds at 2 to 4 GHz: nobody needs it better */
#elif defined(__aarch64__)
	uint64_t frequency;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
	return frequency / 200000;
#else
	return 5000;
#endif
}

void pabal__cpu_yield(void);

/* Sleep for about @duration_ns. 0, or -EINTR: a signal handler ran. */
int pabal__cpu_nap(int64_t duration_ns);

#endif
