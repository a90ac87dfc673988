/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_poll - pabal_wait_many() and the events of regions: what is told, when, to whom, and what is refused.
 *
 * No wait that is to end has a time limit, the wait slices are endless (noslice), and nothing else happens that could end it: what is lost hangs. That a wait goes on sleeping is seen from outside: its
 * thread sleeps in the kernel, which one that looks again and again never does.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "region/poll.h"

static _Atomic uint64_t *ready;

/* A thread that waits for one item without a limit. */
struct sleeper {
	pthread_t thread;
	void *object;
	uint32_t events, ret_events;
	_Atomic pid_t tid;
	_Atomic int result; /* 1: it waits */
};

static void *sleep_for_it(void *data)
{
	struct sleeper *sleeper = data;

	atomic_store(&sleeper->tid, (pid_t)syscall(SYS_gettid));
	atomic_store(&sleeper->result, poll_for(sleeper->object, sleeper->events, &sleeper->ret_events, PABAL_FOREVER));
	return NULL;
}

static bool has_a_tid(void *data)
{
	return atomic_load(&((struct sleeper *)data)->tid) != 0;
}

/* When this returns it sleeps. */
static void sleeper_begin(struct sleeper *sleeper, void *object, uint32_t events)
{
	*sleeper = (struct sleeper){ .object = object, .events = events, .result = 1 };
	if (pthread_create(&sleeper->thread, NULL, sleep_for_it, sleeper) != 0 || !eventually(has_a_tid, sleeper))
		abort(); /* a child may be here, which must not assert */
	child_await_sleep(atomic_load(&sleeper->tid));
}

static void expect_asleep(struct sleeper *sleeper)
{
	child_await_sleep(atomic_load(&sleeper->tid));
	assert_int_equal(atomic_load(&sleeper->result), 1);
}

static void expect_woken(struct sleeper *sleeper, int result, uint32_t events)
{
	assert_int_equal(pthread_join(sleeper->thread, NULL), 0);
	assert_int_equal(sleeper->result, result);
	if (result == 0)
		assert_int_equal(sleeper->ret_events, events);
}

static void each_notify_is_told_once(void **state)
{
	pabal_region *region = region_made(1), *other = region_opened(0);
	uint32_t events, now;

	(void)state;
	for (uint32_t i = 1; i < 5; i++) {
		assert_int_equal(poll_event(region, 0, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(poll_event(region, 0, 1000000), -ETIMEDOUT);
		for (uint32_t j = 0; j < i; j++) /* however many there were: it is told that there were some */
			assert_int_equal(pabal_region_notify(j % 2 ? region : other, 0, 0), 0);
		assert_int_equal(pabal_region_event(region, 0, &now), 0); /* takes nothing away */
		assert_int_equal(pabal_region_wait(region, 0, now - 1, NULL, PABAL_FOREVER), 0);
		assert_int_equal(poll_for(region, PABAL_READABLE, &events, i % 2 ? PABAL_FOREVER : PABAL_NOWAIT), 0);
		assert_int_equal(events, PABAL_READABLE);
	}
	assert_int_equal(poll_event(region, 0, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(poll_event(other, 0, PABAL_FOREVER), 0); /* what is old to one handle is new to another */
	assert_int_equal(poll_event(other, 0, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(sockets_there(), 2);
	pabal_region_close(other);
	assert_int_equal(sockets_there(), 1);
	region_ends(region);
}

static void which_one_is_told(void **state)
{
	static const uint32_t indices[] = { 0, 1, 23, 24, 46, 65535 }; /* some share a bit */
	enum { ITEMS = sizeof indices / sizeof *indices };
	pabal_region *region = region_made(65536), *other = region_opened(0);
	struct pabal_wait items[ITEMS];
	uint32_t count;

	(void)state;
	for (int i = 0; i < ITEMS; i++)
		items[i] = (struct pabal_wait){ .object = region, .events = PABAL_READABLE | PABAL_EVENT(indices[i]) };
	for (int i = 0; i < ITEMS; i++) {
		assert_int_equal(pabal_region_notify(other, indices[i], UINT32_MAX), 0);
		assert_int_equal(pabal_region_notify(other, 30000, UINT32_MAX), 0);
		assert_int_equal(pabal_wait_many(items, ITEMS, &count, PABAL_FOREVER), 0);
		assert_int_equal(count, 1);
		for (int j = 0; j < ITEMS; j++)
			assert_int_equal(items[j].ret_events, j == i ? PABAL_READABLE : 0);
		assert_int_equal(pabal_wait_many(items, ITEMS, &count, PABAL_NOWAIT), -EAGAIN);
	}
	for (int i = 0; i < ITEMS; i++) /* the same one in each item */
		items[i].events = PABAL_READABLE | PABAL_EVENT(5) | PABAL_HANGUP;
	assert_int_equal(pabal_region_notify(other, 5, 1), 0);
	assert_int_equal(pabal_wait_many(items, ITEMS, &count, PABAL_FOREVER), 0);
	assert_int_equal(count, ITEMS);
	assert_int_equal(pabal_wait_many(items, ITEMS, &count, 1000000), -ETIMEDOUT);
	for (int i = 0; i < ITEMS; i++) /* several handles of one region: each is told */
		items[i].object = i % 2 ? region : other;
	assert_int_equal(pabal_wait_many(items, ITEMS, &count, PABAL_FOREVER), 0);
	assert_int_equal(count, ITEMS / 2);
	assert_int_equal(pabal_region_notify(other, 5, 1), 0);
	assert_int_equal(pabal_wait_many(items, ITEMS, &count, PABAL_FOREVER), 0);
	assert_int_equal(count, ITEMS);
	pabal_region_close(other);
	region_ends(region);
}

static void said(const char *part)
{
	if (!strstr(pabal_error_detail(), part))
		fail_msg("'%s' is not in: %s", part, pabal_error_detail());
}

static int poll_the_parents(void *region)
{
	child_equal(poll_event(region, 0, PABAL_NOWAIT), -ESTALE);
	child_equal(poll_event(region, 0, PABAL_FOREVER), -ESTALE);
	pabal_region_close(region);
	return 0;
}

static void what_is_refused(void **state)
{
	pabal_region *region = region_made(3), *looker = region_opened(PABAL_READ_ONLY);
	pabal_mailbox *mailbox;

	(void)state;
	assert_int_equal(poll_for(region, PABAL_WRITABLE, NULL, PABAL_NOWAIT), -EINVAL);
	said("no PABAL_WRITABLE");
	assert_int_equal(poll_for(region, PABAL_READABLE | PABAL_WRITABLE, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(poll_event(region, 3, PABAL_NOWAIT), -EINVAL);
	said("no number 3");
	assert_int_equal(poll_event(region, 65535, PABAL_FOREVER), -EINVAL);
	assert_int_equal(poll_for(region, PABAL_HANGUP | PABAL_EVENT(3), NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(poll_for(region, PABAL_EVENT(1), NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(poll_for(region, PABAL_READABLE | 8, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(poll_for(region, 0, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(poll_event(looker, 0, PABAL_NOWAIT), -EPERM);
	assert_int_equal(poll_for(looker, PABAL_HANGUP, NULL, PABAL_FOREVER), -EPERM);
	pabal_region_close(looker);
	assert_int_equal(pabal_mailbox_create("m", NULL, &mailbox), 0);
	assert_int_equal(poll_for(mailbox, PABAL_READABLE | PABAL_EVENT(1), NULL, PABAL_NOWAIT), -EINVAL);
	said("PABAL_EVENT");
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("m"), 0);
	assert_int_equal(pabal_region_notify(region, 2, 1), 0);
	child_run(poll_the_parents, region);
	assert_int_equal(sockets_there(), 1); /* the child has not taken the parent's */
	assert_int_equal(poll_event(region, 2, PABAL_FOREVER), 0);
	region_ends(region);
}

/* What a call that failed would have told is told by the next one. */
static void a_call_that_fails_takes_nothing(void **state)
{
	pabal_region *region = region_made(1);
	pabal_mailbox *mailbox;
	struct pabal_wait items[2] = { { .object = region, .events = PABAL_READABLE } };

	(void)state;
	assert_int_equal(pabal_mailbox_create("m", NULL, &mailbox), 0);
	items[1] = (struct pabal_wait){ .object = mailbox, .events = PABAL_READABLE | PABAL_EVENT(1) };
	assert_int_equal(pabal_region_notify(region, 0, 1), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pabal_wait_many(items, 2, NULL, i ? PABAL_FOREVER : PABAL_NOWAIT), -EINVAL);
	items[1].events = PABAL_READABLE;
	assert_int_equal(pabal_mailbox_interrupt(mailbox), 0); /* what is ready comes first */
	assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), 0);
	assert_int_equal(items[0].ret_events, PABAL_READABLE);
	assert_int_equal(pabal_wait_many(items, 2, NULL, PABAL_FOREVER), -ECANCELED);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("m"), 0);
	region_ends(region);
}

/* Who waits for the end alone hears of nothing else; who waits for an event of the end, too, as in every other wait. */
static void the_end(void **state)
{
	pabal_region *region = region_made(2);
	struct sleeper end, event, both;

	(void)state;
	assert_int_equal(poll_for(region, PABAL_HANGUP, NULL, PABAL_NOWAIT), -EAGAIN);
	sleeper_begin(&end, region, PABAL_HANGUP);
	for (int i = 0; i < 10; i++) {
		sleeper_begin(&event, region, PABAL_READABLE | PABAL_EVENT(i % 2));
		assert_int_equal(pabal_region_notify(region, (uint32_t)i % 2, 1), 0);
		expect_woken(&event, 0, PABAL_READABLE);
		expect_asleep(&end);
	}
	sleeper_begin(&event, region, PABAL_READABLE);
	sleeper_begin(&both, region, PABAL_READABLE | PABAL_EVENT(1) | PABAL_HANGUP);
	assert_int_equal(pabal_region_destroy("r"), 0);
	expect_woken(&end, 0, PABAL_HANGUP);
	expect_woken(&event, 0, PABAL_READABLE);
	expect_woken(&both, 0, PABAL_READABLE | PABAL_HANGUP);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(poll_event(region, 1, i ? PABAL_FOREVER : PABAL_NOWAIT), 0);
		assert_int_equal(poll_for(region, PABAL_HANGUP, NULL, i ? PABAL_FOREVER : PABAL_NOWAIT), 0);
	}
	pabal_region_close(region);
	assert_int_equal(sockets_there(), 0);
}

/* All threads that wait on one handle when it comes are told; those that wait for another event sleep on. */
static void threads_on_one_handle(void **state)
{
	enum { THREADS = 4, ROUNDS = 50 };
	pabal_region *region = region_made(47), *other = region_opened(0);

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t index = round % 2 * 46; /* the events share a bit, or not */
		struct sleeper sleepers[THREADS], bystander;

		sleeper_begin(&bystander, region, PABAL_READABLE | PABAL_EVENT(round % 3 ? 23 : 7));
		for (int i = 0; i < THREADS; i++)
			sleeper_begin(&sleepers[i], region, PABAL_READABLE | PABAL_EVENT(index));
		assert_int_equal(pabal_region_notify(other, index, 1), 0);
		for (int i = 0; i < THREADS; i++)
			expect_woken(&sleepers[i], 0, PABAL_READABLE);
		expect_asleep(&bystander);
		assert_int_equal(poll_event(region, index, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(pabal_region_notify(other, round % 3 ? 23 : 7, 1), 0);
		expect_woken(&bystander, 0, PABAL_READABLE);
	}
	pabal_region_close(other);
	region_ends(region);
}

/* Does somebody sleep on whose event has come? It would not, a moment later. */
static bool sleeps_on(struct sleeper *sleeper)
{
	for (int i = 0; i < 100; i++) {
		if (atomic_load(&sleeper->result) != 1 || process_state(atomic_load(&sleeper->tid)) != 'S')
			return false;
		pause_briefly();
	}
	return true;
}

/* With the fault, somebody comes to sleep on. In a process of its own, which ends then, with all that sleep in it. */
static int keep_the_news(void *unused)
{
	enum { OTHERS = 3, ROUNDS = 3000 };
	static struct sleeper others[OTHERS], last;
	pabal_region *region, *other;

	(void)unused;
	pabal__fault_on = PABAL__FAULT_NEWS_SWALLOWED;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(pabal_region_open("r", NULL, &other), 0);
	for (int i = 0; i < OTHERS; i++)
		sleeper_begin(&others[i], region, PABAL_READABLE | PABAL_EVENT(1));
	for (int i = 0; i < ROUNDS; i++) {
		sleeper_begin(&last, region, PABAL_READABLE);
		child_equal(pabal_region_notify(other, 0, 1), 0);
		while (atomic_load(&last.result) == 1) {
			if (!sleeps_on(&last))
				continue;
			child_check(__atomic_load_n(&pabal__fault_hits, __ATOMIC_RELAXED) > 0);
			_exit(0);
		}
		child_check(pthread_join(last.thread, NULL) == 0);
	}
	return 1;
}

/* Who empties the descriptor that they share passes on what was not for it. */
static void one_who_keeps_the_news_is_caught(void **state)
{
	pabal_region *region = region_made(2);

	(void)state;
	child_run(keep_the_news, NULL);
	assert_true(pabal_gc(NULL) >= 0);
	region_ends(region);
}

static void on_signal(int number)
{
	(void)number;
	atomic_fetch_add(ready, 1);
}

/* A handler ends the wait, unless the handle says that it goes on. */
static void signals(void **state)
{
	(void)state;
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_signal, .sa_flags = SA_RESTART }, NULL);
	for (int i = 0; i < 2; i++) {
		pabal_region *region = region_made(1), *other = region_opened(i ? PABAL_RESTART : 0);
		struct sleeper sleeper;

		atomic_store(ready, 0);
		sleeper_begin(&sleeper, other, PABAL_READABLE);
		assert_int_equal(pthread_kill(sleeper.thread, SIGUSR1), 0);
		assert_true(eventually_at_least(ready, 1));
		if (i) {
			expect_asleep(&sleeper);
			assert_int_equal(pabal_region_notify(region, 0, 1), 0);
			expect_woken(&sleeper, 0, PABAL_READABLE);
		} else {
			expect_woken(&sleeper, -EINTR, 0);
			assert_int_equal(pabal_region_notify(region, 0, 1), 0);
			assert_int_equal(poll_event(other, 0, PABAL_FOREVER), 0);
		}
		pabal_region_close(other);
		region_ends(region);
	}
}

static int link_and_wait(void *unused)
{
	pabal_process *self;
	pabal_link *link;

	(void)unused;
	child_equal(pabal_process_announce("peer", NULL, &self), 0);
	child_equal(pabal_process_link(self, "me", &link, PABAL_FOREVER), 0);
	child_equal(pabal_link_send(link, "x", 1, PABAL_FOREVER), 0);
	child_wait_for_death();
}

/* A region among one of each other kind: whichever it is, that one is told. */
static void beside_all_others(void **state)
{
	enum { REGION_ITEM, MAILBOX_ITEM, BUFFER_ITEM, PROCESS_ITEM, LINK_ITEM, ITEMS };
	pabal_region *region = region_made(9);
	struct pabal_wait items[ITEMS] = { { .object = region, .events = PABAL_READABLE | PABAL_HANGUP | PABAL_EVENT(8) } };
	pabal_mailbox *mailbox;
	pabal_buffer *buffer;
	pabal_process *self;
	pabal_link *link;
	pid_t peer;
	char byte;

	(void)state;
	assert_int_equal(pabal_mailbox_create("m", NULL, &mailbox), 0);
	assert_int_equal(pabal_buffer_create("b", 1, 2, NULL, &buffer), 0);
	assert_int_equal(pabal_process_announce("me", NULL, &self), 0);
	peer = child_start(link_and_wait, NULL);
	assert_int_equal(pabal_process_accept(self, &link, PABAL_FOREVER), 0);
	assert_int_equal(pabal_link_receive(link, &byte, 1, NULL, PABAL_FOREVER), 0);
	items[MAILBOX_ITEM] = (struct pabal_wait){ .object = mailbox, .events = PABAL_READABLE };
	items[BUFFER_ITEM] = (struct pabal_wait){ .object = buffer, .events = PABAL_READABLE };
	items[PROCESS_ITEM] = (struct pabal_wait){ .object = self, .events = PABAL_READABLE };
	items[LINK_ITEM] = (struct pabal_wait){ .object = link, .events = PABAL_READABLE | PABAL_HANGUP };
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pabal_wait_many(items, ITEMS, NULL, i % 2 ? 1000000 : PABAL_NOWAIT), i % 2 ? -ETIMEDOUT : -EAGAIN);
		if (i % 3 == 0)
			assert_int_equal(pabal_region_notify(region, 8, 1), 0);
		if (i % 3 == 1)
			assert_int_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
		if (i % 3 == 2)
			assert_int_equal(pabal_buffer_put(buffer, "x", 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_wait_many(items, ITEMS, NULL, PABAL_FOREVER), 0);
		for (int j = 0; j < ITEMS; j++)
			assert_int_equal(items[j].ret_events, j == i % 3 ? PABAL_READABLE : 0);
		if (i % 3 == 1)
			assert_int_equal(pabal_mailbox_receive(mailbox, &byte, 1, NULL, PABAL_NOWAIT), 0);
		if (i % 3 == 2)
			assert_int_equal(pabal_buffer_get(buffer, &byte, 1, NULL, PABAL_NOWAIT), 0);
	}
	assert_int_equal(pabal_mailbox_interrupt(mailbox), 0);
	assert_int_equal(pabal_wait_many(items, ITEMS, NULL, PABAL_FOREVER), -ECANCELED);
	child_kill(peer);
	assert_int_equal(pabal_wait_many(items, ITEMS, NULL, PABAL_FOREVER), 0);
	assert_int_equal(items[LINK_ITEM].ret_events, PABAL_READABLE | PABAL_HANGUP);
	assert_int_equal(items[REGION_ITEM].ret_events, 0);
	pabal_link_close(link);
	pabal_process_close(self);
	pabal_buffer_close(buffer);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("m"), 0);
	assert_int_equal(pabal_buffer_destroy("b"), 0);
	assert_true(pabal_gc(NULL) >= 0);
	region_ends(region);
}

/* A handle whose descriptors the program has closed says so, and closes nothing that is not its own. */
static int close_descriptors(void *unused)
{
	pabal_region *region;
	int fd, first = dup(0);

	(void)unused;
	child_check(first >= 0 && close(first) == 0);
	child_equal(pabal_region_create("c", 1, NULL, &region), 0);
	child_equal(poll_event(region, 0, 1000000), -ETIMEDOUT);
	for (fd = first; fd < first + 32; fd++)
		close(fd);
	child_equal(poll_event(region, 0, PABAL_FOREVER), -EBADF);
	child_equal(poll_event(region, 0, PABAL_NOWAIT), -EBADF);
	for (fd = first; fd < first + 32; fd++)
		child_equal(dup(0), fd);
	child_equal(poll_event(region, 0, PABAL_NOWAIT), -EBADF);
	pabal_region_close(region);
	for (fd = first; fd < first + 32; fd++)
		child_equal(close(fd), 0);
	child_equal(pabal_region_destroy("c"), 0);
	return 0;
}

static void closed_behind_its_back(void **state)
{
	(void)state;
	child_run(close_descriptors, NULL);
	assert_int_equal(sockets_there(), 0); /* the name can still be removed */
}

static int poll_and_wait_for_death(void *inside)
{
	pabal_region *region;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(poll_event(region, 0, PABAL_NOWAIT), -EAGAIN);
	atomic_fetch_add(ready, 1);
	if (inside)
		child_equal(poll_event(region, 0, PABAL_FOREVER), 0);
	child_wait_for_death();
}

/* The names of sockets go with the handle, and those of the dead with their burial: whether it was in the call or not. */
static void no_name_is_left(void **state)
{
	pabal_region *region = region_made(1);

	(void)state;
	for (uintptr_t inside = 0; inside < 2; inside++) {
		pabal_region *newcomer;
		pid_t pid;

		atomic_store(ready, 0);
		pid = child_start(poll_and_wait_for_death, as_pointer(inside));
		assert_true(eventually_at_least(ready, 1));
		child_await_sleep(pid);
		assert_int_equal(sockets_there(), 1);
		child_kill(pid);
		assert_int_equal(pabal_region_notify(region, 0, UINT32_MAX), 0); /* one that is dead is told, in vain */
		newcomer = region_opened(0);                                     /* it buries */
		assert_int_equal(sockets_there(), 0);
		assert_int_equal(poll_event(newcomer, 0, PABAL_FOREVER), 0); /* under the number of the dead one */
		pabal_region_close(newcomer);
		pabal_region_close(region);
		assert_int_equal(pabal_region_destroy("r"), 0);
		region = region_made(1);
	}
	region_ends(region);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_notify_is_told_once),         cmocka_unit_test(which_one_is_told), cmocka_unit_test(what_is_refused),
		cmocka_unit_test(a_call_that_fails_takes_nothing),  cmocka_unit_test(the_end),           cmocka_unit_test(threads_on_one_handle),
		cmocka_unit_test(one_who_keeps_the_news_is_caught), cmocka_unit_test(signals),           cmocka_unit_test(beside_all_others),
		cmocka_unit_test(closed_behind_its_back),           cmocka_unit_test(no_name_is_left),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
