/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/datagram.h - a named door bell: a Unix datagram socket in a directory, to which anybody who may write it sends a byte.
 *
 * A fifo would raise SIGPIPE and lose its bytes with its last reader; an event counter cannot be opened by name. Nothing here blocks.
 */
#ifndef PABAL_SRC_PLATFORM_DATAGRAM_H
#define PABAL_SRC_PLATFORM_DATAGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { PABAL__DATAGRAM_NAME_SIZE = 96 };

/*
 * A socket of that name, with these permission bits; what a dead one left under the name is removed. It is bound under another name first, and has this one when
 * whoever connects to it is answered, and not before.
 */
int pabal__datagram_open(int dirfd, const char *name, uint32_t mode, int *ret_socket);

/* A socket to send from, or a negative error. */
int pabal__datagram_sender(void);

/* The name under which that socket is made. false: it is too long, and no socket's. */
bool pabal__datagram_unfinished(const char *name, char ret_name[PABAL__DATAGRAM_NAME_SIZE]);

/*
 * Does nobody hold the socket of that name any more? An unfinished one may be in the middle of being bound, and refuse all the same: whoever makes it looks whether it lost
 * its name, and begins again. The caller has seen that it is a socket.
 */
bool pabal__datagram_is_dead(int dirfd, const char *name);

/* One byte. 0: it is there; that the socket is full is as good. Else why it is not. */
int pabal__datagram_send(int sender, int dirfd, const char *name);

#endif
