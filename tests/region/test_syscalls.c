/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_syscalls - locks, unlocks, notifies and looks that need not wait make no system call.
 *
 * The process runs under ptrace, which counts its system calls. What is expected is the difference between a long run and a short one: 0.
 */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region/region.h"

enum { SHORT = 100, LONG = 20000 };

static int be_traced(void *data)
{
	uint32_t count = *(uint32_t *)data, now;
	pabal_region *region;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	raise(SIGSTOP);
	for (uint32_t i = 0; i < count; i++) {
		child_equal(pabal_region_lock(region, i % 2, PABAL_FOREVER), 0);
		child_equal(pabal_region_unlock(region, i % 2), 0);
		child_equal(pabal_region_event(region, 0, &now), 0);
		child_equal(pabal_region_notify(region, 0, UINT32_MAX), 0);
		child_equal(pabal_region_wait(region, 0, now, &now, PABAL_FOREVER), 0);
	}
	_exit(0);
}

/* System calls between the stop and the end. */
static uint64_t count_calls(uint32_t count)
{
	uint64_t stops = 0;
	int status;
	pid_t pid = child_start(be_traced, &count);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			break;
		assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
		stops++;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(stops > 0); /* its exit, at least */
	return stops;
}

static void no_system_call_while_nobody_waits(void **state)
{
	pabal_region *region;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, REGION(.locks = 2), &region), 0);
	assert_int_equal(count_calls(LONG), count_calls(SHORT));
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_system_call_while_nobody_waits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
