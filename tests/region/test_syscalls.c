/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_syscalls - locks, unlocks, notifies and looks that need not wait make no system call, whoever has been in pabal_wait_many(), or is there for something else.
 *
 * The process runs under ptrace, which counts its system calls. What is expected is the difference between a long run and a short one: 0.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region/poll.h"

enum { SHORT = 100, LONG = 20000 };

static uint32_t event; /* that is notified */

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
		child_equal(pabal_region_event(region, event, &now), 0);
		child_equal(pabal_region_notify(region, event, UINT32_MAX), 0);
		child_equal(pabal_region_wait(region, event, now, &now, PABAL_FOREVER), 0);
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

static int wait_for_another(void *unused)
{
	pabal_region *region;

	(void)unused;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(poll_event(region, 1, PABAL_FOREVER), 0);
	pabal_region_close(region);
	return 0;
}

/* One has been there and has left; one is there, for another event; one died there. What a notify costs once, to find that out, is in both runs. */
static void nor_for_those_who_have_left_or_wait_for_another(void **state)
{
	pabal_region *region;
	pid_t waiter, dead;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, REGION(.locks = 2, .events = 2), &region), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(poll_event(region, 0, PABAL_NOWAIT), i ? 0 : -EAGAIN); /* the event stands at another number after the first run */
		assert_int_equal(poll_event(region, 0, 1000000), -ETIMEDOUT);
		if (i) {
			waiter = child_start(wait_for_another, NULL);
			child_await_sleep(waiter);
			dead = child_start(wait_for_another, NULL);
			child_await_sleep(dead);
			child_kill(dead);
		}
		assert_int_equal(count_calls(LONG), count_calls(SHORT));
	}
	assert_int_equal(pabal_region_notify(region, 1, 0), 0); /* whom is it for */
	assert_int_equal(child_end(waiter), 0);
	assert_true(pabal_gc(NULL) >= 0);
	region_ends(region);
}

/* Who waits for it is told with a few system calls, whatever becomes of it: one that is stopped is told once. */
static void a_stopped_one_is_told_once(void **state)
{
	pabal_region *region;
	pid_t waiter;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, REGION(.locks = 2, .events = 2), &region), 0);
	waiter = child_start(wait_for_another, NULL);
	child_await_sleep(waiter);
	assert_int_equal(kill(waiter, SIGSTOP), 0);
	event = 1;
	assert_true(count_calls(SHORT) > count_calls(LONG)); /* the first notify of the first run */
	event = 0;
	assert_int_equal(kill(waiter, SIGCONT), 0);
	assert_int_equal(child_end(waiter), 0);
	region_ends(region);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_system_call_while_nobody_waits),
		cmocka_unit_test(nor_for_those_who_have_left_or_wait_for_another),
		cmocka_unit_test(a_stopped_one_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
