/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/membarrier.c - membarrier(2) with MEMBARRIER_CMD_GLOBAL_EXPEDITED. The registration is kept by the process over fork, not over exec.
 */
#include "platform/membarrier.h"

#include <linux/membarrier.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic int state; /* 0 unknown, 1 registered, 2 not to be had; any thread may store it, all store the same */

bool pabal__membarrier_register(void)
{
	int known = atomic_load_explicit(&state, memory_order_relaxed);

	if (known)
		return known == 1;
	known = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0 ? 1 : 2;
	atomic_store_explicit(&state, known, memory_order_relaxed);
	return known == 1;
}

bool pabal__membarrier_all(void)
{
	if (atomic_load_explicit(&state, memory_order_relaxed) != 1)
		return false;
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0;
}
