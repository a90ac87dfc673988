/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/channel.h - one way of passing messages, ours or a peer's, behind the same few calls.
 *
 * The process that measures creates a channel and forks those who use it; each of them attaches for itself. What differs between the ways is in the
 * channel_*.c files, so that every measurement drives all of them with the same loop.
 */
#ifndef PABAL_BENCH_CHANNEL_H
#define PABAL_BENCH_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pabal/pabal.h>

struct channel_kind;

struct channel {
	const struct channel_kind *kind;
	size_t size_max; /* bytes of the largest message */
	uint32_t depth;  /* messages that may wait, where this can be chosen; create() may lower it, and says so in the note */
	char name[64];   /* of the object */
	char note[64];
	int receive_fd, send_fd;
	pabal_mailbox *mailbox; /* of the process that attached */
};

struct channel_kind {
	const char *name;
	const char *waiting; /* "spin", "block", "adaptive", "polled" */
	uint32_t flags;      /* of the handle (pabal), or type of the socket */
	bool polled;         /* non-blocking, tried again and again */
	/* All return 0 or a negative errno value; send and receive move one message whole. */
	int (*create)(struct channel *channel);
	int (*attach)(struct channel *channel);
	int (*send)(struct channel *channel, const void *data, size_t size);
	int (*receive)(struct channel *channel, void *data, size_t size);
	void (*destroy)(struct channel *channel);
};

extern const struct channel_kind channel_pabal_spin, channel_pabal_adaptive, channel_pabal_block;
extern const struct channel_kind channel_pipe, channel_pipe_polled;
extern const struct channel_kind channel_mq, channel_mq_polled;
extern const struct channel_kind channel_socket;

/* Create a channel of a kind, under a name of its own. */
int channel_create(const struct channel_kind *kind, size_t size_max, uint32_t depth, struct channel *ret_channel);

#endif
