/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/channel_fd.c - the pipe and the Unix datagram socket as channels: what is read and written through a descriptor.
 *
 * Descriptors are inherited, so there is nothing to attach. Messages of up to PIPE_BUF bytes go through a pipe whole even with many writers; larger ones
 * are used between two processes only.
 */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIPE_SIZE = 1 << 20 }; /* bytes: what an unprivileged process may ask for; the default of 64 KiB is slower */

static int create_pipe(struct channel *channel)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | (channel->kind->polled ? O_NONBLOCK : 0)) < 0)
		return -errno;
	fcntl(fds[0], F_SETPIPE_SZ, PIPE_SIZE);
	channel->receive_fd = fds[0];
	channel->send_fd = fds[1];
	return 0;
}

static int create_socket(struct channel *channel)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	channel->receive_fd = fds[0];
	channel->send_fd = fds[1];
	return 0;
}

static int attach_nothing(struct channel *channel)
{
	(void)channel;
	return 0;
}

static int write_all(struct channel *channel, const void *data, size_t size)
{
	const char *from = data;

	while (size) {
		ssize_t n = write(channel->send_fd, from, size);

		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			from += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int read_all(struct channel *channel, void *data, size_t size)
{
	char *to = data;

	while (size) {
		ssize_t n = read(channel->receive_fd, to, size);

		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			to += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static void close_both(struct channel *channel)
{
	close(channel->receive_fd);
	close(channel->send_fd);
}

const struct channel_kind channel_pipe = {
	.name = "pipe",
	.waiting = "block",
	.create = create_pipe,
	.attach = attach_nothing,
	.send = write_all,
	.receive = read_all,
	.destroy = close_both,
};

const struct channel_kind channel_pipe_polled = {
	.name = "pipe",
	.waiting = "polled",
	.polled = true,
	.create = create_pipe,
	.attach = attach_nothing,
	.send = write_all,
	.receive = read_all,
	.destroy = close_both,
};

const struct channel_kind channel_socket = {
	.name = "Unix datagram socket",
	.waiting = "block",
	.create = create_socket,
	.attach = attach_nothing,
	.send = write_all,
	.receive = read_all,
	.destroy = close_both,
};
