/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h - the parent's comparison of what was sent with what was received, from the ledger alone.
 */
#ifndef PABAL_TOOLS_AUDIT_H
#define PABAL_TOOLS_AUDIT_H

#include <stdbool.h>

#include "ledger.h"
#include "tally.h"

/* What is known of one message. */
struct audit_message {
	uint8_t deliveries; /* bit k: delivery k+1 was entered; later ones than the eighth are not told apart */
	uint8_t released;   /* 0, or the delivery whose release was confirmed; 255: that or a later one */
};

/* What is known of the messages of one sender. */
struct audit_sender {
	struct audit_message *messages; /* by number, from 1 */
	uint64_t room;
	uint64_t received; /* different ones */
};

struct audit {
	struct ledger *ledger;
	struct tally *tally;
	uint32_t senders;                          /* numbers given out so far */
	struct audit_sender *by_sender;            /* LEDGER_SENDERS_MAX of them, of which the untouched cost nothing */
	uint64_t *last_number[LEDGER_WORKERS_MAX]; /* by log, then by sender: the last first delivery */
	uint64_t taken[LEDGER_WORKERS_MAX];        /* messages that the present writer of each log took */
	uint64_t entries;                          /* read so far */
};

/** audit_init() - begin. @logs: how many logs are in use. Return: 0 or -ENOMEM; audit_deinit() is due either way. */
int audit_init(struct audit *audit, struct ledger *ledger, struct tally *tally, unsigned logs);
void audit_deinit(struct audit *audit);

/** audit_new_receiver() - the log gets another writer. The last one is dead, and what it wrote was read. */
void audit_new_receiver(struct audit *audit, unsigned log);

/** audit_read() - read what is new in a log. Return: 0 or -ENOMEM. */
int audit_read(struct audit *audit, unsigned log);

/** audit_lost() - messages that are known to be committed and were not received yet. At the end: that are lost. */
uint64_t audit_lost(const struct audit *audit);

/** audit_conclude() - fill in what the tally says about sent, received and lost. All workers are gone, all logs are read. */
void audit_conclude(struct audit *audit);

#endif
