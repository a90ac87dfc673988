/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_descriptor_word - "somebody may have a descriptor" is taken back when nobody has one, and never from one who has just got one.
 *
 * Who looks in vain is stopped at every instruction, while another one gets a descriptor; and who gets one at every instruction, while another one looks in vain. The same with deliberate faults: each must be
 * found. Then many at once, as processes: there is no wait slice (noslice) and no other event that could hide a loss, which hangs.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "model/attach.h"
#include "model/mailbox.h"
#include "support/support.h"

enum { MOST = 3000 /* instructions */, ROUNDS = 800, IN_USE = 1 };

static struct shared {
	_Atomic uint64_t returned, hits, got, over, taken_back;
} * shared;

static uint64_t word_of(pabal_mailbox *mailbox)
{
	return atomic_load(&pabal__mailbox_segment(mailbox)->header->descriptors);
}

static void look_for_somebody(pabal_mailbox *mailbox)
{
	pabal__mailbox_post(pabal__mailbox_segment(mailbox), PABAL_READABLE);
}

static void get_one(pabal_mailbox *mailbox)
{
	pabal__descriptor_enroll(&mailbox->segment, mailbox->id, PABAL_READABLE);
}

static void give_it_back(pabal_mailbox *mailbox)
{
	pabal__descriptor_withdraw(&mailbox->segment, mailbox->id, PABAL_READABLE);
}

static void when_nobody_has_one_the_word_says_so(void **state)
{
	pabal_mailbox *one, *other;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &one), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &other), 0);
	assert_int_equal(word_of(one), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(pabal_mailbox_fd(other, PABAL_WRITABLE) >= 0);
		assert_int_equal(word_of(one) & IN_USE, IN_USE);
		look_for_somebody(one);
		assert_int_equal(word_of(one) & IN_USE, IN_USE); /* for another event than this one */
		pabal_mailbox_close(other);
		assert_int_equal(word_of(one) & IN_USE, IN_USE);
		look_for_somebody(one);
		assert_int_equal(word_of(one) & IN_USE, 0);
		assert_int_equal(pabal_mailbox_open("a", NULL, &other), 0);
	}
	pabal_mailbox_close(other);
	pabal_mailbox_close(one);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static int have_one_and_hang(void *data)
{
	pabal_mailbox *mailbox;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &mailbox), 0);
	child_check(pabal_mailbox_fd(mailbox, PABAL_READABLE) >= 0);
	atomic_store(&shared->got, 1);
	child_wait_for_death();
}

static void the_dead_have_none(void **state)
{
	pabal_mailbox *mailbox;
	pid_t child;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &mailbox), 0);
	atomic_store(&shared->got, 0);
	child = child_start(have_one_and_hang, NULL);
	assert_true(eventually_at_least(&shared->got, 1));
	child_kill(child);
	look_for_somebody(mailbox);
	assert_int_equal(word_of(mailbox) & IN_USE, IN_USE); /* nobody has buried it */
	assert_int_equal(pabal_gc(NULL), 0);
	look_for_somebody(mailbox);
	assert_int_equal(word_of(mailbox) & IN_USE, 0);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

typedef void act(pabal_mailbox *mailbox);

static _Noreturn void act_under_a_tracer(pabal_mailbox *mailbox, act *stopped, enum pabal__fault fault)
{
	pabal__fault_hits = 0;
	pabal__fault_on = fault;
	child_equal(ptrace(PTRACE_TRACEME, 0, NULL, NULL), 0);
	raise(SIGSTOP);
	stopped(mailbox);
	atomic_store(&shared->returned, 1);
	atomic_fetch_add(&shared->hits, pabal__fault_hits);
	_exit(0);
}

static int await_stop(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* @stopped is stopped after @steps instructions, while @meanwhile is done. true: it had returned by then. */
static bool stop_after(pabal_mailbox *its, act *stopped, pabal_mailbox *ours, act *meanwhile, enum pabal__fault fault, uint32_t steps)
{
	pid_t pid = fork();
	bool returned;

	if (pid == 0) /* it has the mapping, and no call asks whose handle it is */
		act_under_a_tracer(its, stopped, fault);
	assert_true(pid > 0);
	assert_true(WIFSTOPPED(await_stop(pid)));
	atomic_store(&shared->returned, 0);
	for (uint32_t i = 0; i < steps; i++) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		if (!WIFSTOPPED(await_stop(pid)))
			return true;
	}
	returned = atomic_load(&shared->returned);
	meanwhile(ours);
	assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	assert_true(WIFEXITED(await_stop(pid)));
	return returned;
}

/* How often the one who has got a descriptor, whichever it is, is not told of. */
static uint32_t stop_everywhere(bool looker_is_stopped, enum pabal__fault fault, uint32_t *ret_stops)
{
	pabal_mailbox *looker, *getter;
	uint32_t lost = 0, steps = 0;

	assert_int_equal(pabal_mailbox_create("a", NULL, &looker), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &getter), 0);
	for (bool is_over = false; !is_over; steps++) {
		assert_true(steps < MOST);
		atomic_fetch_or(&pabal__mailbox_segment(looker)->header->descriptors, IN_USE); /* left by somebody who has gone */
		if (looker_is_stopped)
			is_over = stop_after(looker, look_for_somebody, getter, get_one, fault, steps);
		else
			is_over = stop_after(getter, get_one, looker, look_for_somebody, fault, steps);
		lost += !(word_of(looker) & IN_USE);
		give_it_back(getter);
	}
	pabal_mailbox_close(getter);
	pabal_mailbox_close(looker);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	*ret_stops = steps;
	return lost;
}

static void stopped_anywhere_nobody_is_forgotten(void **state)
{
	uint32_t stops;

	(void)state;
	assert_int_equal(stop_everywhere(true, PABAL__FAULT_NONE, &stops), 0);
	assert_true(stops > 20);
	assert_int_equal(stop_everywhere(false, PABAL__FAULT_NONE, &stops), 0);
	assert_true(stops > 5);
}

static void expect_found(bool looker_is_stopped, enum pabal__fault fault)
{
	uint32_t stops, lost;

	atomic_store(&shared->hits, 0);
	pabal__fault_hits = 0;
	lost = stop_everywhere(looker_is_stopped, fault, &stops);
	assert_true(atomic_load(&shared->hits) > 0 || pabal__fault_hits > 0);
	assert_true(lost > 0);
	printf("fault %d: forgotten after %u of %u instructions\n", (int)fault, lost, stops);
}

static void each_fault_is_found(void **state)
{
	(void)state;
	expect_found(true, PABAL__FAULT_DESCRIPTORS_FORGOTTEN);
	expect_found(false, PABAL__FAULT_CHANGE_BEFORE_BIT);
	pabal__fault_on = PABAL__FAULT_CHANGE_UNCOUNTED; /* the getter is we */
	expect_found(true, PABAL__FAULT_CHANGE_UNCOUNTED);
	pabal__fault_on = PABAL__FAULT_NONE;
}

static int look_all_the_time(void *data)
{
	pabal_mailbox *mailbox;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &mailbox), 0);
	atomic_fetch_add(&shared->returned, 1);
	while (!atomic_load(&shared->over)) {
		uint64_t before = word_of(mailbox);

		look_for_somebody(mailbox);
		if ((before & IN_USE) && !(word_of(mailbox) & IN_USE))
			atomic_fetch_add(&shared->taken_back, 1);
	}
	pabal_mailbox_close(mailbox);
	return 0;
}

static int get_anew_each_time(void *data)
{
	pabal_mailbox *mailbox;

	(void)data;
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		uint64_t number;
		int fd, r;

		child_equal(pabal_mailbox_open("a", NULL, &mailbox), 0);
		fd = pabal_mailbox_fd(mailbox, PABAL_READABLE);
		child_check(fd >= 0);
		while ((r = pabal_mailbox_receive(mailbox, &number, sizeof number, NULL, PABAL_NOWAIT)) == -EAGAIN)
			poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
		child_equal(r, 0);
		child_equal(number, i);
		pabal_mailbox_close(mailbox);
		atomic_store(&shared->got, i);
	}
	return 0;
}

/* Nobody else opens or closes meanwhile: that would be an event that comes to the rescue. */
static void who_gets_one_anew_each_time_loses_nothing(void **state)
{
	pabal_mailbox *mailbox;
	pid_t lookers[2], getter;
	uint64_t random = 7;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &mailbox), 0);
	*shared = (struct shared){ .got = 0 };
	for (int i = 0; i < 2; i++)
		lookers[i] = child_start(look_all_the_time, NULL);
	assert_true(eventually_at_least(&shared->returned, 2));
	getter = child_start(get_anew_each_time, NULL);
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		for (uint32_t j = next_random(&random) % 30000; j > 0; j--) /* before, in or after the making of the descriptor */
			atomic_signal_fence(memory_order_seq_cst);
		assert_int_equal(pabal_mailbox_send(mailbox, &i, sizeof i, PABAL_NOWAIT), 0);
		while (atomic_load(&shared->got) < i)
			pause_briefly();
	}
	assert_int_equal(child_end(getter), 0);
	atomic_store(&shared->over, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(child_end(lookers[i]), 0);
	assert_true(shared->taken_back > 0);
	printf("the word was taken back %llu times in %d rounds\n", (unsigned long long)shared->taken_back, ROUNDS);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_nobody_has_one_the_word_says_so),      cmocka_unit_test(the_dead_have_none),
		cmocka_unit_test(stopped_anywhere_nobody_is_forgotten),      cmocka_unit_test(each_fault_is_found),
		cmocka_unit_test(who_gets_one_anew_each_time_loses_nothing),
	};

	shared = shared_memory(sizeof *shared);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
