/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_signals - every call that waits, of every kind of object, while a signal comes.
 *
 * A handler that runs while the call sleeps ends it with -EINTR, with SA_RESTART and without; with PABAL_RESTART the call goes on, and ends well when it can. SIGSTOP and SIGCONT run no handler:
 * the call goes on. No wait here has a time limit, and in one of the two libraries slices are endless, since the kernel restarts some sleeps of its own accord only if they have no end.
 * What hangs is ended by the hang detector. The ways to wait stand in signals_KIND.c (wake/signals.h).
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wake/signals.h"

struct shared {
	_Atomic uint64_t about; /* the child is about to wait */
	_Atomic uint64_t handled;
	_Atomic uint64_t ended;
	_Atomic int64_t result;
	_Atomic uint64_t leave; /* the child may end: until then its peer finds it */
};

static struct shared *shared;
static int handler_flags;
static uint32_t flags; /* of the child's handles */

void about_to_wait(void)
{
	atomic_store(&shared->about, 1);
}

static void handler(int number)
{
	(void)number;
	atomic_fetch_add(&shared->handled, 1);
}

static int be_child(void *data)
{
	const struct way *way = data;
	struct sigaction action = { .sa_handler = handler, .sa_flags = handler_flags };

	child_equal(sigaction(SIGUSR1, &action, NULL), 0);
	atomic_store(&shared->result, way->wait(flags));
	atomic_store(&shared->ended, 1);
	child_check(eventually_at_least(&shared->leave, 1));
	_exit(0); /* another thread may wait still */
}

static void stop_and_continue(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(kill(pid, SIGCONT), 0);
}

enum disturbance { HANDLER, STOP };
enum { PAUSES_A_SIGNAL = 100, SIGNALS_MAX = 100 * PAUSES_A_SIGNAL };

/* Let a child wait, disturb it, and see what its call says. */
static void disturb(const struct way *way, enum disturbance what, int wanted)
{
	pid_t pid;

	memset(shared, 0, sizeof *shared);
	if (way->make)
		way->make();
	pid = child_start(be_child, (void *)way);
	if (way->meet)
		way->meet();
	assert_true(eventually_at_least(&shared->about, 1));
	child_await_sleep(pid);
	if (what == STOP) {
		stop_and_continue(pid);
	} else {
		assert_int_equal(kill(pid, SIGUSR1), 0);
		assert_true(eventually_at_least(&shared->handled, 1));
		/* A handler that runs in the moment between two slices is not seen, as the headers say: so it runs again, and again. */
		for (int i = 1; wanted == -EINTR && !atomic_load(&shared->ended) && i < SIGNALS_MAX; i++) {
			pause_briefly();
			if (i % PAUSES_A_SIGNAL == 0)
				kill(pid, SIGUSR1);
		}
	}
	if (wanted == 0) {
		child_await_sleep(pid); /* it goes on */
		if (atomic_load(&shared->ended))
			fail_msg("%s: it ended with %lld, though nothing had come", way->name, (long long)atomic_load(&shared->result));
		way->let_go();
	}
	if (!eventually_at_least(&shared->ended, 1))
		fail_msg("%s hangs (handler %d, sa_flags %x, flags %x)", way->name, what == HANDLER, handler_flags, flags);
	if (atomic_load(&shared->result) != wanted)
		fail_msg("%s said %lld, not %d (handler %d, sa_flags %x, flags %x)", way->name, (long long)atomic_load(&shared->result), wanted,
			 what == HANDLER, handler_flags, flags);
	atomic_store(&shared->leave, 1);
	assert_int_equal(child_end(pid), 0);
	way->end();
}

static void each(enum disturbance what, int sa_flags, uint32_t of_flags, int wanted)
{
	static const struct ways *const kinds[] = { &mailbox_ways, &buffer_ways, &region_ways, &link_ways, &process_ways, NULL };

	handler_flags = sa_flags;
	flags = of_flags;
	for (const struct ways *const *kind = kinds; *kind; kind++)
		for (size_t i = 0; i < (*kind)->count; i++)
			disturb(&(*kind)->ways[i], what, wanted);
}

static void a_handler_ends_the_wait(void **state)
{
	(void)state;
	each(HANDLER, 0, 0, -EINTR);
}

static void with_sa_restart_as_well(void **state)
{
	(void)state;
	each(HANDLER, SA_RESTART, 0, -EINTR);
}

static void with_pabal_restart_it_goes_on(void **state)
{
	(void)state;
	each(HANDLER, 0, PABAL_RESTART, 0);
	each(HANDLER, SA_RESTART, PABAL_RESTART, 0);
}

static void a_stop_is_no_signal(void **state)
{
	(void)state;
	each(STOP, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handler_ends_the_wait),
		cmocka_unit_test(with_sa_restart_as_well),
		cmocka_unit_test(with_pabal_restart_it_goes_on),
		cmocka_unit_test(a_stop_is_no_signal),
	};

	shared = shared_memory(sizeof *shared);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
