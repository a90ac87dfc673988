/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wakes - with endless wait slices nothing may hang; with a deliberate fault it must, and in the way that the fault predicts.
 *
 * Processes lock and unlock, or pass an event to and fro, blocking, and nobody is killed. A watcher looks on. The named invariant is "nobody sleeps while the lock is
 * free, or the event has come": when all sleep in the kernel and stay so over many looks while nothing moves, and yet the lock is free, or somebody waits for a
 * number that has passed, it is broken.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "region/region.h"

enum { MOST = 8, LOOKS = 100 };

enum game { LOCKS, BURST, EVENTS };
enum verdict { ENDED, SLEEPS_WHILE_IT_COULD_GO_ON, HANGS };

struct run {
	enum game game;
	uint32_t players, rounds;
	enum pabal__fault fault;
	_Atomic uint64_t moved, hits, late, ready;
	_Atomic uint64_t waits_for[MOST]; /* 1 + the number that a player waits to see passed; 0: it does not wait */
};

static struct run *run;

static void play_locks(pabal_region *region, uint32_t me)
{
	volatile uint64_t *data = pabal_region_data(region);

	for (uint32_t i = 0; i < run->rounds; i++) {
		child_equal(pabal_region_lock(region, 0, PABAL_FOREVER), 0);
		*data = *data + 1;
		for (volatile uint32_t j = 0; j < (i + me) % 4 * 2000; j++) { /* now and then others come meanwhile, and sleep */
		}
		child_equal(pabal_region_unlock(region, 0), 0);
		atomic_fetch_add(&run->moved, 1);
	}
}

/* All sleep for a lock that is given back once, and each wants it once: nobody comes back who could wake another. */
static void play_burst(pabal_region *region, uint32_t me)
{
	if (me == 0) {
		child_equal(pabal_region_lock(region, 0, PABAL_FOREVER), 0);
		atomic_fetch_add(&run->moved, 1);
		while (atomic_load(&run->ready) < 2 * run->players - 1)
			pause_briefly();
		for (int i = 0; i < 10; i++) /* that they sleep by then is likely, no more */
			pause_briefly();
	} else {
		while (!atomic_load(&run->moved))
			pause_briefly();
		atomic_fetch_add(&run->ready, 1);
		child_equal(pabal_region_lock(region, 0, PABAL_FOREVER), 0);
		++*(uint64_t *)pabal_region_data(region);
		atomic_fetch_add(&run->moved, 1);
	}
	child_equal(pabal_region_unlock(region, 0), 0);
}

/* The turn goes round: whose it is counts it on, and wakes all. */
static void play_events(pabal_region *region, uint32_t me)
{
	uint32_t now;

	for (;;) {
		child_equal(pabal_region_event(region, 0, &now), 0);
		if (now >= run->rounds * run->players)
			return;
		if (now % run->players == me) {
			child_equal(pabal_region_notify(region, 0, UINT32_MAX), 0);
			atomic_fetch_add(&run->moved, 1);
			continue;
		}
		atomic_store(&run->waits_for[me], (uint64_t)now + 1);
		child_equal(pabal_region_wait(region, 0, now, NULL, PABAL_FOREVER), 0);
		atomic_store(&run->waits_for[me], 0);
	}
}

static int play(void *data)
{
	uint32_t me = *(uint32_t *)data;
	struct pabal_region_stats stats = { .struct_size = sizeof stats };
	pabal_region *region;

	child_equal(pabal_region_open("r", REGION(.flags = PABAL_WAIT_BLOCK), &region), 0);
	pabal__fault_hits = 0;
	pabal__fault_on = run->fault;
	atomic_fetch_add(&run->ready, 1);
	if (run->game == LOCKS)
		play_locks(region, me);
	else if (run->game == BURST)
		play_burst(region, me);
	else
		play_events(region, me);
	child_equal(pabal_region_stat(region, &stats), 0);
	atomic_fetch_add(&run->late, stats.late_wakes);
	pabal_region_close(region);
	return 0;
}

static bool sleeps(pid_t pid)
{
	char state = process_state(pid);

	return state == 'S' || state == 'Z';
}

static bool could_go_on(pabal_region *region)
{
	uint32_t now;

	if (run->game != EVENTS)
		return region_stats(region).locks_held == 0;
	assert_int_equal(pabal_region_event(region, 0, &now), 0);
	for (int i = 0; i < MOST; i++)
		if (run->waits_for[i] && (uint32_t)(run->waits_for[i] - 1) != now)
			return true;
	return false;
}

static enum verdict watch(pabal_region *region, const pid_t *pids)
{
	uint64_t moved = 0;
	uint32_t still = 0;

	for (uint64_t looks = 0; looks < 300000; looks++) {
		uint32_t asleep = 0, left = 0;
		siginfo_t info;

		for (uint32_t i = 0; i < run->players; i++) {
			memset(&info, 0, sizeof info);
			left += waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT | WNOHANG) == 0 && !info.si_pid;
			asleep += sleeps(pids[i]);
		}
		if (!left)
			return ENDED;
		still = asleep == run->players && atomic_load(&run->moved) == moved && could_go_on(region) ? still + 1 : 0;
		moved = atomic_load(&run->moved);
		if (still == LOOKS)
			return SLEEPS_WHILE_IT_COULD_GO_ON;
		pause_briefly();
	}
	return HANGS;
}

static enum verdict play_game(enum game game, uint32_t players, uint32_t rounds, enum pabal__fault fault)
{
	pabal_region *region, *looker;
	enum verdict verdict;
	pid_t pids[MOST];

	memset((void *)run, 0, sizeof *run);
	run->game = game;
	run->players = players;
	run->rounds = rounds;
	run->fault = fault;
	assert_int_equal(pabal_region_create("r", 64, NULL, &region), 0);
	assert_int_equal(pabal_region_open("r", REGION(.flags = PABAL_READ_ONLY), &looker), 0);
	for (uint32_t i = 0; i < players; i++)
		pids[i] = child_start(play, &i);
	verdict = watch(looker, pids);
	for (uint32_t i = 0; i < players; i++)
		if (verdict == ENDED)
			assert_int_equal(child_end(pids[i]), 0);
		else
			child_kill(pids[i]);
	if (verdict == ENDED && game != EVENTS)
		assert_int_equal(*(uint64_t *)pabal_region_data(region), game == LOCKS ? players * rounds : players - 1);
	pabal_region_close(looker);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
	return verdict;
}

static void nothing_hangs(void **state)
{
	(void)state;
	for (uint32_t players = 2; players <= MOST; players += 3) {
		assert_int_equal(play_game(LOCKS, players, 4000, PABAL__FAULT_NONE), ENDED);
		assert_int_equal(run->late, 0);
		assert_int_equal(play_game(BURST, players, 1, PABAL__FAULT_NONE), ENDED);
		assert_int_equal(play_game(EVENTS, players, 1000, PABAL__FAULT_NONE), ENDED);
		assert_int_equal(run->late, 0);
	}
}

/* A fault may need luck: several games, of which one must break the invariant, and none may end in anything else that is wrong. */
static void expect_caught(enum game game, enum pabal__fault fault)
{
	for (int round = 0; round < 40; round++) {
		enum verdict verdict = play_game(game, 2 + (uint32_t)round % 3 * 2, 2000, fault);

		assert_int_not_equal(verdict, HANGS);
		if (verdict == SLEEPS_WHILE_IT_COULD_GO_ON)
			return;
	}
	fail_msg("fault %d: nobody slept while it could go on", fault);
}

static void every_fault_is_caught(void **state)
{
	(void)state;
	expect_caught(LOCKS, PABAL__FAULT_NO_UNLOCK_RING);
	expect_caught(LOCKS, PABAL__FAULT_NO_LOCK_REARM);
	expect_caught(BURST, PABAL__FAULT_NO_LOCK_BATON);
	expect_caught(EVENTS, PABAL__FAULT_NO_EVENT_RING);
	expect_caught(EVENTS, PABAL__FAULT_SAME_SEQUENCE);
	expect_caught(EVENTS, PABAL__FAULT_RING_BEFORE_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_hangs),
		cmocka_unit_test(every_fault_is_caught),
	};

	run = shared_memory(sizeof *run);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
