/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_waiting - time-outs, signals, interrupts.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/support.h"

static pabal_mailbox *made(uint32_t flags)
{
	pabal_mailbox *a;

	assert_int_equal(pabal_mailbox_create("a", OPTS(.flags = flags, .capacity = 1), &a), 0);
	return a;
}

static void done_with(pabal_mailbox *a)
{
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static const uint32_t modes[] = { 0, PABAL_WAIT_BLOCK, PABAL_WAIT_SPIN };

/* Not earlier than said; how much later is the machine's business. */
static void a_timeout_is_never_early(void **state)
{
	char byte;

	(void)state;
	for (int i = 0; i < 3; i++) {
		pabal_mailbox *a = made(modes[i]);

		for (int64_t timeout = 1; timeout < 100000000; timeout *= 20) {
			int64_t start = now();

			assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, timeout), -ETIMEDOUT);
			assert_true(now() - start >= timeout);
		}
		assert_int_equal(pabal_mailbox_send(a, "x", 1, INT64_MAX), 0);
		assert_int_equal(pabal_mailbox_send(a, "x", 1, 5000000), -ETIMEDOUT);
		done_with(a);
	}
}

static volatile sig_atomic_t handled;
static pabal_mailbox *interrupted_by_handler;

static void on_signal(int signal)
{
	(void)signal;
	handled++;
	if (interrupted_by_handler)
		pabal_mailbox_interrupt(interrupted_by_handler);
}

static void handle(int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(SIGUSR1, &action, NULL);
	handled = 0;
}

static _Atomic uint32_t *interrupted_once; /* shared with the child */

static int wait_and_be_signalled(void *data)
{
	const uint32_t *how = data;
	pabal_mailbox *a;
	char byte;

	handle(how[0] ? SA_RESTART : 0);
	child_equal(pabal_mailbox_open("a", OPTS(.flags = how[1]), &a), 0);
	if (how[1] & PABAL_RESTART) {
		child_equal(pabal_mailbox_receive(a, &byte, 1, NULL, HANG), 0);
		child_check(handled == 1);
	} else {
		child_equal(pabal_mailbox_receive(a, &byte, 1, NULL, HANG), -EINTR);
		child_check(handled >= 1);
		*interrupted_once = 1;
		child_equal(pabal_mailbox_receive(a, &byte, 1, NULL, HANG), 0);
	}
	child_equal(byte, 'x');
	pabal_mailbox_close(a);
	return 0;
}

static void a_signal_ends_the_wait_whatever_sa_restart_says(void **state)
{
	static uint32_t cases[][2] = { { 0, 0 }, { 1, 0 }, { 0, PABAL_WAIT_BLOCK }, { 0, PABAL_RESTART }, { 1, PABAL_RESTART } };

	(void)state;
	interrupted_once = shared_memory(sizeof *interrupted_once);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pabal_mailbox *a = made(0);
		pid_t pid;

		*interrupted_once = 0;
		pid = child_start(wait_and_be_signalled, cases[i]);

		child_await_sleep(pid);
		/* A handler may run in the moment between two wait slices, in which the call does not sleep: again until it has slept. */
		do {
			kill(pid, SIGUSR1);
			pause_briefly();
		} while (!(cases[i][1] & PABAL_RESTART) && !*interrupted_once);
		child_await_sleep(pid);
		assert_int_equal(pabal_mailbox_send(a, "x", 1, PABAL_NOWAIT), 0);
		assert_int_equal(child_end(pid), 0);
		assert_int_equal(stats_of(a).depth, 0);
		done_with(a);
	}
}

static int be_interrupted_by_ones_own_handler(void *data)
{
	pabal_mailbox *a;
	char byte;

	(void)data;
	child_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_RESTART), &a), 0);
	interrupted_by_handler = a;
	handle(SA_RESTART);
	child_equal(pabal_mailbox_receive(a, &byte, 1, NULL, HANG), -ECANCELED);
	child_check(handled == 1);
	pabal_mailbox_close(a);
	return 0;
}

static void a_handler_may_interrupt(void **state)
{
	pabal_mailbox *a = made(0);
	pid_t pid = child_start(be_interrupted_by_ones_own_handler, NULL);

	(void)state;
	child_await_sleep(pid);
	kill(pid, SIGUSR1);
	assert_int_equal(child_end(pid), 0);
	done_with(a);
}

static void an_interrupt_is_kept_for_the_next_wait(void **state)
{
	char byte;

	(void)state;
	for (int i = 0; i < 3; i++) {
		pabal_mailbox *a = made(modes[i]);

		assert_int_equal(pabal_mailbox_interrupt(a), 0);
		assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN); /* needs no wait: not touched */
		assert_int_equal(pabal_mailbox_send(a, "x", 1, HANG), 0);
		assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, HANG), 0);
		assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, HANG), -ECANCELED);
		assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, 1000000), -ETIMEDOUT); /* once */
		assert_int_equal(pabal_mailbox_interrupt(NULL), -EINVAL);
		done_with(a);
	}
}

struct waiter {
	pabal_mailbox *mailbox;
	pthread_t thread;
	bool sends;
	int result;
};

static void *wait_in_a_thread(void *data)
{
	struct waiter *waiter = data;
	char byte;

	waiter->result =
		waiter->sends ? pabal_mailbox_send(waiter->mailbox, "y", 1, HANG) : pabal_mailbox_receive(waiter->mailbox, &byte, 1, NULL, HANG);
	return NULL;
}

/* Whether the threads sleep already when it comes makes no difference. */
static void an_interrupt_ends_every_wait_on_the_handle(void **state)
{
	(void)state;
	for (int round = 0; round < 40; round++) {
		pabal_mailbox *a = made(modes[round % 3]), *other;
		struct waiter waiters[3];

		assert_int_equal(pabal_mailbox_open("a", NULL, &other), 0);
		if (round % 2)
			assert_int_equal(pabal_mailbox_send(a, "x", 1, PABAL_NOWAIT), 0);
		for (int i = 0; i < 3; i++) {
			waiters[i] = (struct waiter){ .mailbox = a, .sends = round % 2 };
			pthread_create(&waiters[i].thread, NULL, wait_in_a_thread, &waiters[i]);
		}
		for (int i = 0; i < round % 4; i++)
			pause_briefly();
		/* A wait that begins after the interrupt of all others may sleep on: interrupt until all have ended. */
		for (int ended = 0; ended < 3;) {
			pabal_mailbox_interrupt(a);
			pause_briefly();
			if (pthread_tryjoin_np(waiters[ended].thread, NULL) == 0)
				assert_int_equal(waiters[ended++].result, -ECANCELED);
		}
		pabal_mailbox_close(other);
		done_with(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timeout_is_never_early),
		cmocka_unit_test(a_signal_ends_the_wait_whatever_sa_restart_says),
		cmocka_unit_test(a_handler_may_interrupt),
		cmocka_unit_test(an_interrupt_is_kept_for_the_next_wait),
		cmocka_unit_test(an_interrupt_ends_every_wait_on_the_handle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
