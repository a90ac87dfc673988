/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_file - the lock that says that we live: it survives closed descriptors and fork children, and goes with us.
 */
#include "platform/file.h"
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTE = 77 };

static int directory, file;
static _Atomic uint64_t *ready;

static int set_up(void **state)
{
	(void)state;
	ready = shared_memory(sizeof *ready);
	directory = open(path_of("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return pabal__file_make(directory, &file) || ftruncate(file, 1 << 20);
}

static void a_hold_survives_what_closes_other_locks(void **state)
{
	void *hold, *second;
	int again;

	(void)state;
	assert_int_equal(pabal__file_is_held(file, BYTE), 0);
	assert_int_equal(pabal__file_hold(directory, "x", file, BYTE, &hold), 0);
	assert_int_equal(pabal__file_is_held(file, BYTE), 1); /* and it can be seen by ourselves */
	assert_int_equal(pabal__file_is_held(file, BYTE + 1), 0);
	assert_int_equal(pabal__file_hold(directory, "x", file, BYTE, &second), -EAGAIN);
	assert_int_equal(pabal__file_reopen(file, directory, "x", &again), 0);
	close(again); /* would drop a traditional lock */
	assert_int_equal(pabal__file_is_held(file, BYTE), 1);
	pabal__file_let_go(hold);
	assert_int_equal(pabal__file_is_held(file, BYTE), 0);
	pabal__file_let_go(NULL);
}

static int outlive(void *data)
{
	(void)data;
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static int hold_and_fork(void *data)
{
	void *hold;
	pid_t pid;

	child_equal(pabal__file_hold(directory, "x", file, BYTE, &hold), 0);
	pid = fork();
	if (pid == 0)
		return outlive(NULL);
	*(pid_t *)data = pid;
	atomic_fetch_add(ready, 1);
	child_wait_for_death();
}

static void a_hold_ends_with_its_process_though_a_child_lives(void **state)
{
	pid_t *grandchild = shared_memory(sizeof *grandchild), pid;

	(void)state;
	pid = child_start(hold_and_fork, grandchild);
	assert_true(eventually_at_least(ready, 2));
	assert_int_equal(pabal__file_is_held(file, BYTE), 1);
	child_kill(pid);
	assert_int_equal(pabal__file_is_held(file, BYTE), 0);
	assert_int_equal(kill(*grandchild, SIGKILL), 0);
}

static void memory_is_given_and_taken_back(void **state)
{
	struct stat st;
	char byte = 'x';

	(void)state;
	assert_int_equal(pabal__file_back(file, 0, 1 << 16), 0);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_blocks * 512, 1 << 16);
	assert_int_equal(pwrite(file, &byte, 1, 5000), 1);
	assert_int_equal(pabal__file_punch(file, 0, 1 << 16), 0);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	assert_int_equal(pread(file, &byte, 1, 5000), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(pabal__file_back(-1, 0, 1), -EBADF);
}

static void a_name_is_given_once(void **state)
{
	int other;

	(void)state;
	assert_int_equal(pabal__file_name(file, directory, "x"), 0);
	assert_int_equal(pabal__file_make(directory, &other), 0);
	assert_int_equal(pabal__file_name(other, directory, "x"), -EEXIST);
	close(other);
	assert_int_equal(unlinkat(directory, "x", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hold_survives_what_closes_other_locks),
		cmocka_unit_test(a_hold_ends_with_its_process_though_a_child_lives),
		cmocka_unit_test(memory_is_given_and_taken_back),
		cmocka_unit_test(a_name_is_given_once),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
