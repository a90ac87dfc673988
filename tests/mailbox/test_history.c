/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_history - many senders and receivers, some of them killed at random; the ledger must balance.
 *
 * Each message has a sender, a number and a checksum. The ledger, in memory that all share, notes before each send what is about to be sent, and after it what
 * was; and for each message how often it was delivered first (delivery_count 1), again, and done with. Then:
 *   - a message that a send has returned 0 for is done with exactly once (released, by somebody who was not killed before it), or is found at the end;
 *   - one whose sender was killed in the call is there or not; nothing else is ever delivered;
 *   - no message is delivered twice with delivery_count 1;
 *   - first deliveries that one receiver sees come in each sender's order.
 * A receiver takes, notes, releases, notes: killed between the release and the note, the message is released but not noted; a mark for that is set before.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

enum { SENDERS = 64, NUMBERS = 20000, LARGEST = 60000, RECEIVERS = 256 };

struct entry {
	_Atomic unsigned char intended, committed, seen, first, releasing, released;
};

struct game {
	uint32_t flags, capacity, senders, receivers, kills;
	uint64_t memory_max;
};

struct ledger {
	struct game game;
	_Atomic uint64_t next_sender, stop_sending, sent, received, again, requeued;
	struct entry entries[SENDERS][NUMBERS];
};

static struct ledger *ledger;
static int64_t redelivered_by_death; /* in all games */

static pabal_mailbox *join(void)
{
	pabal_mailbox *a;

	child_equal(pabal_mailbox_open("a", OPTS(.flags = ledger->game.flags), &a), 0);
	return a;
}

static size_t some_size(uint64_t *random)
{
	uint32_t number = next_random(random);

	return 16 + (number % 8 ? next_random(random) % 200 : next_random(random) % (LARGEST - 16));
}

static int sender(void *data)
{
	uint32_t me = *(uint32_t *)data;
	uint64_t random = me * 77 + 1;
	char *message = malloc(LARGEST);
	pabal_mailbox *a = join();

	for (uint32_t number = 0; number < NUMBERS && !atomic_load(&ledger->stop_sending); number++) {
		struct entry *entry = &ledger->entries[me][number];
		size_t size = some_size(&random);

		message_fill(message, size, me, number);
		atomic_store(&entry->intended, 1);
		if (number % 3 == 0) {
			struct pabal_loan loan;

			child_equal(pabal_mailbox_loan(a, size, &loan, PABAL_FOREVER), 0);
			memcpy(loan.data, message, size);
			child_equal(pabal_mailbox_commit(a, &loan, size, PABAL_FOREVER), 0);
		} else {
			child_equal(pabal_mailbox_send(a, message, size, PABAL_FOREVER), 0);
		}
		atomic_store(&entry->committed, 1);
		atomic_fetch_add(&ledger->sent, 1);
	}
	pabal_mailbox_close(a);
	free(message);
	return 0;
}

/* What was taken is entered in the ledger. Returns its entry. */
static struct entry *note(const struct pabal_message *message, int64_t *last)
{
	uint32_t from, number;
	struct entry *entry;

	child_check(message_read(message->data, message->size, &from, &number));
	child_check(from < SENDERS && number < NUMBERS);
	entry = &ledger->entries[from][number];
	child_check(atomic_load(&entry->intended));  /* not invented */
	child_check(!atomic_load(&entry->released)); /* not after it was done with */
	atomic_store(&entry->seen, 1);
	if (message->delivery_count == 1) {
		child_equal(atomic_fetch_add(&entry->first, 1), 0); /* not doubled */
		child_check(number > last[from]);                   /* in its sender's order */
		last[from] = number;
	} else {
		atomic_fetch_add(&ledger->again, 1);
	}
	return entry;
}

static int receiver(void *data)
{
	static int64_t last[SENDERS];
	uint64_t random = *(uint32_t *)data * 99 + 5;
	pabal_mailbox *a;
	int joined = pabal_mailbox_open("a", OPTS(.flags = ledger->game.flags), &a);

	if (joined == -ENOENT && atomic_load(&ledger->stop_sending))
		return 0; /* it came when all was over */
	child_equal(joined, 0);
	memset(last, 0xff, sizeof last);
	for (;;) {
		struct pabal_message message;
		struct entry *entry;
		int r = pabal_mailbox_take(a, NULL, &message, HANG);

		if (r == -ESHUTDOWN)
			break;
		child_equal(r, 0);
		entry = note(&message, last);
		if (next_random(&random) % 50 == 0) {
			atomic_fetch_add(&ledger->requeued, 1);
			child_equal(pabal_mailbox_requeue(a, &message), 0);
			continue;
		}
		atomic_store(&entry->releasing, 1);
		child_equal(pabal_mailbox_release(a, &message), 0);
		atomic_store(&entry->released, 1);
		atomic_fetch_add(&ledger->received, 1);
	}
	pabal_mailbox_close(a);
	return 0;
}

static uint32_t numbers[SENDERS + RECEIVERS];

static pid_t new_sender(void)
{
	uint64_t me = atomic_fetch_add(&ledger->next_sender, 1);

	assert_true(me < SENDERS);
	numbers[me] = (uint32_t)me;
	return child_start(sender, &numbers[me]);
}

static pid_t new_receiver(uint32_t number)
{
	numbers[SENDERS + number] = number;
	return child_start(receiver, &numbers[SENDERS + number]);
}

static bool all_is_received(void *data)
{
	return stats_of(data).depth == 0 && stats_of(data).leases == 0;
}

/* Kill at random, each at a moment when messages flow. Whom to kill and how long to wait is random; what happens in between is counted in messages. */
static void kill_some(pid_t *senders, pid_t *receivers)
{
	const struct game *game = &ledger->game;
	uint64_t random = 4711;

	for (uint32_t i = 0; i < game->kills; i++) {
		uint64_t passed = atomic_load(&ledger->received);
		uint32_t victim = next_random(&random);

		assert_true(eventually_at_least(&ledger->received, passed + 1 + victim % 64));
		if (victim & 256) {
			victim = victim / 512 % game->senders;
			child_kill(senders[victim]);
			senders[victim] = new_sender();
		} else {
			victim = victim / 512 % game->receivers;
			child_kill(receivers[victim]);
			receivers[victim] = new_receiver(game->receivers + i);
		}
	}
}

static void balance(void)
{
	uint64_t committed = 0, released = 0, in_doubt = 0;

	for (uint32_t i = 0; i < SENDERS; i++) {
		for (uint32_t j = 0; j < NUMBERS; j++) {
			struct entry *entry = &ledger->entries[i][j];

			committed += entry->committed;
			released += entry->released;
			/* Everything that was committed was delivered, and done with, but for notes that a death cut off. */
			if (entry->committed && !entry->seen)
				fail_msg("message %u of sender %u was lost", j, i);
			if (entry->committed && !entry->released && !entry->releasing)
				fail_msg("message %u of sender %u was taken and not delivered again", j, i);
			in_doubt += !entry->released && entry->releasing;
			in_doubt += entry->released && !entry->committed;
		}
	}
	assert_true(in_doubt <= ledger->game.kills);
	assert_true(released > 0 && committed > 0);
}

static void play(struct game game)
{
	pid_t senders[8], receivers[8];
	pabal_mailbox *a;

	memset(ledger, 0, sizeof *ledger);
	ledger->game = game;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = game.capacity, .memory_max = game.memory_max), &a), 0);
	for (uint32_t i = 0; i < game.senders; i++)
		senders[i] = new_sender();
	for (uint32_t i = 0; i < game.receivers; i++)
		receivers[i] = new_receiver(i);
	kill_some(senders, receivers);
	assert_true(eventually_at_least(&ledger->received, 3000));
	atomic_store(&ledger->stop_sending, 1);
	for (uint32_t i = 0; i < game.senders; i++)
		assert_int_equal(child_end(senders[i]), 0);
	assert_int_equal(pabal_gc(NULL), 0);
	assert_true(eventually(all_is_received, a));
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	for (uint32_t i = 0; i < game.receivers; i++)
		assert_int_equal(child_end(receivers[i]), 0);
	pabal_mailbox_close(a);
	balance();
	printf("flags %x, capacity %u: sent %llu, done %llu, again %llu, killed %u\n", game.flags, game.capacity, (unsigned long long)ledger->sent,
	       (unsigned long long)ledger->received, (unsigned long long)ledger->again, game.kills);
	redelivered_by_death += (int64_t)ledger->again - (int64_t)ledger->requeued;
}

static void adaptive(void **state)
{
	(void)state;
	play((struct game){ .capacity = 64, .senders = 4, .receivers = 4, .kills = 50, .memory_max = 1 << 20 });
}

static void blocking(void **state)
{
	(void)state;
	play((struct game){ .flags = PABAL_WAIT_BLOCK, .capacity = 3, .senders = 6, .receivers = 2, .kills = 50, .memory_max = 1 << 20 });
}

static void spinning(void **state)
{
	(void)state;
	play((struct game){ .flags = PABAL_WAIT_SPIN, .capacity = 1000, .senders = 2, .receivers = 2, .kills = 20, .memory_max = 1 << 20 });
}

static void short_of_memory(void **state)
{
	(void)state;
	play((struct game){ .capacity = 1000, .senders = 4, .receivers = 4, .kills = 50, .memory_max = 1 << 16 });
}

static void one_place(void **state)
{
	(void)state;
	play((struct game){ .capacity = 1, .senders = 2, .receivers = 6, .kills = 50, .memory_max = 1 << 20 });
}

static void some_were_killed_while_they_held_a_message(void **state)
{
	(void)state;
	assert_true(redelivered_by_death > 0);
}

/* With an argument: only the tests whose names it matches. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adaptive),        cmocka_unit_test(blocking),  cmocka_unit_test(spinning),
		cmocka_unit_test(short_of_memory), cmocka_unit_test(one_place), cmocka_unit_test(some_were_killed_while_they_held_a_message),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	ledger = shared_memory(sizeof *ledger);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
