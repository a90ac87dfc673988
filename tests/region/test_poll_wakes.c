/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_poll_wakes - nobody sleeps in pabal_wait_many() while an event that it waits for has come; with a deliberate fault somebody does.
 *
 * Processes notify events, and others wait, without a limit, for some of them and for a message that never comes. Some events share a bit by which sleepers are told. When those who notify have stopped, but live, and nobody opens,
 * closes or dies, everybody who waits must come to have seen the number at which its events stand: there is nothing that would help one that was not told. The named invariant is broken when one sleeps in the kernel,
 * over many looks, while an event stands at another number than it has seen.
 *
 * Then the same, while those who notify and those who wait are killed at random, and begin anew.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "region/poll.h"

enum { WAITERS = 3, NOTIFIERS = 2, PLAYERS = WAITERS + NOTIFIERS, EVENTS = 27, ITEMS = 4, NOTIFIES = 50, LOOKS = 100 };

enum verdict { ALL_IS_SEEN, SLEEPS_WHILE_ITS_EVENT_HAS_COME, HANGS };

struct player {
	pid_t pid;
	_Atomic uint64_t round;        /* of one who notifies: the last one that it has ended */
	_Atomic uint32_t seen[EVENTS]; /* of one who waits */
};

static struct run {
	enum pabal__fault fault;
	struct player players[PLAYERS]; /* those who wait first */
	_Atomic uint64_t ready, round, moved, hits, told;
} * run;

static uint32_t event_of(uint32_t waiter, uint32_t item)
{
	const uint32_t events[ITEMS] = { waiter, waiter + 1, 23 + waiter, 12 };

	return events[item];
}

static void count_hits(void)
{
	atomic_fetch_add(&run->hits, pabal__fault_hits);
	pabal__fault_hits = 0;
}

/* Of one who sleeps, perhaps for good: its memory is at the same addresses as ours. */
static void count_hits_of(pid_t pid)
{
	unsigned long hits = 0;
	struct iovec here = { .iov_base = &hits, .iov_len = sizeof hits }, there = { .iov_base = &pabal__fault_hits, .iov_len = sizeof hits };

	assert_int_equal(process_vm_readv(pid, &here, 1, &there, 1, 0), sizeof hits);
	atomic_fetch_add(&run->hits, hits);
}

static _Atomic uint64_t *data_of(pabal_region *region, uint32_t event)
{
	return (_Atomic uint64_t *)pabal_region_data(region) + event;
}

static int wait_for_some(void *data)
{
	uint32_t me = (uint32_t)(uintptr_t)data;
	struct pabal_wait items[ITEMS + 1];
	pabal_mailbox *never;
	pabal_region *region;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(pabal_mailbox_open("never", NULL, &never), 0);
	for (uint32_t i = 0; i < ITEMS; i++)
		items[i] = (struct pabal_wait){ .object = region, .events = PABAL_READABLE | PABAL_EVENT(event_of(me, i)) };
	items[ITEMS] = (struct pabal_wait){ .object = never, .events = PABAL_READABLE };
	pabal__fault_on = run->fault;
	atomic_fetch_add(&run->ready, 1);
	for (;;) {
		child_equal(pabal_wait_many(items, ITEMS + 1, NULL, PABAL_FOREVER), 0);
		child_equal(items[ITEMS].ret_events, 0);
		for (uint32_t i = 0; i < ITEMS; i++) {
			uint32_t event = event_of(me, i), now;

			if (!items[i].ret_events)
				continue;
			child_equal(pabal_region_event(region, event, &now), 0);
			child_check(*data_of(region, event) >= now); /* it was changed before it was notified */
			atomic_store(&run->players[me].seen[event], now);
		}
		count_hits();
		atomic_fetch_add(&run->moved, 1);
	}
	return 1;
}

static int notify_some(void *data)
{
	uint32_t me = (uint32_t)(uintptr_t)data;
	uint64_t first = atomic_load(&run->round) + 1; /* before it is said to be ready */
	uint64_t random = me + first * PLAYERS;
	pabal_region *region;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	pabal__fault_on = run->fault;
	atomic_fetch_add(&run->ready, 1);
	for (uint64_t round = first; round != 0; round++) {
		while (atomic_load(&run->round) < round)
			pause_briefly();
		for (int i = 0; i < NOTIFIES; i++) {
			uint32_t event = next_random(&random) % EVENTS;

			for (uint32_t j = next_random(&random) % 20000; j > 0; j--) /* before, as or after one begins to sleep */
				atomic_signal_fence(memory_order_seq_cst);
			atomic_fetch_add(data_of(region, event), 1);
			child_equal(pabal_region_notify(region, event, next_random(&random) % 3), 0);
		}
		count_hits();
		atomic_fetch_add(&run->moved, 1);
		atomic_store(&run->players[me].round, round);
	}
	return 1;
}

static void start(uint32_t i)
{
	struct player *player = &run->players[i];
	uint64_t ready = atomic_load(&run->ready);

	for (uint32_t event = 0; event < EVENTS; event++)
		atomic_store(&player->seen[event], 0);
	player->pid = child_start(i < WAITERS ? wait_for_some : notify_some, as_pointer(i));
	assert_true(eventually_at_least(&run->ready, ready + 1));
}

static bool has_seen_all(pabal_region *looker, uint32_t waiter)
{
	for (uint32_t i = 0; i < ITEMS; i++) {
		uint32_t now;

		assert_int_equal(pabal_region_event(looker, event_of(waiter, i), &now), 0);
		if (atomic_load(&run->players[waiter].seen[event_of(waiter, i)]) != now)
			return false;
	}
	return true;
}

/* Those who notify have ended their round. @dead: not asked. */
static enum verdict judge(pabal_region *looker, uint32_t dead)
{
	uint64_t moved = 0;

	for (uint32_t still = 0, looks = 0; still < LOOKS; still++, looks++) {
		bool all = true, asleep = true;

		for (uint32_t i = 0; i < WAITERS; i++) {
			if (i == dead)
				continue;
			all = has_seen_all(looker, i) && all;
			asleep = process_state(run->players[i].pid) == 'S' && asleep;
		}
		if (all)
			return ALL_IS_SEEN;
		if (looks > 300000)
			return HANGS;
		if (!asleep || atomic_load(&run->moved) != moved)
			still = 0;
		moved = atomic_load(&run->moved);
		pause_briefly();
	}
	return SLEEPS_WHILE_ITS_EVENT_HAS_COME;
}

/* Kills one at a moment in a round. Returns who it was. */
static uint32_t kill_one(uint64_t *random, uint32_t *in_time)
{
	uint32_t victim = next_random(random) % PLAYERS;

	for (uint32_t j = next_random(random) % 300000; j > 0; j--)
		atomic_signal_fence(memory_order_seq_cst);
	kill(run->players[victim].pid, SIGKILL);
	for (uint32_t i = WAITERS; i < PLAYERS; i++) /* others went on, or it was in the middle */
		if (atomic_load(&run->players[i].round) < atomic_load(&run->round)) {
			++*in_time;
			break;
		}
	assert_int_equal(child_end(run->players[victim].pid), -SIGKILL);
	return victim;
}

static enum verdict play(uint32_t rounds, bool kills, enum pabal__fault fault)
{
	enum verdict verdict = ALL_IS_SEEN;
	pabal_region *region, *looker;
	pabal_mailbox *never;
	uint64_t random = 5;
	uint32_t in_time = 0;

	memset((void *)run, 0, sizeof *run);
	run->fault = fault;
	region = region_made(EVENTS);
	looker = region_opened(PABAL_READ_ONLY);
	assert_int_equal(pabal_mailbox_create("never", NULL, &never), 0);
	for (uint32_t i = 0; i < PLAYERS; i++)
		start(i);
	for (uint32_t round = 0; round < rounds && verdict == ALL_IS_SEEN; round++) {
		uint32_t dead = PLAYERS;

		atomic_fetch_add(&run->round, 1);
		if (kills)
			dead = kill_one(&random, &in_time);
		for (uint32_t i = WAITERS; i < PLAYERS; i++)
			if (i != dead)
				assert_true(eventually_at_least(&run->players[i].round, atomic_load(&run->round)));
		verdict = judge(looker, dead);
		if (dead < PLAYERS)
			start(dead);
	}
	for (uint32_t i = 0; i < PLAYERS; i++) {
		count_hits_of(run->players[i].pid);
		child_kill(run->players[i].pid);
	}
	assert_true(pabal_gc(NULL) >= 0);
	assert_true(!kills || in_time > rounds / 4);
	printf("%u rounds, waits that ended %llu, kills in the middle %u, faults executed %llu: verdict %d\n", rounds, (unsigned long long)run->moved,
	       in_time, (unsigned long long)run->hits, (int)verdict);
	pabal_mailbox_close(never);
	assert_int_equal(pabal_mailbox_destroy("never"), 0);
	pabal_region_close(looker);
	region_ends(region);
	return verdict;
}

static void nobody_sleeps_while_its_event_has_come(void **state)
{
	(void)state;
	assert_int_equal(play(400, false, PABAL__FAULT_NONE), ALL_IS_SEEN);
}

static void nor_while_others_die(void **state)
{
	(void)state;
	assert_int_equal(play(200, true, PABAL__FAULT_NONE), ALL_IS_SEEN);
}

static void every_fault_is_caught(void **state)
{
	static const enum pabal__fault faults[] = { PABAL__FAULT_POLLER_NOT_ARMED, PABAL__FAULT_POLLERS_UNTOLD, PABAL__FAULT_TAKEN_BACK_BLINDLY };

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(play(20000, false, faults[i]), SLEEPS_WHILE_ITS_EVENT_HAS_COME);
		assert_true(run->hits > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sleeps_while_its_event_has_come),
		cmocka_unit_test(nor_while_others_die),
		cmocka_unit_test(every_fault_is_caught),
	};

	run = shared_memory(sizeof *run);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
