/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - the processes of demo and torture: what a sender and a receiver do until they are told to stop, or killed.
 */
#ifndef PABAL_TOOLS_WORKER_H
#define PABAL_TOOLS_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "ledger.h"
#include "plan.h"

/** The signal that tells a receiver to stop as soon as the mailbox is empty. */
#define WORKER_SIGNAL SIGUSR1

enum role { ROLE_SENDER, ROLE_RECEIVER };

struct post {
	enum role role;
	uint32_t number; /* a sender: its number in the ledger; a receiver: its log */
	const char *mailbox;
	const struct plan *plan;
	struct ledger *ledger;
	struct ledger_note *note;
	uint64_t seed;
};

/** worker_start() - fork a worker. It never returns in the child, and dies with its parent. Return: its pid, or a negative errno. */
pid_t worker_start(const struct post *post);

/** worker_fail() - write down why the last pabal call failed, and end this worker. */
_Noreturn void worker_fail(const struct post *post, const char *what, int error);

/** sender_run(), receiver_run() - what the child does. */
_Noreturn void sender_run(const struct post *post);
_Noreturn void receiver_run(const struct post *post);

#endif
