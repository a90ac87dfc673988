/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/watch.h - wait until a file appears in a directory.
 */
#ifndef PABAL_SRC_PLATFORM_WATCH_H
#define PABAL_SRC_PLATFORM_WATCH_H

#include <stdint.h>

/* A descriptor that becomes readable when a name appears in the directory, or a negative error. */
int pabal__watch_open(const char *path);

/* Sleep until then, or until @deadline (monotonic). 0: look again; -ETIMEDOUT; -EINTR. */
int pabal__watch_wait(int watch, int64_t deadline);

/* Forget what happened so far; never sleeps. For those who poll the descriptor themselves. */
void pabal__watch_drain(int watch);

#endif
