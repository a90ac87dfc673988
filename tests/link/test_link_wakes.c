/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_wakes - nobody sleeps while there is something to do, and no time-out could save one who did.
 *
 * Two processes, one or several threads each, every wait without an end. All is well if they end. With a deliberate fault they must stand still: the named invariant "nobody sleeps while work
 * exists" is broken when both sleep in the kernel, several looks in a row, nothing moves, and what one of them waits for is there.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "support/link_pair.h"

struct shape {
	uint32_t flags, threads, messages, size;
	bool echo; /* each message is answered, else they stream */
};

struct run {
	struct link_pair pair;
	struct shape shape;
	enum pabal__fault fault;
	_Atomic uint64_t moved[2], ended[2], hits;
};

static struct run *run;
static pabal_link *own;
static int own_side;

static void *use(void *data)
{
	char *buffer = calloc(1, run->shape.size + 1);

	(void)data;
	for (uint32_t i = 0; i < run->shape.messages; i++) {
		if (own_side == 0 || run->shape.echo) {
			if (own_side == 1)
				child_equal(pabal_link_receive(own, buffer, run->shape.size, NULL, PABAL_FOREVER), 0);
			child_equal(pabal_link_send(own, buffer, run->shape.size, PABAL_FOREVER), 0);
		}
		if ((own_side == 1) != run->shape.echo)
			child_equal(pabal_link_receive(own, buffer, run->shape.size, NULL, PABAL_FOREVER), 0);
		atomic_fetch_add(&run->moved[own_side], 1);
	}
	free(buffer);
	return NULL;
}

static int play_side(int side, pid_t peer)
{
	pthread_t threads[8] = { 0 };

	own_side = side;
	own = link_pair_open(&run->pair, side, peer, run->shape.flags);
	pabal__fault_on = run->fault;
	for (uint32_t i = 1; i < run->shape.threads; i++)
		pthread_create(&threads[i], NULL, use, NULL);
	use(NULL);
	for (uint32_t i = 1; i < run->shape.threads; i++)
		pthread_join(threads[i], NULL);
	atomic_fetch_add(&run->hits, pabal__fault_hits);
	atomic_store(&run->ended[side], 1);
	child_check(eventually_at_least(&run->ended[!side], 1)); /* closing would wake the other one */
	return 0;
}

static int play_second(void *data)
{
	(void)data;
	return play_side(1, getppid());
}

static int play_both(void *data)
{
	pid_t second = child_start(play_second, NULL);

	(void)data;
	play_side(0, second);
	return child_end(second);
}

/* Does it come to its end? false: for several seconds nothing has moved. */
static bool ends(const struct shape *shape, enum pabal__fault fault)
{
	uint64_t before = UINT64_MAX;
	int still = 0, status;
	pid_t pid;

	memset(run, 0, sizeof *run);
	run->shape = *shape;
	run->fault = fault;
	link_pair_make(&run->pair, 1 << 16, 1 << 16);
	pid = child_start(play_both, NULL);
	for (int i = 0; i < 2; i++) { /* what the children have of it is theirs */
		close(run->pair.parts[i].socket);
		close(run->pair.parts[i].memory);
		close(run->pair.parts[i].fds_in);
		close(run->pair.parts[i].fds_out);
	}
	while (still < 20000) { /* looks with nothing moved: seconds */
		uint64_t moved = atomic_load(&run->moved[0]) + atomic_load(&run->moved[1]);

		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		still = moved == before ? still + 1 : 0;
		before = moved;
		if (fault && still > 5000)
			break;
		pause_briefly();
	}
	child_kill(pid); /* the second one dies with it */
	return false;
}

static const struct shape shapes[] = {
	{ PABAL_WAIT_BLOCK, 1, 20000, 16, true },   { 0, 1, 20000, 16, true },
	{ PABAL_WAIT_BLOCK, 1, 50000, 900, false }, { 0, 1, 50000, 900, false },
	{ PABAL_WAIT_BLOCK, 1, 3000, 20000, true }, { PABAL_WAIT_BLOCK, 1, 5000, 30000, false },
	{ PABAL_WAIT_BLOCK, 4, 4000, 16, true },    { 0, 4, 4000, 16, true },
	{ PABAL_WAIT_BLOCK, 4, 10000, 900, false }, { 0, 4, 2000, 30000, false },
};

static void nobody_hangs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		if (!ends(&shapes[i], PABAL__FAULT_NONE))
			fail_msg("shape %zu stands still at %llu and %llu", i, (unsigned long long)run->moved[0], (unsigned long long)run->moved[1]);
}

static void expect_caught(enum pabal__fault fault)
{
	for (int round = 0; round < 5; round++)
		for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
			if (!ends(&shapes[i], fault))
				return;
	fail_msg("nobody stood still");
}

static void no_ring_is_caught(void **state)
{
	(void)state;
	expect_caught(PABAL__FAULT_NO_RING);
}

static void no_rearm_is_caught(void **state)
{
	(void)state;
	expect_caught(PABAL__FAULT_NO_REARM);
}

static void no_second_look_is_caught(void **state)
{
	(void)state;
	expect_caught(PABAL__FAULT_NO_SECOND_LOOK);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_hangs),
		cmocka_unit_test(no_ring_is_caught),
		cmocka_unit_test(no_rearm_is_caught),
		cmocka_unit_test(no_second_look_is_caught),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	run = shared_memory(sizeof *run);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
