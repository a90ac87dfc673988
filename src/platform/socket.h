/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/socket.h - Unix sockets that keep packets apart, their descriptors, and what the kernel knows of the other end.
 *
 * Nothing here ever blocks. Every function returns 0 or more, or a negative errno value, and says nothing.
 */
#ifndef PABAL_SRC_PLATFORM_SOCKET_H
#define PABAL_SRC_PLATFORM_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PABAL__PACKET_FDS = 64 }; /* the most descriptors one packet may carry here; the kernel's limit is 253 */

/* A listening socket named @name in the directory, with these permission bits. It can be connected to only once it has them. */
int pabal__socket_listen(int dirfd, const char *name, uint32_t mode, int *ret_socket);

/* Connect to it. -ECONNREFUSED, -ENOENT: nobody listens; -EAGAIN: too many others are being answered; -EACCES. */
int pabal__socket_connect(int dirfd, const char *name, int *ret_socket);

/* The next connection; -EAGAIN: there is none. */
int pabal__socket_accept(int listener, int *ret_socket);

/* Two connected sockets. */
int pabal__socket_pair(int ret_sockets[2]);

/* One packet, with descriptors. -EAGAIN: no room; -EPIPE: the other end is gone; never SIGPIPE. */
int pabal__packet_send(int socket, const void *data, size_t size, const int *fds, uint32_t fd_count);

/*
 * One packet. Up to @fd_max descriptors that came with it are the caller's, close-on-exec; more are closed. Returns the size of the packet, which may be more than @size_max: then it was cut.
 * 0: the other end is gone (an empty packet counts as that). -EAGAIN. @ret_short: descriptors were lost, since there were too many, or no number was free for them.
 */
ssize_t pabal__packet_receive(int socket, void *data, size_t size_max, int *ret_fds, uint32_t fd_max, uint32_t *ret_fd_count, bool *ret_short);

struct pabal__credentials {
	pid_t pid; /* 0: it lives in a pid namespace that is not visible from here */
	uid_t uid;
	gid_t gid;
};

/* Who connected, or who listened, as the kernel wrote it down at that moment. */
int pabal__socket_peer(int socket, struct pabal__credentials *ret_peer);

/*
 * A pidfd of that process. -ENOTSUP: this kernel cannot say it of a socket (before 6.5). Then pabal__pid_open() serves, after which the caller must make sure that the process still
 * was the one that it means.
 */
int pabal__socket_peer_pidfd(int socket, int *ret_pidfd);
int pabal__pid_open(pid_t pid, int *ret_pidfd);

/* Is it a Unix socket that keeps packets apart? What else a stranger may hand over is refused. */
bool pabal__socket_is_packet(int fd);

/* Has the other end hung up? */
bool pabal__socket_hung_up(int socket);

#endif
