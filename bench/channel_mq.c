/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/channel_mq.c - the POSIX message queue as a channel.
 *
 * Its depth is limited for those who are not root (/proc/sys/fs/mqueue/msg_max, 10 by default, and RLIMIT_MSGQUEUE). The depth that was asked for is halved
 * until it is granted, and the note says what it became.
 */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/resource.h>

static int create_queue(struct channel *channel)
{
	const struct rlimit no_limit = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };
	struct mq_attr attributes = { .mq_msgsize = (long)channel->size_max };
	uint32_t wanted = channel->depth;
	char path[80];
	mqd_t queue;

	setrlimit(RLIMIT_MSGQUEUE, &no_limit); /* root only; a refusal shows below */
	snprintf(path, sizeof path, "/%s", channel->name);
	for (;;) {
		attributes.mq_maxmsg = channel->depth;
		queue = mq_open(path, O_RDWR | O_CREAT | O_EXCL | (channel->kind->polled ? O_NONBLOCK : 0), 0600, &attributes);
		if (queue >= 0)
			break;
		if ((errno != EINVAL && errno != EMFILE && errno != EPERM) || channel->depth == 1)
			return errno == EINVAL || errno == EMFILE || errno == ENOSYS ? -ENOTSUP : -errno;
		channel->depth /= 2;
	}
	mq_unlink(path); /* the descriptor is inherited */
	if (channel->depth != wanted)
		snprintf(channel->note, sizeof channel->note, "depth %u: the limits of this user allow no more", channel->depth);
	channel->receive_fd = channel->send_fd = queue;
	return 0;
}

static int attach_nothing(struct channel *channel)
{
	(void)channel;
	return 0;
}

static int send_queued(struct channel *channel, const void *data, size_t size)
{
	while (mq_send(channel->send_fd, data, size, 0) < 0) {
		if (errno != EAGAIN)
			return -errno;
	}
	return 0;
}

static int receive_queued(struct channel *channel, void *data, size_t size)
{
	(void)size; /* the caller's buffer is as large as size_max, as mq_receive() wants it */
	while (mq_receive(channel->receive_fd, data, channel->size_max, NULL) < 0) {
		if (errno != EAGAIN)
			return -errno;
	}
	return 0;
}

static void close_queue(struct channel *channel)
{
	mq_close(channel->receive_fd);
}

const struct channel_kind channel_mq = {
	.name = "POSIX mq",
	.waiting = "block",
	.create = create_queue,
	.attach = attach_nothing,
	.send = send_queued,
	.receive = receive_queued,
	.destroy = close_queue,
};

const struct channel_kind channel_mq_polled = {
	.name = "POSIX mq",
	.waiting = "polled",
	.polled = true,
	.create = create_queue,
	.attach = attach_nothing,
	.send = send_queued,
	.receive = receive_queued,
	.destroy = close_queue,
};
