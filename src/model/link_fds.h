/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_fds.h - open descriptors that travel with messages of a link.
 *
 * They go over a socket of their own, one a direction, before their message is committed. Each lot bears a number, so that a lot whose message was never committed is
 * told from the next. The data path calls this; the handshake makes the sockets.
 */
#ifndef PABAL_SRC_MODEL_LINK_FDS_H
#define PABAL_SRC_MODEL_LINK_FDS_H

#include <stdint.h>

/* Send duplicates of @count descriptors (1 to PABAL_LINK_FDS_MAX) as lot @number. 0; 1: no room in the socket now, the peer makes some; 2: none in the kernel now, which is told to nobody when there is some; -EPIPE: nobody has its other end any more; -EBADF, -ENOTSUP ... Never sleeps. */
int pabal__link_fds_send(int socket, uint32_t number, const int *fds, uint32_t count);

/*
 * Fetch lot @number, which is there already if the peer is honest; older lots are closed. Fills @ret_fds with @count descriptors, close-on-exec; -1 for
 * one that did not come. 0, -EBADMSG (no such lot, or not as many; surplus ones are closed), -EMFILE. Never sleeps.
 */
int pabal__link_fds_receive(int socket, uint32_t number, uint32_t count, int *ret_fds);

#endif
