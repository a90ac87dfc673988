/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support/stopped.c - single steps by ptrace.
 */
#include "support/stopped.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "support/support.h"

void stopped_here(void)
{
	child_equal(ptrace(PTRACE_TRACEME, 0, NULL, NULL), 0);
	raise(SIGSTOP);
}

int stopped_await(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

void stopped_step(pid_t pid, uint32_t steps)
{
	for (uint32_t i = 0; i < steps; i++) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_true(WIFSTOPPED(stopped_await(pid)));
	}
}

int stopped_finish(pid_t pid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	status = stopped_await(pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

void stopped_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_true(WIFSIGNALED(stopped_await(pid)));
}
