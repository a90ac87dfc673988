/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support/syscalls.c - count the system calls of a child, under ptrace.
 */
#include "support/syscalls.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define LOOKS_EVERY_NS INT64_C(100000000) /* of a handle, at most: LOOK_NS in model/mailbox.c */

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

void syscalls_count_from_here(void)
{
	child_check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	raise(SIGSTOP);
}

/* @pid has stopped at a system call: at its beginning, or at its end. */
static void count_one(pid_t pid, struct syscalls *calls)
{
	struct __ptrace_syscall_info info = { 0 };
	uint64_t number;

	assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0);
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	number = info.entry.nr;
	if (number == SYS_fcntl && info.entry.args[1] == F_OFD_GETLK)
		calls->looks++;
#ifdef SYS_newfstatat
	else if (number == SYS_newfstatat) /* is the descriptor ours still? */
		return;
#endif
	else if (number != SYS_fstat)
		calls->others++;
	if (number == SYS_socket || number == SYS_openat || number == SYS_sendto)
		calls->sockets++;
}

struct syscalls syscalls_of(child_main *body, void *data)
{
	struct syscalls calls = { 0 };
	pid_t pid = child_start(body, data);
	int64_t start;
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	start = now();
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			break;
		assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
		count_one(pid, &calls);
	}
	calls.took_ns = now() - start;
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(calls.others > 0); /* its exit, at least */
	return calls;
}

void syscalls_expect_same(const struct syscalls *few, const struct syscalls *many, uint32_t participants)
{
	uint64_t due = (uint64_t)(many->took_ns / LOOKS_EVERY_NS) + 2;

	if (many->others != few->others)
		fail_msg("%llu system calls more in the long run", (unsigned long long)(many->others - few->others));
	if (many->looks > due * participants)
		fail_msg("%llu looks in %lld ms", (unsigned long long)many->looks, (long long)(many->took_ns / 1000000));
}
