/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_apart - what a process handle is to others than its owner: fork children, programs that close all descriptors, and those who look on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "process/peers.h"

static pabal_process *self;

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
	int strangers[64];
	pabal_link *link;
	char byte;

	(void)data;
	child_check(pabal_process_fd(process, PABAL_READABLE) >= 0);
	child_equal(pabal_process_link(process, "echo", &link, PABAL_FOREVER), 0);
	child_check(pabal_link_fd(link, PABAL_READABLE) >= 0);
	closefrom(3);
	child_equal(pabal_process_receive(process, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), -EBADF);
	child_equal(pabal_process_accept(process, &link, PABAL_FOREVER), -EBADF);
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		strangers[i] = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		child_check(strangers[i] >= 0);
	}
	pabal_process_close(process);
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
		child_check(fcntl(strangers[i], F_GETFD) >= 0);
	child_check(access(path_of("daemon"), F_OK) != 0);
	return 0;
}

/* A daemon's habit. It cannot be mended, so it is said, instead of waiting for ever or in circles; and what has the numbers now is left alone. */
static void closed_descriptors_are_an_error(void **state)
{
	pid_t pid = start_ready(echo, TEXT("echo"));

	(void)state;
	child_run(close_all_and_receive, NULL);
	child_kill(pid);
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
		cmocka_unit_test(a_fork_child_is_another_process),
		cmocka_unit_test(a_child_does_not_keep_its_parent_alive),
		cmocka_unit_test(closed_descriptors_are_an_error),
		cmocka_unit_test(others_can_see_links_and_waits),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
