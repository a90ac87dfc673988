/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_opening - exactly one link for each pair, whoever asks first and when all ask at once.
 *
 * Processes meet at a barrier in shared memory and then all ask each other. That letters crossed is counted from the inside of the handles; a run without crossings proves nothing and fails.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model/process.h"
#include "support/support.h"

enum { PAIR_ROUNDS = 3000, CROWD = 5, CROWD_ROUNDS = 150, DEATHS = 400 };

struct shared {
	_Atomic uint32_t arrived;
	_Atomic uint64_t crossed, links, rounds;
};

static struct shared *shared;

/* All @count of them have got here for the @round-th time, counted from 1. */
static void meet(uint32_t count, uint32_t round)
{
	atomic_fetch_add(&shared->arrived, 1);
	while (atomic_load(&shared->arrived) < count * round)
		sched_yield();
}

static const char *name_of(int number)
{
	static char name[2][PABAL_NAME_SIZE];
	static int next;

	next ^= 1;
	snprintf(name[next], sizeof name[next], "crowd-%d", number);
	return name[next];
}

/* Everybody tells everybody else its number over the one link, and is told. */
static void exchange(pabal_link **links, int me, int count)
{
	for (int i = 0; i < count; i++)
		if (i != me)
			child_equal(pabal_link_send(links[i], &me, sizeof me, PABAL_FOREVER), 0);
	for (int i = 0; i < count; i++) {
		int number = -1;
		size_t size = 0;

		if (i == me)
			continue;
		child_equal(pabal_link_receive(links[i], &number, sizeof number, &size, PABAL_FOREVER), 0);
		child_equal(size, sizeof number);
		child_equal(number, i);
		child_equal(pabal_link_receive(links[i], &number, sizeof number, &size, PABAL_NOWAIT), -EAGAIN);
	}
}

static void one_round(int me, int count, uint32_t round)
{
	pabal_link *links[CROWD] = { NULL }, *again;
	pabal_process *self;

	child_equal(pabal_process_announce(name_of(me), NULL, &self), 0);
	meet((uint32_t)count, 4 * round + 1);
	for (int i = 1; i < count; i++) /* in an order of one's own, so that each pair asks at the same moment now and then */
		child_equal(pabal_process_link(self, name_of((me + i) % count), &links[(me + i) % count], PABAL_FOREVER), 0);
	/* Asked again it is the same; and there is no other, for anybody to accept. */
	for (int i = 1; i < count; i++) {
		child_equal(pabal_process_link(self, name_of((me + i) % count), &again, PABAL_NOWAIT), 0);
		child_check(again == links[(me + i) % count]);
		pabal_link_close(again);
	}
	meet((uint32_t)count, 4 * round + 2);
	child_equal(pabal_process_accept(self, &again, PABAL_NOWAIT), -EAGAIN);
	exchange(links, me, count);
	child_equal(self->party_count, count - 1);
	meet((uint32_t)count, 4 * round + 3);
	atomic_fetch_add(&shared->crossed, self->crossed);
	atomic_fetch_add(&shared->links, self->party_count);
	pabal_process_close(self);
	meet((uint32_t)count, 4 * round + 4);
}

struct member {
	int me, count;
	uint32_t rounds;
};

static int be_member(void *data)
{
	struct member *member = data;

	for (uint32_t round = 0; round < member->rounds; round++)
		one_round(member->me, member->count, round);
	return 0;
}

static void run_crowd(int count, uint32_t rounds)
{
	pid_t pids[CROWD];

	memset(shared, 0, sizeof *shared);
	for (int i = 0; i < count; i++)
		pids[i] = child_start(be_member, &(struct member){ .me = i, .count = count, .rounds = rounds });
	for (int i = 0; i < count; i++)
		assert_int_equal(child_end(pids[i]), 0);
	printf("%u rounds of %d: %llu ends of links, %llu letters crossed\n", rounds, count, (unsigned long long)atomic_load(&shared->links),
	       (unsigned long long)atomic_load(&shared->crossed));
	assert_int_equal(atomic_load(&shared->links), (uint64_t)rounds * (uint64_t)count * (uint64_t)(count - 1));
	assert_true(atomic_load(&shared->crossed) > 0);
}

static void two_that_ask_at_once_get_one_link(void **state)
{
	(void)state;
	run_crowd(2, PAIR_ROUNDS);
}

static void a_crowd_gets_one_link_a_pair(void **state)
{
	(void)state;
	run_crowd(CROWD, CROWD_ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_that_ask_at_once_get_one_link),
		cmocka_unit_test(a_crowd_gets_one_link_a_pair),
	};

	shared = shared_memory(sizeof *shared);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
