/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h - where demo and torture have their mailbox: a directory of their own, or one that the user named.
 */
#ifndef PABAL_TOOLS_SANDBOX_H
#define PABAL_TOOLS_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

struct plan;

struct sandbox {
	const char *name;   /* of the mailbox */
	char directory[64]; /* ours, to be removed; "" if it is the user's */
	bool has_mailbox;
};

/** sandbox_open() - make the mailbox of a plan. Return: STATUS_DONE, or STATUS_FAILED with the reason reported. sandbox_close() is due either way. */
int sandbox_open(struct sandbox *sandbox, const struct plan *plan);

/** sandbox_close() - remove the mailbox, and the directory if it is ours. */
void sandbox_close(struct sandbox *sandbox);

#endif
