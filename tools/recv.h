/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recv.h - what "pabal recv" was asked for, and its half for processes.
 */
#ifndef PABAL_TOOLS_RECV_H
#define PABAL_TOOLS_RECV_H

#include <stdbool.h>
#include <stdint.h>

struct recv_arguments {
	const char *name; /* a mailbox, or @ME */
	const char *from; /* of a process: from this one alone */
	bool lines;
	bool until_empty;
	bool until_closed;
	bool until_interrupted;
	uint64_t count; /* 0: no limit */
	int64_t timeout_ns;
};

/** recv_as_process() - pabal recv @ME. Return: the status. */
int recv_as_process(const struct recv_arguments *arguments);

#endif
