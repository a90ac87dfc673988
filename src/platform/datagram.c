/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/datagram.c - socket, bind, sendto.
 *
 * A socket's path holds 107 bytes at most, and directories may be deeper than that. So it is always named through /proc/self/fd/<the directory>.
 */
#include "platform/datagram.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

static int address_of(int dirfd, const char *name, struct sockaddr_un *ret_address)
{
	int length;

	memset(ret_address, 0, sizeof *ret_address);
	ret_address->sun_family = AF_UNIX;
	length = snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "/proc/self/fd/%d/%s", dirfd, name);
	return length < (int)sizeof ret_address->sun_path ? 0 : -ENAMETOOLONG;
}

int pabal__datagram_sender(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? (errno == ENFILE ? -EMFILE : pabal__errno()) : fd;
}

int pabal__datagram_open(int dirfd, const char *name, uint32_t mode, int *ret_socket)
{
	struct sockaddr_un address;
	int fd, r = address_of(dirfd, name, &address);

	if (r < 0)
		return r;
	fd = pabal__datagram_sender();
	if (fd < 0)
		return fd;
	unlinkat(dirfd, name, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) || fchmodat(dirfd, name, mode, 0)) {
		r = pabal__errno();
		close(fd);
		return r;
	}
	*ret_socket = fd;
	return 0;
}

void pabal__datagram_send(int sender, int dirfd, const char *name)
{
	struct sockaddr_un address;

	if (address_of(dirfd, name, &address) == 0 &&
	    sendto(sender, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof address) < 0) {
		/* Full: it is readable there. Gone: nobody wants to know. */
	}
}
