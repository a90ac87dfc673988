/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/step.c - the ptrace half of the driver. All children are forks of one process, so that the same code lies at the same address in each.
 */
#include "crash/step.h"

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
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

/*
 * A breakpoint in the tracee's own copy of the code. Not one of the processor's: there are virtual machines whose kernel takes those and where they never stop anything.
 * Where two are set, they are cleared in reverse order: their words may overlap.
 */
struct trap {
	uint64_t pc;
	long word; /* what stands there otherwise */
};

enum { HAVE_TRAPS = true, TRAP_CODE = 0xcc, TRAP_LENGTH = 1 };

static bool set_trap(pid_t pid, uint64_t pc, struct trap *trap)
{
	trap->pc = pc;
	errno = 0;
	trap->word = ptrace(PTRACE_PEEKTEXT, pid, (void *)(uintptr_t)pc, NULL);
	return !errno && ptrace(PTRACE_POKETEXT, pid, (void *)(uintptr_t)pc, (void *)((trap->word & ~0xffL) | TRAP_CODE)) == 0;
}

static bool clear_trap(pid_t pid, const struct trap *trap)
{
	return ptrace(PTRACE_POKETEXT, pid, (void *)(uintptr_t)trap->pc, (void *)trap->word) == 0;
}

/* It has stopped by a signal: at that trap? Then it goes on with the instruction there. */
static bool step_back(pid_t pid, int signal, const struct trap *trap)
{
	if (signal != SIGTRAP || program_counter(pid) != trap->pc + TRAP_LENGTH)
		return false;
	return ptrace(PTRACE_POKEUSER, pid, (void *)offsetof(struct user, regs.rip), (void *)(uintptr_t)trap->pc) == 0;
}
#else
static uint64_t program_counter(pid_t pid)
{
	struct user_regs_struct regs;
	struct iovec vector = { .iov_base = &regs, .iov_len = sizeof regs };

	return ptrace(PTRACE_GETREGSET, pid, (void *)(uintptr_t)1, &vector) ? 0 : (uint64_t)regs.pc;
}

/* None so far: all is stepped. */
struct trap {
	uint64_t pc;
};

enum { HAVE_TRAPS = false };

static bool set_trap(pid_t pid, uint64_t pc, struct trap *trap)
{
	(void)pid;
	trap->pc = pc;
	return false;
}

static bool clear_trap(pid_t pid, const struct trap *trap)
{
	(void)pid;
	(void)trap;
	return false;
}

static bool step_back(pid_t pid, int signal, const struct trap *trap)
{
	(void)pid;
	(void)signal;
	(void)trap;
	return false;
}
#endif

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

/*
 * The kernel's code in user space (vdso, the clock): it begins again whenever the kernel writes the time under it, which between two steps happens often. It is
 * the same in all children, touches nothing of ours, and counts as one instruction, as a system call does.
 */
static bool in_vdso(uint64_t pc)
{
	static uint64_t start, size;

	if (!start) {
		uintptr_t image = getauxval(AT_SYSINFO_EHDR);
		const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)image;

		start = image ? image : 1;
		for (int i = 0; image && i < header->e_phnum; i++) {
			const ElfW(Phdr) *part = (const ElfW(Phdr) *)(image + header->e_phoff) + i;

			if (part->p_type == PT_LOAD)
				size = part->p_memsz;
		}
	}
	return pc - start < size;
}

/* One instruction. One that the processor repeats (a copy, say) stops after each repetition: that is one all the same. */
static bool step_once(pid_t pid, uint64_t *pc)
{
	uint64_t before = *pc;
	int signal;

	do {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) || !wait_stop(pid, &signal))
			return false;
		*pc = program_counter(pid);
	} while (*pc == before || in_vdso(*pc));
	return true;
}

/* Run until it is about to execute one of the two; the caller finds out which. It is at neither now. */
static bool run_to_one_of(pid_t pid, uint64_t first, uint64_t second)
{
	struct trap one, two;
	int signal;

	do {
		if (!set_trap(pid, first, &one) || !set_trap(pid, second, &two) || ptrace(PTRACE_CONT, pid, NULL, NULL) || !wait_stop(pid, &signal))
			return false;
		if (!clear_trap(pid, &two) || !clear_trap(pid, &one))
			return false;
	} while (!step_back(pid, signal, &two) && !step_back(pid, signal, &one));
	return true;
}

/* Run until the tracee is about to execute @pc. */
static bool run_to_pc(pid_t pid, uint64_t pc)
{
	uint64_t at = program_counter(pid);

	if (at != pc && HAVE_TRAPS)
		return run_to_one_of(pid, pc, pc);
	while (at != pc)
		if (!step_once(pid, &at))
			return false;
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

/*
 * The driver's tables come from the kernel, not from the heap: the children have its heap, and what lies free in it must be the same each time, or malloc() takes
 * another way in each.
 */
static void *table(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool append(struct crash_trace *trace, uint64_t pc)
{
	if (trace->count == trace->room) {
		uint32_t room = trace->room ? trace->room * 2 : TRACE_ROOM;
		uint64_t *longer = table(room * sizeof *longer);

		if (!longer)
			return false;
		if (trace->pc) {
			memcpy(longer, trace->pc, trace->count * sizeof *longer);
			munmap(trace->pc, trace->room * sizeof *longer);
		}
		trace->pc = longer;
		trace->room = room;
	}
	trace->pc[trace->count++] = pc;
	return true;
}

struct seen {
	uint64_t pc;
	uint32_t visits;
};

/* Count a visit of @pc in a table of those that were seen. */
static uint32_t count_visit(struct seen *seen, uint64_t pc)
{
	uint32_t at = (uint32_t)(pc * UINT64_C(0x9e3779b97f4a7c15) >> 48) % HASH_SIZE;

	for (uint32_t tries = 0; tries < HASH_SIZE && seen[at].pc && seen[at].pc != pc; tries++)
		at = (at + 1) % HASH_SIZE;
	seen[at].pc = pc;
	return ++seen[at].visits;
}

/*
 * The way to instruction k: on a breakpoint until the j-th was visited as often as there, then step by step. That is visit[j] stops and k - j steps, so the best j is where visit[j] - j is least.
 */
static bool find_starts(struct crash_trace *trace)
{
	struct seen *seen = table(HASH_SIZE * sizeof *seen);
	uint32_t best = 0;

	trace->visit = table(trace->room * sizeof *trace->visit);
	trace->from = table(trace->room * sizeof *trace->from);
	if (!seen || !trace->visit || !trace->from)
		return false;
	for (uint32_t k = 0; k < trace->count; k++) {
		trace->visit[k] = count_visit(seen, trace->pc[k]);
		if ((int64_t)trace->visit[k] - k <= (int64_t)trace->visit[best] - best)
			best = k;
		trace->from[k] = best;
	}
	munmap(seen, HASH_SIZE * sizeof *seen);
	return true;
}

bool crash_record(pid_t pid, struct crash_trace *trace, void (*each)(void *data, uint32_t k), void *data)
{
	uint64_t pc = program_counter(pid);

	while (pc != (uint64_t)(uintptr_t)crash_end) {
		if (each)
			each(data, trace->count);
		if (!append(trace, pc) || !step_once(pid, &pc))
			return false;
	}
	return find_starts(trace);
}

void crash_trace_free(struct crash_trace *trace)
{
	if (trace->pc)
		munmap(trace->pc, trace->room * sizeof *trace->pc);
	if (trace->visit)
		munmap(trace->visit, trace->room * sizeof *trace->visit);
	if (trace->from)
		munmap(trace->from, trace->room * sizeof *trace->from);
	memset(trace, 0, sizeof *trace);
}

bool crash_trace_same(const struct crash_trace *one, const struct crash_trace *other)
{
	return one->count == other->count && memcmp(one->pc, other->pc, one->count * sizeof *one->pc) == 0;
}

/* Run until the tracee is at @pc for the @visit-th time, or at crash_end() if it takes another way. */
static bool run_to_either(pid_t pid, uint64_t pc, uint32_t visit)
{
	uint64_t end = (uint64_t)(uintptr_t)crash_end, at = program_counter(pid);

	while (visit && at != end) {
		if (at == pc && !step_once(pid, &at))
			return false;
		if (at != end && !run_to_one_of(pid, pc, end))
			return false;
		at = program_counter(pid);
		visit -= at == pc;
	}
	return at == pc;
}

/* To instruction @from at once, then step by step. @strict: those by the recorded way alone. */
static bool run_to(pid_t pid, const struct crash_trace *trace, uint32_t k, uint32_t from, bool strict)
{
	uint64_t pc;

	if (!HAVE_TRAPS)
		from = 0;
	if (from && !run_to_either(pid, trace->pc[from], trace->visit[from]))
		return false;
	for (pc = program_counter(pid); from < k; from++)
		if (!step_once(pid, &pc) || pc == (uint64_t)(uintptr_t)crash_end || (strict && pc != trace->pc[from + 1]))
			return false;
	return true;
}

bool crash_run_to(pid_t pid, const struct crash_trace *trace, uint32_t k)
{
	uint32_t from = k < trace->count ? k : 0;

	while (from && trace->visit[from] > 1) /* how often it comes by is not the same each time */
		from--;
	return run_to(pid, trace, k, from, false);
}

bool crash_follow(pid_t pid, const struct crash_trace *trace, uint32_t k, bool step_all)
{
	return run_to(pid, trace, k, step_all ? 0 : trace->from[k], true);
}

bool crash_step(pid_t pid)
{
	uint64_t pc = program_counter(pid);

	return step_once(pid, &pc) && pc != (uint64_t)(uintptr_t)crash_end;
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
