/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/step.c - the ptrace half of the driver. All children are forks of one process, so that the same code lies at the same address in each.
 */
#include "crash/step.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* NOLINTBEGIN(performance-no-int-to-ptr): ptrace(2) takes offsets, addresses and flags as pointers */

enum { TRACE_ROOM = 1 << 14, HASH_SIZE = 1 << 16 };

__attribute__((noinline)) void crash_begin(void)
{
	__asm__ volatile("nop" ::: "memory");
}

__attribute__((noinline)) void crash_end(void)
{
	__asm__ volatile("nop\n\tnop" ::: "memory");
}

void crash_trace_me(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
}

#if defined(__x86_64__)
static uint64_t program_counter(pid_t pid)
{
	return (uint64_t)ptrace(PTRACE_PEEKUSER, pid, (void *)offsetof(struct user, regs.rip), NULL);
}

/* Stop at @pc, in the first of the processor's breakpoints; 0: nowhere. false: there are none here (some virtual machines). */
static bool break_at(pid_t pid, uint64_t pc)
{
	if (pc && ptrace(PTRACE_POKEUSER, pid, (void *)offsetof(struct user, u_debugreg[0]), (void *)(uintptr_t)pc))
		return false;
	return ptrace(PTRACE_POKEUSER, pid, (void *)offsetof(struct user, u_debugreg[7]), (void *)(uintptr_t)(pc ? 1 : 0)) == 0;
}
#else
static uint64_t program_counter(pid_t pid)
{
	struct user_regs_struct regs;
	struct iovec vector = { .iov_base = &regs, .iov_len = sizeof regs };

	return ptrace(PTRACE_GETREGSET, pid, (void *)(uintptr_t)1, &vector) ? 0 : (uint64_t)regs.pc;
}

static bool break_at(pid_t pid, uint64_t pc)
{
	(void)pid;
	(void)pc;
	return false;
}
#endif

static bool has_breakpoints; /* found out at each crash_attach() */

/* Wait until the tracee stops for us. A signal of its own is none of ours: it is seen only as a stop that is passed over. */
static bool wait_stop(pid_t pid, int *ret_signal)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	if (!WIFSTOPPED(status))
		return false;
	*ret_signal = WSTOPSIG(status);
	return true;
}

static bool step_once(pid_t pid)
{
	int signal;

	return ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 && wait_stop(pid, &signal);
}

/* Run until the tracee is about to execute @pc. */
static bool run_to_pc(pid_t pid, uint64_t pc)
{
	bool quick = break_at(pid, pc);
	int signal = 0;

	has_breakpoints = quick;

	while (program_counter(pid) != pc)
		if (ptrace(quick ? PTRACE_CONT : PTRACE_SINGLESTEP, pid, NULL, NULL) || !wait_stop(pid, &signal))
			return false;
	if (quick)
		break_at(pid, 0);
	return true;
}

bool crash_attach(pid_t pid)
{
	int signal;

	if (!wait_stop(pid, &signal))
		return false;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(uintptr_t)PTRACE_O_EXITKILL);
	return run_to_pc(pid, (uint64_t)(uintptr_t)crash_begin);
}

bool crash_run_to_end(pid_t pid)
{
	return run_to_pc(pid, (uint64_t)(uintptr_t)crash_end);
}

bool crash_step(pid_t pid)
{
	return step_once(pid) && program_counter(pid) != (uint64_t)(uintptr_t)crash_end;
}

static bool append(struct crash_trace *trace, uint64_t pc)
{
	if (trace->count == trace->room) {
		uint32_t room = trace->room ? trace->room * 2 : TRACE_ROOM;
		uint64_t *longer = realloc(trace->pc, room * sizeof *longer);

		if (!longer)
			return false;
		trace->pc = longer;
		trace->room = room;
	}
	trace->pc[trace->count++] = pc;
	return true;
}

/* Enter @pc in a table of those that were seen. true: it is new. */
static bool is_new(uint64_t *seen, uint64_t pc)
{
	uint32_t at = (uint32_t)(pc * UINT64_C(0x9e3779b97f4a7c15) >> 48) % HASH_SIZE;

	for (uint32_t tries = 0; tries < HASH_SIZE; tries++, at = (at + 1) % HASH_SIZE) {
		if (seen[at] == pc)
			return false;
		if (!seen[at]) {
			seen[at] = pc;
			return true;
		}
	}
	return false;
}

static bool find_anchors(struct crash_trace *trace)
{
	uint64_t *seen = calloc(HASH_SIZE, sizeof *seen);
	uint32_t last = 0;

	trace->anchor = calloc(trace->count + 1, sizeof *trace->anchor);
	if (!seen || !trace->anchor) {
		free(seen);
		return false;
	}
	for (uint32_t k = 0; k < trace->count; k++) {
		if (is_new(seen, trace->pc[k]))
			last = k;
		trace->anchor[k] = last;
	}
	free(seen);
	return true;
}

bool crash_record(pid_t pid, struct crash_trace *trace, void (*each)(void *data, uint32_t k), void *data)
{
	trace->count = 0;
	for (;;) {
		uint64_t pc = program_counter(pid);

		if (pc == (uint64_t)(uintptr_t)crash_end)
			return find_anchors(trace);
		if (each)
			each(data, trace->count);
		if (!append(trace, pc) || !step_once(pid))
			return false;
	}
}

void crash_trace_free(struct crash_trace *trace)
{
	free(trace->pc);
	free(trace->anchor);
	memset(trace, 0, sizeof *trace);
}

bool crash_is_fresh(const struct crash_trace *trace, uint32_t k)
{
	return k == 0 || k + 1 >= trace->count || trace->pc[k] != trace->pc[k - 1] || trace->pc[k] != trace->pc[k + 1];
}

/* Run until the tracee is at @pc, or at crash_end() if it takes another way. */
static bool run_to_either(pid_t pid, uint64_t pc)
{
#if defined(__x86_64__)
	uint64_t end = (uint64_t)(uintptr_t)crash_end, at = 0;
	int signal;

	if (ptrace(PTRACE_POKEUSER, pid, (void *)offsetof(struct user, u_debugreg[1]), (void *)(uintptr_t)end) || !break_at(pid, pc) ||
	    ptrace(PTRACE_POKEUSER, pid, (void *)offsetof(struct user, u_debugreg[7]), (void *)(uintptr_t)5))
		return false;
	while (at != pc && at != end) {
		if (ptrace(PTRACE_CONT, pid, NULL, NULL) || !wait_stop(pid, &signal))
			return false;
		at = program_counter(pid);
	}
	break_at(pid, 0);
	return at == pc;
#else
	(void)pid;
	(void)pc;
	return false;
#endif
}

bool crash_run_to(pid_t pid, const struct crash_trace *trace, uint32_t k)
{
	uint32_t from = k < trace->count ? trace->anchor[k] : 0;

	if (!has_breakpoints)
		from = 0;
	if (from && !run_to_either(pid, trace->pc[from]))
		return false;
	for (; from < k; from++)
		if (!crash_step(pid))
			return false;
	return true;
}

void crash_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int crash_let_go(pid_t pid)
{
	int status = 0;

	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* NOLINTEND(performance-no-int-to-ptr) */
