/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/watch.h - wait until a file appears in a directory.
 */
#ifndef PABAL_SRC_PLATFORM_WATCH_H
#define PABAL_SRC_PLATFORM_WATCH_H

#include <stdint.h>

/*
 * A descriptor that watches nothing yet, or a negative error. Closing it soon after it has watched something takes the kernel up to a second: it waits until nobody on any processor can still be
 * looking at the watch. Taking the watch away (pabal__watch_end) takes microseconds: so who waits often keeps the descriptor.
 */
int pabal__watch_open(void);

/* From now on it becomes readable when a name appears in the directory: the number of the watch, or a negative error. */
int pabal__watch_begin(int watch, const char *path);

/* No longer; what was told so far is forgotten. Something that happens at this very moment may be told all the same. */
void pabal__watch_end(int watch, int number);

/* Sleep until then, or until @deadline (monotonic). 0: look again; -ETIMEDOUT; -EINTR. */
int pabal__watch_wait(int watch, int64_t deadline);

/* Forget what happened so far; never sleeps. For those who poll the descriptor themselves. */
void pabal__watch_drain(int watch);

#endif
