/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_no_memory - this process has no memory left for the books of a loan, whose block of the link is had already: the block is given back, and whoever was refused it meanwhile is told.
 *
 * The linker puts two functions here in the place of libc's: one that fails when it is told to, and one that lets another call in between, before the lock is taken.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "support/link_pair.h"

enum { MEMORY = 1 << 20 /* of link_pair_default() */ };

/* NOLINTBEGIN(bugprone-reserved-identifier): what ld calls them */
int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static pabal_link *links[2];
static int fd;
static bool fails;
static uint32_t locked, failed;
static int refused;
static bool silent;

static bool is_ready(void)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1;
}

/* Another thread's call, in effect. */
static void be_refused(void)
{
	struct pabal_loan other;

	refused = pabal_link_loan(links[0], 5000, &other, PABAL_NOWAIT);
	silent = !is_ready();
}

/* The third time in a loan the block is had, and is to be entered in the books. */
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
	if (fails && lock == &links[0]->sending.lock && ++locked == 3)
		be_refused();
	return __real_pthread_mutex_lock(lock);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	if (!fails)
		return __real_aligned_alloc(alignment, size);
	failed++;
	return NULL;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void *fail_to_lend(void *ret_result)
{
	struct pabal_loan loan;

	fails = true;
	*(int *)ret_result = pabal_link_loan(links[0], MEMORY, &loan, PABAL_NOWAIT);
	fails = false;
	return NULL;
}

static void a_loan_that_fails_makes_room(void **state)
{
	struct pabal_loan loan;
	pthread_t thread;
	int result = 0;

	(void)state;
	link_pair_default(0, links);
	fd = pabal_link_fd(links[0], PABAL_WRITABLE);
	assert_int_equal(pthread_create(&thread, NULL, fail_to_lend, &result), 0); /* with one thread in all there would be no lock */
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(result, -ENOMEM);
	assert_int_equal(failed, 1);
	assert_int_equal(refused, -EAGAIN);
	assert_true(silent);
	assert_true(is_ready()); /* who was refused is told */
	assert_int_equal(pabal_link_loan(links[0], MEMORY, &loan, PABAL_NOWAIT), 0);
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loan_that_fails_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
