/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c - what was sent against what was received.
 *
 * The rules, each message by itself, whatever order the logs are read in:
 *  - up to `committed` of its sender: it must have been received; that one beyond (intent): it may; further on: it was never sent.
 *  - each delivery count may be entered once: twice the same is a message in two hands.
 *  - after a confirmed release of delivery k no later delivery may exist: it came back from nobody's death.
 *  - one receiver gets the first deliveries of one sender in the order in which they were sent.
 * The logs are read all the time, so a run may last as long as there are two bytes of memory for each message.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"

#define NUMBER_MASK ((UINT64_C(1) << LEDGER_NUMBER_SHIFT) - 1)
#define FIRST_ROOM 4096

int audit_init(struct audit *audit, struct ledger *ledger, struct tally *tally, unsigned logs)
{
	*audit = (struct audit){ .ledger = ledger, .tally = tally };
	audit->by_sender = calloc(LEDGER_SENDERS_MAX, sizeof(*audit->by_sender));
	if (!audit->by_sender)
		return -ENOMEM;
	for (unsigned i = 0; i < logs; i++) {
		audit->last_number[i] = calloc(LEDGER_SENDERS_MAX, sizeof(uint64_t));
		if (!audit->last_number[i])
			return -ENOMEM;
	}
	return 0;
}

void audit_deinit(struct audit *audit)
{
	for (uint32_t i = 0; audit->by_sender && i < audit->senders; i++)
		free(audit->by_sender[i].messages);
	free(audit->by_sender);
	for (unsigned i = 0; i < LEDGER_WORKERS_MAX; i++)
		free(audit->last_number[i]);
}

void audit_new_receiver(struct audit *audit, unsigned log)
{
	memset(audit->last_number[log], 0, audit->senders * sizeof(uint64_t));
	audit->taken[log] = 0;
}

static struct audit_message *find_message(struct audit_sender *sender, uint64_t number)
{
	struct audit_message *larger;
	uint64_t room = sender->room ? sender->room : FIRST_ROOM;

	while (room <= number)
		room *= 2;
	if (room > sender->room) {
		larger = realloc(sender->messages, room * sizeof(*larger));
		if (!larger)
			return NULL;
		memset(larger + sender->room, 0, (room - sender->room) * sizeof(*larger));
		sender->messages = larger;
		sender->room = room;
	}
	return &sender->messages[number];
}

static unsigned delivery_bit(uint32_t delivery)
{
	return 1u << (delivery < 8 ? delivery - 1 : 7);
}

static void check_order(struct audit *audit, unsigned log, uint32_t sender, uint64_t number)
{
	uint64_t *last = &audit->last_number[log][sender];

	if (number < *last) { /* twice the same is told by enter_delivery() */
		audit->tally->disordered++;
		tally_find(audit->tally, "one receiver got message %" PRIu64 " of sender %" PRIu32 " after message %" PRIu64, number, sender + 1,
			   *last);
	} else {
		*last = number;
	}
}

static void enter_delivery(struct audit *audit, struct audit_message *message, struct audit_sender *sender, const struct ledger_entry *entry)
{
	unsigned bit = delivery_bit(entry->delivery_count);
	bool is_again = entry->delivery_count < 8 && (message->deliveries & bit);
	bool is_after_release = message->released > 0 && message->released < 255 && entry->delivery_count > message->released;

	if (is_again || is_after_release) {
		audit->tally->doubled++;
		tally_find(audit->tally, "message %" PRIu64 " of sender %" PRIu64 " was delivered %s (delivery %" PRIu32 ")", entry->id & NUMBER_MASK,
			   (entry->id >> LEDGER_NUMBER_SHIFT) + 1, is_again ? "twice" : "again after its release", entry->delivery_count);
	}
	if (message->deliveries == 0)
		sender->received++;
	if (entry->delivery_count > 1)
		audit->tally->redelivered++;
	message->deliveries |= (uint8_t)bit;
}

static void enter_release(struct audit *audit, struct audit_message *message, const struct ledger_entry *entry)
{
	/* All deliveries after this one, as far as they are told apart. */
	unsigned later = entry->delivery_count < 8 ? 0xffu << entry->delivery_count & 0xffu : 0;

	if (message->released > 0 || (message->deliveries & later)) {
		audit->tally->doubled++;
		tally_find(audit->tally, "message %" PRIu64 " of sender %" PRIu64 " came again after its release (delivery %" PRIu32 ")",
			   entry->id & NUMBER_MASK, (entry->id >> LEDGER_NUMBER_SHIFT) + 1, entry->delivery_count);
	}
	message->released = entry->delivery_count < 255 ? (uint8_t)entry->delivery_count : 255;
}

/* An id that no sender can have made. The intent was stored before the send, so whoever has the message can see it. */
static bool is_invented(const struct audit *audit, uint32_t sender, uint64_t number, uint32_t delivery_count)
{
	return sender >= audit->senders || number == 0 || delivery_count == 0 || number > atomic_load(&audit->ledger->senders[sender].intent);
}

static int enter(struct audit *audit, unsigned log, const struct ledger_entry *entry)
{
	uint32_t sender = (uint32_t)(entry->id >> LEDGER_NUMBER_SHIFT);
	uint64_t number = entry->id & NUMBER_MASK;
	struct audit_message *message;

	if (entry->event == LEDGER_DAMAGED) {
		audit->tally->damaged++;
		tally_find(audit->tally, "a message was received that is not as it was sent (it says: message %" PRIu64 " of sender %" PRIu32 ")",
			   number, sender + 1);
		return 0;
	}
	if (is_invented(audit, sender, number, entry->delivery_count)) {
		audit->tally->invented++;
		tally_find(audit->tally, "message %" PRIu64 " of sender %" PRIu32 " was received (delivery %" PRIu32 "), but never sent", number,
			   sender + 1, entry->delivery_count);
		return 0;
	}
	message = find_message(&audit->by_sender[sender], number);
	if (!message)
		return -ENOMEM;
	if (entry->event == LEDGER_RELEASED) {
		enter_release(audit, message, entry);
		return 0;
	}
	audit->taken[log]++;
	if (entry->delivery_count == 1)
		check_order(audit, log, sender, number);
	enter_delivery(audit, message, &audit->by_sender[sender], entry);
	return 0;
}

int audit_read(struct audit *audit, unsigned log)
{
	struct ledger_entry entry;
	int r = 0;

	while (r == 0 && ledger_read(&audit->ledger->logs[log], &entry)) {
		audit->entries++;
		r = enter(audit, log, &entry);
	}
	return r;
}

static bool was_received(const struct audit_sender *sender, uint64_t number)
{
	return number < sender->room && sender->messages[number].deliveries != 0;
}

/* Received ones up to `committed`: all of them but the one that its sender does not know about. */
static uint64_t lost_of(const struct audit *audit, uint32_t sender)
{
	const struct audit_sender *known = &audit->by_sender[sender];
	uint64_t committed = atomic_load(&audit->ledger->senders[sender].committed);
	uint64_t beyond = was_received(known, committed + 1) ? 1 : 0;

	return committed - (known->received - beyond);
}

uint64_t audit_lost(const struct audit *audit)
{
	uint64_t lost = 0;

	for (uint32_t i = 0; i < audit->senders; i++)
		lost += lost_of(audit, i);
	return lost;
}

static uint64_t first_lost(const struct audit *audit, uint32_t sender)
{
	uint64_t number = 1;

	while (was_received(&audit->by_sender[sender], number))
		number++;
	return number;
}

void audit_conclude(struct audit *audit)
{
	struct tally *tally = audit->tally;
	uint64_t lost;

	for (uint32_t i = 0; i < audit->senders; i++) {
		lost = lost_of(audit, i);
		tally->received += audit->by_sender[i].received;
		tally->sent += audit->by_sender[i].received + lost;
		tally->lost += lost;
		if (lost > 0)
			tally_find(tally, "message %" PRIu64 " of sender %" PRIu32 " was sent and never received", first_lost(audit, i), i + 1);
	}
}
