/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_threads - several threads on one process handle and its links: nobody takes what was to wake another.
 *
 * Waits here have no end and no other event that could save them: what is lost hangs, and the hang detector says so.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process/peers.h"

static pabal_process *self;

enum { THREADS = 3, MESSAGES = 2000 };

static _Atomic uint64_t received_by_threads, ended_threads;

static void *receive_in_thread(void *data)
{
	char text[16];
	int r;

	do {
		r = pabal_process_receive(self, NULL, NULL, text, sizeof text, NULL, PABAL_FOREVER);
		if (r == 0)
			atomic_fetch_add(&received_by_threads, 1);
	} while (r == 0);
	*(int *)data = r;
	atomic_fetch_add(&ended_threads, 1);
	return NULL;
}

/* An interrupt ends every wait that has begun. A thread that was just between two waits then begins the next one afterwards, and needs another. */
static bool interrupt_until_ended(void *data)
{
	(void)data;
	assert_int_equal(pabal_process_interrupt(self), 0);
	return atomic_load(&ended_threads) == THREADS;
}

struct sender {
	pthread_t thread;
	const char *peer;
	int result;
};

static void *send_in_thread(void *data)
{
	struct sender *sender = data;

	for (int i = 0; i < MESSAGES && sender->result == 0; i++)
		sender->result = pabal_process_send(self, sender->peer, &i, sizeof i, PABAL_FOREVER);
	return NULL;
}

static void start_sender(struct sender *sender, const char *peer)
{
	sender->peer = peer;
	sender->result = 0;
	assert_int_equal(pthread_create(&sender->thread, NULL, send_in_thread, sender), 0);
}

static void end_sender(struct sender *sender)
{
	assert_int_equal(pthread_join(sender->thread, NULL), 0);
	assert_int_equal(sender->result, 0);
}

static int echo_many(void *data)
{
	char text[16], peer[PABAL_NAME_SIZE];
	pabal_process *process = announce(data, 0);
	size_t size;

	for (int i = 0; i < MESSAGES; i++) {
		child_equal(pabal_process_receive(process, NULL, peer, text, sizeof text, &size, PABAL_FOREVER), 0);
		child_equal(pabal_process_send(process, peer, text, size, PABAL_FOREVER), 0);
	}
	/* Until the other side closes: what it committed is to be received first. */
	child_equal(pabal_process_receive(process, "me", peer, text, sizeof text, &size, PABAL_FOREVER), -EPIPE);
	pabal_process_close(process);
	return 0;
}

static void several_threads_use_one_handle(void **state)
{
	static char names[THREADS][16] = { "echo-0", "echo-1", "echo-2" };
	struct sender senders[THREADS];
	pthread_t receivers[THREADS];
	int results[THREADS] = { 0 };
	pid_t pids[THREADS];

	(void)state;
	atomic_store(&received_by_threads, 0);
	atomic_store(&ended_threads, 0);
	for (int i = 0; i < THREADS; i++)
		pids[i] = child_start(echo_many, names[i]);
	self = announce("me", 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&receivers[i], NULL, receive_in_thread, &results[i]), 0);
		start_sender(&senders[i], names[i]);
	}
	for (int i = 0; i < THREADS; i++)
		end_sender(&senders[i]);
	assert_true(eventually_at_least(&received_by_threads, (uint64_t)THREADS * MESSAGES));
	assert_true(eventually(interrupt_until_ended, NULL));
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(receivers[i], NULL), 0);
		assert_int_equal(results[i], -ECANCELED);
	}
	pabal_process_close(self);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(child_end(pids[i]), 0);
}

/* One thread sleeps by name, others on links: each gets what is its own, though they share the sockets. */
static void *take_from_link(void *data)
{
	char text[16];

	for (int i = 0; i < MESSAGES; i++)
		if (pabal_link_receive(data, text, sizeof text, NULL, PABAL_FOREVER) < 0)
			return data;
	return NULL;
}

static void threads_on_links_and_on_the_handle(void **state)
{
	static char names[2][16] = { "echo-0", "echo-1" };
	struct sender senders[2];
	pthread_t taker;
	pabal_link *link;
	pid_t pids[2];
	void *result;
	char text[16];

	(void)state;
	for (int i = 0; i < 2; i++)
		pids[i] = child_start(echo_many, names[i]);
	self = announce("me", 0);
	assert_int_equal(pabal_process_link(self, "echo-0", &link, PABAL_FOREVER), 0);
	assert_int_equal(pthread_create(&taker, NULL, take_from_link, link), 0);
	for (int i = 0; i < 2; i++)
		start_sender(&senders[i], names[i]);
	for (int i = 0; i < MESSAGES; i++)
		assert_int_equal(pabal_process_receive(self, "echo-1", NULL, text, sizeof text, NULL, PABAL_FOREVER), 0);
	assert_int_equal(pthread_join(taker, &result), 0);
	assert_null(result);
	for (int i = 0; i < 2; i++)
		end_sender(&senders[i]);
	pabal_process_close(self);
	for (int i = 0; i < 2; i++)
		assert_int_equal(child_end(pids[i]), 0);
}

static void *receive_all(void *data)
{
	char text[16];

	for (int i = 0; i < MESSAGES; i++)
		if (pabal_process_receive(self, NULL, NULL, text, sizeof text, NULL, PABAL_FOREVER) < 0)
			return data;
	return NULL;
}

/* A call that does not wait swallows the bytes that were to wake the sleeper: it passes that on. */
static void who_polls_does_not_keep_a_sleeper_asleep(void **state)
{
	struct sender sender;
	pthread_t receiver;
	char name[16] = "echo-0";
	pabal_link *link;
	void *result;

	(void)state;
	for (int round = 0; round < 20; round++) {
		pid_t pid = child_start(echo_many, name);

		self = announce("me", PABAL_WAIT_BLOCK);
		assert_int_equal(pabal_process_link(self, name, &link, PABAL_FOREVER), 0);
		assert_int_equal(pthread_create(&receiver, NULL, receive_all, self), 0);
		start_sender(&sender, name);
		while (pthread_tryjoin_np(receiver, &result) == EBUSY) {
			assert_int_equal(pabal_process_accept(self, &link, PABAL_NOWAIT), -EAGAIN);
			assert_int_equal(pabal_process_receive(self, "nobody", NULL, NULL, 0, NULL, PABAL_NOWAIT), -EAGAIN);
		}
		assert_null(result);
		end_sender(&sender);
		pabal_process_close(self);
		assert_int_equal(child_end(pid), 0);
	}
}

static void *send_large_by_name(void *data)
{
	static char large[1 << 20];

	atomic_store((_Atomic pid_t *)data, (pid_t)syscall(SYS_gettid));
	return as_pointer((uintptr_t)-pabal_process_send(self, "peer", large, sizeof large, PABAL_FOREVER));
}

static int is_for_room(const struct pabal_wait_info *info, void *data)
{
	(void)data;
	return info->what == PABAL_WAITS_ROOM;
}

static bool waits_for_room(void *data)
{
	return pabal_waits(is_for_room, data) == 1;
}

static pabal_link *open_both(pabal_process *peer, const char *name, pabal_link **ret_far)
{
	pabal_link *link = NULL;

	*ret_far = NULL;
	while (!link || !*ret_far) {
		if (!link)
			pabal_process_link(self, name, &link, PABAL_NOWAIT);
		if (!*ret_far)
			pabal_process_accept(peer, ret_far, PABAL_NOWAIT);
	}
	return link;
}

/* One who sends by name waits for memory that another thread has on loan from the link: nobody but that thread can wake it. */
static void a_cancel_wakes_who_sends_by_name(void **state)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .memory_max = 1 << 20 };
	pabal_process *peer;
	struct pabal_loan loan;
	pabal_link *link, *far;
	_Atomic pid_t tid = 0;
	pthread_t sender;
	void *result;

	(void)state;
	peer = announce("peer", 0);
	assert_int_equal(pabal_process_announce("me", &opts, &self), 0);
	link = open_both(peer, "peer", &far);
	assert_int_equal(pabal_link_loan(link, 1 << 20, &loan, PABAL_NOWAIT), 0);
	assert_int_equal(pthread_create(&sender, NULL, send_large_by_name, &tid), 0);
	assert_true(eventually(waits_for_room, NULL));
	child_await_sleep(atomic_load(&tid)); /* in that wait: nothing else of it sleeps once this is told */
	assert_int_equal(pabal_link_cancel(link, &loan), 0);
	assert_int_equal(pthread_join(sender, &result), 0);
	assert_null(result);
	pabal_process_close(self);
	pabal_process_close(peer);
}

static void *receive_until_told(void *data)
{
	char text[16];
	size_t size;
	int r;

	do {
		r = pabal_link_receive(data, text, sizeof text, &size, PABAL_FOREVER);
	} while (r == 0 && size);
	return r < 0 ? data : NULL;
}

static void *knock(void *data)
{
	enum { KNOCKS = 30 };

	for (int i = 0; i < KNOCKS; i++) {
		pabal_process *process = announce(data, 0);

		child_equal(pabal_process_send(process, "me", "x", 1, HANG), 0);
		pabal_process_close(process);
	}
	return NULL;
}

/* With PABAL_SINGLE_THREAD each link is for one thread. There are two such links, and while both sleep others knock: the door is served by both. For ThreadSanitizer. */
static void threads_that_each_have_a_link_answer_at_one_door(void **state)
{
	static char names[4][16] = { "one", "two", "three", "four" };
	pabal_process *peers[2];
	pabal_link *links[2], *far[2];
	pthread_t threads[4];
	void *result;

	(void)state;
	self = announce("me", PABAL_SINGLE_THREAD | PABAL_WAIT_BLOCK);
	for (int i = 0; i < 2; i++) {
		peers[i] = announce(names[i], 0);
		links[i] = far[i] = NULL;
		while (!links[i] || !far[i]) {
			if (!far[i])
				pabal_process_link(peers[i], "me", &far[i], PABAL_NOWAIT);
			if (!links[i])
				pabal_process_accept(self, &links[i], PABAL_NOWAIT);
		}
		assert_int_equal(pthread_create(&threads[i], NULL, receive_until_told, links[i]), 0);
	}
	for (int i = 2; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, knock, names[i]), 0);
	for (int i = 2; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pabal_link_send(far[i], NULL, 0, PABAL_NOWAIT), 0);
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
		pabal_process_close(peers[i]);
	}
	pabal_process_close(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_threads_use_one_handle),
		cmocka_unit_test(threads_on_links_and_on_the_handle),
		cmocka_unit_test(who_polls_does_not_keep_a_sleeper_asleep),
		cmocka_unit_test(a_cancel_wakes_who_sends_by_name),
		cmocka_unit_test(threads_that_each_have_a_link_answer_at_one_door),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
