/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_waiting - how calls on a process handle wait: interrupts, signals, several threads, the descriptor in epoll; and what a fork leaves.
 *
 * Waits here have no end and no other event that could save them: what is lost hangs, and the hang detector says so.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

static _Atomic uint64_t *ready, *go;
static pabal_process *self;

static pabal_process *announce(const char *name, uint32_t flags)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .flags = flags };
	pabal_process *process = NULL;

	if (pabal_process_announce(name, &opts, &process) < 0)
		child_failed("announce", name, 0);
	return process;
}

static int echo(void *data)
{
	char text[64], peer[PABAL_NAME_SIZE];
	pabal_process *process = announce(data, 0);
	size_t size;

	atomic_fetch_add(ready, 1);
	for (;;) {
		child_equal(pabal_process_receive(process, NULL, peer, text, sizeof text, &size, PABAL_FOREVER), 0);
		if (size == 4 && memcmp(text, "quit", 4) == 0)
			break;
		child_equal(pabal_process_send(process, peer, text, size, PABAL_FOREVER), 0);
	}
	pabal_process_close(process);
	return 0;
}

static pid_t start_ready(child_main *body, void *data)
{
	uint64_t before = atomic_load(ready);
	pid_t pid = child_start(body, data);

	assert_true(eventually_at_least(ready, before + 1));
	return pid;
}

static void an_interrupt_ends_a_wait_and_is_kept_for_one(void **state)
{
	pabal_link *link;
	char byte;

	(void)state;
	self = announce("me", 0);
	assert_int_equal(pabal_process_interrupt(self), 0);
	assert_int_equal(pabal_process_interrupt(self), 0);
	assert_int_equal(pabal_process_receive(self, NULL, NULL, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN); /* it does not wait */
	assert_int_equal(pabal_process_receive(self, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), -ECANCELED);
	assert_int_equal(pabal_process_receive(self, NULL, NULL, &byte, 1, NULL, 1000000), -ETIMEDOUT);
	assert_int_equal(pabal_process_interrupt(self), 0);
	assert_int_equal(pabal_process_accept(self, &link, PABAL_FOREVER), -ECANCELED);
	assert_int_equal(pabal_process_interrupt(self), 0);
	assert_int_equal(pabal_process_link(self, "nobody", &link, PABAL_FOREVER), -ECANCELED);
	assert_int_equal(pabal_process_interrupt(self), 0);
	assert_int_equal(pabal_process_send(self, "nobody", &byte, 1, PABAL_FOREVER), -ECANCELED);
	assert_int_equal(pabal_process_interrupt(NULL), -EINVAL);
	pabal_process_close(self);
}

static void interrupt_in_handler(int number)
{
	(void)number;
	pabal_process_interrupt(self);
}

static void count_in_handler(int number)
{
	(void)number;
	atomic_fetch_add(go, 1);
}

static int signal_the_sleeper(void *data)
{
	pid_t pid = getppid();

	for (int i = 0; i < *(int *)data; i++) {
		child_await_sleep(pid);
		child_check(kill(pid, SIGUSR1) == 0);
		if (i + 1 < *(int *)data)
			child_check(eventually_at_least(go, (uint64_t)i + 1));
	}
	return 0;
}

static void handle(void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

static void a_signal_ends_a_sleep_whatever_its_flags(void **state)
{
	int once = 1;
	char byte;

	(void)state;
	for (int i = 0; i < 3; i++) {
		pid_t pid;

		self = announce("me", 0);
		handle(i == 2 ? interrupt_in_handler : count_in_handler, i == 1 ? SA_RESTART : 0);
		pid = child_start(signal_the_sleeper, &once);
		assert_int_equal(pabal_process_receive(self, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), i == 2 ? -ECANCELED : -EINTR);
		assert_int_equal(child_end(pid), 0);
		pabal_process_close(self);
	}
	handle(SIG_DFL, 0);
}

static int send_at_last(void *data)
{
	int twice = 2;
	pabal_process *process;

	child_equal(signal_the_sleeper(&twice), 0);
	process = announce(data, 0);
	child_equal(pabal_process_send(process, "me", "x", 1, PABAL_FOREVER), 0);
	pabal_process_close(process);
	return 0;
}

static void with_restart_the_wait_goes_on(void **state)
{
	pid_t pid;
	char byte;

	(void)state;
	atomic_store(go, 0);
	self = announce("me", PABAL_RESTART);
	handle(count_in_handler, 0);
	pid = child_start(send_at_last, TEXT("sender"));
	assert_int_equal(pabal_process_receive(self, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), 0);
	assert_int_equal(child_end(pid), 0);
	assert_true(atomic_load(go) >= 2);
	pabal_process_close(self);
	handle(SIG_DFL, 0);
}

/* Until -EAGAIN; how many messages there were. */
static int drain(void)
{
	char text[64];
	int count = 0, r;

	while ((r = pabal_process_receive(self, NULL, NULL, text, sizeof text, NULL, PABAL_NOWAIT)) == 0)
		count++;
	assert_int_equal(r, -EAGAIN);
	return count;
}

static void await_readable(int epoll)
{
	struct epoll_event event;

	assert_int_equal(epoll_wait(epoll, &event, 1, (int)(HANG / 1000000)), 1);
}

static int epoll_of(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_true(epoll >= 0 && fd >= 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	return epoll;
}

static bool readable_now(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

enum { ROUNDS = 300 };

/* Every answer makes it readable, however the wake-ups fall; nothing else does. */
static void the_descriptor_tells_of_messages(void **state)
{
	pid_t pid = start_ready(echo, TEXT("echo"));
	int fd, epoll, expected = 1, got = 0;

	(void)state;
	self = announce("me", 0);
	fd = pabal_process_fd(self, PABAL_READABLE);
	epoll = epoll_of(fd);
	assert_int_equal(pabal_process_fd(self, PABAL_READABLE), fd);
	assert_int_equal(drain(), 0);
	assert_false(readable_now(fd));
	assert_int_equal(pabal_process_send(self, "echo", "1", 1, PABAL_FOREVER), 0);
	for (int i = 0; i < ROUNDS; i++) {
		while (got < expected) {
			await_readable(epoll);
			got += drain();
		}
		assert_false(readable_now(fd)); /* all is answered */
		for (int j = 0; j < i % 5 + 1; j++, expected++)
			assert_int_equal(pabal_process_send(self, "echo", "2", 1, PABAL_FOREVER), 0);
	}
	/* One receive of several: level-triggered, so what is left is told. */
	for (; got < expected; got += drain())
		await_readable(epoll);
	for (int j = 0; j < 3; j++)
		assert_int_equal(pabal_process_send(self, "echo", "3", 1, PABAL_FOREVER), 0);
	for (int j = 0; j < 3; j++) {
		char text[8];

		await_readable(epoll);
		while (pabal_process_receive(self, NULL, NULL, text, sizeof text, NULL, PABAL_NOWAIT) == -EAGAIN)
			await_readable(epoll);
	}
	assert_int_equal(pabal_process_send(self, "echo", "quit", 4, PABAL_FOREVER), 0);
	await_readable(epoll); /* the end, too */
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(drain(), 0);
	assert_false(readable_now(fd)); /* an end is not told for ever */
	close(epoll);
	pabal_process_close(self);
}

static int link_and_wait(void *data)
{
	pabal_process *process = announce(data, 0);
	pabal_link *link;

	child_equal(pabal_process_link(process, "me", &link, PABAL_FOREVER), 0);
	child_check(eventually_at_least(go, 1));
	child_equal(pabal_link_send(link, "hello", 5, PABAL_FOREVER), 0);
	child_check(eventually_at_least(go, 2));
	pabal_process_close(process);
	return 0;
}

/* A server of many clients: the handle's descriptor for those who come, a descriptor of its own for each link. */
static void the_descriptor_tells_of_those_who_link(void **state)
{
	pid_t pid;
	pabal_link *link;
	char text[8];
	size_t size;
	int fd, epoll, link_fd, r;

	(void)state;
	atomic_store(go, 0);
	self = announce("me", 0);
	fd = pabal_process_fd(self, PABAL_READABLE);
	epoll = epoll_of(fd);
	assert_int_equal(pabal_process_accept(self, &link, PABAL_NOWAIT), -EAGAIN);
	pid = child_start(link_and_wait, TEXT("client"));
	do {
		await_readable(epoll);
		r = pabal_process_accept(self, &link, PABAL_NOWAIT);
	} while (r == -EAGAIN);
	assert_int_equal(r, 0);
	link_fd = pabal_link_fd(link, PABAL_READABLE);
	assert_true(link_fd >= 0);
	assert_int_equal(pabal_link_receive(link, text, sizeof text, &size, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_process_accept(self, &link, PABAL_NOWAIT), -EAGAIN);
	assert_false(readable_now(fd));
	assert_false(readable_now(link_fd));
	atomic_store(go, 1);
	await_readable(epoll_of(link_fd));
	assert_false(readable_now(fd)); /* the link has its own: this one is not disturbed */
	assert_int_equal(pabal_link_receive(link, text, sizeof text, &size, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_receive(link, text, sizeof text, &size, PABAL_NOWAIT), -EAGAIN);
	atomic_store(go, 2);
	assert_int_equal(child_end(pid), 0);
	await_readable(epoll_of(link_fd));
	assert_int_equal(pabal_link_receive(link, text, sizeof text, &size, PABAL_NOWAIT), -EPIPE);
	assert_int_equal(pabal_process_accept(self, &link, PABAL_NOWAIT), -EAGAIN);
	assert_false(readable_now(fd));
	pabal_process_close(self);
	close(epoll);
}

enum { THREADS = 3, MESSAGES = 2000 };

static _Atomic uint64_t received_by_threads;

static void *receive_in_thread(void *data)
{
	char text[16];
	int r;

	(void)data;
	do {
		r = pabal_process_receive(self, NULL, NULL, text, sizeof text, NULL, PABAL_FOREVER);
		if (r == 0)
			atomic_fetch_add(&received_by_threads, 1);
	} while (r == 0);
	return (void *)(intptr_t)r;
}

static void *send_in_thread(void *data)
{
	int r = 0;

	for (int i = 0; i < MESSAGES && r == 0; i++)
		r = pabal_process_send(self, data, &i, sizeof i, PABAL_FOREVER);
	return (void *)(intptr_t)r;
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
	pthread_t receivers[THREADS], senders[THREADS];
	pid_t pids[THREADS];
	void *result;

	(void)state;
	atomic_store(&received_by_threads, 0);
	for (int i = 0; i < THREADS; i++)
		pids[i] = child_start(echo_many, names[i]);
	self = announce("me", 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&receivers[i], NULL, receive_in_thread, NULL), 0);
		assert_int_equal(pthread_create(&senders[i], NULL, send_in_thread, names[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(senders[i], &result), 0);
		assert_int_equal((intptr_t)result, 0);
	}
	assert_true(eventually_at_least(&received_by_threads, (uint64_t)THREADS * MESSAGES));
	assert_int_equal(pabal_process_interrupt(self), 0); /* ends the wait of each of them */
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(receivers[i], &result), 0);
		assert_int_equal((intptr_t)result, -ECANCELED);
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
	pthread_t taker, senders[2];
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
		assert_int_equal(pthread_create(&senders[i], NULL, send_in_thread, names[i]), 0);
	for (int i = 0; i < MESSAGES; i++)
		assert_int_equal(pabal_process_receive(self, "echo-1", NULL, text, sizeof text, NULL, PABAL_FOREVER), 0);
	assert_int_equal(pthread_join(taker, &result), 0);
	assert_null(result);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(senders[i], &result), 0);
		assert_int_equal((intptr_t)result, 0);
	}
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
	pthread_t receiver, sender;
	char name[16] = "echo-0";
	pabal_link *link;
	void *result;

	(void)state;
	for (int round = 0; round < 20; round++) {
		pid_t pid = child_start(echo_many, name);

		self = announce("me", PABAL_WAIT_BLOCK);
		assert_int_equal(pabal_process_link(self, name, &link, PABAL_FOREVER), 0);
		assert_int_equal(pthread_create(&receiver, NULL, receive_all, self), 0);
		assert_int_equal(pthread_create(&sender, NULL, send_in_thread, name), 0);
		while (pthread_tryjoin_np(receiver, &result) == EBUSY) {
			assert_int_equal(pabal_process_accept(self, &link, PABAL_NOWAIT), -EAGAIN);
			assert_int_equal(pabal_process_receive(self, "nobody", NULL, NULL, 0, NULL, PABAL_NOWAIT), -EAGAIN);
		}
		assert_null(result);
		assert_int_equal(pthread_join(sender, &result), 0);
		assert_null(result);
		pabal_process_close(self);
		assert_int_equal(child_end(pid), 0);
	}
}

static pabal_link *parents_link;

static int use_the_parents(void *data)
{
	pabal_process *own;
	pabal_link *link;
	char byte;

	(void)data;
	child_equal(pabal_process_send(self, "echo", "x", 1, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_process_receive(self, NULL, NULL, &byte, 1, NULL, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_process_link(self, "echo", &link, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_process_accept(self, &link, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_process_fd(self, PABAL_READABLE), -ESTALE);
	child_equal(pabal_process_interrupt(self), -ESTALE);
	child_equal(pabal_link_send(parents_link, "x", 1, PABAL_NOWAIT), -ESTALE);
	own = announce("child", 0);
	child_equal(pabal_process_send(own, "echo", "c", 1, PABAL_FOREVER), 0);
	child_equal(pabal_process_receive(own, "echo", NULL, &byte, 1, NULL, PABAL_FOREVER), 0);
	child_check(byte == 'c');
	pabal_link_close(parents_link);
	pabal_process_close(self); /* gives up nothing of the parent's */
	pabal_process_close(own);
	return 0;
}

static void a_fork_child_is_another_process(void **state)
{
	pid_t pid = start_ready(echo, TEXT("echo"));
	char byte;

	(void)state;
	self = announce("me", 0);
	assert_true(pabal_process_fd(self, PABAL_READABLE) >= 0);
	assert_int_equal(pabal_process_link(self, "echo", &parents_link, PABAL_FOREVER), 0);
	child_run(use_the_parents, NULL);
	assert_int_equal(pabal_link_send(parents_link, "p", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_process_receive(self, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), 0);
	assert_true(byte == 'p');
	assert_int_equal(pabal_process_send(self, "echo", "quit", 4, PABAL_FOREVER), 0);
	assert_int_equal(child_end(pid), 0);
	pabal_process_close(self);
}

static int close_all_and_receive(void *data)
{
	pabal_process *process = announce("daemon", 0);
	pabal_link *link;
	char byte;

	(void)data;
	closefrom(3);
	child_equal(pabal_process_receive(process, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), -EBADF);
	child_equal(pabal_process_accept(process, &link, PABAL_FOREVER), -EBADF);
	pabal_process_close(process);
	return 0;
}

/* A daemon's habit. It cannot be mended, so it is said, instead of waiting for ever or in circles. */
static void closed_descriptors_are_an_error(void **state)
{
	(void)state;
	child_run(close_all_and_receive, NULL);
	assert_int_equal(pabal_gc(NULL), 0);
}

static int link_fork_and_hang(void *data)
{
	pabal_process *process = announce("forker", 0);
	pid_t pid;

	child_equal(pabal_process_send(process, "me", "x", 1, PABAL_FOREVER), 0);
	pid = fork();
	if (pid)
		*(pid_t *)data = pid;
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

/* The child has copies of all sockets; its parent's death is told all the same, and its name is free. */
static void a_child_does_not_keep_its_parent_alive(void **state)
{
	pid_t *grandchild = shared_memory(sizeof *grandchild), pid;
	pabal_process *again;
	char byte;

	(void)state;
	atomic_store(ready, 0);
	self = announce("me", 0);
	pid = child_start(link_fork_and_hang, grandchild);
	assert_int_equal(pabal_process_receive(self, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), 0);
	assert_true(eventually_at_least(ready, 2));
	child_kill(pid);
	assert_int_equal(pabal_process_receive(self, "forker", NULL, &byte, 1, NULL, PABAL_FOREVER), -EOWNERDEAD);
	again = announce("forker", 0);
	pabal_process_close(again);
	kill(*grandchild, SIGKILL);
	pabal_process_close(self);
}

static int wait_told(const struct pabal_wait_info *info, void *data)
{
	struct pabal_wait_info *told = data;

	if (strcmp(info->name, "waiter") == 0)
		*told = *info;
	return 0;
}

static bool waits_so(void *data)
{
	struct pabal_wait_info *wanted = data, told = { .kind = 0 };

	assert_true(pabal_waits(wait_told, &told) >= 0);
	if (told.kind != PABAL_KIND_PROCESS || told.what != wanted->what || strcmp(told.peer, wanted->peer) != 0)
		return false;
	assert_int_equal(told.claimed_pid, wanted->claimed_pid);
	assert_int_equal(told.waker_pid, wanted->waker_pid);
	return true;
}

static int wait_variously(void *data)
{
	pabal_process *process = announce("waiter", 0);
	pabal_link *link;
	char byte;

	(void)data;
	child_equal(pabal_process_receive(process, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), 0);
	child_equal(pabal_process_receive(process, "me", NULL, &byte, 1, NULL, PABAL_FOREVER), 0);
	child_equal(pabal_process_link(process, "me", &link, PABAL_FOREVER), 0);
	child_equal(pabal_link_receive(link, &byte, 1, NULL, PABAL_FOREVER), 0);
	child_equal(pabal_process_send(process, "nobody", "x", 1, PABAL_FOREVER), 0);
	pabal_process_close(process);
	return 0;
}

static int count_link(const struct pabal_link_info *info, void *data)
{
	*(struct pabal_link_info *)data = *info;
	return 0;
}

static void others_can_see_links_and_waits(void **state)
{
	pid_t pid = child_start(wait_variously, NULL);
	struct pabal_wait_info wanted = { .what = PABAL_WAITS_MESSAGE, .claimed_pid = pid };
	struct pabal_link_info link;
	pabal_process *nobody;
	char byte;

	(void)state;
	assert_true(eventually(waits_so, &wanted));
	self = announce("me", 0);
	assert_int_equal(pabal_links("me", count_link, &link), 0);
	assert_int_equal(pabal_process_send(self, "waiter", "1", 1, PABAL_FOREVER), 0);
	strcpy(wanted.peer, "me");
	wanted.waker_pid = getpid();
	assert_true(eventually(waits_so, &wanted));
	assert_int_equal(pabal_links("me", count_link, &link), 1);
	assert_string_equal(link.peer, "waiter");
	assert_int_equal(link.claimed_pid, pid);
	assert_int_equal(pabal_links("waiter", count_link, &link), 1);
	assert_string_equal(link.peer, "me");
	assert_int_equal(pabal_process_send(self, "waiter", "2", 1, PABAL_FOREVER), 0);
	assert_true(eventually(waits_so, &wanted)); /* now on the link, which looks the same from here */
	assert_int_equal(pabal_process_send(self, "waiter", "3", 1, PABAL_FOREVER), 0);
	wanted.what = PABAL_WAITS_PEER;
	strcpy(wanted.peer, "nobody");
	wanted.waker_pid = 0;
	assert_true(eventually(waits_so, &wanted));
	nobody = announce("nobody", 0);
	assert_int_equal(pabal_process_receive(nobody, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), 0);
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(pabal_links("waiter", count_link, &link), -ENOENT);
	pabal_process_close(nobody);
	pabal_process_close(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interrupt_ends_a_wait_and_is_kept_for_one),
		cmocka_unit_test(a_signal_ends_a_sleep_whatever_its_flags),
		cmocka_unit_test(with_restart_the_wait_goes_on),
		cmocka_unit_test(the_descriptor_tells_of_messages),
		cmocka_unit_test(the_descriptor_tells_of_those_who_link),
		cmocka_unit_test(several_threads_use_one_handle),
		cmocka_unit_test(threads_on_links_and_on_the_handle),
		cmocka_unit_test(who_polls_does_not_keep_a_sleeper_asleep),
		cmocka_unit_test(a_fork_child_is_another_process),
		cmocka_unit_test(a_child_does_not_keep_its_parent_alive),
		cmocka_unit_test(closed_descriptors_are_an_error),
		cmocka_unit_test(others_can_see_links_and_waits),
	};

	ready = shared_memory(sizeof *ready);
	go = shared_memory(sizeof *go);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
