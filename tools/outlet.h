/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outlet.h - where sent messages go: into a mailbox, or over the link with a process. What "pabal send" writes to.
 */
#ifndef PABAL_TOOLS_OUTLET_H
#define PABAL_TOOLS_OUTLET_H

#include <pabal/pabal.h>

struct outlet_options {
	const char *name;    /* a mailbox, or @PEER */
	const char *as;      /* the name under which we are announced, without its @; NULL: none in particular */
	uint64_t memory_max; /* of our direction of the link; 0: the default */
};

struct outlet {
	const struct outlet_options *options;
	pabal_mailbox *mailbox; /* or these two: */
	pabal_process *self;
	pabal_link *link;
	uint64_t size_max; /* the largest message */
};

/** outlet_open() - open the mailbox, or announce ourselves. Return: STATUS_DONE, or a status whose reason was reported. Close it either way. */
int outlet_open(struct outlet *outlet, const struct outlet_options *options);

/** outlet_connect() - have the link, if it is to a process. May be called again after -ETIMEDOUT. Return: as the library. @data: a struct outlet. */
int outlet_connect(void *data, int64_t timeout_ns);

/** outlet_send() - send one. Return: as the library. */
int outlet_send(struct outlet *outlet, const struct pabal_message_opts *message, const void *data, size_t size, int64_t timeout_ns);

/** outlet_close() - close everything. What was sent goes its way. */
void outlet_close(struct outlet *outlet);

#endif
