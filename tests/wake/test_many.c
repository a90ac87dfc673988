/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_many - pabal_wait_many(): what is ready, and interrupts, for each kind of object. What ends them stands in test_many_ends.c.
 *
 * No wait here that is to end has a time limit, the wait slices are endless (noslice), and nothing else happens that could end it: what is lost hangs. That a wait goes on sleeping is seen from outside: its
 * thread sleeps in the kernel, which one that looks again and again never does.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wake/thing.h"

static void before_there_is_a_descriptor(void **state)
{
	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct thing thing;

		thing_make(&thing, kind, 0);
		assert_int_equal(thing_interrupt(&thing), 0);
		assert_int_equal(thing_await(&thing, PABAL_FOREVER), -ECANCELED);
		assert_int_equal(thing_await(&thing, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(thing_await(&thing, 1000000), -ETIMEDOUT);
		thing_end(&thing);
	}
}

/* A call that does not wait empties the descriptor, and ends no wait: the interrupt is still kept. It ends one wait, of whichever call. */
static void kept_over_calls_that_do_not_wait(void **state)
{
	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct thing thing;

		thing_make(&thing, kind, 0);
		assert_int_equal(thing_await(&thing, PABAL_NOWAIT), -EAGAIN);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(thing_interrupt(&thing), 0);
			assert_int_equal(thing_interrupt(&thing), 0);
			assert_int_equal(thing_get(&thing, PABAL_NOWAIT), -EAGAIN);
			assert_int_equal(thing_await(&thing, PABAL_NOWAIT), -EAGAIN);
			if (i == 0)
				assert_int_equal(thing_await(&thing, PABAL_FOREVER), -ECANCELED);
			else
				assert_int_equal(thing_get(&thing, PABAL_FOREVER), -ECANCELED);
			assert_int_equal(thing_get(&thing, 1000000), -ETIMEDOUT);
			assert_int_equal(thing_await(&thing, 1000000), -ETIMEDOUT);
		}
		thing_end(&thing);
	}
}

static void what_is_ready_comes_first(void **state)
{
	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct thing thing;

		thing_make(&thing, kind, 0);
		for (int i = 0; i < 2; i++) {
			thing_put(&thing);
			assert_int_equal(thing_interrupt(&thing), 0);
			assert_int_equal(thing_await(&thing, PABAL_FOREVER), 0);
			assert_int_equal(thing_get(&thing, PABAL_FOREVER), 0);
			assert_int_equal(thing_await(&thing, PABAL_FOREVER), -ECANCELED); /* no call has said "not now" */
			assert_int_equal(thing_await(&thing, 1000000), -ETIMEDOUT);
		}
		thing_end(&thing);
	}
}

static void one_interrupt_ends_all(void **state)
{
	enum { SLEEPERS = 4, ROUNDS = 5 };

	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct sleeper sleepers[SLEEPERS];
		struct thing thing;

		thing_make(&thing, kind, 0);
		for (int round = 0; round < ROUNDS; round++) {
			for (int i = 0; i < SLEEPERS; i++)
				sleeper_begin(&sleepers[i], &thing, i == round ? 0 : PABAL_READABLE); /* in the last one nobody is in another call */
			assert_int_equal(thing_interrupt(&thing), 0);
			for (int i = 0; i < SLEEPERS; i++)
				assert_int_equal(sleeper_result(&sleepers[i]), -ECANCELED);
			assert_int_equal(thing_await(&thing, 1000000), -ETIMEDOUT);
		}
		thing_end(&thing);
	}
}

struct turns {
	const struct thing *thing;
	_Atomic uint64_t go, ended;
	_Atomic pid_t tid;
	uint64_t count;
};

static void *wait_in_turns(void *data)
{
	struct turns *turns = data;

	atomic_store(&turns->tid, (pid_t)syscall(SYS_gettid));
	for (uint64_t i = 1; i <= turns->count; i++) {
		while (atomic_load(&turns->go) < i)
			sched_yield();
		if (thing_await(turns->thing, PABAL_FOREVER) != -ECANCELED)
			return NULL;
		atomic_fetch_add(&turns->ended, 1);
	}
	return data;
}

static bool waiter_sleeps(void *data)
{
	pid_t tid = atomic_load(&((struct turns *)data)->tid);

	return tid && process_state(tid) == 'S';
}

/* At whatever moment it comes, an interrupt ends one wait, and no more than that: before the wait begins, as it begins, and while it sleeps. */
static void one_interrupt_a_wait(void **state)
{
	enum { TURNS = 300 };

	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct turns turns = { .count = TURNS };
		struct thing thing;
		pthread_t thread;
		void *result;

		thing_make(&thing, kind, 0);
		turns.thing = &thing;
		assert_int_equal(pthread_create(&thread, NULL, wait_in_turns, &turns), 0);
		for (uint64_t i = 1; i <= TURNS; i++) {
			if (i % 3)
				atomic_store(&turns.go, i);
			if (i % 3 == 2)
				assert_true(eventually(waiter_sleeps, &turns));
			assert_int_equal(thing_interrupt(&thing), 0);
			atomic_store(&turns.go, i);
			assert_true(eventually_at_least(&turns.ended, i));
		}
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_ptr_equal(result, &turns);
		assert_int_equal(thing_await(&thing, 1000000), -ETIMEDOUT);
		thing_end(&thing);
	}
}

static void the_same_one_twice(void **state)
{
	(void)state;
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		struct thing thing;
		struct pabal_wait items[2];
		uint32_t count;

		thing_make(&thing, kind, 0);
		items[0] = items[1] = (struct pabal_wait){ .object = thing.handle, .events = PABAL_READABLE };
		if (kind != PROCESS)
			items[1].events |= PABAL_HANGUP;
		assert_int_equal(thing_interrupt(&thing), 0);
		assert_int_equal(pabal_wait_many(items, 2, &count, PABAL_FOREVER), -ECANCELED);
		assert_int_equal(pabal_wait_many(items, 2, &count, 1000000), -ETIMEDOUT);
		thing_put(&thing);
		assert_int_equal(pabal_wait_many(items, 2, &count, PABAL_FOREVER), 0);
		assert_int_equal(count, 2);
		assert_int_equal(items[0].ret_events, PABAL_READABLE);
		assert_int_equal(items[1].ret_events, PABAL_READABLE);
		assert_int_equal(thing_get(&thing, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_wait_many(items, 2, &count, PABAL_NOWAIT), -EAGAIN);
		thing_end(&thing);
	}
}

/* An interrupt is for one handle of an object: a wait on both of them ends, one on the other does not. */
static void both_handles_of_one(void **state)
{
	struct thing thing, other = { .kind = BUFFER };
	struct pabal_wait items[2];

	(void)state;
	thing_make(&thing, BUFFER, 0);
	other.handle = other.buffer = thing.other;
	items[0] = (struct pabal_wait){ .object = thing.buffer, .events = PABAL_READABLE };
	items[1] = (struct pabal_wait){ .object = thing.other, .events = PABAL_READABLE };
	for (int i = 0; i < 2; i++) {
		assert_int_equal(thing_interrupt(i ? &thing : &other), 0);
		assert_int_equal(thing_await(i ? &other : &thing, 1000000), -ETIMEDOUT);
		assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), -ECANCELED);
		assert_int_equal(pabal_wait_many(items, 2, NULL, 1000000), -ETIMEDOUT);
	}
	thing_put(&thing);
	assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), 0);
	assert_int_equal(items[0].ret_events, PABAL_READABLE);
	assert_int_equal(items[1].ret_events, PABAL_READABLE);
	thing_end(&thing);
}

/* Each message is told by the link; the process handle tells of what has no descriptor of its own. */
static void a_link_and_its_process(void **state)
{
	struct pabal_wait items[2];
	struct thing thing;

	(void)state;
	thing_make(&thing, LINK, 0);
	items[0] = (struct pabal_wait){ .object = thing.self, .events = PABAL_READABLE };
	items[1] = (struct pabal_wait){ .object = thing.link, .events = PABAL_READABLE | PABAL_HANGUP };
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_NOWAIT), -EAGAIN);
		thing_put(&thing);
		assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), 0);
		assert_int_equal(items[0].ret_events, 0);
		assert_int_equal(items[1].ret_events, PABAL_READABLE);
		assert_int_equal(thing_get(&thing, PABAL_NOWAIT), 0);
	}
	assert_int_equal(pabal_process_interrupt(thing.self), 0);
	assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), -ECANCELED);
	assert_int_equal(pabal_link_interrupt(thing.link), 0);
	assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), -ECANCELED);
	assert_int_equal(pabal_wait_many(items, 2, NULL, 1000000), -ETIMEDOUT);
	thing_destroy(&thing);
	assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), 0);
	assert_int_equal(items[0].ret_events, 0);
	assert_int_equal(items[1].ret_events, PABAL_READABLE | PABAL_HANGUP);
	thing_close(&thing);
}

static int link_and_die(void *unused)
{
	pabal_process *self;
	pabal_link *link;

	(void)unused;
	child_equal(pabal_process_announce(NULL, NULL, &self), 0);
	child_equal(pabal_process_link(self, "me", &link, PABAL_FOREVER), 0);
	kill(getpid(), SIGKILL);
	return 1;
}

/* Who comes is told until pabal_process_accept() says that there is nobody: a send that says "not now", and a message that is received, say nothing about that. */
static void who_links_is_told_until_accept_says_not_now(void **state)
{
	struct thing thing;
	pabal_link *link;

	(void)state;
	thing_make(&thing, PROCESS, 0);
	for (int i = 0; i < 5; i++) {
		pid_t child = child_start(link_and_die, NULL);

		assert_int_equal(thing_await(&thing, PABAL_FOREVER), 0);
		thing_put(&thing);
		assert_int_equal(thing_get(&thing, PABAL_FOREVER), 0);
		assert_int_equal(pabal_process_send(thing.self, "nobody", "x", 1, PABAL_NOWAIT), -ENOENT);
		assert_int_equal(thing_await(&thing, PABAL_FOREVER), 0);
		assert_int_equal(pabal_process_accept(thing.self, &link, PABAL_FOREVER), 0);
		assert_int_equal(child_end(child), -SIGKILL);
		pabal_link_close(link);
		assert_int_equal(thing_await(&thing, PABAL_NOWAIT), -EAGAIN);
	}
	thing_end(&thing);
}

static struct thing *interrupted_by_handler;

static void on_signal(int number)
{
	(void)number;
	thing_interrupt(interrupted_by_handler);
}

static int signal_the_parent(void *unused)
{
	(void)unused;
	child_await_sleep(getppid());
	child_check(kill(getppid(), SIGUSR1) == 0);
	return 0;
}

/* The handler interrupts what its own thread sleeps on; the signal itself is told only where there was no interrupt. */
static void from_a_handler(void **state)
{
	(void)state;
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_signal, .sa_flags = SA_RESTART }, NULL);
	for (enum kind kind = MAILBOX; kind < KINDS; kind++) {
		for (int i = 0; i < 2; i++) {
			struct thing thing;
			pid_t child;

			thing_make(&thing, kind, i ? PABAL_RESTART : 0);
			interrupted_by_handler = &thing;
			child = child_start(signal_the_parent, NULL);
			assert_int_equal(thing_await(&thing, PABAL_FOREVER), -ECANCELED);
			assert_int_equal(child_end(child), 0);
			assert_int_equal(thing_await(&thing, 1000000), -ETIMEDOUT);
			thing_end(&thing);
		}
	}
}

/* A handle whose descriptors the program has closed tells nothing any more: that is said, where it would be looked at for ever. */
static int close_a_descriptor(void *unused)
{
	pabal_buffer *buffer;
	struct pabal_wait item = { .events = PABAL_READABLE };
	int fd;

	(void)unused;
	child_equal(pabal_buffer_create("o", 1, 2, NULL, &buffer), 0);
	item.object = buffer;
	child_equal(pabal_wait_many(&item, 1, NULL, 1000000), -ETIMEDOUT);
	fd = pabal_buffer_fd(buffer, PABAL_READABLE);
	child_check(close(fd) == 0);
	child_equal(pabal_wait_many(&item, 1, NULL, PABAL_FOREVER), -EBADF);
	pabal_buffer_close(buffer);
	child_equal(pabal_buffer_destroy("o"), 0);
	return 0;
}

static void closed_behind_its_back(void **state)
{
	(void)state;
	child_run(close_a_descriptor, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_there_is_a_descriptor),
		cmocka_unit_test(kept_over_calls_that_do_not_wait),
		cmocka_unit_test(what_is_ready_comes_first),
		cmocka_unit_test(one_interrupt_ends_all),
		cmocka_unit_test(one_interrupt_a_wait),
		cmocka_unit_test(the_same_one_twice),
		cmocka_unit_test(both_handles_of_one),
		cmocka_unit_test(a_link_and_its_process),
		cmocka_unit_test(who_links_is_told_until_accept_says_not_now),
		cmocka_unit_test(from_a_handler),
		cmocka_unit_test(closed_behind_its_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
