/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/wake.c - socket, send, recv, eventfd, ppoll, epoll.
 *
 * ppoll, not poll: the kernel goes on with it after SIGSTOP and SIGCONT, and it ends with EINTR when a handler ran, whatever SA_RESTART says.
 */
#include "platform/wake.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

int pabal__wake_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? pabal__errno() : fd;
}

void pabal__wake_set(int fd)
{
	uint64_t one = 1;
	int saved = errno;

	if (write(fd, &one, sizeof one) < 0) {
		/* It is full, and so readable. */
	}
	errno = saved;
}

void pabal__wake_clear(int fd)
{
	uint64_t count;
	int saved = errno;

	if (read(fd, &count, sizeof count) < 0) {
		/* It was clear. */
	}
	errno = saved;
}

/* Without a name of ours: the kernel gives it one in its own name space. As soon as it is its own peer it takes nothing from others. */
static int connect_to_itself(int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof address;

	if (bind(fd, (struct sockaddr *)&address, sizeof address.sun_family) || getsockname(fd, (struct sockaddr *)&address, &size) ||
	    connect(fd, (struct sockaddr *)&address, size))
		return pabal__errno();
	return 0;
}

int pabal__wake_open_known(struct pabal__wake_inode *ret_inode)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;
	struct stat st;

	if (fd < 0)
		return pabal__errno();
	r = connect_to_itself(fd);
	if (r == 0 && fstat(fd, &st))
		r = pabal__errno();
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_inode = (struct pabal__wake_inode){ .dev = st.st_dev, .ino = st.st_ino };
	return fd;
}

bool pabal__wake_is_known(int fd, const struct pabal__wake_inode *inode)
{
	int saved = errno;
	struct stat st;
	bool known = fstat(fd, &st) == 0 && st.st_dev == inode->dev && st.st_ino == inode->ino;

	errno = saved;
	return known;
}

void pabal__wake_send(int socket)
{
	int saved = errno;

	if (send(socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		/* Full: it is readable there. Gone: poll tells. */
	}
	errno = saved;
}

bool pabal__wake_drain(int socket, uint32_t count_max)
{
	int saved = errno;
	uint32_t count = 0;
	char byte;

	while (count < count_max && recv(socket, &byte, 1, MSG_DONTWAIT) > 0)
		count++;
	errno = saved;
	return count > 0;
}

int pabal__wake_poll(const int *fds, uint32_t count, int64_t duration_ns, uint32_t *ret_ready)
{
	struct timespec duration = { .tv_sec = duration_ns / 1000000000, .tv_nsec = duration_ns % 1000000000 };
	struct pollfd polls[PABAL__WAKE_FDS];
	int saved = errno, r;

	for (uint32_t i = 0; i < count; i++)
		polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN | POLLRDHUP };
	r = ppoll(polls, count, duration_ns == INT64_MAX ? NULL : &duration, NULL);
	if (r < 0)
		r = errno == EINTR ? -EINTR : pabal__errno();
	for (uint32_t i = 0; i < count; i++) {
		int got = r > 0 ? polls[i].revents : 0;

		ret_ready[i] = (got & POLLIN ? PABAL__WAKE_READY : 0u) | (got & (POLLHUP | POLLRDHUP | POLLERR) ? PABAL__WAKE_HUNG_UP : 0u);
	}
	errno = saved;
	return r;
}

static struct epoll_event event_of(uint32_t index)
{
	return (struct epoll_event){ .events = EPOLLIN | EPOLLRDHUP, .data.u32 = index };
}

int pabal__wake_group(const int *fds, uint32_t count)
{
	int group = epoll_create1(EPOLL_CLOEXEC);

	if (group < 0)
		return pabal__errno();
	for (uint32_t i = 0; i < count; i++) {
		struct epoll_event event = event_of(i);

		if (fds[i] >= 0 && epoll_ctl(group, EPOLL_CTL_ADD, fds[i], &event)) {
			int r = pabal__errno();

			close(group);
			return r;
		}
	}
	return group;
}

bool pabal__wake_group_has(int group, int fd, uint32_t index)
{
	struct epoll_event event = event_of(index);

	/* To what it is already: it succeeds for the very file alone that was added under this number. */
	return epoll_ctl(group, EPOLL_CTL_MOD, fd, &event) == 0;
}

uint32_t pabal__wake_group_ready(int group)
{
	struct epoll_event events[PABAL__WAKE_FDS];
	int count = epoll_wait(group, events, PABAL__WAKE_FDS, 0);
	uint32_t ready = 0;

	for (int i = 0; i < count; i++)
		ready |= 1u << events[i].data.u32 % 32;
	return ready;
}
