/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/membarrier.h - a memory barrier on every registered process at once, paid by the one who is about to sleep.
 *
 * With it the busy side needs no fence between "I freed something" and "is somebody waiting?". Where the kernel or a filter has no membarrier, the
 * sleeper must not trust a single look and sleeps in short slices instead.
 */
#ifndef PABAL_SRC_PLATFORM_MEMBARRIER_H
#define PABAL_SRC_PLATFORM_MEMBARRIER_H

#include <stdbool.h>

/* Register this process; done once, at the first open. false: it cannot be, and the barriers of others do not reach it. */
bool pabal__membarrier_register(void);

/* Barrier on all registered processes. false: there is none here. */
bool pabal__membarrier_all(void);

#endif
