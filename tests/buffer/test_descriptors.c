/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_descriptors - descriptors of buffers and mailboxes, and waiting on many: level-triggered, told of every event, by whoever, dead or alive.
 *
 * Where an event must not be lost nothing here waits with a limit, the wait slices are endless (noslice), and no other event comes to the rescue: a lost one hangs the test.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fault.h"
#include "buffer/described.h"

enum { MANY = 1500, DEATHS = 40 };

static _Atomic uint64_t *ready;

static void await(int fd)
{
	int r;

	do
		r = poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
	while (r < 0 && errno == EINTR);
}

static void readable_until_a_get_says_not_now(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *buffer = make("b", forms[form]);
		int fd = pabal_buffer_fd(buffer, PABAL_READABLE);
		struct item item;

		assert_true(fd >= 0);
		assert_int_equal(pabal_buffer_fd(buffer, PABAL_READABLE), fd);
		for (uintptr_t i = 1; i < 10; i++) {
			child_run(put_one, as_pointer(i));
			assert_true(is_readable(fd));
			assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
			assert_int_equal(item.id, i);
			assert_true(is_readable(fd)); /* nobody has said "not now" */
			assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
		}
		assert_int_equal(sockets_there(), 1);
		assert_int_equal(pabal_buffer_destroy("b"), 0);
		assert_true(is_readable(fd));
		assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -ESHUTDOWN);
		pabal_buffer_close(buffer);
		assert_int_equal(sockets_there(), 0);
	}
}

static void an_empty_one_is_silent(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *buffer = make("b", forms[form]);
		int fd = pabal_buffer_fd(buffer, PABAL_READABLE);
		struct item item = item_of(1);

		for (int i = 0; i < 3; i++) {
			assert_false(is_readable(fd));
			assert_int_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
			assert_true(is_readable(fd));
			assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
			assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, 1000000), -ETIMEDOUT);
		}
		end(buffer, "b");
	}
}

static int echo(void *unused)
{
	pabal_buffer *in = open_it("there"), *out = open_it("back");
	int readable = pabal_buffer_fd(in, PABAL_READABLE);

	(void)unused;
	child_check(readable >= 0);
	for (uint64_t i = 1; i <= MANY;) {
		struct item item;
		int r = pabal_buffer_get(in, &item, 1, NULL, PABAL_NOWAIT);

		if (r == -EAGAIN) {
			await(readable);
			continue;
		}
		child_equal(r, 0);
		child_equal(item.id, i++);
		child_equal(pabal_buffer_put(out, &item, 1, NULL, PABAL_NOWAIT), 0);
	}
	pabal_buffer_close(in);
	pabal_buffer_close(out);
	return 0;
}

/* One item is under way at a time, and both sides wait for ever. */
static void no_event_is_lost(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *there = make("there", forms[form]), *back = make("back", forms[form]);
		int readable = pabal_buffer_fd(back, PABAL_READABLE);
		pid_t child = child_start(echo, NULL);

		for (uint64_t i = 1; i <= MANY; i++) {
			struct item item = item_of(i);
			int r;

			assert_int_equal(pabal_buffer_put(there, &item, 1, NULL, PABAL_NOWAIT), 0);
			while ((r = pabal_buffer_get(back, &item, 1, NULL, PABAL_NOWAIT)) == -EAGAIN)
				await(readable);
			assert_int_equal(r, 0);
			assert_int_equal(item.id, i);
		}
		assert_int_equal(child_end(child), 0);
		end(there, "there");
		end(back, "back");
	}
}

static int drain_slowly(void *unused)
{
	pabal_buffer *buffer = open_it("b");
	uint64_t next = 1;

	(void)unused;
	while (next <= MANY) {
		struct item item;

		child_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_FOREVER), 0);
		child_equal(item.id, next++);
	}
	pabal_buffer_close(buffer);
	return 0;
}

static void no_room_is_lost(void **state)
{
	(void)state;
	for (int form = 0; form < 2; form++) {
		pabal_buffer *buffer = make("b", forms[form]);
		int writable = pabal_buffer_fd(buffer, PABAL_WRITABLE);
		pid_t child = child_start(drain_slowly, NULL);

		assert_true(is_readable(writable));
		for (uint64_t i = 1; i <= MANY;) {
			struct item item = item_of(i);
			int r = pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT);

			if (r == -EAGAIN)
				await(writable);
			else
				assert_int_equal(r, 0);
			i += r == 0;
		}
		assert_int_equal(child_end(child), 0);
		end(buffer, "b");
	}
}

/* It commits, and is killed before it tells anybody. */
static int put_and_die(void *data)
{
	pabal_buffer *buffer = open_it("b");
	struct item item = item_of((uintptr_t)data);

	pabal__fault_on = PABAL__FAULT_NO_RING;
	child_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, pabal__fault_hits);
	kill(getpid(), SIGKILL);
	return 1;
}

static void whoever_dies_before_it_told_is_told_of(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		pabal_buffer *buffer = make("b", forms[form]);
		int fd = pabal_buffer_fd(buffer, PABAL_READABLE);
		struct item item;

		for (uintptr_t i = 1; i <= DEATHS; i++) {
			pid_t child;
			int r;

			while (pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT) == 0) {
			}
			child = child_start(put_and_die, as_pointer(i));
			while ((r = pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT)) == -EAGAIN)
				await(fd);
			assert_int_equal(r, 0);
			assert_int_equal(item.id, i);
			assert_int_equal(child_end(child), -SIGKILL);
		}
		assert_int_equal(pabal_gc(NULL), 0);
		end(buffer, "b");
	}
}

static int take_with_descriptors_and_hang(void *unused)
{
	pabal_buffer *buffer = open_it("b");
	struct pabal_message item;

	(void)unused;
	child_check(pabal_buffer_fd(buffer, PABAL_READABLE) >= 0 && pabal_buffer_fd(buffer, PABAL_WRITABLE) >= 0);
	child_equal(pabal_buffer_take(buffer, 1, &item, PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

/* Only the death itself tells of it. */
static void what_the_dead_had_taken_is_an_event(void **state)
{
	(void)state;
	for (uintptr_t i = 1; i <= 10; i++) {
		pabal_buffer *buffer = make("b", 0);
		int fd = pabal_buffer_fd(buffer, PABAL_READABLE), r;
		struct item item = item_of(i);
		pid_t child;

		atomic_store(ready, 0);
		assert_int_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
		child = child_start(take_with_descriptors_and_hang, NULL);
		assert_true(eventually_at_least(ready, 1));
		while (pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT) == 0)
			fail();
		assert_int_equal(sockets_there(), 3);
		kill(child, SIGKILL);
		while ((r = pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT)) == -EAGAIN)
			await(fd);
		assert_int_equal(r, 0);
		assert_int_equal(item.id, i);
		assert_int_equal(sockets_there(), 1); /* its undertaker removed the others */
		child_end(child);
		end(buffer, "b");
	}
}

static void of_a_mailbox(void **state)
{
	pabal_mailbox *mailbox = NULL;
	int readable, writable;
	char byte;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 2), &mailbox), 0);
	readable = pabal_mailbox_fd(mailbox, PABAL_READABLE);
	writable = pabal_mailbox_fd(mailbox, PABAL_WRITABLE);
	assert_int_equal(pabal_mailbox_fd(mailbox, 0), -EINVAL);
	assert_int_equal(pabal_mailbox_fd(mailbox, PABAL_HANGUP), -EINVAL);
	assert_true(readable >= 0 && writable >= 0 && readable != writable);
	for (int i = 0; i < 3; i++) {
		assert_false(is_readable(readable));
		assert_true(is_readable(writable));
		assert_int_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
		assert_true(is_readable(readable));
		assert_int_equal(pabal_mailbox_send(mailbox, "y", 1, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_send(mailbox, "z", 1, PABAL_NOWAIT), -EAGAIN);
		assert_false(is_readable(writable));
		assert_int_equal(pabal_mailbox_receive(mailbox, &byte, 1, NULL, PABAL_NOWAIT), 0);
		assert_true(is_readable(writable));
		assert_int_equal(pabal_mailbox_receive(mailbox, &byte, 1, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_receive(mailbox, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	}
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	assert_int_equal(sockets_there(), 0);
}

static void on_alarm(int number)
{
	(void)number;
}

static void waiting_on_many(void **state)
{
	pabal_buffer *one = make("one", 0), *two = make("two", PABAL_BUFFER_SPSC);
	pabal_mailbox *mailbox = NULL;
	struct pabal_wait waits[3];
	struct item item = item_of(1);
	uint32_t count = 0;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &mailbox), 0);
	waits[0] = (struct pabal_wait){ .object = one, .events = PABAL_READABLE };
	waits[1] = (struct pabal_wait){ .object = two, .events = PABAL_READABLE | PABAL_HANGUP };
	waits[2] = (struct pabal_wait){ .object = mailbox, .events = PABAL_READABLE };
	assert_int_equal(pabal_wait_many(waits, 3, &count, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_wait_many(waits, 3, &count, 1000000), -ETIMEDOUT);
	assert_int_equal(pabal_wait_many(waits, 0, &count, 0), -EINVAL);
	assert_int_equal(pabal_wait_many(NULL, 1, &count, 0), -EINVAL);
	assert_int_equal(pabal_wait_many(waits, 3, &count, -2), -EINVAL);
	assert_int_equal(pabal_wait_many(&(struct pabal_wait){ .object = NULL, .events = PABAL_READABLE }, 1, &count, 0), -EINVAL);
	assert_int_equal(pabal_wait_many(&(struct pabal_wait){ .object = one, .events = 0 }, 1, &count, 0), -EINVAL);
	assert_int_equal(pabal_mailbox_send(mailbox, "x", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_buffer_put(two, &item, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_wait_many(waits, 3, &count, PABAL_FOREVER), 0);
	assert_int_equal(count, 2);
	assert_int_equal(waits[0].ret_events, 0);
	assert_int_equal(waits[1].ret_events, PABAL_READABLE);
	assert_int_equal(waits[2].ret_events, PABAL_READABLE);
	assert_int_equal(pabal_buffer_get(two, &item, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_receive(mailbox, &item, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_wait_many(waits, 3, &count, PABAL_NOWAIT), -EAGAIN); /* emptied: no call said "not now" */
	waits[0].events = PABAL_WRITABLE;
	assert_int_equal(pabal_wait_many(waits, 3, NULL, PABAL_FOREVER), 0);
	assert_int_equal(waits[0].ret_events, PABAL_WRITABLE);
	waits[0].events = PABAL_READABLE;
	assert_int_equal(pabal_mailbox_interrupt(mailbox), 0);
	assert_int_equal(pabal_wait_many(waits, 3, &count, PABAL_FOREVER), -ECANCELED);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm, .sa_flags = SA_RESTART }, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = 20000, .it_interval.tv_usec = 20000 }, NULL);
	assert_int_equal(pabal_wait_many(waits, 3, &count, PABAL_FOREVER), -EINTR);
	setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = 0 }, NULL);
	assert_int_equal(pabal_buffer_destroy("two"), 0);
	assert_int_equal(pabal_wait_many(waits, 3, &count, PABAL_FOREVER), 0);
	assert_int_equal(waits[1].ret_events, PABAL_READABLE | PABAL_HANGUP);
	pabal_buffer_close(two);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	end(one, "one");
}

static int put_by_turns(void *data)
{
	pabal_buffer *buffers[3] = { open_it("0"), open_it("1"), open_it("2") };
	uint64_t random = 3;

	(void)data;
	for (uint64_t i = 1; i <= MANY; i++) {
		struct item item = item_of(i);

		child_equal(pabal_buffer_put(buffers[next_random(&random) % 3], &item, 1, NULL, PABAL_FOREVER), 0);
		while (atomic_load(ready) < i)
			pause_briefly();
	}
	for (int i = 0; i < 3; i++)
		pabal_buffer_close(buffers[i]);
	return 0;
}

static void many_without_an_end(void **state)
{
	pabal_buffer *buffers[3] = { make("0", 0), make("1", PABAL_BUFFER_SPSC), make("2", PABAL_BUFFER_LATEST) };
	struct pabal_wait waits[3];
	pid_t child;

	(void)state;
	atomic_store(ready, 0);
	for (int i = 0; i < 3; i++)
		waits[i] = (struct pabal_wait){ .object = buffers[i], .events = PABAL_READABLE };
	child = child_start(put_by_turns, NULL);
	for (uint64_t i = 1; i <= MANY; i++) {
		struct item item;
		uint32_t count, got = 0;

		assert_int_equal(pabal_wait_many(waits, 3, &count, PABAL_FOREVER), 0);
		assert_int_equal(count, 1);
		for (int j = 0; j < 3; j++) {
			if (!waits[j].ret_events)
				continue;
			assert_int_equal(pabal_buffer_get(buffers[j], &item, 1, NULL, PABAL_NOWAIT), 0);
			assert_int_equal(item.id, i);
			got++;
		}
		assert_int_equal(got, 1);
		atomic_store(ready, i);
	}
	assert_int_equal(child_end(child), 0);
	for (int i = 0; i < 3; i++)
		end(buffers[i], (const char *[]){ "0", "1", "2" }[i]);
}

/* The bell is not armed again: the next item rings nothing. */
static void a_descriptor_that_is_not_armed_again_is_caught(void **state)
{
	pabal_buffer *buffer = make("b", 0);
	int fd = pabal_buffer_fd(buffer, PABAL_READABLE);
	struct item item = item_of(1);

	(void)state;
	assert_int_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
	pabal__fault_on = PABAL__FAULT_NO_SOCKET_REARM;
	pabal__fault_hits = 0;
	assert_int_equal(pabal_buffer_get(buffer, &item, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_buffer_put(buffer, &item, 1, NULL, PABAL_NOWAIT), 0);
	pabal__fault_on = PABAL__FAULT_NONE;
	assert_true(pabal__fault_hits > 0);
	assert_false(is_readable(fd)); /* "readable while there is an item" is broken */
	end(buffer, "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable_until_a_get_says_not_now),
		cmocka_unit_test(an_empty_one_is_silent),
		cmocka_unit_test(no_event_is_lost),
		cmocka_unit_test(no_room_is_lost),
		cmocka_unit_test(whoever_dies_before_it_told_is_told_of),
		cmocka_unit_test(what_the_dead_had_taken_is_an_event),
		cmocka_unit_test(of_a_mailbox),
		cmocka_unit_test(waiting_on_many),
		cmocka_unit_test(many_without_an_end),
		cmocka_unit_test(a_descriptor_that_is_not_armed_again_is_caught),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
