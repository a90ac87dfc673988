/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h - what senders and receivers swear to have done, in memory that outlives them.
 *
 * demo and torture do not believe the mailbox: each worker writes down what it does, and the parent compares. The ledger is memory
 * shared by the parent and its children, mapped before the first fork. It must itself be sound when its writer is killed between any
 * two instructions:
 *
 *  - A sender numbers its messages 1, 2, 3, ... It stores `intent` = n before the send and `committed` = n after it returned. So
 *    everything up to committed is in the mailbox, and at most one message, intent = committed + 1, may be there or not.
 *    A sender's number is never used again.
 *  - A receiver has a log, a ring of entries that the parent reads. An entry counts from the store of `tail`, which comes after its
 *    content. A message is entered as TAKEN before it is released, and as RELEASED after that; so it cannot go without a trace, and what
 *    is known to be released must never come again.
 *
 * Each word has one writer; the ids in it are made by ledger_id().
 */
#ifndef PABAL_TOOLS_LEDGER_H
#define PABAL_TOOLS_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LEDGER_SENDERS_MAX (UINT32_C(1) << 18) /* over time, the replaced included: 100 kills a second for an hour and a half */
#define LEDGER_WORKERS_MAX 64                  /* of each role, at any one time */
#define LEDGER_LOG_ROOM (UINT64_C(1) << 16)    /* entries; the parent reads a hundred times a second */
#define LEDGER_NUMBER_SHIFT 40                 /* an id is sender << 40 | number of its message */

enum ledger_event { LEDGER_TAKEN = 1, LEDGER_RELEASED = 2, LEDGER_DAMAGED = 3 };

struct ledger_sender {
	_Atomic uint64_t intent;    /* written by the sender */
	_Atomic uint64_t committed; /* written by the sender */
	uint64_t padding[6];        /* a cache line each */
};

struct ledger_entry {
	uint64_t id;
	uint32_t delivery_count;
	uint32_t event; /* enum ledger_event */
};

struct ledger_log {
	_Atomic uint64_t tail; /* written by the receiver: entries ever made */
	uint64_t padding_tail[7];
	_Atomic uint64_t head; /* written by the parent: entries that it has read */
	uint64_t padding_head[7];
	struct ledger_entry entries[LEDGER_LOG_ROOM];
};

/* Why a worker gave up; written by it just before it ends with status 1. */
struct ledger_note {
	char text[512];
};

struct ledger {
	_Atomic uint32_t stop; /* written by the parent: senders end after the message that they are at */
	struct ledger_note notes[2 * LEDGER_WORKERS_MAX];
	struct ledger_sender senders[LEDGER_SENDERS_MAX];
	struct ledger_log logs[LEDGER_WORKERS_MAX];
};

/** ledger_new() - map an empty ledger; only what is touched costs memory. Return: NULL if there is not enough. */
struct ledger *ledger_new(void);

/** ledger_free() - unmap it. @ledger: may be NULL. Return: NULL. */
struct ledger *ledger_free(struct ledger *ledger);

/** ledger_id() - the id of a sender's n-th message, n from 1. */
static inline uint64_t ledger_id(uint32_t sender, uint64_t n)
{
	return (uint64_t)sender << LEDGER_NUMBER_SHIFT | n;
}

/** ledger_write() - enter an event, after waiting for room if the parent is behind. Called by the receiver whose log it is. */
void ledger_write(struct ledger_log *log, uint64_t id, uint32_t delivery_count, enum ledger_event event);

/** ledger_read() - the oldest entry that was not read. Called by the parent. Return: there was one. */
bool ledger_read(struct ledger_log *log, struct ledger_entry *ret_entry);

#endif
