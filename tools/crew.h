/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.h - the worker processes of a run: started, killed, replaced, watched and brought to an end by their parent.
 */
#ifndef PABAL_TOOLS_CREW_H
#define PABAL_TOOLS_CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit.h"
#include "plan.h"
#include "random.h"
#include "tally.h"
#include "worker.h"

struct worker {
	enum role role;
	pid_t pid;        /* 0: there is none */
	bool is_doomed;   /* SIGKILL was sent, by us */
	bool is_finished; /* it came to its end as it should */
	uint32_t number;  /* a sender's number; a receiver's log */
	int64_t died_ns;  /* if pid is 0 */
};

struct crew {
	const struct plan *plan;
	const char *mailbox;
	struct ledger *ledger;
	struct audit audit;
	struct tally tally;
	struct random random;
	unsigned count; /* of workers: the senders first */
	struct worker workers[2 * LEDGER_WORKERS_MAX];
	bool is_ending;  /* the senders were told to stop: those that end are not missed */
	bool is_closing; /* the receivers were, too: none is started any more */
	bool is_failed;  /* a worker failed: no more kills, nobody is replaced, what is there is brought to its end */
};

/** crew_init() - prepare; nobody is started. Return: 0 or -ENOMEM. crew_deinit() is due either way. */
int crew_init(struct crew *crew, const struct plan *plan, const char *mailbox);

/** crew_deinit() - kill whoever is left, and wait for their end. */
void crew_deinit(struct crew *crew);

/** crew_tend() - read the logs, see who died, replace the dead. @is_replacing: those of both roles, else receivers only. */
void crew_tend(struct crew *crew, bool is_replacing);

/** crew_kill_one() - SIGKILL to one of them, whoever the dice choose. */
void crew_kill_one(struct crew *crew);

/** crew_stop_senders(), crew_stop_receivers() - tell them to come to an end. */
void crew_stop_senders(struct crew *crew);
void crew_stop_receivers(struct crew *crew);

/** crew_running() - how many of that role there are, the doomed included. */
unsigned crew_running(const struct crew *crew, enum role role);

/** crew_progress() - messages that a worker has sent or taken. */
uint64_t crew_progress(const struct crew *crew, const struct worker *worker);

/** crew_sent(), crew_received() - counts so far, for the eye; the tally is made at the end. */
uint64_t crew_sent(const struct crew *crew);
uint64_t crew_received(const struct crew *crew);

#endif
