/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lock - one at a time, whether processes or threads; nobody starves; and every way in which a lock is not to be had.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region/region.h"

struct counted {
	uint64_t a, padding[15], b; /* two lines that must agree */
};

struct common {
	_Atomic uint64_t ready, start, stop, shares[16];
};

static struct common *common;

static int count_up(void *data)
{
	uint32_t rounds = *(uint32_t *)data;
	struct counted *counted;
	pabal_region *region;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	counted = pabal_region_data(region);
	for (uint32_t i = 0; i < rounds; i++) {
		child_equal(pabal_region_lock(region, 0, PABAL_FOREVER), 0);
		child_check(counted->a == counted->b);
		counted->a++;
		counted->b++;
		child_equal(pabal_region_unlock(region, 0), 0);
	}
	pabal_region_close(region);
	return 0;
}

static void processes_exclude_each_other(void **state)
{
	uint32_t rounds = 30000;
	pabal_region *region;
	pid_t pids[8];

	(void)state;
	assert_int_equal(pabal_region_create("r", sizeof(struct counted), NULL, &region), 0);
	for (int i = 0; i < 8; i++)
		pids[i] = child_start(count_up, &rounds);
	for (int i = 0; i < 8; i++)
		assert_int_equal(child_end(pids[i]), 0);
	assert_int_equal(((struct counted *)pabal_region_data(region))->a, 8 * rounds);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static void *count_up_in_thread(void *data)
{
	struct counted *counted = pabal_region_data(data);

	for (int i = 0; i < 30000; i++) {
		assert_int_equal(pabal_region_lock(data, 0, PABAL_FOREVER), 0);
		counted->a++;
		assert_int_equal(pabal_region_unlock(data, 0), 0);
	}
	return NULL;
}

static void threads_on_one_handle_exclude_each_other(void **state)
{
	pthread_t threads[4];
	pabal_region *region;

	(void)state;
	assert_int_equal(pabal_region_create("r", sizeof(struct counted), NULL, &region), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up_in_thread, region), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(((struct counted *)pabal_region_data(region))->a, 4 * 30000);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static void *try_as_another_thread(void *data)
{
	assert_int_equal(pabal_region_lock(data, 0, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_region_lock(data, 0, 2000000), -ETIMEDOUT);
	assert_int_equal(pabal_region_unlock(data, 0), -EINVAL);
	return NULL;
}

static void a_thread_knows_what_it_holds(void **state)
{
	pabal_region *region, *other;
	pthread_t thread;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, REGION(.locks = 2), &region), 0);
	assert_int_equal(pabal_region_open("r", NULL, &other), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_FOREVER), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), -EDEADLK);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_FOREVER), -EDEADLK);
	assert_int_equal(pabal_region_lock(region, 1, PABAL_FOREVER), 0);
	assert_int_equal(pabal_region_lock(other, 0, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_region_unlock(other, 0), -EINVAL);
	assert_int_equal(pthread_create(&thread, NULL, try_as_another_thread, region), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	assert_int_equal(pabal_region_unlock(region, 0), -EINVAL);
	assert_int_equal(pabal_region_lock(other, 0, PABAL_NOWAIT), 0);
	pabal_region_close(other);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static void *lock_and_end(void *data)
{
	assert_int_equal(pabal_region_lock(data, 0, PABAL_FOREVER), 0);
	return NULL;
}

/* A new thread gets the stack of the one that ended, and what lies on it. */
static void a_new_thread_is_not_taken_for_one_that_ended(void **state)
{
	pabal_region *region, *other;
	pthread_t thread;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	assert_int_equal(pabal_region_open("r", NULL, &other), 0);
	assert_int_equal(pthread_create(&thread, NULL, lock_and_end, region), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(pthread_create(&thread, NULL, try_as_another_thread, region), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	assert_int_equal(pabal_region_lock(other, 0, PABAL_NOWAIT), -EAGAIN);
	pabal_region_close(region);
	assert_int_equal(pabal_region_lock(other, 0, PABAL_NOWAIT), PABAL_INHERITED);
	pabal_region_close(other);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static void *unlock_what_nobody_holds(void *data)
{
	assert_int_equal(pabal_region_unlock(data, 0), -EINVAL);
	return NULL;
}

/* Its handles are its own, and so are the numbers of its threads, though it was forked by one that had drawn one. */
static int lock_as_a_child(void *data)
{
	pabal_region *region;
	pthread_t thread;

	(void)data;
	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(pabal_region_unlock(region, 0), -EINVAL);
	child_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), -EAGAIN);
	child_equal(pabal_region_lock(region, 1, PABAL_NOWAIT), 0);
	child_equal(pabal_region_lock(region, 1, PABAL_NOWAIT), -EDEADLK);
	child_equal(pthread_create(&thread, NULL, unlock_what_nobody_holds, region), 0);
	child_equal(pthread_join(thread, NULL), 0);
	child_equal(pabal_region_unlock(region, 1), 0);
	pabal_region_close(region);
	return 0;
}

static void threads_of_a_fork_child_are_none_of_its_parents(void **state)
{
	pabal_region *region;
	pthread_t thread;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, REGION(.locks = 2), &region), 0);
	assert_int_equal(pthread_create(&thread, NULL, unlock_what_nobody_holds, region), 0); /* it never had a lock, and nobody has this one */
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_NOWAIT), 0);
	child_run(lock_as_a_child, NULL);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static void on_signal(int number)
{
	(void)number;
}

static int wait_in_vain(void *data)
{
	uint32_t what = *(uint32_t *)data;
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = what & 1 ? SA_RESTART : 0 };
	pabal_region *region;

	sigaction(SIGUSR1, &action, NULL);
	child_equal(pabal_region_open("r", NULL, &region), 0);
	atomic_fetch_add(&common->ready, 1);
	child_equal(what & 2 ? pabal_region_wait(region, 0, 0, NULL, HANG) : pabal_region_lock(region, 0, HANG), -EINTR);
	pabal_region_close(region);
	return 0;
}

/* A signal that comes in the moment between two sleeps does not count; another one is sent. */
static bool has_ended_of_signals(void *data)
{
	pid_t pid = *(pid_t *)data;
	siginfo_t info = { 0 };

	kill(pid, SIGUSR1);
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == pid;
}

static void a_signal_handler_ends_a_wait(void **state)
{
	pabal_region *region;

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_FOREVER), 0);
	for (uint32_t what = 0; what < 4; what++) {
		pid_t pid;

		atomic_store(&common->ready, 0);
		pid = child_start(wait_in_vain, &what);
		assert_true(eventually_at_least(&common->ready, 1));
		child_await_sleep(pid);
		assert_true(eventually(has_ended_of_signals, &pid));
		assert_int_equal(child_end(pid), 0);
	}
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

static int wait_for_the_end(void *data)
{
	pabal_region *region;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	child_equal(*(uint32_t *)data ? pabal_region_wait(region, 0, 0, NULL, HANG) : pabal_region_lock(region, 0, HANG), -ESHUTDOWN);
	pabal_region_close(region);
	return 0;
}

static void destroy_wakes_all_who_wait(void **state)
{
	pabal_region *region;
	pid_t pids[8];

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	assert_int_equal(pabal_region_lock(region, 0, PABAL_FOREVER), 0);
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t what = i % 2;

		pids[i] = child_start(wait_for_the_end, &what);
		child_await_sleep(pids[i]);
	}
	assert_int_equal(pabal_region_destroy("r"), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(child_end(pids[i]), 0);
	assert_int_equal(pabal_region_unlock(region, 0), 0);
	pabal_region_close(region);
}

/* Hold it almost all of the time, and ask for it again at once. */
static int be_greedy(void *data)
{
	_Atomic uint64_t *share = &common->shares[*(uint32_t *)data];
	pabal_region *region;

	child_equal(pabal_region_open("r", NULL, &region), 0);
	while (!atomic_load(&common->stop)) {
		child_equal(pabal_region_lock(region, 0, PABAL_FOREVER), 0);
		for (volatile int i = 0; i < 20000; i++) {
		}
		child_equal(pabal_region_unlock(region, 0), 0);
		atomic_fetch_add(share, 1);
	}
	pabal_region_close(region);
	return 0;
}

static void among_the_greedy_nobody_starves(void **state)
{
	enum { GREEDY = 6, EACH = 40 };
	uint64_t most = 0;
	pabal_region *region;
	pid_t pids[GREEDY];

	(void)state;
	assert_int_equal(pabal_region_create("r", 1, NULL, &region), 0);
	for (uint32_t i = 0; i < GREEDY; i++)
		pids[i] = child_start(be_greedy, &i);
	/* All get on, and while the last one gets its share no other gets a hundred times as much. */
	for (int i = 0; i < GREEDY; i++)
		assert_true(eventually_at_least(&common->shares[i], EACH));
	for (int i = 0; i < GREEDY; i++)
		most = common->shares[i] > most ? common->shares[i] : most;
	assert_in_range(most, EACH, 100 * EACH);
	atomic_store(&common->stop, 1);
	for (int i = 0; i < GREEDY; i++)
		assert_int_equal(child_end(pids[i]), 0);
	pabal_region_close(region);
	assert_int_equal(pabal_region_destroy("r"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_exclude_each_other),
		cmocka_unit_test(threads_on_one_handle_exclude_each_other),
		cmocka_unit_test(a_thread_knows_what_it_holds),
		cmocka_unit_test(a_new_thread_is_not_taken_for_one_that_ended),
		cmocka_unit_test(threads_of_a_fork_child_are_none_of_its_parents),
		cmocka_unit_test(a_signal_handler_ends_a_wait),
		cmocka_unit_test(destroy_wakes_all_who_wait),
		cmocka_unit_test(among_the_greedy_nobody_starves),
	};

	common = shared_memory(sizeof *common);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
