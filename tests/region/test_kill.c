/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kill - a process is killed, or stopped for a while, before every instruction of lock, unlock, wait and notify.
 *
 * The victim is a child under ptrace that makes one call in one state of the lock. What the lock says is read while the victim stands still; then it is killed, the
 * survivors go on, and what they find must follow from that: the lock can be had, with PABAL_INHERITED exactly if it was held or marked; the mark goes with
 * one unlock; sleepers come back; nothing is left held by the dead. Or the victim is only stopped, others do what they like, and it goes on: never do two
 * have the lock. Built with the test library it
 * expects that a deliberate fault is caught.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pabal/pabal.h>

#include "base/fault.h"
#include "crash/step.h"

#define HANG INT64_C(30000000000)

enum { LEAST = 32 /* places to be killed at, in a call that has so many instructions */ };

enum before { FREE, LEFT, HELD_BY_DEAD, HELD_BY_OTHER, MINE, MINE_INHERITED, BEFORES };
enum sleeper { NOBODY, LOCKER, WAITER };
enum cell { CELL_FREE, CELL_LEFT, CELL_HELD, CELL_HELD_INHERITED, CELLS };

static const char *const cell_names[CELLS] = { "free", "left", "held", "held, inherited" };

struct operation {
	const char *name;
	enum before before;
	enum sleeper sleeper;
	int (*run)(pabal_region *region);
	uint32_t required; /* cells in which somebody must have been killed */
};

struct common {
	_Atomic int ready, result, sleeper_ready, sleeper_result;
};

static struct common *common;
static pabal_region *own; /* the driver's */
static const char *broken;
static char detail[256];

static void complain(const char *invariant, const char *what, long got, long wanted)
{
	if (broken)
		return;
	broken = invariant;
	snprintf(detail, sizeof detail, "%s is %ld, not %ld (%s)", what, got, wanted, pabal_error_detail());
}

static void expect(const char *invariant, const char *what, long got, long wanted)
{
	if (got != wanted)
		complain(invariant, what, got, wanted);
}

static int run_lock(pabal_region *region)
{
	return pabal_region_lock(region, 0, HANG);
}

static int run_trylock(pabal_region *region)
{
	return pabal_region_lock(region, 0, PABAL_NOWAIT);
}

static int run_lock_timed(pabal_region *region)
{
	return pabal_region_lock(region, 0, 1);
}

static int run_unlock(pabal_region *region)
{
	return pabal_region_unlock(region, 0);
}

static int run_notify(pabal_region *region)
{
	return pabal_region_notify(region, 0, UINT32_MAX);
}

static int run_wait(pabal_region *region)
{
	return pabal_region_wait(region, 0, 0, NULL, 1);
}

static int run_close(pabal_region *region)
{
	pabal_region_close(region);
	return 0;
}

#define CELL(name) (1u << CELL_##name)

static const struct operation operations[] = {
	{ "lock a free one", FREE, NOBODY, run_lock, CELL(FREE) | CELL(HELD) },
	{ "lock one that was left", LEFT, NOBODY, run_lock, CELL(LEFT) | CELL(HELD_INHERITED) },
	{ "lock, held by a dead one", HELD_BY_DEAD, NOBODY, run_lock, CELL(HELD) | CELL(HELD_INHERITED) },
	{ "try, held by a dead one", HELD_BY_DEAD, NOBODY, run_trylock, CELL(HELD) | CELL(HELD_INHERITED) },
	{ "try, held by another", HELD_BY_OTHER, NOBODY, run_trylock, CELL(HELD) },
	{ "wait for a lock in vain", HELD_BY_OTHER, NOBODY, run_lock_timed, CELL(HELD) },
	{ "unlock", MINE, NOBODY, run_unlock, CELL(FREE) | CELL(HELD) },
	{ "unlock an inherited one", MINE_INHERITED, NOBODY, run_unlock, CELL(FREE) | CELL(HELD_INHERITED) },
	{ "unlock for a sleeper", MINE, LOCKER, run_unlock, CELL(FREE) | CELL(HELD) },
	{ "notify", FREE, NOBODY, run_notify, CELL(FREE) },
	{ "notify a sleeper", FREE, WAITER, run_notify, CELL(FREE) },
	{ "wait for an event in vain", FREE, NOBODY, run_wait, CELL(FREE) },
	{ "close with the lock", MINE, NOBODY, run_close, CELL(LEFT) | CELL(HELD) },
};

enum { OPERATIONS = sizeof operations / sizeof *operations };

static pabal_region *open_it(uint32_t flags)
{
	struct pabal_region_opts opts = { .struct_size = sizeof opts, .flags = flags };
	pabal_region *region;

	if (pabal_region_open("kill", &opts, &region) < 0) {
		fprintf(stderr, "cannot open: %s\n", pabal_error_detail());
		exit(1);
	}
	return region;
}

/* A child that locks and dies. */
static void let_one_die(bool buried)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (pabal_region_lock(open_it(0), 0, HANG) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	if (buried)
		pabal_gc(NULL);
}

static void be_victim(const struct operation *operation)
{
	pabal_region *region = open_it(PABAL_WAIT_BLOCK);
	int r = 0;

	if (operation->before == MINE || operation->before == MINE_INHERITED)
		r = pabal_region_lock(region, 0, HANG);
	atomic_store(&common->ready, r < 0 ? r : 1);
	crash_trace_me();
	crash_begin();
	r = operation->run(region);
	crash_end();
	atomic_store(&common->result, r);
	_exit(0);
}

static pid_t start_sleeper(enum sleeper sleeper)
{
	pid_t pid = sleeper == NOBODY ? 0 : fork();

	if (sleeper != NOBODY && pid == 0) {
		pabal_region *region = open_it(PABAL_WAIT_BLOCK);
		int r;

		atomic_store(&common->sleeper_ready, 1);
		r = sleeper == LOCKER ? pabal_region_lock(region, 0, HANG) : pabal_region_wait(region, 0, 0, NULL, HANG);
		if (sleeper == LOCKER && r >= 0)
			pabal_region_unlock(region, 0);
		atomic_store(&common->sleeper_result, r);
		pabal_region_close(region);
		_exit(0);
	}
	while (sleeper != NOBODY && !atomic_load(&common->sleeper_ready))
		usleep(50);
	if (sleeper != NOBODY)
		usleep(300); /* likely it sleeps by then; if not, that is a case of its own */
	return pid;
}

/* The region, the lock in its state, the victim at its first instruction. */
static pid_t build(const struct operation *operation, pid_t *ret_sleeper)
{
	pid_t pid;

	broken = NULL;
	memset((void *)common, 0, sizeof *common);
	common->sleeper_result = common->result = -9999;
	if (pabal_region_create("kill", 64, NULL, &own) < 0)
		exit(1);
	if (operation->before == LEFT || operation->before == MINE_INHERITED)
		let_one_die(true);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		be_victim(operation);
	if (!crash_attach(pid) || atomic_load(&common->ready) != 1) {
		fprintf(stderr, "%s: the victim is not ready\n", operation->name);
		exit(1);
	}
	if (operation->before == HELD_BY_DEAD) /* now: opening would have buried it */
		let_one_die(false);
	if (operation->before == HELD_BY_OTHER)
		pabal_region_lock(own, 0, HANG);
	*ret_sleeper = start_sleeper(operation->sleeper);
	return pid;
}

static int read_cell(const struct pabal_lock_info *info, void *data)
{
	*(enum cell *)data = !info->id ? CELL_LEFT : info->inherited ? CELL_HELD_INHERITED : CELL_HELD;
	return 0;
}

static enum cell look(void)
{
	enum cell cell = CELL_FREE;

	pabal_region_locks("kill", read_cell, &cell);
	return cell;
}

static uint32_t event_now(void)
{
	uint32_t now = 0;

	pabal_region_event(own, 0, &now);
	return now;
}

static void await(pid_t sleeper)
{
	for (int64_t i = 0; waitpid(sleeper, NULL, WNOHANG) == 0; i++) {
		if (i > HANG / 100000) {
			complain("sleeps for ever", "the sleeper", 1, 0);
			kill(sleeper, SIGKILL);
			waitpid(sleeper, NULL, 0);
			return;
		}
		usleep(100);
	}
}

/* The lock can be had, and what its holder is told is @told (-1: either). Then it is in order. */
static void use_lock(int told)
{
	int r = pabal_region_lock(own, 0, HANG);

	if (told >= 0)
		expect("told of the dead", "lock", r, told);
	else if (r < 0)
		complain("can be had", "lock", r, 0);
	expect("can be given back", "unlock", pabal_region_unlock(own, 0), 0);
	expect("told once", "lock again", pabal_region_lock(own, 0, PABAL_NOWAIT), 0);
	expect("can be given back", "unlock", pabal_region_unlock(own, 0), 0);
}

static void verify(const struct operation *operation, pid_t sleeper, int told)
{
	struct pabal_check_result account = { 0 };

	if (operation->before == HELD_BY_OTHER)
		expect("can be given back", "unlock", pabal_region_unlock(own, 0), 0);
	if (operation->sleeper == LOCKER) {
		await(sleeper);
		expect("told of the dead", "the sleeper's lock", common->sleeper_result, told);
		told = 0;
	}
	use_lock(told);
	if (operation->sleeper == WAITER) {
		if (event_now() == 0)
			pabal_region_notify(own, 0, UINT32_MAX);
		await(sleeper);
		expect("comes back", "the sleeper's wait", common->sleeper_result, 0);
	}
	pabal_gc(NULL);
	if (pabal_check("kill", &account) < 0 || account.free != account.blocks)
		complain("accounted for", "locks free", (long)account.free, (long)account.blocks);
	pabal_region_close(own);
	pabal_region_destroy("kill");
}

static int report(const struct operation *operation, const char *how, uint32_t k, uint32_t count)
{
	if (!broken)
		return 0;
	printf("BROKEN %s: %s (%s, %s before instruction %u of %u)\n", broken, detail, operation->name, how, k, count);
	return 1;
}

static uint32_t measure(const struct operation *operation, struct crash_trace *trace)
{
	pid_t sleeper, pid = build(operation, &sleeper);

	if (!crash_record(pid, trace, NULL, NULL))
		exit(1);
	crash_let_go(pid);
	verify(operation, sleeper, -1 + (operation->sleeper == LOCKER));
	return trace->count;
}

/* The first instruction of each run is another, so that all of them come up. */
static uint32_t first_of(const struct operation *operation, uint32_t stride)
{
	return (uint32_t)(operation - operations) % stride;
}

/* A short call is killed at more of its instructions: some of its states last for a few only. */
static uint32_t finer(uint32_t stride, uint32_t instructions)
{
	return instructions / stride < LEAST ? (instructions + LEAST) / LEAST : stride;
}

static int kill_at_each(const struct operation *operation, uint32_t stride)
{
	struct crash_trace trace = { 0 };
	uint32_t killed[CELLS] = { 0 }, sum = 0;
	int r = 0;

	measure(operation, &trace);
	stride = finer(stride, trace.count);
	for (uint32_t k = first_of(operation, stride); r == 0 && k < trace.count; k += stride) {
		pid_t sleeper, pid;
		enum cell cell;

		pid = build(operation, &sleeper);
		if (!crash_run_to(pid, &trace, k)) { /* it has come to its end by another way */
			crash_let_go(pid);
			verify(operation, sleeper, -1 + (operation->sleeper == LOCKER && common->sleeper_result >= 0));
			continue;
		}
		cell = look();
		crash_kill(pid);
		killed[cell]++;
		sum++;
		verify(operation, sleeper, operation->before == HELD_BY_OTHER ? 0 : cell != CELL_FREE);
		r = report(operation, "killed", k, trace.count);
	}
	printf("%-26s %5u instructions, %4u kills:", operation->name, trace.count, sum);
	for (int i = 0; i < CELLS; i++) {
		printf("  %s %u", cell_names[i], killed[i]);
		if ((operation->required >> i & 1) && !killed[i] && r == 0) {
			printf(" <- nobody was killed there");
			r = 1;
		}
	}
	putchar('\n');
	crash_trace_free(&trace);
	return r;
}

/*
 * While the victim stands still: the dead are buried, one comes who gets the number of a dead one, and has the lock while the victim goes on. Whoever has it then, the
 * other has not. Returns the result of our lock.
 */
static int meddle(pabal_region **ret_newcomer)
{
	int r;

	pabal_gc(NULL);
	*ret_newcomer = open_it(0);
	r = pabal_region_lock(*ret_newcomer, 0, PABAL_NOWAIT);
	if (r == PABAL_INHERITED) { /* once more, so that its word is as like the dead one's as it can be */
		expect("can be given back", "unlock", pabal_region_unlock(*ret_newcomer, 0), 0);
		r = pabal_region_lock(*ret_newcomer, 0, PABAL_NOWAIT);
	}
	return r;
}

static int stop_at_each(const struct operation *operation, uint32_t stride)
{
	struct crash_trace trace = { 0 };
	uint32_t ours = 0, theirs = 0, neither = 0;
	int r = 0;

	measure(operation, &trace);
	for (uint32_t k = first_of(operation, stride); r == 0 && k < trace.count; k += stride) {
		pabal_region *newcomer;
		pid_t sleeper, pid;
		int got, result;

		pid = build(operation, &sleeper);
		crash_run_to(pid, &trace, k);
		got = meddle(&newcomer);
		if (!crash_run_to_end(pid))
			complain("goes on", "the stopped one", 0, 1);
		crash_let_go(pid); /* ends: what it holds is inherited */
		result = common->result;
		if (operation->run == run_trylock || operation->run == run_lock_timed) {
			if (got >= 0 && result >= 0)
				complain("one at a time", "holders", 2, 1);
			ours += got >= 0;
			theirs += result >= 0;
			neither += got < 0 && result < 0;
		} else if (result < 0) {
			complain("goes on", "its result", result, 0);
		}
		if (got >= 0)
			expect("can be given back", "unlock", pabal_region_unlock(newcomer, 0), 0);
		pabal_region_close(newcomer);
		verify(operation, sleeper, -1);
		r = report(operation, "stopped", k, trace.count);
	}
	printf("%-26s %5u instructions, stopped: we had the lock %u times, the victim %u, neither %u\n", operation->name, trace.count, ours, theirs,
	       neither);
	crash_trace_free(&trace);
	return r;
}

/* Not those who wait without an end for what we hold, nor the sleepers: they would wait for us. */
static bool may_be_stopped(const struct operation *operation)
{
	return operation->sleeper == NOBODY && operation->run != run_lock && operation->run != run_wait && operation->before != HELD_BY_OTHER;
}

#ifdef PABAL_TEST
/* A word that names its holder by number alone is taken from a living one. */
static int expect_caught(uint32_t stride)
{
	static const char invariant[] = "one at a time";

	pabal__fault_on = PABAL__FAULT_NO_LOCK_GENERATION;
	for (uint32_t i = 0; i < OPERATIONS && !broken; i++)
		if (operations[i].run == run_trylock && may_be_stopped(&operations[i]))
			stop_at_each(&operations[i], stride);
	printf("caught by: %s; executed %lu times\n", broken ? broken : "nothing", pabal__fault_hits);
	return !(broken && strcmp(broken, invariant) == 0 && pabal__fault_hits);
}
#endif

int main(int argc, char **argv)
{
	uint32_t stride = 1;
	int r = 0;

	if (!getenv("LD_BIND_NOW")) { /* the dynamic linker's late work is none of ours */
		setenv("LD_BIND_NOW", "1", 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (common == MAP_FAILED)
		return 1;
	if (argc > 1)
		stride = (uint32_t)strtoul(argv[1], NULL, 10) + !strtoul(argv[1], NULL, 10);
#ifdef PABAL_TEST
	return expect_caught(stride);
#endif
	for (uint32_t i = 0; i < OPERATIONS; i++) {
		r |= kill_at_each(&operations[i], stride);
		if (may_be_stopped(&operations[i]))
			r |= stop_at_each(&operations[i], stride);
	}
	return r;
}
