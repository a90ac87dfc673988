/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_fds.h - the open files of one descriptor: an epoll, which is what the program polls, of a socket, an event counter for ourselves, a timer and a watch on the object's file.
 *
 * A program may close all descriptors that it does not know (closefrom, a daemon's clean-up) and open files of its own, which get their numbers. So nothing here is read, written, set or closed before the kernel has
 * said that it is still ours. Once it was not, it is lost: nothing of it is touched again.
 */
#ifndef PABAL_SRC_MODEL_DESCRIPTOR_FDS_H
#define PABAL_SRC_MODEL_DESCRIPTOR_FDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "memory/segment.h"

enum pabal__descriptor_fd { PABAL__FD_SOCKET, PABAL__FD_OWN, PABAL__FD_TIMER, PABAL__FD_WATCH, PABAL__FDS };

struct pabal__descriptor_fds {
	int group;
	int fds[PABAL__FDS]; /* the watch: -1 if none was left; then the timer stands in for it */
	dev_t dev;           /* of the socket */
	ino_t ino;
	_Atomic bool lost;
};

/* All of them, with @socket, which becomes theirs; or none, and a negative error. */
int pabal__descriptor_fds_open(struct pabal__segment *segment, int socket, struct pabal__descriptor_fds *ret_fds);

/* Close what is ours still. */
void pabal__descriptor_fds_close(struct pabal__descriptor_fds *fds);

/* Are they ours? Ask before anything below, in each call. false: they are lost. A signal handler may ask. */
bool pabal__descriptor_fds_are_ours(struct pabal__descriptor_fds *fds);

/* Empty what is readable. true: somebody may have died. */
bool pabal__descriptor_fds_drain(struct pabal__descriptor_fds *fds);

/* Make it readable, now or in @ns. A signal handler may do the former. */
void pabal__descriptor_fds_set(struct pabal__descriptor_fds *fds);
void pabal__descriptor_fds_set_in(struct pabal__descriptor_fds *fds, int64_t ns);

static inline bool pabal__descriptor_fds_are_lost(const struct pabal__descriptor_fds *fds)
{
	return atomic_load_explicit(&fds->lost, memory_order_relaxed); /* alone: it says no more than that */
}

static inline bool pabal__descriptor_fds_watches(const struct pabal__descriptor_fds *fds)
{
	return fds->fds[PABAL__FD_WATCH] >= 0;
}

#endif
