/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_death - a participant is killed: what it had taken comes again or is dropped, what it had not committed never was, its slot is used again.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/support.h"

enum { COUNT = 100, TAKEN = 70 };

static _Atomic uint64_t *ready;

static int take_some_and_hang(void *data)
{
	struct pabal_message message;
	struct pabal_loan loan;
	pabal_mailbox *a;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	for (int i = 0; i < TAKEN; i++)
		child_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
	for (int i = 0; i < 5; i++)
		child_equal(pabal_mailbox_loan(a, (size_t)3000 * (unsigned)i, &loan, PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static pabal_mailbox *after_a_death(uint32_t flags)
{
	struct pabal_check_result account;
	pabal_mailbox *a;
	pid_t pid;

	assert_int_equal(pabal_mailbox_create("a", OPTS(.flags = flags, .capacity = COUNT), &a), 0);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(pabal_mailbox_send(a, &i, sizeof i, PABAL_NOWAIT), 0);
	atomic_store(ready, 0);
	pid = child_start(take_some_and_hang, NULL);
	assert_true(eventually_at_least(ready, 1));
	expect_sound("a", &account);
	assert_int_equal(account.leased, TAKEN);
	assert_int_equal(account.loaned, 5);
	child_kill(pid);
	expect_sound("a", &account);
	assert_int_equal(account.held_by_dead, TAKEN + 5);
	return a;
}

static void done_with(pabal_mailbox *a)
{
	struct pabal_check_result account;

	expect_sound("a", &account);
	assert_int_equal(account.blocks, account.free);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(pabal_mailbox_send(a, &i, sizeof i, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_send(a, NULL, 0, PABAL_NOWAIT), -EAGAIN);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(pabal_mailbox_receive(a, &(uint32_t){ 0 }, sizeof i, NULL, PABAL_NOWAIT), 0);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void what_the_dead_had_taken_comes_first(void **state)
{
	pabal_mailbox *a = after_a_death(0);
	struct pabal_message message;
	struct pabal_gc_result result;

	(void)state;
	assert_int_equal(pabal_gc(&result), 0);
	assert_int_equal(result.buried, 1);
	assert_int_equal(result.redelivered, TAKEN);
	assert_int_equal(stats_of(a).depth, COUNT);
	assert_int_equal(stats_of(a).redelivered, TAKEN);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
		assert_memory_equal(message.data, &i, sizeof i);
		assert_int_equal(message.delivery_count, i < TAKEN ? 2 : 1);
		assert_int_equal(pabal_mailbox_release(a, &message), 0);
	}
	done_with(a);
}

static void drop_on_death_drops_and_counts(void **state)
{
	pabal_mailbox *a = after_a_death(PABAL_MAILBOX_DROP_ON_DEATH);
	uint32_t got;

	(void)state;
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(stats_of(a).dropped, TAKEN);
	for (uint32_t i = TAKEN; i < COUNT; i++) {
		assert_int_equal(pabal_mailbox_receive(a, &got, sizeof got, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(got, i);
	}
	assert_int_equal(pabal_mailbox_receive(a, &got, sizeof got, NULL, PABAL_NOWAIT), -EAGAIN);
	done_with(a);
}

static void a_sleeper_finds_what_came_back(void **state)
{
	pabal_mailbox *a = after_a_death(0);
	uint32_t got;

	(void)state;
	for (uint32_t i = TAKEN; i < COUNT; i++)
		assert_int_equal(pabal_mailbox_receive(a, &got, sizeof got, NULL, PABAL_NOWAIT), 0);
	/* Nobody but this call buries. */
	for (uint32_t i = 0; i < TAKEN; i++) {
		assert_int_equal(pabal_mailbox_receive(a, &got, sizeof got, NULL, HANG), 0);
		assert_int_equal(got, i);
	}
	done_with(a);
}

static void opening_buries(void **state)
{
	pabal_mailbox *a = after_a_death(0), *b;
	uint32_t got;

	(void)state;
	assert_int_equal(pabal_mailbox_open("a", NULL, &b), 0);
	assert_int_equal(stats_of(a).participants, 2);
	assert_int_equal(stats_of(a).depth, COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(pabal_mailbox_receive(a, &got, sizeof got, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(got, i);
	}
	pabal_mailbox_close(b);
	done_with(a);
}

static int wait_for_room(void *data)
{
	pabal_mailbox *a;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	atomic_fetch_add(ready, 1);
	child_equal(pabal_mailbox_send(a, "x", 1, HANG), 0);
	child_wait_for_death();
}

static int wait_for_message(void *data)
{
	pabal_mailbox *a;
	char byte;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	atomic_fetch_add(ready, 1);
	child_equal(pabal_mailbox_receive(a, &byte, 1, NULL, HANG), 0);
	child_wait_for_death();
}

/* A killed sleeper takes its wake-up with it; the others must not wait for it. */
static void killed_in_sleep(void **state)
{
	char byte;

	(void)state;
	for (int round = 0; round < 6; round++) {
		child_main *body = round % 2 ? wait_for_room : wait_for_message;
		pabal_mailbox *a;
		pid_t pids[3];

		assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 1), &a), 0);
		if (body == wait_for_room)
			assert_int_equal(pabal_mailbox_send(a, "x", 1, PABAL_NOWAIT), 0);
		for (int i = 0; i < 3; i++)
			pids[i] = child_start(body, NULL);
		for (int i = 0; i < 3; i++)
			child_await_sleep(pids[i]);
		child_kill(pids[round % 3]);
		for (int i = 0; i < 2; i++) {
			if (body == wait_for_room)
				assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, HANG), 0);
			else
				assert_int_equal(pabal_mailbox_send(a, "x", 1, HANG), 0);
		}
		if (body == wait_for_room)
			assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, HANG), 0);
		else
			assert_int_equal(pabal_mailbox_send(a, "x", 1, HANG), 0);
		for (int i = 0; i < 3; i++)
			if (i != round % 3)
				child_kill(pids[i]);
		pabal_mailbox_close(a);
		assert_int_equal(pabal_mailbox_destroy("a"), 0);
	}
}

static int count_dead(const struct pabal_participant_info *info, void *data)
{
	*(uint32_t *)data += !info->alive;
	return 0;
}

static void the_dead_are_told_until_they_are_buried(void **state)
{
	pabal_mailbox *a = after_a_death(0);
	uint32_t dead = 0;

	(void)state;
	assert_int_equal(pabal_participants("a", count_dead, &dead), 2);
	assert_int_equal(dead, 1);
	assert_int_equal(pabal_gc(NULL), 0);
	dead = 0;
	assert_int_equal(pabal_participants("a", count_dead, &dead), 1);
	assert_int_equal(dead, 0);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(pabal_mailbox_receive(a, &(uint32_t){ 0 }, sizeof i, NULL, PABAL_NOWAIT), 0);
	done_with(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_dead_had_taken_comes_first),
		cmocka_unit_test(drop_on_death_drops_and_counts),
		cmocka_unit_test(a_sleeper_finds_what_came_back),
		cmocka_unit_test(opening_buries),
		cmocka_unit_test(killed_in_sleep),
		cmocka_unit_test(the_dead_are_told_until_they_are_buried),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
