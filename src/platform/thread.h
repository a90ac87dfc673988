/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/thread.h - a number for each thread of this process, which no other one ever had.
 *
 * Neither an address in the thread (a new one gets the stack of one that ended) nor the kernel's number (used again as well) tells two threads apart, one of which is
 * gone. A fork child has a copy of the counter and of its one thread's number, so there, too, no two have the same.
 */
#ifndef PABAL_SRC_PLATFORM_THREAD_H
#define PABAL_SRC_PLATFORM_THREAD_H

#include <stdint.h>

/* What a thread has as its number before it draws one; no thread's, and not 0. */
#define PABAL__THREAD_UNNUMBERED UINT64_C(1)

/* The number of the calling thread, or PABAL__THREAD_UNNUMBERED. 64 bits: one drawn each nanosecond, they last for centuries. */
extern _Thread_local uint64_t pabal__thread_drawn __attribute__((tls_model("initial-exec"), visibility("hidden"))); /* as in platform/fork.h */

/* Give it one, if it has none yet. */
uint64_t pabal__thread_draw(void) __attribute__((cold));

#endif
