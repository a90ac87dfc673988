/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_waiting - time-outs, signals, interrupts, in each way of waiting and in both directions.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/link_pair.h"

static const uint32_t ways[] = { PABAL_WAIT_BLOCK, 0, PABAL_WAIT_SPIN };

enum { WAYS = sizeof ways / sizeof ways[0] };

struct run {
	struct link_pair pair;
	_Atomic uint64_t ready, handled;
	uint32_t flags;
	bool restart, sends, interrupts;
	int result;
};

static struct run *run;
static pabal_link *own;

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static void fill(pabal_link *link)
{
	while (pabal_link_send(link, run, 1000, PABAL_NOWAIT) == 0) {
	}
}

static void close_both(pabal_link *links[2])
{
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

static void time_is_up(void **state)
{
	(void)state;
	for (int i = 0; i < WAYS; i++) {
		pabal_link *links[2];
		struct pabal_loan loan;
		int64_t before = now();
		char byte;

		link_pair_default(ways[i], links);
		assert_int_equal(pabal_link_receive(links[0], &byte, 1, NULL, 20000000), -ETIMEDOUT);
		fill(links[0]);
		assert_int_equal(pabal_link_send(links[0], run, 1000, 20000000), -ETIMEDOUT);
		assert_int_equal(pabal_link_loan(links[0], 1 << 20, &loan, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_link_send(links[0], run, 2000, 20000000), -ETIMEDOUT);
		assert_true(now() - before >= 60000000); /* never early */
		assert_int_equal(link_stats_of(links[0]).memory, 1 << 20);
		close_both(links);
	}
}

static void expect_said(int r, int wanted, const char *words)
{
	assert_int_equal(r, wanted);
	if (!strstr(pabal_error_detail(), words))
		fail_msg("nothing like '%s' in: %s", words, pabal_error_detail());
}

/* Whoever finds nothing is told what he did not find: no call says what another one waits for. */
static void what_was_not_there_is_said(void **state)
{
	struct pabal_message message;
	struct pabal_loan loan, other;
	pabal_link *links[2];
	uint64_t call;
	char byte;

	(void)state;
	link_pair_default(0, links);
	expect_said(pabal_link_receive(links[0], &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN, "the link is empty");
	expect_said(pabal_link_receive(links[0], &byte, 1, NULL, 1000000), -ETIMEDOUT, "before the link had a message");
	expect_said(pabal_link_take(links[0], NULL, &message, PABAL_NOWAIT), -EAGAIN, "the link is empty");
	expect_said(pabal_link_take(links[0], NULL, &message, 1000000), -ETIMEDOUT, "before the link had a message");
	assert_int_equal(pabal_link_call_start(links[0], "?", 1, &call, PABAL_NOWAIT), 0);
	expect_said(pabal_link_call_finish(links[0], call, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN, "not now: the reply");
	expect_said(pabal_link_call_finish(links[0], call, &byte, 1, NULL, 1000000), -ETIMEDOUT, "before the reply came");
	expect_said(pabal_link_call(links[0], "?", 1, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN, "not now: the reply");
	assert_int_equal(pabal_link_take(links[1], NULL, &message, PABAL_NOWAIT), 0);
	fill(links[0]);
	fill(links[1]);
	assert_int_equal(pabal_link_loan(links[0], 1 << 20, &loan, PABAL_NOWAIT), 0);
	expect_said(pabal_link_loan(links[0], 2000, &other, PABAL_NOWAIT), -EAGAIN, "the link is full");
	expect_said(pabal_link_loan(links[0], 2000, &other, 1000000), -ETIMEDOUT, "before the link had room");
	expect_said(pabal_link_commit(links[0], &loan, 2000, PABAL_NOWAIT), -EAGAIN, "the link is full");
	expect_said(pabal_link_commit(links[0], &loan, 2000, 1000000), -ETIMEDOUT, "before the link had room");
	expect_said(pabal_link_send(links[0], run, 1000, PABAL_NOWAIT), -EAGAIN, "the link is full");
	expect_said(pabal_link_send(links[0], run, 1000, 1000000), -ETIMEDOUT, "before the link had room");
	expect_said(pabal_link_call(links[0], run, 1000, &byte, 1, NULL, 1000000), -ETIMEDOUT, "before the link had room");
	expect_said(pabal_link_reply(links[1], &message, run, 1000, PABAL_NOWAIT), -EAGAIN, "the link is full");
	assert_int_equal(pabal_link_release(links[1], &message), 0);
	close_both(links);
}

static void on_signal(int number)
{
	(void)number;
	atomic_fetch_add(&run->handled, 1);
	if (run->interrupts && pabal_link_interrupt(own) < 0)
		_exit(77);
}

static int wait_for_signal(void *data)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = run->restart ? SA_RESTART : 0 };
	char buffer[1000];

	(void)data;
	sigaction(SIGUSR1, &action, NULL);
	own = link_pair_open(&run->pair, 1, getppid(), run->flags);
	if (run->sends)
		fill(own);
	atomic_store(&run->ready, 1);
	run->result = run->sends ? pabal_link_send(own, buffer, sizeof buffer, PABAL_FOREVER)
				 : pabal_link_receive(own, buffer, sizeof buffer, NULL, PABAL_FOREVER);
	return 0;
}

static pabal_link *start(uint32_t flags, bool sends, bool restart, bool interrupts, pid_t *ret_pid)
{
	pabal_link *link;

	memset(run, 0, sizeof *run);
	run->flags = flags;
	run->sends = sends;
	run->restart = restart;
	run->interrupts = interrupts;
	link_pair_make(&run->pair, 1 << 20, 1 << 20);
	*ret_pid = child_start(wait_for_signal, NULL);
	link = link_pair_open(&run->pair, 0, *ret_pid, 0);
	assert_true(eventually_at_least(&run->ready, 1));
	return link;
}

/* A handler ends a sleep, with SA_RESTART or without; nothing was sent or consumed. */
static void a_signal_ends_a_sleep(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		pid_t pid;
		pabal_link *link = start(i & 4 ? 0 : PABAL_WAIT_BLOCK, i & 1, i & 2, false, &pid);
		uint64_t got = 0;
		char buffer[1000];

		child_await_sleep(pid);
		kill(pid, SIGUSR1);
		assert_int_equal(child_end(pid), 0);
		assert_int_equal(run->result, -EINTR);
		while (pabal_link_receive(link, buffer, sizeof buffer, NULL, PABAL_NOWAIT) == 0)
			got++;
		assert_true(i & 1 ? got > 100 : got == 0);
		pabal_link_close(link);
	}
}

static void restart_goes_on(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		pid_t pid;
		pabal_link *link = start(PABAL_WAIT_BLOCK | PABAL_RESTART, i & 1, i & 2, false, &pid);
		char buffer[1000];

		child_await_sleep(pid);
		kill(pid, SIGUSR1);
		assert_true(eventually_at_least(&run->handled, 1));
		child_await_sleep(pid);
		if (i & 1)
			assert_int_equal(pabal_link_receive(link, buffer, sizeof buffer, NULL, PABAL_NOWAIT), 0);
		else
			assert_int_equal(pabal_link_send(link, "go", 2, PABAL_NOWAIT), 0);
		assert_int_equal(child_end(pid), 0);
		assert_int_equal(run->result, 0);
		pabal_link_close(link);
	}
}

/* Stopped and continued, no handler ran: nothing has happened. */
static void stop_and_continue_is_no_signal(void **state)
{
	pid_t pid;
	pabal_link *link = start(PABAL_WAIT_BLOCK, false, false, false, &pid);

	(void)state;
	child_await_sleep(pid);
	kill(pid, SIGSTOP);
	pause_briefly();
	kill(pid, SIGCONT);
	child_await_sleep(pid);
	assert_int_equal(pabal_link_send(link, "go", 2, PABAL_NOWAIT), 0);
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(run->result, 0);
	pabal_link_close(link);
}

/* From the handler itself, whatever the call was doing, and however it waits. */
static void an_interrupt_from_a_handler(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++) {
		pid_t pid;
		pabal_link *link = start(ways[i % WAYS] | (i >= 6 ? PABAL_RESTART : 0), i & 1, true, true, &pid);

		if (ways[i % WAYS] != PABAL_WAIT_SPIN)
			child_await_sleep(pid);
		kill(pid, SIGUSR1);
		assert_int_equal(child_end(pid), 0);
		assert_int_equal(run->result, -ECANCELED);
		pabal_link_close(link);
	}
}

static void an_interrupt_is_kept_for_the_next_wait(void **state)
{
	pabal_link *links[2];
	char byte;

	(void)state;
	link_pair_default(0, links);
	assert_int_equal(pabal_link_interrupt(links[0]), 0);
	assert_int_equal(pabal_link_send(links[1], "x", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_receive(links[0], &byte, 1, NULL, PABAL_FOREVER), 0); /* need not wait */
	assert_int_equal(pabal_link_receive(links[0], &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_link_receive(links[0], &byte, 1, NULL, PABAL_FOREVER), -ECANCELED);
	assert_int_equal(pabal_link_receive(links[0], &byte, 1, NULL, 1000000), -ETIMEDOUT);
	close_both(links);
}

/* A sender that sleeps is woken by the first message that is received; nothing else happens that could wake it. */
static void one_message_received_wakes_the_sender(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid;
		pabal_link *link = start(ways[i], true, false, false, &pid);
		char buffer[1000];

		child_await_sleep(pid);
		assert_int_equal(pabal_link_receive(link, buffer, sizeof buffer, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(child_end(pid), 0);
		assert_int_equal(run->result, 0);
		pabal_link_close(link);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_is_up),
		cmocka_unit_test(what_was_not_there_is_said),
		cmocka_unit_test(a_signal_ends_a_sleep),
		cmocka_unit_test(restart_goes_on),
		cmocka_unit_test(stop_and_continue_is_no_signal),
		cmocka_unit_test(an_interrupt_from_a_handler),
		cmocka_unit_test(an_interrupt_is_kept_for_the_next_wait),
		cmocka_unit_test(one_message_received_wakes_the_sender),
	};

	run = shared_memory(sizeof *run);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
