/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lost_wakes - with endless wait slices nothing may hang; with a deliberate fault it must, and in the way that the fault predicts.
 *
 * In the noslice variant a sleeper that is not woken sleeps for ever. Processes send and receive through a small mailbox, blocking, and nobody is killed. A watcher
 * looks on. That all is well means that they end. The named invariant is "nobody sleeps while work exists": when all who have work left sleep in the kernel,
 * and stay so over several looks while nothing moves, and the mailbox has a message and a sleeping receiver, or room and a sleeping sender, it is broken.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "support/support.h"

enum { MOST = 16, MEMORY = 1 << 16, LARGE = 30000 };

struct shape {
	uint32_t senders, receivers, capacity, messages;
	bool memory_bound;
	bool bursts; /* a message for each receiver, to sleepers, and one ring for all; and none of them comes back to take another's as well */
};

struct run {
	struct shape shape;
	enum pabal__fault fault;
	_Atomic uint64_t sent, received, hits, late;
	_Atomic uint64_t waiting_to_send, waiting_to_receive; /* those who are in such a call */
	_Atomic uint64_t receiver_pids[MOST];
	pthread_barrier_t receivers;
};

static struct run *run;

static void leave(pabal_mailbox *a)
{
	struct pabal_mailbox_stats stats = { .struct_size = sizeof stats };

	child_equal(pabal_mailbox_stat(a, &stats), 0);
	atomic_fetch_add(&run->late, stats.late_wakes);
	pabal_mailbox_close(a);
}

static void begin(pabal_mailbox **ret_mailbox)
{
	child_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_WAIT_BLOCK), ret_mailbox), 0);
	pabal__fault_hits = 0;
	pabal__fault_on = run->fault;
}

static void count_hits(void)
{
	atomic_fetch_add(&run->hits, pabal__fault_hits);
	pabal__fault_hits = 0;
}

static bool sleeps(pid_t pid)
{
	char state = process_state(pid);

	return state == 'S' || state == 'Z';
}

/* Until all receivers sleep in their call. */
static void await_sleepers(void)
{
	for (uint32_t asleep = 0; asleep < run->shape.receivers;) {
		bool called = atomic_load(&run->waiting_to_receive) == run->shape.receivers;

		pause_briefly();
		asleep = 0;
		for (uint32_t i = 0; called && i < run->shape.receivers; i++) {
			pid_t pid = (pid_t)atomic_load(&run->receiver_pids[i]);

			asleep += pid && sleeps(pid);
		}
	}
}

static int send_all(void *data)
{
	char *large = calloc(1, LARGE);
	pabal_mailbox *a;
	uint64_t random = *(uint32_t *)data + 1;

	begin(&a);
	for (uint32_t i = 0; i < run->shape.messages; i++) {
		size_t size = run->shape.memory_bound ? 5000 + next_random(&random) % (LARGE - 5000) : 16;

		count_hits();
		if (run->shape.bursts && i % run->shape.receivers == 0)
			await_sleepers();
		atomic_fetch_add(&run->waiting_to_send, 1);
		/* As if the one ring were still under way when the others come. */
		if (run->shape.bursts && i % run->shape.receivers != run->shape.receivers - 1)
			pabal__fault_on = PABAL__FAULT_NO_RING;
		child_equal(pabal_mailbox_send(a, large, size, PABAL_FOREVER), 0);
		pabal__fault_on = run->fault;
		atomic_fetch_sub(&run->waiting_to_send, 1);
		atomic_fetch_add(&run->sent, 1);
	}
	pabal__fault_on = PABAL__FAULT_NONE;
	leave(a);
	free(large);
	return 0;
}

static int receive_all(void *data)
{
	char *large = calloc(1, LARGE);
	uint64_t all = (uint64_t)run->shape.messages * run->shape.senders;
	pabal_mailbox *a;

	atomic_store(&run->receiver_pids[*(uint32_t *)data], (uint64_t)getpid());
	begin(&a);
	/* A ticket a message, so that nobody waits for one that does not come. */
	for (uint64_t i = *(uint32_t *)data; i < all; i += run->shape.receivers) {
		count_hits();
		atomic_fetch_add(&run->waiting_to_receive, 1);
		child_equal(pabal_mailbox_receive(a, large, LARGE, NULL, PABAL_FOREVER), 0);
		atomic_fetch_sub(&run->waiting_to_receive, 1);
		atomic_fetch_add(&run->received, 1);
		if (run->shape.bursts)
			pthread_barrier_wait(&run->receivers);
	}
	pabal__fault_on = PABAL__FAULT_NONE;
	leave(a);
	free(large);
	return 0;
}

/* How far everything is; equal twice: nothing moved. */
static uint64_t progress(void)
{
	return atomic_load(&run->sent) * 1000003 + atomic_load(&run->received);
}

/* What the living have not told yet. They are forked, so the counter lies where ours does. */
static void collect_hits(const pid_t *pids, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		unsigned long hits = 0;
		struct iovec here = { &hits, sizeof hits }, there = { &pabal__fault_hits, sizeof hits };

		if (pids[i] && process_vm_readv(pids[i], &here, 1, &there, 1, 0) == sizeof hits)
			atomic_fetch_add(&run->hits, hits);
	}
}

enum verdict { ENDED, SLEEPS_WHILE_WORK_EXISTS, HANGS, TOO_LONG };

enum { LOOKS_MAX = 30000 /* at a game with a fault: one that goes on, slowly, proves nothing; a guess */ };

/* Look on until all have ended, or until the invariant is broken for good. A game without a fault has no limit but the test's own. */
static enum verdict watch(pabal_mailbox *looker, pid_t *pids, uint32_t count)
{
	uint32_t ended = 0, still = 0, looks = 0;
	uint64_t last = 0;

	while (ended < count) {
		uint32_t asleep = 0;

		for (uint32_t i = 0; i < count; i++) {
			int status = 0;

			if (pids[i] && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
				pids[i] = 0;
				ended++;
				assert_int_equal(status, 0);
			}
			asleep += pids[i] && sleeps(pids[i]);
		}
		still = asleep == count - ended && progress() == last ? still + 1 : 0;
		last = progress();
		if (still > 200 && ended < count) { /* looks, a nap between each: nothing runs, and nobody will wake anybody */
			struct pabal_mailbox_stats stats = stats_of(looker);
			bool work = stats.depth > 0 && atomic_load(&run->waiting_to_receive) > 0;
			bool room = stats.depth < stats.capacity && atomic_load(&run->waiting_to_send) > 0;

			return work || room ? SLEEPS_WHILE_WORK_EXISTS : HANGS;
		}
		if (++looks > LOOKS_MAX && run->fault != PABAL__FAULT_NONE)
			return TOO_LONG;
		pause_briefly();
	}
	return ENDED;
}

static void init_barrier(pthread_barrier_t *barrier, uint32_t count)
{
	pthread_barrierattr_t shared;

	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(barrier, &shared, count);
	pthread_barrierattr_destroy(&shared);
}

static enum verdict play(struct shape shape, enum pabal__fault fault)
{
	static uint32_t numbers[MOST];
	pabal_mailbox *maker, *looker;
	pid_t pids[MOST];
	enum verdict verdict;
	uint32_t count = 0;

	memset(run, 0, sizeof *run);
	run->shape = shape;
	run->fault = fault;
	init_barrier(&run->receivers, shape.receivers);
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = shape.capacity, .memory_max = MEMORY), &maker), 0);
	pabal_mailbox_close(maker);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_READ_ONLY), &looker), 0);
	for (uint32_t i = 0; i < shape.senders; i++, count++) {
		numbers[count] = i;
		pids[count] = child_start(send_all, &numbers[count]);
	}
	for (uint32_t i = 0; i < shape.receivers; i++, count++) {
		numbers[count] = i;
		pids[count] = child_start(receive_all, &numbers[count]);
	}
	verdict = watch(looker, pids, count);
	collect_hits(pids, count);
	for (uint32_t i = 0; i < count; i++)
		if (pids[i])
			child_kill(pids[i]);
	pabal_mailbox_close(looker);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	return verdict;
}

static const struct shape shapes[] = {
	{ 1, 1, 1, 10000, false, false }, { 1, 1, 3, 10000, false, false }, { 4, 4, 1, 2000, false, false }, { 4, 4, 3, 2000, false, false },
	{ 8, 2, 1, 1000, false, false },  { 8, 2, 3, 1000, false, false },  { 2, 8, 1, 4000, false, false }, { 2, 8, 3, 4000, false, false },
	{ 1, 4, 4, 1200, false, true },   { 1, 2, 3, 600, false, true },
};

enum { SHAPES = sizeof shapes / sizeof *shapes, BURSTS = SHAPES - 2 /* the first of them */ };

static void nothing_hangs(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		assert_int_equal(play(shapes[i], PABAL__FAULT_NONE), ENDED);
		assert_int_equal(run->sent, run->received);
		assert_int_equal(run->late, 0);
	}
}

static void nobody_who_waits_for_memory_hangs(void **state)
{
	static const struct shape bound[] = {
		{ 1, 1, 100, 3000, true, false },
		{ 4, 4, 100, 1000, true, false },
		{ 8, 2, 100, 500, true, false },
		{ 2, 8, 100, 2000, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bound / sizeof *bound; i++)
		assert_int_equal(play(bound[i], PABAL__FAULT_NONE), ENDED);
}

/* A fault may need luck: several games, from the @first on, of which one must break the invariant, and none may end in anything else that is wrong. */
static void expect_caught(enum pabal__fault fault, size_t first)
{
	uint64_t hits = 0;

	for (int round = 0; round < 10; round++) {
		for (size_t i = first; i < SHAPES; i++) {
			enum verdict verdict = play(shapes[i], fault);

			hits += atomic_load(&run->hits);
			assert_int_not_equal(verdict, HANGS);
			if (verdict == SLEEPS_WHILE_WORK_EXISTS) {
				assert_true(hits > 0);
				return;
			}
		}
	}
	fail_msg("the fault was executed %llu times, and nobody slept while work existed", (unsigned long long)hits);
}

static void no_ring_is_caught(void **state)
{
	(void)state;
	expect_caught(PABAL__FAULT_NO_RING, 0);
}

static void no_rearm_is_caught(void **state)
{
	(void)state;
	expect_caught(PABAL__FAULT_NO_REARM, 0);
}

static void no_second_look_is_caught(void **state)
{
	(void)state;
	expect_caught(PABAL__FAULT_NO_SECOND_LOOK, 0);
}

static void no_baton_is_caught(void **state)
{
	(void)state;
	expect_caught(PABAL__FAULT_NO_BATON, BURSTS);
}

static int closes_with_a_loan(void *data)
{
	struct pabal_loan loan;
	pabal_mailbox *a;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	child_equal(pabal_mailbox_loan(a, MEMORY, &loan, PABAL_NOWAIT), 0);
	atomic_fetch_add(&run->sent, 1);
	child_check(eventually_at_least(&run->received, 1));
	pabal_mailbox_close(a);
	return 0;
}

static int waits_for_its_memory(void *data)
{
	char *large = calloc(1, MEMORY);
	pabal_mailbox *a;

	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	child_equal(pabal_mailbox_send(a, large, MEMORY, PABAL_FOREVER), 0);
	pabal_mailbox_close(a);
	free(large);
	(void)data;
	return 0;
}

/* Close cancelled the loans, and told nobody. */
static void close_with_loans_wakes_who_waits_for_memory(void **state)
{
	pabal_mailbox *a;
	pid_t loaner, waiter;

	(void)state;
	memset(run, 0, sizeof *run);
	assert_int_equal(pabal_mailbox_create("a", OPTS(.memory_max = MEMORY), &a), 0);
	loaner = child_start(closes_with_a_loan, NULL);
	assert_true(eventually_at_least(&run->sent, 1));
	waiter = child_start(waits_for_its_memory, NULL);
	child_await_sleep(waiter);
	atomic_store(&run->received, 1);
	assert_int_equal(child_end(loaner), 0);
	assert_int_equal(child_end(waiter), 0);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

/* With an argument: only the tests whose names it matches. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_hangs),
		cmocka_unit_test(nobody_who_waits_for_memory_hangs),
		cmocka_unit_test(no_ring_is_caught),
		cmocka_unit_test(no_rearm_is_caught),
		cmocka_unit_test(no_second_look_is_caught),
		cmocka_unit_test(no_baton_is_caught),
		cmocka_unit_test(close_with_loans_wakes_who_waits_for_memory),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	run = shared_memory(sizeof *run);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
