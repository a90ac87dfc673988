/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_waiting - how calls on a process handle wait: interrupts, signals, and the descriptor in epoll.
 *
 * Waits here have no end and no other event that could save them: what is lost hangs, and the hang detector says so.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "process/peers.h"

static _Atomic uint64_t *go;
static pabal_process *self;

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

/* A loop that finishes its calls and then receives by name: the reply that a receive has found is told, once. */
static void the_descriptor_tells_of_a_reply_that_a_receive_found(void **state)
{
	pabal_process *peer = announce("peer", 0);
	pabal_link *link = NULL, *far = NULL;
	struct pabal_message request;
	uint64_t call;
	char byte;
	int fd;

	(void)state;
	self = announce("me", 0);
	fd = pabal_process_fd(self, PABAL_READABLE);
	while (!link || !far) {
		if (!link)
			pabal_process_link(self, "peer", &link, PABAL_NOWAIT);
		if (!far)
			pabal_process_accept(peer, &far, PABAL_NOWAIT);
	}
	assert_int_equal(drain(), 0);
	assert_int_equal(pabal_link_call_start(link, "?", 1, &call, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_call_finish(link, call, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_false(readable_now(fd));
	assert_int_equal(pabal_link_take(far, NULL, &request, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_link_reply(far, &request, "!", 1, PABAL_NOWAIT), 0);
	assert_true(readable_now(fd));
	assert_int_equal(drain(), 0);
	assert_true(readable_now(fd));
	assert_int_equal(drain(), 0);
	assert_false(readable_now(fd));
	assert_int_equal(pabal_link_call_finish(link, call, &byte, 1, NULL, PABAL_NOWAIT), 0);
	pabal_process_close(peer);
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
		cmocka_unit_test(the_descriptor_tells_of_a_reply_that_a_receive_found),
	};

	ready = shared_memory(sizeof *ready);
	go = shared_memory(sizeof *go);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
