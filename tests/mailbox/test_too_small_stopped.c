/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_too_small_stopped - a receive with a buffer that is too small is stopped at every instruction, while the message goes and its memory is used for others: the size that it
 * tells is that of a message which was the next at some moment of the call.
 *
 * The same without the second look at the slot (NO_LARGE_REREAD): then there is an instruction after which it tells the size of one that never was the next when it looked.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "support/stopped.h"
#include "support/support.h"

enum {
	FIRST = 300, /* bytes: a block of 512, sixteen to an extent */
	OTHER = 310, /* another size that goes into the same blocks */
	LAP = 16,
	STOPS = 400, /* instructions; the look lies in the first hundred, and thousands write the sentence for people */
};

enum said { NOTHING, FIRST_SIZE, OTHER_SIZE, SOMETHING_ELSE };

static _Atomic uint64_t *hits;

/* In the child. */
static enum said receive_small(pabal_mailbox *a)
{
	char text[8];
	size_t size = 0;
	int r = pabal_mailbox_receive(a, text, sizeof text, &size, PABAL_NOWAIT);

	if (r == -EAGAIN)
		return NOTHING;
	return r != -EMSGSIZE ? SOMETHING_ELSE : size == FIRST ? FIRST_SIZE : size == OTHER ? OTHER_SIZE : SOMETHING_ELSE;
}

static _Noreturn void receive_under_a_tracer(enum pabal__fault fault)
{
	enum said said;
	pabal_mailbox *a;

	child_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_SINGLE_THREAD), &a), 0);
	child_equal(receive_small(a), FIRST_SIZE); /* once before, so that the linker is done */
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	stopped_here();
	said = receive_small(a);
	atomic_fetch_add(hits, pabal__fault_hits);
	pabal_mailbox_close(a);
	_exit((int)said);
}

static void pass_one(pabal_mailbox *a, size_t size)
{
	char data[OTHER] = { 0 };
	size_t got;

	if (size)
		assert_int_equal(pabal_mailbox_send(a, data, size, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_receive(a, data, sizeof data, &got, PABAL_NOWAIT), 0);
}

/* What a receive says that is stopped after @steps instructions. The others were never the next when it looked: it stood still. */
static enum said stop_after(pabal_mailbox *a, enum pabal__fault fault, uint32_t steps)
{
	char data[FIRST] = { 0 };
	pid_t pid;

	assert_int_equal(pabal_mailbox_send(a, data, FIRST, PABAL_NOWAIT), 0);
	pid = fork();
	if (pid == 0)
		receive_under_a_tracer(fault);
	assert_true(pid > 0);
	assert_true(WIFSTOPPED(stopped_await(pid)));
	stopped_step(pid, steps);
	pass_one(a, 0); /* the first */
	for (int i = 0; i < LAP; i++)
		pass_one(a, OTHER);
	return (enum said)stopped_finish(pid);
}

/* Stopped after each number of instructions. Returns how often it told of another one. */
static uint32_t stop_everywhere(enum pabal__fault fault)
{
	uint32_t others = 0, firsts = 0;
	pabal_mailbox *a = NULL;

	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	for (uint32_t steps = 0; steps < STOPS; steps++) {
		enum said said = stop_after(a, fault, steps);

		assert_int_not_equal(said, SOMETHING_ELSE);
		others += said == OTHER_SIZE;
		firsts += said == FIRST_SIZE;
	}
	assert_true(firsts > 0 && firsts < STOPS); /* stopped before and after the look */
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	return others;
}

static void it_tells_the_size_of_the_next(void **state)
{
	(void)state;
	assert_int_equal(stop_everywhere(PABAL__FAULT_NONE), 0);
}

static void without_the_second_look_it_is_caught(void **state)
{
	uint32_t others;

	(void)state;
	atomic_store(hits, 0);
	others = stop_everywhere(PABAL__FAULT_NO_LARGE_REREAD);
	assert_true(atomic_load(hits) > 0);
	assert_true(others > 0);
	printf("another's size after %u of %d instructions\n", others, STOPS);
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

/* In the child, which has a descriptor: a message comes somewhere in a call that may say "not now". It stays, so the descriptor is readable after the call, whatever that said. */
static _Noreturn void look_at_the_descriptor(void)
{
	char text[8];
	pabal_mailbox *a;
	int fd, r;

	child_equal(pabal_mailbox_open("a", NULL, &a), 0);
	fd = pabal_mailbox_fd(a, PABAL_READABLE);
	child_check(fd >= 0);
	child_equal(pabal_mailbox_receive(a, text, sizeof text, NULL, PABAL_NOWAIT), -EAGAIN);
	child_check(!is_readable(fd));
	stopped_here();
	r = pabal_mailbox_receive(a, text, sizeof text, NULL, PABAL_NOWAIT);
	child_check(r == -EAGAIN || r == -EMSGSIZE);
	if (r == -EAGAIN)
		atomic_fetch_add(hits, 1);
	child_check(is_readable(fd));
	child_equal(pabal_mailbox_receive(a, text, sizeof text, NULL, PABAL_NOWAIT), -EMSGSIZE);
	child_check(is_readable(fd));
	pabal_mailbox_close(a);
	_exit(0);
}

static void what_stays_keeps_the_descriptor_readable(void **state)
{
	char data[FIRST] = { 0 };
	pabal_mailbox *a = NULL;
	uint32_t stops = 0;

	(void)state;
	atomic_store(hits, 0);
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	for (uint32_t steps = 0; stops == 0 || atomic_load(hits) == 0; steps += 3) {
		pid_t pid = fork();

		if (pid == 0)
			look_at_the_descriptor();
		assert_true(pid > 0);
		assert_true(WIFSTOPPED(stopped_await(pid)));
		stopped_step(pid, steps);
		assert_int_equal(pabal_mailbox_send(a, data, FIRST, PABAL_NOWAIT), 0);
		assert_int_equal(stopped_finish(pid), 0);
		pass_one(a, 0);
		stops++;
	}
	assert_true(stops > 50); /* the last of them came after all looks of a call that then said "not now" */
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_tells_the_size_of_the_next),
		cmocka_unit_test(without_the_second_look_it_is_caught),
		cmocka_unit_test(what_stays_keeps_the_descriptor_readable),
	};

	hits = shared_memory(sizeof *hits);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
