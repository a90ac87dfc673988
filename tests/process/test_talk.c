/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_talk - sending and receiving by name, links and accept, death and closing, as a user of the library sees them.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/support.h"

static _Atomic uint64_t *ready, *go;

static pabal_process *announce(const char *name)
{
	pabal_process *self = NULL;

	if (pabal_process_announce(name, NULL, &self) < 0)
		child_failed("announce", name, 0);
	return self;
}

/* Send everything back to whoever sent it, until somebody says quit. */
static int echo(void *data)
{
	size_t room = 1 << 20, size = 0;
	char peer[PABAL_NAME_SIZE], *buffer = malloc(room);
	pabal_process *self = announce(data);

	atomic_fetch_add(ready, 1);
	for (;;) {
		child_equal(pabal_process_receive(self, NULL, peer, buffer, room, &size, PABAL_FOREVER), 0);
		if (size == 4 && memcmp(buffer, "quit", 4) == 0)
			break;
		child_equal(pabal_process_send(self, peer, buffer, size, PABAL_FOREVER), 0);
	}
	pabal_process_close(self);
	free(buffer);
	return 0;
}

static pid_t start_ready(child_main *body, void *data)
{
	uint64_t before = atomic_load(ready);
	pid_t pid = child_start(body, data);

	assert_true(eventually_at_least(ready, before + 1));
	return pid;
}

static void messages_of_all_sizes_go_and_come_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 1008, 1023, 1024, 1025, 4096, 65536, 300000, 1 << 20 };
	pid_t pid = start_ready(echo, TEXT("echo"));
	pabal_process *self = announce("me");
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
	self = announce(data);
	child_equal(pabal_process_receive(self, "early", NULL, text, sizeof text, &size, PABAL_FOREVER), 0);
	child_equal(size, 5);
	pabal_process_close(self);
	return 0;
}

static int wake_the_late(void *data)
{
	child_await_sleep(*(pid_t *)data);
	atomic_store(go, 1);
	return 0;
}

/* Whoever asks before the name is announced waits for it. */
static void a_peer_may_come_later(void **state)
{
	pid_t me = getpid(), late, waker;
	pabal_process *self = announce("early");

	(void)state;
	atomic_store(go, 0);
	late = child_start(come_late, TEXT("late"));
	waker = child_start(wake_the_late, &me);
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
	self = announce(name);
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
	pabal_process *self = announce("receiver");
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
	pabal_process *self = announce("me");
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

struct linking {
	pabal_process *self;
	pabal_link *link;
	int result, others;
};

static bool link_answers(void *data)
{
	struct linking *linking = data;

	linking->result = pabal_process_link(linking->self, "echo", &linking->link, PABAL_NOWAIT);
	linking->others += linking->result != 0 && linking->result != -EAGAIN;
	return linking->result == 0;
}

static void one_link_however_often_it_is_asked_for(void **state)
{
	pid_t pid = start_ready(echo, TEXT("echo"));
	struct linking linking = { .self = announce("me") };
	struct pabal_peer peer;
	pabal_link *again;
	char text[8];
	size_t size;

	(void)state;
	assert_true(eventually(link_answers, &linking)); /* without ever waiting */
	assert_int_equal(linking.others, 0);
	assert_int_equal(pabal_process_link(linking.self, "echo", &again, PABAL_FOREVER), 0);
	assert_ptr_equal(again, linking.link);
	assert_int_equal(pabal_link_peer(again, &peer), 0);
	assert_string_equal(peer.name, "echo");
	assert_int_equal(peer.pid, pid);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_int_equal(peer.flags, 0);
	/* By name and by handle it is the same link. */
	assert_int_equal(pabal_process_send(linking.self, "echo", "1", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_receive(again, text, sizeof text, &size, PABAL_FOREVER), 0);
	assert_int_equal(pabal_link_send(again, "2", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_process_receive(linking.self, NULL, NULL, text, sizeof text, &size, PABAL_FOREVER), 0);
	assert_memory_equal(text, "2", 1);
	pabal_link_close(again); /* one of two handles */
	assert_int_equal(pabal_link_send(linking.link, "quit", 4, PABAL_NOWAIT), 0);
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(pabal_link_receive(linking.link, text, sizeof text, &size, PABAL_FOREVER), -EPIPE);
	pabal_link_close(linking.link);
	pabal_process_close(linking.self);
}

static int link_to_the_acceptor(void *data)
{
	pabal_process *self = announce(data);
	pabal_link *link;

	child_equal(pabal_process_link(self, "acceptor", &link, PABAL_FOREVER), 0);
	child_equal(pabal_link_send(link, data, strlen(data), PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, 1);
	child_check(eventually_at_least(go, 1));
	pabal_process_close(self);
	return 0;
}

static void accept_hands_out_in_order_and_once(void **state)
{
	static char names[3][16] = { "first", "second", "third" };
	pabal_process *self = announce("acceptor");
	pabal_link *links[3], *link;
	struct pabal_peer peer;
	pid_t pids[3];
	char text[16], from[PABAL_NAME_SIZE];
	size_t size;

	(void)state;
	atomic_store(go, 0);
	atomic_store(ready, 0);
	for (int i = 0; i < 3; i++) {
		pids[i] = child_start(link_to_the_acceptor, names[i]);
		/* Their message makes the link known here, one after the other; nothing is accepted yet. */
		assert_int_equal(pabal_process_receive(self, names[i], from, text, sizeof text, &size, PABAL_FOREVER), 0);
		assert_string_equal(from, names[i]);
	}
	assert_int_equal(pabal_process_link(self, "second", &links[1], PABAL_NOWAIT), 0);
	assert_int_equal(pabal_process_accept(self, &links[0], PABAL_NOWAIT), 0);
	assert_int_equal(pabal_process_accept(self, &links[2], PABAL_NOWAIT), 0);
	assert_int_equal(pabal_process_accept(self, &link, PABAL_NOWAIT), -EAGAIN);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pabal_link_peer(links[i], &peer), 0);
		assert_string_equal(peer.name, names[i]);
	}
	pabal_link_close(links[0]);
	atomic_store(go, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(child_end(pids[i]), 0);
	pabal_process_close(self); /* the other two handles end with it */
}

static int send_three_and_hang(void *data)
{
	pabal_process *self = announce(data);

	for (int i = 0; i < 3; i++)
		child_equal(pabal_process_send(self, "survivor", &i, sizeof i, PABAL_FOREVER), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static int send_one_and_wait(void *data)
{
	pabal_process *self = announce(data);
	int value = 77;

	child_equal(pabal_process_send(self, "survivor", &value, sizeof value, PABAL_FOREVER), 0);
	atomic_fetch_add(ready, 1);
	child_equal(pabal_process_receive(self, "survivor", NULL, &value, sizeof value, NULL, PABAL_FOREVER), 0);
	child_equal(value, 78);
	pabal_process_close(self);
	return 0;
}

static bool serve_until_ready(void *data)
{
	pabal_link *link;

	pabal_process_accept(data, &link, PABAL_NOWAIT);
	return atomic_load(ready) >= 1;
}

static pid_t start_served(pabal_process *self, child_main *body, void *data)
{
	pid_t pid;

	atomic_store(ready, 0);
	pid = child_start(body, data);
	assert_true(eventually(serve_until_ready, self));
	return pid;
}

/* Its last words are heard first; then its end is told, once; then there is the new holder of the name. */
static void a_restarted_peer_is_a_new_party(void **state)
{
	pabal_process *self = announce("survivor");
	pid_t first = start_served(self, send_three_and_hang, TEXT("peer")), second;
	pabal_link *old, *new_one;
	int value;

	(void)state;
	assert_int_equal(pabal_process_link(self, "peer", &old, PABAL_NOWAIT), 0);
	child_kill(first);
	second = start_served(self, send_one_and_wait, TEXT("peer"));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pabal_process_receive(self, i ? "peer" : NULL, NULL, &value, sizeof value, NULL, PABAL_NOWAIT), 0);
		assert_int_equal(value, i);
	}
	assert_int_equal(pabal_process_receive(self, "peer", NULL, &value, sizeof value, NULL, PABAL_FOREVER), -EOWNERDEAD);
	assert_int_equal(pabal_process_receive(self, "peer", NULL, &value, sizeof value, NULL, PABAL_FOREVER), 0);
	assert_int_equal(value, 77);
	assert_int_equal(pabal_link_receive(old, &value, sizeof value, NULL, PABAL_FOREVER), -EOWNERDEAD);
	assert_int_equal(pabal_link_send(old, &value, sizeof value, PABAL_FOREVER), -EOWNERDEAD);
	assert_int_equal(pabal_process_link(self, "peer", &new_one, PABAL_NOWAIT), 0);
	assert_ptr_not_equal(old, new_one);
	value = 78;
	assert_int_equal(pabal_process_send(self, "peer", &value, sizeof value, PABAL_NOWAIT), 0);
	assert_int_equal(child_end(second), 0);
	assert_int_equal(pabal_process_send(self, "peer", &value, sizeof value, PABAL_FOREVER), -EPIPE);
	assert_int_equal(pabal_process_send(self, "peer", &value, sizeof value, PABAL_NOWAIT), -ENOENT);
	assert_int_equal(pabal_link_receive(new_one, &value, sizeof value, NULL, PABAL_FOREVER), -EPIPE);
	pabal_link_close(new_one);
	pabal_link_close(old);
	pabal_process_close(self);
	assert_int_equal(pabal_gc(NULL), 0);
}

/* A link that nobody has a handle of goes when all is received; its end is kept for a call by name all the same. */
static void an_end_is_told_by_name_once(void **state)
{
	pabal_process *self = announce("survivor");
	int value;

	(void)state;
	for (int round = 0; round < 2; round++) {
		atomic_store(ready, 0);
		pid_t pid = child_start(send_three_and_hang, TEXT("peer"));

		for (int i = 0; i < 3; i++)
			assert_int_equal(pabal_process_receive(self, NULL, NULL, &value, sizeof value, NULL, PABAL_FOREVER), 0);
		child_kill(pid);
		if (round == 0) { /* from anyone it is no error */
			assert_int_equal(pabal_process_receive(self, NULL, NULL, &value, sizeof value, NULL, 20000000), -ETIMEDOUT);
			assert_int_equal(pabal_process_send(self, "peer", &value, sizeof value, PABAL_NOWAIT), -EOWNERDEAD);
		} else {
			assert_int_equal(pabal_process_receive(self, "peer", NULL, &value, sizeof value, NULL, PABAL_FOREVER), -EOWNERDEAD);
		}
		assert_int_equal(pabal_process_send(self, "peer", &value, sizeof value, PABAL_NOWAIT), -ENOENT);
		assert_int_equal(pabal_process_receive(self, "peer", NULL, &value, sizeof value, NULL, PABAL_NOWAIT), -EAGAIN);
	}
	pabal_process_close(self);
	assert_int_equal(pabal_gc(NULL), 0);
}

static int receive_when_told(void *data)
{
	pabal_process *self = announce(data);
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

static int let_it_go(void *data)
{
	child_await_sleep(*(pid_t *)data);
	atomic_store(go, 1);
	return 0;
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
	waker = child_start(let_it_go, &me); /* only now: we may have slept until the sink was there */
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
		cmocka_unit_test(one_link_however_often_it_is_asked_for),
		cmocka_unit_test(accept_hands_out_in_order_and_once),
		cmocka_unit_test(a_restarted_peer_is_a_new_party),
		cmocka_unit_test(an_end_is_told_by_name_once),
		cmocka_unit_test(a_full_link_makes_the_sender_wait),
	};

	ready = shared_memory(sizeof *ready);
	go = shared_memory(sizeof *go);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
