/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/datagram.h - a named door bell: a Unix datagram socket in a directory, to which anybody who may write it sends a byte.
 *
 * A fifo would raise SIGPIPE and lose its bytes with its last reader; an event counter cannot be opened by name. Nothing here blocks.
 */
#ifndef PABAL_SRC_PLATFORM_DATAGRAM_H
#define PABAL_SRC_PLATFORM_DATAGRAM_H

#include <stdint.h>

/* A socket of that name, with these permission bits; what a dead one left under the name is removed. */
int pabal__datagram_open(int dirfd, const char *name, uint32_t mode, int *ret_socket);

/* A socket to send from, or a negative error. */
int pabal__datagram_sender(void);

/* One byte. That it is full, or gone, is as good. */
void pabal__datagram_send(int sender, int dirfd, const char *name);

#endif
