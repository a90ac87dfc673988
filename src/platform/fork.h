/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/fork.h - knowing that we were forked, and keeping fork out of short critical moments.
 *
 * A descriptor that carries a lock is open for a moment only; a fork in that moment would hand the child a share in the lock, and then the kernel would
 * keep it for as long as the child lives. The guard makes fork() wait. (A raw clone() system call goes past the guard, not past the mark.)
 */
#ifndef PABAL_SRC_PLATFORM_FORK_H
#define PABAL_SRC_PLATFORM_FORK_H

#include <stdatomic.h>
#include <stdint.h>

/* Prepare this process; called by every open. 0 or -ENOMEM. */
int pabal__fork_init(void);

/* A word on a page that the kernel wipes in a fork child: never the same number in two processes of one family, 0 in a child that opened nothing yet. */
extern _Atomic uint32_t *pabal__fork_mark
	__attribute__((visibility("hidden"))); /* said here as well: else each look at it first looks up where it is */

static inline uint32_t pabal__fork_generation(void)
{
	return atomic_load_explicit(pabal__fork_mark, memory_order_relaxed); /* alone: it changes by fork only */
}

void pabal__fork_guard(void);
void pabal__fork_unguard(void);

#endif
