/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wait - the one loop in which every call waits, with endless slices: nothing but a ring, a signal, an interrupt or the time ends a sleep.
 */
#include "wait/wait.h"
#include "support/support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "platform/clock.h"

/* What the attempts find: shared, so that another process can bring it about. */
struct thing {
	pabal__bell bell, memory_bell;
	_Atomic uint64_t ready; /* how many attempts may succeed */
	_Atomic uint64_t attempts, idles, glances, late_wakes, waiting;
	int reason; /* why not, as long as there is none */
	bool more;
};

static int attempt(void *object)
{
	struct thing *thing = object;

	atomic_fetch_add(&thing->attempts, 1);
	if (atomic_load(&thing->ready) == 0)
		return thing->reason;
	atomic_fetch_sub(&thing->ready, 1);
	return 0;
}

static bool more(void *object)
{
	return ((struct thing *)object)->more;
}

static bool idle(void *object)
{
	atomic_fetch_add(&((struct thing *)object)->idles, 1);
	return false;
}

static void busy(void *object)
{
	atomic_store(&((struct thing *)object)->ready, 1); /* whoever was in the middle of it is done */
}

static void before_sleep(void *object, int64_t now)
{
	(void)now;
	atomic_fetch_add(&((struct thing *)object)->glances, 1);
}

static const struct pabal__wait_calls calls = {
	.attempt = attempt,
	.more = more,
	.idle = idle,
	.told = NULL,
	.busy = busy,
	.before_sleep = before_sleep,
};
static _Atomic uint32_t interrupts, acknowledged;

static struct thing *new_thing(int reason)
{
	struct thing *thing = shared_memory(sizeof *thing);

	thing->reason = reason;
	interrupts = acknowledged = 0;
	return thing;
}

static int64_t first_budget = 1000;

static int wait_for(struct thing *thing, uint32_t flags, int64_t timeout_ns)
{
	struct pabal__sleepers sleepers;
	struct pabal__waiter waiter = { .calls = &calls,
					.bell = &thing->bell,
					.memory_bell = &thing->memory_bell,
					.late_wakes = &thing->late_wakes,
					.sleepers = &sleepers,
					.interrupts = &interrupts,
					.acknowledged = &acknowledged,
					.flags = flags,
					.spin = { .budget_ns = first_budget } };
	int r;

	pabal__sleepers_init(&sleepers, &thing->waiting, NULL, 0);
	r = pabal__wait(&waiter, thing, thing->reason, timeout_ns);
	pabal__sleepers_deinit(&sleepers);
	return r;
}

static const uint32_t modes[] = { 0, PABAL_WAIT_BLOCK, PABAL_WAIT_SPIN };

static void what_is_there_already_needs_no_sleep(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct thing *thing = new_thing(PABAL__WAIT_BELL);

		thing->ready = 1;
		assert_int_equal(wait_for(thing, modes[i], PABAL_FOREVER), 0);
		assert_int_equal(thing->late_wakes, 0);
		assert_int_equal(thing->waiting, 0);
	}
}

static void the_time_is_up_and_not_before(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct thing *thing = new_thing(PABAL__WAIT_BELL);
		int64_t start = pabal__clock_now();

		assert_int_equal(wait_for(thing, modes[i], 3000000), -ETIMEDOUT);
		assert_true(pabal__clock_now() - start >= 3000000);
		assert_true(thing->attempts > 0);
		assert_int_equal(thing->glances, 1); /* once a wait, before it sleeps */
		assert_int_equal(thing->waiting, 0);
	}
}

static void a_deadline_ends_the_spinning(void **state)
{
	struct thing *thing = new_thing(PABAL__WAIT_BELL);
	int64_t before = first_budget;
	int r;

	(void)state;
	first_budget = 3600 * SECOND; /* spun until the end of it, this would hang */
	r = wait_for(thing, 0, 3000000);
	first_budget = before;
	assert_int_equal(r, -ETIMEDOUT);
}

static void an_interrupt_ends_one_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct thing *thing = new_thing(PABAL__WAIT_BELL);

		interrupts = 1;
		assert_int_equal(wait_for(thing, modes[i], PABAL_FOREVER), -ECANCELED);
		assert_int_equal(wait_for(thing, modes[i], 1000000), -ETIMEDOUT);
	}
}

static void who_is_in_the_middle_of_it_is_repaired(void **state)
{
	struct thing *thing = new_thing(PABAL__WAIT_BUSY);

	(void)state;
	assert_int_equal(wait_for(thing, PABAL_WAIT_BLOCK, PABAL_FOREVER), 0);
}

static int sleep_for_it(void *data)
{
	return wait_for(data, PABAL_WAIT_BLOCK, PABAL_FOREVER);
}

/* The bell of the reason is the one that wakes; the other one may ring as it likes. */
static void the_bell_of_the_reason_wakes(void **state)
{
	(void)state;
	for (int reason = PABAL__WAIT_BELL; reason <= PABAL__WAIT_MEMORY; reason++) {
		struct thing *thing = new_thing(reason);
		pid_t pid = child_start(sleep_for_it, thing);

		child_await_sleep(pid);
		atomic_store(&thing->ready, 1);
		pabal__bell_ring(reason == PABAL__WAIT_BELL ? &thing->memory_bell : &thing->bell); /* not armed: nobody hears it */
		assert_int_equal(thing->ready, 1);
		pabal__bell_ring_all(reason == PABAL__WAIT_BELL ? &thing->bell : &thing->memory_bell);
		assert_int_equal(child_end(pid), 0);
		assert_int_equal(thing->ready, 0);
	}
}

/* The baton: two sleep, one ring, and the first to wake sees that there is more. */
static void the_first_to_wake_wakes_the_next(void **state)
{
	struct thing *thing = new_thing(PABAL__WAIT_BELL);
	pid_t pids[2];

	(void)state;
	thing->more = true;
	for (int i = 0; i < 2; i++) {
		pids[i] = child_start(sleep_for_it, thing);
		child_await_sleep(pids[i]);
	}
	atomic_store(&thing->ready, 2);
	pabal__bell_ring(&thing->bell);
	assert_int_equal(child_end(pids[0]), 0);
	assert_int_equal(child_end(pids[1]), 0);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* The timer goes on: a handler that ran before the sleep is no matter. */
static void alarms(int flags)
{
	struct itimerval timer = { .it_interval.tv_usec = 5000, .it_value.tv_usec = 5000 };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int sleep_with_restarting_handlers(void *data)
{
	struct thing *thing = data;
	int r;

	alarms(SA_RESTART);
	r = wait_for(thing, PABAL_WAIT_BLOCK, PABAL_FOREVER);
	child_equal(r, -EINTR);
	child_equal(wait_for(thing, 0, HANG), -EINTR);
	child_equal(atomic_load(&thing->idles), 0);
	return 0;
}

/* The kernel begins a futex sleep that has no end again after a handler with SA_RESTART: the signal was never heard of. */
static void a_restarting_handler_ends_an_endless_sleep(void **state)
{
	(void)state;
	child_run(sleep_with_restarting_handlers, new_thing(PABAL__WAIT_BELL));
}

static int sleep_through_handlers(void *data)
{
	struct thing *thing = data;

	alarms(SA_RESTART);
	child_equal(wait_for(thing, PABAL_WAIT_BLOCK | PABAL_RESTART, 50000000), -ETIMEDOUT);
	return 0;
}

static void with_restart_a_handler_ends_nothing(void **state)
{
	(void)state;
	child_run(sleep_through_handlers, new_thing(PABAL__WAIT_BELL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there_already_needs_no_sleep),   cmocka_unit_test(the_time_is_up_and_not_before),
		cmocka_unit_test(a_deadline_ends_the_spinning),           cmocka_unit_test(an_interrupt_ends_one_wait),
		cmocka_unit_test(who_is_in_the_middle_of_it_is_repaired), cmocka_unit_test(the_bell_of_the_reason_wakes),
		cmocka_unit_test(the_first_to_wake_wakes_the_next),       cmocka_unit_test(a_restarting_handler_ends_an_endless_sleep),
		cmocka_unit_test(with_restart_a_handler_ends_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
