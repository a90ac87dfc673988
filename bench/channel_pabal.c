/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/channel_pabal.c - a mailbox as a channel; and the naming that all channels share.
 */
#include "channel.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int channel_create(const struct channel_kind *kind, size_t size_max, uint32_t depth, struct channel *ret_channel)
{
	static unsigned count;

	memset(ret_channel, 0, sizeof *ret_channel);
	ret_channel->kind = kind;
	ret_channel->size_max = size_max;
	ret_channel->depth = depth;
	ret_channel->receive_fd = ret_channel->send_fd = -1;
	snprintf(ret_channel->name, sizeof ret_channel->name, "bench-%d-%u", (int)getpid(), count++);
	return kind->create(ret_channel);
}

static int create_mailbox(struct channel *channel)
{
	struct pabal_mailbox_opts opts = { .struct_size = sizeof opts, .capacity = channel->depth };
	pabal_mailbox *mailbox;
	int r;

	if (channel->size_max > 65536)
		opts.memory_max = 64 * (uint64_t)channel->size_max;
	r = pabal_mailbox_create(channel->name, &opts, &mailbox);
	if (r == 0)
		pabal_mailbox_close(mailbox);
	return r;
}

static int attach_mailbox(struct channel *channel)
{
	struct pabal_mailbox_opts opts = { .struct_size = sizeof opts, .flags = channel->kind->flags };

	return pabal_mailbox_open(channel->name, &opts, &channel->mailbox);
}

static int send_message(struct channel *channel, const void *data, size_t size)
{
	return pabal_mailbox_send(channel->mailbox, data, size, PABAL_FOREVER);
}

static int receive_message(struct channel *channel, void *data, size_t size)
{
	return pabal_mailbox_receive(channel->mailbox, data, size, NULL, PABAL_FOREVER);
}

static void destroy_mailbox(struct channel *channel)
{
	pabal_mailbox_destroy(channel->name);
}

#define PABAL_CHANNEL(how, handle_flags)                                                                                        \
	{                                                                                                                       \
		.name = "pabal", .waiting = (how), .flags = (handle_flags), .create = create_mailbox, .attach = attach_mailbox, \
		.send = send_message, .receive = receive_message, .destroy = destroy_mailbox                                    \
	}

const struct channel_kind channel_pabal_spin = PABAL_CHANNEL("spin", PABAL_WAIT_SPIN);
const struct channel_kind channel_pabal_adaptive = PABAL_CHANNEL("adaptive", 0);
const struct channel_kind channel_pabal_block = PABAL_CHANNEL("block", PABAL_WAIT_BLOCK);
