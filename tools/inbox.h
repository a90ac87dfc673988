/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbox.h - the messages that come to an announced process, one after the other: for "pabal recv @ME" and "pabal announce".
 */
#ifndef PABAL_TOOLS_INBOX_H
#define PABAL_TOOLS_INBOX_H

#include <stdbool.h>

#include <pabal/process.h>

struct inbox {
	pabal_process *self;
	const char *from;  /* from this one alone; NULL: from anyone */
	bool until_closed; /* say -EPIPE when all who sent something have ended */

	/* The message that came last. */
	char peer[PABAL_NAME_SIZE];
	char *data;
	size_t size;
	size_t room;

	char (*senders)[PABAL_NAME_SIZE]; /* until_closed, from anyone: who sent something and has not ended */
	uint32_t sender_count;
	bool is_any_ended;
};

/**
 * inbox_next() - wait for the next message.
 * Return: 0; -EPIPE: the end, in good order; -EOWNERDEAD: @inbox->peer died, and all that it had sent was received; else as pabal_process_receive().
 */
int inbox_next(struct inbox *inbox, int64_t timeout_ns);

/** inbox_free() - free what inbox_next() allocated. The process stays open. */
void inbox_free(struct inbox *inbox);

#endif
