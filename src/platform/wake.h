/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/wake.h - descriptors as door bells: bytes on a socket, event counters, and sleeping until one of several is ready.
 *
 * Nothing here sleeps but pabal__wake_poll(). Errors of what merely wakes are not told: who is not woken looks again by himself, or his end is told by poll.
 */
#ifndef PABAL_SRC_PLATFORM_WAKE_H
#define PABAL_SRC_PLATFORM_WAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pabal__wake_inode {
	dev_t dev;
	ino_t ino;
};

/* An event counter of this process alone; readable while it is set. The descriptor, or a negative error. */
int pabal__wake_open(void);
void pabal__wake_set(int fd); /* a signal handler may call it */
void pabal__wake_clear(int fd);

/*
 * Another counter of this process alone, which is readable while it is set: a socket that is its own other end. So it has an inode, and can be told from any file that has its number after the program closed it. Set by
 * pabal__wake_send(), cleared by pabal__wake_drain(). The descriptor, or a negative error.
 */
int pabal__wake_open_known(struct pabal__wake_inode *ret_inode);
bool pabal__wake_is_known(int fd, const struct pabal__wake_inode *inode); /* a signal handler may ask */

/* One byte to the other side. That its socket is full is as good: then there is something to read already. */
void pabal__wake_send(int socket);

enum { PABAL__WAKE_MAX = 16 /* an honest peer sends one byte for each time that we asked, so there are one or two */ };

/* Swallow up to @count_max of what came; descriptors that came along are closed by the kernel. Was there anything? */
bool pabal__wake_drain(int socket, uint32_t count_max);

enum { PABAL__WAKE_FDS = 4 };

enum pabal__wake_ready { PABAL__WAKE_READY = 1, PABAL__WAKE_HUNG_UP = 2 };

/*
 * Sleep until one of @count descriptors (-1: left out) is readable or hung up, for at most @duration_ns (INT64_MAX: without an end). Fills @ret_ready with
 * enum pabal__wake_ready. How many are ready; 0: the time is over; -EINTR: a signal handler ran.
 */
int pabal__wake_poll(const int *fds, uint32_t count, int64_t duration_ns, uint32_t *ret_ready);

/* An epoll descriptor of the same, level-triggered, or a negative error. */
int pabal__wake_group(const int *fds, uint32_t count);

/* Is @group such a descriptor, and was this file, under this number, @fds[@index] of it? A signal handler may ask. */
bool pabal__wake_group_has(int group, int fd, uint32_t index);

/* A bit for each that is ready. One may be left out while somebody else looks at the same time. */
uint32_t pabal__wake_group_ready(int group);

#endif
