/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_talk - sending and receiving by name, as a user of the library sees it: messages of any size, peers that come late, everybody's turn, and no room.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/peers.h"

static _Atomic uint64_t *go;

static void messages_of_all_sizes_go_and_come_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 1008, 1023, 1024, 1025, 4096, 65536, 300000, 1 << 20 };
	pid_t pid = start_ready(echo, TEXT("echo"));
	pabal_process *self = announce("me", 0);
	char peer[PABAL_NAME_SIZE], *there = malloc(1 << 20), *back = malloc(1 << 20);
	size_t size;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			memset(there, (int)('a' + i), sizes[i]);
			assert_int_equal(pabal_process_send(self, "echo", there, sizes[i], PABAL_FOREVER), 0);
			size = 12345;
			assert_int_equal(pabal_process_receive(self, round ? "echo" : NULL, peer, back, 1 << 20, &size, PABAL_FOREVER), 0);
			assert_int_equal(size, sizes[i]);
			assert_memory_equal(there, back, size);
			assert_string_equal(peer, "echo");
		}
	}
	assert_int_equal(pabal_process_send(self, "echo", "quit", 4, PABAL_FOREVER), 0);
	assert_int_equal(child_end(pid), 0);
	free(there);
	free(back);
	pabal_process_close(self);
}

static void what_is_wrong_is_refused(void **state)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .memory_max = 100000 };
	pabal_process *self;
	pabal_link *link = NULL;
	char byte = 0, peer[PABAL_NAME_SIZE];

	(void)state;
	assert_int_equal(pabal_process_announce("me", &opts, &self), 0);
	assert_int_equal(pabal_process_send(NULL, "x", &byte, 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_process_send(self, "me", &byte, 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_process_send(self, "x", NULL, 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_process_send(self, "x", &byte, 1, -2), -EINVAL);
	assert_int_equal(pabal_process_send(self, "x", &byte, 100001, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(pabal_process_send(self, NULL, &byte, 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_process_send(self, "x", &byte, 1, PABAL_NOWAIT), -ENOENT);
	assert_int_equal(pabal_process_send(self, "x", &byte, 1, 1000000), -ETIMEDOUT);
	assert_int_equal(pabal_process_link(self, "x", &link, PABAL_NOWAIT), -ENOENT);
	assert_int_equal(pabal_process_link(self, "x", NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_process_link(self, "me", &link, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_process_link(self, "x", &link, 1000000), -ETIMEDOUT);
	assert_int_equal(pabal_process_accept(self, &link, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_process_accept(self, &link, 1000000), -ETIMEDOUT);
	assert_int_equal(pabal_process_receive(self, NULL, peer, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_process_receive(self, "x", peer, &byte, 1, NULL, 1000000), -ETIMEDOUT);
	assert_int_equal(pabal_process_receive(self, "me", peer, &byte, 1, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_process_receive(self, NULL, peer, NULL, 1, NULL, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_process_fd(self, PABAL_WRITABLE), -EINVAL);
	assert_null(link);
	pabal_process_close(self);
}

static int come_late(void *data)
{
	char text[8];
	size_t size;
	pabal_process *self;

	child_check(eventually_at_least(go, 1));
	self = announce(data, 0);
	child_equal(pabal_process_receive(self, "early", NULL, text, sizeof text, &size, PABAL_FOREVER), 0);
	child_equal(size, 5);
	pabal_process_close(self);
	return 0;
}

static int go_when_it_sleeps(void *data)
{
	child_await_sleep(*(pid_t *)data);
	atomic_store(go, 1);
	return 0;
}

/* Whoever asks before the name is announced waits for it. */
static void a_peer_may_come_later(void **state)
{
	pid_t me = getpid(), late, waker;
	pabal_process *self = announce("early", 0);

	(void)state;
	atomic_store(go, 0);
	late = child_start(come_late, TEXT("late"));
	waker = child_start(go_when_it_sleeps, &me);
	assert_int_equal(pabal_process_send(self, "late", "hello", 5, PABAL_FOREVER), 0);
	assert_int_equal(child_end(waker), 0);
	assert_int_equal(child_end(late), 0);
	pabal_process_close(self);
}

enum { SENDERS = 4, EACH = 50 };

static int fill_the_link(void *data)
{
	int number = *(int *)data;
	char name[PABAL_NAME_SIZE];
	pabal_process *self;

	snprintf(name, sizeof name, "sender-%d", number);
	self = announce(name, 0);
	for (int i = 0; i < EACH; i++)
		child_equal(pabal_process_send(self, "receiver", &i, sizeof i, PABAL_FOREVER), 0);
	atomic_fetch_add(ready, 1);
	child_check(eventually_at_least(go, 1));
	pabal_process_close(self);
	return 0;
}

/* Links are opened by the receiver's calls only; this one serves the door and receives nothing. */
static bool all_have_sent(void *data)
{
	pabal_link *link;

	while (pabal_process_accept(data, &link, PABAL_NOWAIT) == 0) {
	}
	return atomic_load(ready) >= SENDERS;
}

static void from_anyone_is_from_everyone_in_turn(void **state)
{
	pabal_process *self = announce("receiver", 0);
	int counts[SENDERS] = { 0 }, numbers[SENDERS], value, number;
	char peer[PABAL_NAME_SIZE];
	pid_t pids[SENDERS];
	size_t size;

	(void)state;
	atomic_store(ready, 0);
	atomic_store(go, 0);
	for (int i = 0; i < SENDERS; i++) {
		numbers[i] = i;
		pids[i] = child_start(fill_the_link, &numbers[i]);
	}
	assert_true(eventually(all_have_sent, self));
	for (int i = 0; i < SENDERS * EACH; i++) {
		assert_int_equal(pabal_process_receive(self, NULL, peer, &value, sizeof value, &size, PABAL_NOWAIT), 0);
		number = peer[strlen("sender-")] - '0';
		assert_in_range(number, 0, SENDERS - 1);
		assert_int_equal(value, counts[number]++);
		for (int j = 0; j < SENDERS; j++) /* everybody has had its turn before anybody has the next */
			assert_in_range(counts[j], i / SENDERS, i / SENDERS + 1);
	}
	assert_int_equal(pabal_process_receive(self, NULL, peer, &value, sizeof value, &size, PABAL_NOWAIT), -EAGAIN);
	atomic_store(go, 1);
	for (int i = 0; i < SENDERS; i++)
		assert_int_equal(child_end(pids[i]), 0);
	pabal_process_close(self);
}

static void what_does_not_fit_stays(void **state)
{
	pid_t pid = start_ready(echo, TEXT("echo"));
	pabal_process *self = announce("me", 0);
	char peer[PABAL_NAME_SIZE] = "", text[32];
	size_t size = 0;

	(void)state;
	assert_int_equal(pabal_process_send(self, "echo", "a long message", 14, PABAL_FOREVER), 0);
	assert_int_equal(pabal_process_receive(self, NULL, peer, text, 4, &size, PABAL_FOREVER), -EMSGSIZE);
	assert_int_equal(size, 14);
	assert_string_equal(peer, "echo");
	assert_int_equal(pabal_process_receive(self, "echo", NULL, text, 4, NULL, PABAL_NOWAIT), -EMSGSIZE);
	assert_int_equal(pabal_process_receive(self, NULL, NULL, text, sizeof text, NULL, PABAL_NOWAIT), 0);
	assert_memory_equal(text, "a long message", 14);
	assert_int_equal(pabal_process_send(self, "echo", "quit", 4, PABAL_FOREVER), 0);
	assert_int_equal(child_end(pid), 0);
	pabal_process_close(self);
}

static int receive_when_told(void *data)
{
	pabal_process *self = announce(data, 0);
	size_t size, room = 64 << 10;
	char *buffer = malloc(room);
	uint64_t sum = 0;

	child_equal(pabal_process_receive(self, "flooder", NULL, buffer, room, &size, PABAL_FOREVER),
		    0); /* who asks for the link is answered in a call */
	sum += size;
	child_check(eventually_at_least(go, 1));
	while (pabal_process_receive(self, "flooder", NULL, buffer, room, &size, PABAL_FOREVER) == 0)
		sum += size;
	child_equal(pabal_process_receive(self, "flooder", NULL, buffer, room, &size, PABAL_NOWAIT), -EAGAIN);
	free(buffer);
	pabal_process_close(self);
	return sum == (uint64_t)2000 * 50000 ? 0 : 1;
}

/* More than the memory of the link holds: the sender sleeps until there is room, by name and with large messages. */
static void a_full_link_makes_the_sender_wait(void **state)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .memory_max = 1 << 20 };
	pid_t me = getpid(), receiver, waker;
	char *buffer = calloc(1, 50000);
	pabal_process *self;
	int r = 0, full = 0;

	(void)state;
	atomic_store(go, 0);
	assert_int_equal(pabal_process_announce("flooder", &opts, &self), 0);
	receiver = child_start(receive_when_told, TEXT("sink"));
	assert_int_equal(pabal_process_send(self, "sink", buffer, 50000, PABAL_FOREVER), 0);
	waker = child_start(go_when_it_sleeps, &me); /* only now: we may have slept until the sink was there */
	for (int i = 1; i < 2000; i++) {
		r = pabal_process_send(self, "sink", buffer, 50000, PABAL_NOWAIT);
		if (r == -EAGAIN) {
			full++;
			r = pabal_process_send(self, "sink", buffer, 50000, PABAL_FOREVER);
		}
		assert_int_equal(r, 0);
	}
	assert_true(full > 0);
	pabal_process_close(self);
	assert_int_equal(child_end(waker), 0);
	assert_int_equal(child_end(receiver), 0);
	free(buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_all_sizes_go_and_come_back),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(a_peer_may_come_later),
		cmocka_unit_test(from_anyone_is_from_everyone_in_turn),
		cmocka_unit_test(what_does_not_fit_stays),
		cmocka_unit_test(a_full_link_makes_the_sender_wait),
	};

	ready = shared_memory(sizeof *ready);
	go = shared_memory(sizeof *go);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
