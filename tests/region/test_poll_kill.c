/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_poll_kill - who notifies, and who waits in pabal_wait_many(), is killed or stopped before every instruction; whoever waits is told all the same.
 *
 * A notify is stepped while another process sleeps in pabal_wait_many(): killed, the sleeper must find what was counted, told by the death alone; stopped, the sleeper must be told of what we notify meanwhile,
 * and, after the stopped one has gone on, of what we notify then. A wait is stepped until it sleeps: stopped, it must be told of what we notify meanwhile; killed, it leaves nothing that its burial does not remove, and
 * keeps nobody from being told. The named invariant: nobody sleeps in the kernel, over many looks, while its event stands at another number than it has seen. Nobody waits with a limit.
 *
 * Built with the test library it expects that deliberate faults are caught.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "crash/step.h"
#include "region/poll.h"
#include "support/stopped.h"

enum { LOOKS = 50, MOST = 100000 /* instructions */ };

static struct shared {
	_Atomic uint64_t ready, hits;
	_Atomic uint32_t seen;
	_Atomic int result;
	bool prepared;
	enum pabal__fault fault; /* of who is stepped */
} * shared;

static pabal_region *own; /* who only looks on and notifies */
static uint32_t stride = 1, broken, tried;

static void turn_on(void)
{
#ifdef PABAL_TEST
	pabal__fault_hits = 0;
	pabal__fault_on = shared->fault;
#endif
}

static void turn_off(void)
{
#ifdef PABAL_TEST
	atomic_fetch_add(&shared->hits, pabal__fault_hits);
	pabal__fault_on = PABAL__FAULT_NONE;
#endif
}

/* Of one that does not come to its end. */
static void fetch_hits(pid_t pid)
{
#ifdef PABAL_TEST
	unsigned long hits = 0;

	assert_int_equal(process_vm_readv(pid, &(struct iovec){ .iov_base = &hits, .iov_len = sizeof hits }, 1,
					  &(struct iovec){ .iov_base = &pabal__fault_hits, .iov_len = sizeof hits }, 1, 0),
			 sizeof hits);
	atomic_fetch_add(&shared->hits, hits);
#else
	(void)pid;
#endif
}

static uint32_t event_now(void)
{
	uint32_t now;

	assert_int_equal(pabal_region_event(own, 0, &now), 0);
	return now;
}

static void notify(void)
{
	assert_int_equal(pabal_region_notify(own, 0, 1), 0);
}

static int sleep_again_and_again(void *unused)
{
	pabal_region *region;
	uint32_t now;

	(void)unused;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	atomic_fetch_add(&shared->ready, 1);
	for (;;) {
		child_equal(poll_event(region, 0, PABAL_FOREVER), 0);
		child_equal(pabal_region_event(region, 0, &now), 0);
		atomic_store(&shared->seen, now);
	}
	return 1;
}

/* The sleeper comes to have seen the number at which the event stands; or it is broken. */
static bool is_told(pid_t sleeper)
{
	for (int still = 0; still < LOOKS; still++) {
		uint32_t seen = atomic_load(&shared->seen);

		if (seen == event_now())
			return true;
		if (process_state(sleeper) != 'S' || atomic_load(&shared->seen) != seen)
			still = 0;
		pause_briefly();
	}
	broken++;
	return false;
}

static int notify_under_a_tracer(void *unused)
{
	pabal_region *region;
	int r;

	(void)unused;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	turn_on();
	crash_trace_me();
	crash_begin();
	r = pabal_region_notify(region, 0, UINT32_MAX);
	crash_end();
	turn_off();
	_exit(r != 0);
}

/* The victim stands at its first instruction; then the sleeper sleeps, and nobody opens or closes from then on. */
static void build(pid_t *ret_victim, pid_t *ret_sleeper)
{
	uint64_t ready = atomic_load(&shared->ready);

	atomic_store(&shared->seen, 0);
	own = region_made(1);
	*ret_victim = child_start(notify_under_a_tracer, NULL);
	assert_true(crash_attach(*ret_victim));
	*ret_sleeper = child_start(sleep_again_and_again, NULL);
	assert_true(eventually_at_least(&shared->ready, ready + 1));
	child_await_sleep(*ret_sleeper);
}

static void take_down(pid_t sleeper)
{
	child_kill(sleeper);
	assert_true(pabal_gc(NULL) >= 0);
	region_ends(own);
	tried++;
}

static void record(struct crash_trace *trace)
{
	pid_t victim, sleeper;

	build(&victim, &sleeper);
	assert_true(crash_record(victim, trace, NULL, NULL));
	crash_let_go(victim);
	take_down(sleeper);
}

static void kill_notifier(const struct crash_trace *trace, uint32_t k, uint32_t *counted)
{
	pid_t victim, sleeper;

	build(&victim, &sleeper);
	if (crash_run_to(victim, trace, k))
		crash_kill(victim);
	else
		crash_let_go(victim);
	if (event_now() == 0)
		notify();
	else
		++*counted;
	is_told(sleeper);
	take_down(sleeper);
}

static void stop_notifier(const struct crash_trace *trace, uint32_t k)
{
	pid_t victim, sleeper;

	build(&victim, &sleeper);
	crash_run_to(victim, trace, k);
	notify();
	if (is_told(sleeper)) {
		child_await_sleep(sleeper);
		assert_true(crash_run_to_end(victim));
		if (is_told(sleeper)) {
			child_await_sleep(sleeper);
			notify();
			is_told(sleeper);
		}
	}
	assert_int_equal(WEXITSTATUS(crash_let_go(victim)), 0);
	take_down(sleeper);
}

static void a_notify_that_is_killed_or_stopped(void **state)
{
	struct crash_trace trace = { 0 };
	uint32_t counted = 0;

	(void)state;
	broken = tried = 0;
	record(&trace);
	for (uint32_t k = 0; k < trace.count && !broken; k += stride) {
		kill_notifier(&trace, k, &counted);
		stop_notifier(&trace, k);
	}
	printf("a notify of %u instructions: %u times killed or stopped, %u killed after it had counted; sleeps on: %u\n", trace.count, tried - 1,
	       counted, broken);
	if (shared->fault == PABAL__FAULT_NONE)
		assert_true(counted > 0 && counted < tried);
	crash_trace_free(&trace);
}

static int wait_under_a_tracer(void *unused)
{
	pabal_region *region;
	int r;

	(void)unused;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	if (shared->prepared)
		child_equal(poll_event(region, 0, PABAL_NOWAIT), -EAGAIN);
	turn_on();
	stopped_here();
	r = poll_event(region, 0, PABAL_FOREVER);
	turn_off();
	atomic_store(&shared->result, r);
	pabal_region_close(region);
	_exit(r != 0);
}

static pid_t start_waiter(void)
{
	pid_t pid = child_start(wait_under_a_tracer, NULL);

	atomic_store(&shared->result, 1);
	assert_true(WIFSTOPPED(stopped_await(pid)));
	return pid;
}

/* One step. false: it sleeps in the kernel. */
static bool step_unless_it_sleeps(pid_t pid)
{
	int asleep = 0, status;

	assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
	for (int i = 0;; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			assert_true(WIFSTOPPED(status));
			return true;
		}
		if (i < 100)
			continue;
		asleep = process_state(pid) == 'S' ? asleep + 1 : 0;
		if (asleep == LOOKS)
			return false;
		pause_briefly();
	}
}

/* It goes on, and ends, told; or it sleeps on. */
static void expect_end(pid_t pid, bool stopped)
{
	int status;

	if (stopped)
		assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	for (int still = 0; still < LOOKS; still++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (WIFSTOPPED(status)) { /* the step in which it slept has ended */
				assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
				still = 0;
				continue;
			}
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0 && atomic_load(&shared->result) == 0);
			return;
		}
		if (process_state(pid) != 'S')
			still = 0;
		pause_briefly();
	}
	broken++;
	fetch_hits(pid);
	child_kill(pid);
}

static uint32_t instructions_until_it_sleeps(void)
{
	pid_t pid = start_waiter();
	uint32_t count = 0;

	while (step_unless_it_sleeps(pid))
		assert_true(++count < MOST);
	notify();
	expect_end(pid, false);
	return count;
}

static void stop_waiter(uint32_t k)
{
	pid_t pid;

	own = region_made(1);
	pid = start_waiter();
	stopped_step(pid, k);
	notify();
	expect_end(pid, true);
	assert_true(pabal_gc(NULL) >= 0);
	region_ends(own);
	tried++;
}

static void kill_waiter(uint32_t k)
{
	uint64_t ready = atomic_load(&shared->ready);
	pid_t pid, sleeper;

	own = region_made(1);
	atomic_store(&shared->seen, 0);
	pid = start_waiter();
	sleeper = child_start(sleep_again_and_again, NULL);
	assert_true(eventually_at_least(&shared->ready, ready + 1));
	stopped_step(pid, k);
	stopped_kill(pid);
	for (int i = 0; i < 2; i++) { /* one that is dead is told, in vain; then it is known to have been told */
		child_await_sleep(sleeper);
		notify();
		is_told(sleeper);
	}
	child_kill(sleeper);
	assert_true(pabal_gc(NULL) >= 0);
	region_ends(own);
	tried++;
}

static void a_wait_that_is_killed_or_stopped(void **state)
{
	(void)state;
	broken = tried = 0;
	for (int prepared = 1; prepared >= 0; prepared--) {
		uint32_t each = prepared ? stride : stride * 7, count; /* the descriptor is made once */

		shared->prepared = prepared;
		own = region_made(1);
		count = instructions_until_it_sleeps();
		assert_true(pabal_gc(NULL) >= 0);
		region_ends(own);
		for (uint32_t k = 0; k < count && !broken; k += each) {
			stop_waiter(k);
			kill_waiter(k);
		}
		printf("a wait of %u instructions until it sleeps: %u times killed or stopped in all; sleeps on: %u\n", count, tried, broken);
	}
}

#ifdef PABAL_TEST
static void expect_caught(enum pabal__fault fault, void (*test)(void **state))
{
	shared->fault = fault;
	atomic_store(&shared->hits, 0);
	test(NULL);
	assert_true(broken > 0);
	assert_true(atomic_load(&shared->hits) > 0);
}

static void every_fault_is_caught(void **state)
{
	(void)state;
	expect_caught(PABAL__FAULT_TAKEN_BACK_BLINDLY, a_notify_that_is_killed_or_stopped);
	expect_caught(PABAL__FAULT_POLLERS_UNTOLD, a_notify_that_is_killed_or_stopped);
	expect_caught(PABAL__FAULT_POLLER_NOT_ARMED, a_wait_that_is_killed_or_stopped);
}
#else
static void nobody_sleeps_on(void **state)
{
	shared->fault = PABAL__FAULT_NONE;
	a_notify_that_is_killed_or_stopped(state);
	assert_int_equal(broken, 0);
	a_wait_that_is_killed_or_stopped(state);
	assert_int_equal(broken, 0);
}
#endif

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#ifdef PABAL_TEST
		cmocka_unit_test(every_fault_is_caught),
#else
		cmocka_unit_test(nobody_sleeps_on),
#endif
	};

	if (!getenv("LD_BIND_NOW")) { /* the dynamic linker's late work is none of ours */
		setenv("LD_BIND_NOW", "1", 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	if (argc > 1)
		stride = (uint32_t)strtoul(argv[1], NULL, 10) + !strtoul(argv[1], NULL, 10);
	shared = shared_memory(sizeof *shared);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
