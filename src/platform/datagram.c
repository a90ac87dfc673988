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

enum { TRIES = 100 }; /* a guess: each failure takes a sweep of the directory within a few instructions */

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

bool pabal__datagram_unfinished(const char *name, char ret_name[PABAL__DATAGRAM_NAME_SIZE])
{
	return snprintf(ret_name, PABAL__DATAGRAM_NAME_SIZE, "%s.new", name) < PABAL__DATAGRAM_NAME_SIZE;
}

/* -ENOENT: somebody took it for a dead one, in the moment in which it has a name and is not bound yet. */
static int open_once(int dirfd, const char *name, const char *unfinished, uint32_t mode, int *ret_socket)
{
	struct sockaddr_un address;
	int fd, r = address_of(dirfd, unfinished, &address);

	if (r < 0)
		return r;
	fd = pabal__datagram_sender();
	if (fd < 0)
		return fd;
	unlinkat(dirfd, unfinished, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) || fchmodat(dirfd, unfinished, mode, 0) ||
	    renameat(dirfd, unfinished, dirfd, name)) {
		r = pabal__errno();
		unlinkat(dirfd, unfinished, 0);
		close(fd);
		return r;
	}
	*ret_socket = fd;
	return 0;
}

int pabal__datagram_open(int dirfd, const char *name, uint32_t mode, int *ret_socket)
{
	char unfinished[PABAL__DATAGRAM_NAME_SIZE];
	int r = -ENAMETOOLONG;

	if (!pabal__datagram_unfinished(name, unfinished))
		return r;
	for (int i = 0; i < TRIES; i++) {
		r = open_once(dirfd, name, unfinished, mode, ret_socket);
		if (r != -ENOENT)
			break;
	}
	return r;
}

bool pabal__datagram_is_dead(int dirfd, const char *name)
{
	struct sockaddr_un address;
	int fd = address_of(dirfd, name, &address) < 0 ? -1 : pabal__datagram_sender();
	bool dead;

	if (fd < 0)
		return false;
	dead = connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno == ECONNREFUSED;
	close(fd);
	return dead;
}

int pabal__datagram_send(int sender, int dirfd, const char *name)
{
	struct sockaddr_un address;
	int r = address_of(dirfd, name, &address);

	if (r == 0 && sendto(sender, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof address) < 0)
		r = errno == EAGAIN ? 0 : pabal__errno();
	return r;
}
