/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_death - the peer's end: told at once, and after everything that it committed.
 *
 * Named invariants: "a send to the dead does not say that it went", "what was committed is received first".
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "platform/life.h"
#include "support/link_pair.h"

struct run {
	struct link_pair pair;
	_Atomic uint64_t ready, go;
	uint32_t messages;
	bool receives, closes;
	_Atomic uint64_t life_fd; /* 1 + the descriptor of the peer's life page */
};

static struct run *run;

static int peer(void *data)
{
	pabal_link *link;
	char buffer[2000];

	(void)data;
	link = link_pair_open(&run->pair, 1, getppid(), 0);
	child_equal(pabal__life_get(), 0);
	atomic_store(&run->life_fd, (uint64_t)pabal__life_fd() + 1);
	for (uint32_t i = 0; i < run->messages; i++) {
		memset(buffer, (int)i, sizeof buffer);
		child_equal(pabal_link_send(link, buffer, i * 19 % 2000, PABAL_FOREVER), 0);
	}
	atomic_store(&run->ready, 1);
	while (run->receives && !atomic_load(&run->go))
		pabal_link_receive(link, buffer, sizeof buffer, NULL, 1000000);
	if (run->closes)
		pabal_link_close(link);
	atomic_store(&run->ready, 2);
	child_wait_for_death();
}

/* What the peer's page says, as if it had sent it. */
static const _Atomic uint64_t *life_of(pid_t pid)
{
	const _Atomic uint64_t *word;
	char path[64];
	int fd;

	assert_true(eventually_at_least(&run->life_fd, 1));
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, (int)atomic_load(&run->life_fd) - 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pabal__life_map(fd, &word), 0);
	close(fd);
	return word;
}

/* What this side has of the peer's life page: nothing, the page, or one that says for ever that it lives. */
enum life { LIFE_UNKNOWN, LIFE_KNOWN, LIFE_LIES };

static enum life life;

static pid_t start(uint32_t messages, bool receives, bool closes, pabal_link **ret_link)
{
	pid_t pid;

	memset(run, 0, sizeof *run);
	run->messages = messages;
	run->receives = receives;
	run->closes = closes;
	link_pair_make(&run->pair, 1 << 20, 1 << 20);
	pid = child_start(peer, NULL);
	run->pair.parts[0].peer_life = life == LIFE_KNOWN ? life_of(pid) : life == LIFE_LIES ? link_pair_life() : NULL;
	*ret_link = link_pair_open(&run->pair, 0, pid, 0);
	assert_true(eventually_at_least(&run->ready, 1));
	return pid;
}

/* Everything that was committed, then the end, whatever is tried. */
static void expect_all_then(pabal_link *link, uint32_t messages, int end)
{
	struct pabal_message message;
	struct pabal_loan loan;
	unsigned char buffer[2000];

	for (uint32_t i = 0; i < messages; i++) {
		size_t size;

		assert_int_equal(pabal_link_receive(link, buffer, sizeof buffer, &size, i % 2 ? PABAL_NOWAIT : PABAL_FOREVER), 0);
		assert_int_equal(size, i * 19 % 2000);
		assert_true(size == 0 || (buffer[0] == (unsigned char)i && buffer[size - 1] == (unsigned char)i));
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pabal_link_receive(link, buffer, sizeof buffer, NULL, i ? PABAL_FOREVER : PABAL_NOWAIT), end);
		assert_int_equal(pabal_link_take(link, NULL, &message, PABAL_NOWAIT), end);
		assert_int_equal(pabal_link_send(link, "x", 1, i ? PABAL_FOREVER : PABAL_NOWAIT), end);
		assert_int_equal(pabal_link_loan(link, 10, &loan, PABAL_NOWAIT), end);
		assert_int_equal(pabal_link_call(link, "x", 1, buffer, 1, NULL, SECOND), end);
	}
}

static void all_is_received_after_death(void **state)
{
	pabal_link *link;
	pid_t pid = start(150, false, false, &link);

	(void)state;
	child_kill(pid);
	expect_all_then(link, 150, -EOWNERDEAD);
	pabal_link_close(link);
}

static void all_is_received_after_an_orderly_close(void **state)
{
	pabal_link *link;
	pid_t pid = start(150, false, true, &link);

	(void)state;
	assert_true(eventually_at_least(&run->ready, 2));
	expect_all_then(link, 150, -EPIPE);
	child_kill(pid);
	pabal_link_close(link);
}

/* What the first send says right after the peer was killed and mourned. It had just been active: that must not count. */
static int first_send_after_kill(enum pabal__fault fault)
{
	pabal_link *link;
	pid_t pid = start(0, true, false, &link);
	int r;

	for (int i = 0; i < 50; i++)
		assert_int_equal(pabal_link_send(link, "beat", 4, PABAL_FOREVER), 0);
	pause_briefly();
	child_kill(pid);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	r = pabal_link_send(link, "x", 1, PABAL_NOWAIT);
	pabal__fault_on = PABAL__FAULT_NONE;
	pabal_link_close(link);
	return r;
}

static void a_send_right_after_the_kill(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		assert_int_equal(first_send_after_kill(PABAL__FAULT_NONE), -EOWNERDEAD);
}

/* With the peer's page it is seen at once: no clock is looked at, and no kernel is asked, before it ends. */
static void a_send_after_the_mark(void **state)
{
	(void)state;
	life = LIFE_KNOWN;
	for (int i = 0; i < 50; i++)
		assert_int_equal(first_send_after_kill(PABAL__FAULT_NONE), -EOWNERDEAD);
	life = LIFE_UNKNOWN;
}

/* A peer whose page lies is asked for now and then. How many sends said that they went, or -1: more than all that are believed. */
static int sends_to_a_dead_liar(enum pabal__fault fault)
{
	pabal_link *link;
	pid_t pid;
	int count = 0, r = 0;

	life = LIFE_LIES;
	pid = start(0, true, false, &link);
	child_kill(pid);
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	while (r == 0 && count <= PABAL__LIFE_BELIEVED_MAX)
		if ((r = pabal_link_send(link, "x", 1, PABAL_NOWAIT)) == 0)
			count++;
	pabal__fault_on = PABAL__FAULT_NONE;
	pabal_link_close(link);
	life = LIFE_UNKNOWN;
	return r == -EOWNERDEAD ? count : -1;
}

static void a_lie_is_not_believed_for_ever(void **state)
{
	(void)state;
	assert_in_range(sends_to_a_dead_liar(PABAL__FAULT_NONE), 0, PABAL__LIFE_BELIEVED_MAX);
	assert_int_equal(sends_to_a_dead_liar(PABAL__FAULT_LIFE_BELIEVED), -1);
	assert_true(pabal__fault_hits > 0);
}

static void a_loan_is_refused_at_its_commit(void **state)
{
	static const size_t sizes[] = { 64, 5000 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		pabal_link *link;
		struct pabal_loan loan;
		pid_t pid = start(0, true, false, &link);

		assert_int_equal(pabal_link_loan(link, sizes[i], &loan, PABAL_NOWAIT), 0);
		child_kill(pid);
		assert_int_equal(pabal_link_commit(link, &loan, 10, PABAL_NOWAIT), -EOWNERDEAD);
		assert_int_equal(pabal_link_cancel(link, &loan), 0);
		pabal_link_close(link);
	}
}

static void no_life_is_caught(void **state)
{
	bool caught = false;

	(void)state;
	for (int i = 0; i < 50 && !caught; i++)
		caught = first_send_after_kill(PABAL__FAULT_NO_LIFE) == 0;
	assert_true(caught && pabal__fault_hits > 0);
}

static void old_movement_as_life_is_caught(void **state)
{
	bool caught = false;

	(void)state;
	for (int i = 0; i < 200 && !caught; i++)
		caught = first_send_after_kill(PABAL__FAULT_MOVED_IS_ALIVE) == 0 && pabal__fault_hits > 0;
	assert_true(caught);
}

static int commits_and_dies(void *data)
{
	pabal_link *link = link_pair_open(&run->pair, 1, getppid(), 0);

	(void)data;
	atomic_store(&run->ready, 1);
	child_check(eventually_at_least(&run->go, 1));
	child_equal(pabal_link_send(link, "last words", 10, PABAL_NOWAIT), 0);
	kill(getpid(), SIGKILL);
	return 0;
}

/* Sleepers hear of the death itself, and get the last words first. */
static void a_sleeper_gets_the_last_words(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		char buffer[16];
		pabal_link *link;
		pid_t pid;

		memset(run, 0, sizeof *run);
		link_pair_make(&run->pair, 4096, 4096);
		pid = child_start(commits_and_dies, NULL);
		link = link_pair_open(&run->pair, 0, pid, i % 2 ? PABAL_WAIT_BLOCK : 0);
		assert_true(eventually_at_least(&run->ready, 1));
		atomic_store(&run->go, 1);
		assert_int_equal(pabal_link_receive(link, buffer, sizeof buffer, NULL, PABAL_FOREVER), 0);
		assert_int_equal(pabal_link_receive(link, buffer, sizeof buffer, NULL, PABAL_FOREVER), -EOWNERDEAD);
		child_kill(pid);
		pabal_link_close(link);
	}
}

static int blocks_for_room(void *data)
{
	pabal_link *link = link_pair_open(&run->pair, 1, getppid(), *(uint32_t *)data);
	int r;

	do
		r = pabal_link_send(link, run, 1000, PABAL_FOREVER);
	while (r == 0);
	return r == -EPIPE ? 0 : 1;
}

static void who_waits_for_room_is_told(void **state)
{
	static uint32_t flags[] = { PABAL_WAIT_BLOCK, 0, PABAL_WAIT_SPIN };

	(void)state;
	for (int i = 0; i < 3; i++) {
		pabal_link *link;
		pid_t pid;

		memset(run, 0, sizeof *run);
		link_pair_make(&run->pair, 4096, 4096);
		pid = child_start(blocks_for_room, &flags[i]);
		link = link_pair_open(&run->pair, 0, pid, 0);
		if (flags[i] != PABAL_WAIT_SPIN)
			child_await_sleep(pid);
		pabal_link_close(link);
		assert_int_equal(child_end(pid), 0);
	}
}

static int forked(void *data)
{
	pabal_link *link = data;
	struct pabal_link_stats stats = { .struct_size = sizeof stats };
	struct pabal_message message;
	struct pabal_loan loan;
	char byte;

	child_equal(pabal_link_send(link, "x", 1, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_link_receive(link, &byte, 1, NULL, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_link_take(link, NULL, &message, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_link_loan(link, 1, &loan, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_link_interrupt(link), -ESTALE);
	child_equal(pabal_link_fd(link, PABAL_READABLE), -ESTALE);
	child_equal(pabal_link_stat(link, &stats), -ESTALE);
	pabal_link_close(link);
	return 0;
}

/* A child that has all descriptors as well neither ends the link by closing it, nor keeps its end from being told. */
static void a_fork_child_is_stale(void **state)
{
	pabal_link *links[2];
	char byte;

	(void)state;
	link_pair_default(0, links);
	child_run(forked, links[0]);
	assert_int_equal(pabal_link_send(links[0], "y", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_receive(links[1], &byte, 1, NULL, PABAL_NOWAIT), 0);
	{
		pid_t holder = child_start((child_main *)(void *)child_wait_for_death, NULL);

		pabal_link_close(links[0]);
		assert_int_equal(pabal_link_receive(links[1], &byte, 1, NULL, PABAL_FOREVER), -EPIPE);
		child_kill(holder);
	}
	pabal_link_close(links[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_received_after_death),
		cmocka_unit_test(all_is_received_after_an_orderly_close),
		cmocka_unit_test(a_send_right_after_the_kill),
		cmocka_unit_test(a_send_after_the_mark),
		cmocka_unit_test(a_lie_is_not_believed_for_ever),
		cmocka_unit_test(a_loan_is_refused_at_its_commit),
		cmocka_unit_test(no_life_is_caught),
		cmocka_unit_test(old_movement_as_life_is_caught),
		cmocka_unit_test(a_sleeper_gets_the_last_words),
		cmocka_unit_test(who_waits_for_room_is_told),
		cmocka_unit_test(a_fork_child_is_stale),
	};

	run = shared_memory(sizeof *run);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
