/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fork - a handle belongs to the process that opened it; and descriptors that were closed behind the library's back.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

static pabal_mailbox *a;

static int use_the_parents_handle(void *data)
{
	struct pabal_mailbox_stats stats = { .struct_size = sizeof stats };
	struct pabal_message message;
	struct pabal_loan loan;
	pabal_mailbox *own;
	char byte;

	(void)data;
	child_equal(pabal_mailbox_send(a, "x", 1, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_mailbox_receive(a, &byte, 1, NULL, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_mailbox_loan(a, 1, &loan, PABAL_NOWAIT), -ESTALE);
	child_equal(pabal_mailbox_interrupt(a), -ESTALE);
	child_equal(pabal_mailbox_stat(a, &stats), -ESTALE);
	child_equal(pabal_mailbox_open("a", NULL, &own), 0);
	child_equal(pabal_mailbox_send(a, "x", 1, PABAL_NOWAIT), -ESTALE); /* still */
	child_equal(pabal_mailbox_send(own, "c", 1, PABAL_NOWAIT), 0);
	pabal_mailbox_close(own);
	pabal_mailbox_close(a);
	return 0;
}

static int fork_once_more(void *data)
{
	pabal_mailbox *own;

	child_equal(pabal_mailbox_open("a", NULL, &own), 0);
	child_equal(child_end(child_start(use_the_parents_handle, data)), 0);
	child_equal(pabal_mailbox_send(own, "p", 1, PABAL_NOWAIT), 0);
	pabal_mailbox_close(own);
	return 0;
}

static void a_child_is_told_to_open_again(void **state)
{
	struct pabal_message message;
	char byte;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.flags = PABAL_EPHEMERAL), &a), 0);
	assert_int_equal(pabal_mailbox_send(a, "1", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
	child_run(use_the_parents_handle, NULL);
	child_run(fork_once_more, NULL);
	/* The parent has lost nothing: neither its life, nor its lease, nor its mailbox. */
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(stats_of(a).participants, 1);
	assert_int_equal(stats_of(a).leases, 1);
	assert_memory_equal(message.data, "1", 1);
	assert_int_equal(pabal_mailbox_release(a, &message), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, PABAL_NOWAIT), 0);
	pabal_mailbox_close(a);
	assert_int_equal(access(path_of("a"), F_OK), -1);
}

static _Atomic uint64_t *ready;

static int live_on_without_the_parent(void *data)
{
	(void)data;
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static int open_fork_and_hang(void *data)
{
	struct pabal_message message;
	pabal_mailbox *own;
	pid_t pid;

	child_equal(pabal_mailbox_open("a", NULL, &own), 0);
	child_equal(pabal_mailbox_take(own, NULL, &message, PABAL_NOWAIT), 0);
	pid = fork();
	if (pid == 0)
		return live_on_without_the_parent(NULL);
	*(pid_t *)data = pid;
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

/* A child that lives on does not keep its dead parent alive. */
static void a_child_does_not_inherit_the_parents_life(void **state)
{
	pid_t *grandchild = shared_memory(sizeof *grandchild);
	pid_t pid;
	char byte;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	assert_int_equal(pabal_mailbox_send(a, "1", 1, PABAL_NOWAIT), 0);
	pid = child_start(open_fork_and_hang, grandchild);
	assert_true(eventually_at_least(ready, 2));
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(stats_of(a).participants, 2);
	child_kill(pid);
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(stats_of(a).participants, 1);
	assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, PABAL_NOWAIT), 0);
	kill(*grandchild, SIGKILL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static int take_and_hang(void *data)
{
	struct pabal_message message;
	pabal_mailbox *own;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &own), 0);
	child_equal(pabal_mailbox_take(own, NULL, &message, PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

/* A daemon's habit: close all descriptors, then open files of one's own, which get the same numbers. */
static int close_behind_the_librarys_back(void *data)
{
	struct stat before[8], after;
	int strangers[8];
	char *large = calloc(1, 1 << 20);
	pabal_mailbox *own;
	pid_t pid;

	(void)data;
	child_equal(pabal_mailbox_open("a", NULL, &own), 0);
	closefrom(3);
	for (int i = 0; i < 8; i++) {
		strangers[i] = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		child_check(strangers[i] >= 0);
		child_equal(write(strangers[i], "stranger", 8), 8);
		child_check(fstat(strangers[i], &before[i]) == 0);
	}
	child_equal(pabal_mailbox_send(own, large, 1 << 20, PABAL_NOWAIT), 0); /* grows: needs the file */
	pid = child_start(take_and_hang, NULL);
	child_check(eventually_at_least(ready, 1));
	child_kill(pid);
	child_equal(pabal_mailbox_receive(own, large, 1 << 20, NULL, HANG), 0); /* buries: needs the file's locks */
	for (size_t size = 100; size < 1 << 20; size *= 3)
		child_equal(pabal_mailbox_send(own, large, size, PABAL_NOWAIT), 0);
	atomic_fetch_add(ready, 1);
	child_check(eventually_at_least(ready, 3)); /* the parent has seen us alive */
	pabal_mailbox_close(own);
	for (int i = 0; i < 8; i++) {
		child_check(fstat(strangers[i], &after) == 0);
		child_check(after.st_ino == before[i].st_ino && after.st_size == 8 && after.st_blocks == before[i].st_blocks);
	}
	free(large);
	return 0;
}

static void closed_descriptors_do_no_harm(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	atomic_store(ready, 0);
	pid = child_start(close_behind_the_librarys_back, NULL);
	assert_true(eventually_at_least(ready, 2));
	assert_int_equal(pabal_gc(NULL), 0);
	assert_int_equal(stats_of(a).participants, 2); /* not judged dead */
	atomic_fetch_add(ready, 1);
	assert_int_equal(child_end(pid), 0);
	assert_int_equal(stats_of(a).participants, 1);
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_is_told_to_open_again),
		cmocka_unit_test(a_child_does_not_inherit_the_parents_life),
		cmocka_unit_test(closed_descriptors_do_no_harm),
	};

	ready = shared_memory(sizeof *ready);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
