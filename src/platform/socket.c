/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/socket.c - SOCK_SEQPACKET sockets of the Unix family.
 *
 * A socket's path holds 107 bytes at most, and directories may be deeper than that. So it is always named through /proc/self/fd/<the directory>.
 */
#include "platform/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

enum { BACKLOG = 128 }; /* connections that wait to be accepted; a guess, the kernel caps it by net.core.somaxconn */

static int open_socket(int *ret_socket)
{
	int socket_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (socket_fd < 0)
		return errno == ENFILE ? -EMFILE : pabal__errno();
	*ret_socket = socket_fd;
	return 0;
}

static int address_of(int dirfd, const char *name, struct sockaddr_un *ret_address)
{
	int length;

	memset(ret_address, 0, sizeof *ret_address);
	ret_address->sun_family = AF_UNIX;
	length = snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "/proc/self/fd/%d/%s", dirfd, name);
	return length < (int)sizeof ret_address->sun_path ? 0 : -ENAMETOOLONG;
}

int pabal__socket_listen(int dirfd, const char *name, uint32_t mode, int *ret_socket)
{
	struct sockaddr_un address;
	int socket_fd = -1, r;

	r = address_of(dirfd, name, &address);
	if (r == 0)
		r = open_socket(&socket_fd);
	if (r < 0)
		return r;
	if (bind(socket_fd, (struct sockaddr *)&address, sizeof address)) {
		r = pabal__errno();
	} else if (fchmodat(dirfd, name, mode, 0) || listen(socket_fd, BACKLOG)) {
		r = pabal__errno();
		unlinkat(dirfd, name, 0);
	}
	if (r < 0) {
		close(socket_fd);
		return r;
	}
	*ret_socket = socket_fd;
	return 0;
}

int pabal__socket_connect(int dirfd, const char *name, int *ret_socket)
{
	struct sockaddr_un address;
	int socket_fd = -1, r;

	r = address_of(dirfd, name, &address);
	if (r == 0)
		r = open_socket(&socket_fd);
	if (r < 0)
		return r;
	while (connect(socket_fd, (struct sockaddr *)&address, sizeof address)) {
		if (errno == EINTR)
			continue;
		r = pabal__errno();
		close(socket_fd);
		return r;
	}
	*ret_socket = socket_fd;
	return 0;
}

int pabal__socket_accept(int listener, int *ret_socket)
{
	int socket_fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (socket_fd < 0) {
		if (errno == ECONNABORTED || errno == EINTR)
			return -EAGAIN;
		return errno == ENFILE ? -EMFILE : pabal__errno();
	}
	*ret_socket = socket_fd;
	return 0;
}

int pabal__socket_pair(int ret_sockets[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_sockets))
		return errno == ENFILE ? -EMFILE : pabal__errno();
	return 0;
}

int pabal__packet_send(int socket_fd, const void *data, size_t size, const int *fds, uint32_t fd_count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * PABAL__PACKET_FDS)];
	} control;
	struct iovec part = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd_count > PABAL__PACKET_FDS)
		return -EINVAL;
	if (fd_count) {
		memset(&control, 0, sizeof control);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
	}
	while (sendmsg(socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == ECONNRESET || errno == ENOTCONN)
			return -EPIPE;
		return errno == ETOOMANYREFS ? -EMFILE : errno == ENOBUFS ? -EAGAIN : pabal__errno();
	}
	return 0;
}

/* Keep the first @fd_max of the descriptors in this control message, close the others. */
static void keep_fds(const struct cmsghdr *header, int *ret_fds, uint32_t fd_max, uint32_t *count, bool *ret_short)
{
	const unsigned char *from = CMSG_DATA(header);
	size_t given = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < given; i++) {
		int fd;

		memcpy(&fd, from + i * sizeof fd, sizeof fd);
		if (*count < fd_max) {
			ret_fds[(*count)++] = fd;
		} else {
			close(fd);
			*ret_short = true;
		}
	}
}

ssize_t pabal__packet_receive(int socket_fd, void *data, size_t size_max, int *ret_fds, uint32_t fd_max, uint32_t *ret_fd_count, bool *ret_short)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * PABAL__PACKET_FDS)];
	} control;
	struct iovec part = { .iov_base = data, .iov_len = size_max };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t size;

	do {
		size = recvmsg(socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
	} while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == ECONNRESET ? 0 : pabal__errno();
	*ret_fd_count = 0;
	*ret_short = message.msg_flags & MSG_CTRUNC;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
			keep_fds(header, ret_fds, fd_max, ret_fd_count, ret_short);
	return size;
}

int pabal__socket_peer(int socket_fd, struct pabal__credentials *ret_peer)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return pabal__errno();
	ret_peer->pid = peer.pid;
	ret_peer->uid = peer.uid;
	ret_peer->gid = peer.gid;
	return 0;
}

int pabal__socket_peer_pidfd(int socket_fd, int *ret_pidfd)
{
	socklen_t size = sizeof *ret_pidfd;
	int pidfd = -1;

	if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size))
		return errno == ENOPROTOOPT || errno == ENOSYS || errno == EPERM ? -ENOTSUP : errno == ENFILE ? -EMFILE : pabal__errno();
	fcntl(pidfd, F_SETFD, FD_CLOEXEC);
	*ret_pidfd = pidfd;
	return 0;
}

int pabal__pid_open(pid_t pid, int *ret_pidfd)
{
	long pidfd = syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return errno == ENOSYS || errno == EPERM ? -ENOTSUP : errno == ENFILE ? -EMFILE : pabal__errno();
	*ret_pidfd = (int)pidfd;
	return 0;
}

bool pabal__socket_is_packet(int fd)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

bool pabal__socket_hung_up(int socket_fd)
{
	struct pollfd poll_fd = { .fd = socket_fd, .events = 0 };

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR | POLLNVAL));
}
