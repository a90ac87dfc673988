/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bridge.h - between an announced process and file descriptors: messages become lines, lines become messages, both ways at the same time. For "pabal announce".
 */
#ifndef PABAL_TOOLS_BRIDGE_H
#define PABAL_TOOLS_BRIDGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "inbox.h"

struct bridge {
	/* Set by the caller. */
	struct inbox inbox; /* inbox.from: the one process that we talk with; NULL: anyone */
	int out;            /* what comes as messages is written here */
	int in;             /* what is read here, line by line, goes as messages; -1: nothing */
	size_t line_max;    /* a line that is longer is told and dropped: no message can be so long */
	bool names;         /* each line begins with a name and a tab: who it is from, or for */
	bool ends_with_in;  /* when there are no more lines, it is over */
	uint64_t count;     /* it is over after so many messages that came; 0: no limit */

	/* Our own. */
	pthread_t thread;
	bool has_thread;
	int stop_event;
	_Atomic bool is_ending, peer_ended;
	pthread_mutex_t lock;
	char last[PABAL_NAME_SIZE]; /* who sent something last; under the lock */
	uint64_t received;
};

/** bridge_begin() - start the way from @in. Return: 0, or a negative errno value. */
int bridge_begin(struct bridge *bridge);

/**
 * bridge_run() - the way to @out, until the end. It does not close @out.
 * Return: 0: the end was asked for, by a signal, @count or @ends_with_in; -EPIPE, -EOWNERDEAD: the one that we talk with has ended; -EIO: @out could not be written, and why; else as inbox_next().
 */
int bridge_run(struct bridge *bridge, int *ret_write_error);

/** bridge_end() - end the other way, too, and tidy up. @drain: it ends with its last line (whoever writes there has ended); else now. */
void bridge_end(struct bridge *bridge, bool drain);

#endif
