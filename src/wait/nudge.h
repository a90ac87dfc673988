/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/nudge.h - waking those threads of this process that sleep in poll on a handle among others: pabal_wait_many().
 *
 * Each sleeper has an event counter of its own on each handle, which nobody else clears: so one that looks, and finds that it was not meant, takes nothing from the others. It is no message: who is nudged looks
 * at what may have happened, an interrupt or the end of the object, and sleeps on if nothing has. While nobody waits so, nudging costs one load.
 *
 * A program may close the descriptors that it does not know, and open files of its own, which get their numbers. So no counter is used before the kernel has said that it is ours.
 */
#ifndef PABAL_SRC_WAIT_NUDGE_H
#define PABAL_SRC_WAIT_NUDGE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "platform/wake.h"

/* One sleeper's counter. It stays on its list until the handle is closed, for the next sleeper: a signal handler may be going through the list. */
struct pabal__nudge {
	struct pabal__nudge *next; /* written before it enters the list */
	int fd;                    /* the same; polled, but not read: pabal__nudge_clear() */
	struct pabal__wake_inode inode;
	_Atomic bool used; /* somebody sleeps on it, or is about to */
};

/* Of one handle. All zero: nobody. */
struct pabal__nudges {
	struct pabal__nudge *_Atomic first;
};

/* A counter for a sleeper: after this the caller looks at what it is to be woken for, then sleeps. It may be set from an earlier time. 0, -ENOMEM, -EMFILE; -EBADF: the program closed one. */
int pabal__nudge_claim(struct pabal__nudges *nudges, struct pabal__nudge **ret_nudge);
void pabal__nudge_return(struct pabal__nudge *nudge);

/* The counter was set: not any more. Before the look at what it was set for. */
void pabal__nudge_clear(const struct pabal__nudge *nudge);

/* false: the program closed it, and its number may be another file's. */
bool pabal__nudge_is_ours(const struct pabal__nudge *nudge);

/* Something has happened that all who sleep so must look at. A signal handler may call it. */
void pabal__nudge_all(struct pabal__nudges *nudges);

/* No other thread uses the handle any more. */
void pabal__nudges_close(struct pabal__nudges *nudges);

#endif
