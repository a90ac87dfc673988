/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/futex.h - sleep until a 32-bit word in shared memory changes; wake those who do.
 *
 * Always shared futexes: the word lies in a file that other processes map elsewhere.
 */
#ifndef PABAL_SRC_PLATFORM_FUTEX_H
#define PABAL_SRC_PLATFORM_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Sleep while *@word is @expected, for at most @duration_ns (INT64_MAX: without an end).
 * 0: woken, or the word had changed; -ETIMEDOUT; -EINTR: a signal handler ran.
 */
int pabal__futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t duration_ns);

/* Wake up to @count_max sleepers; returns how many. May be called from a signal handler. */
int pabal__futex_wake(_Atomic uint32_t *word, int count_max);

#endif
