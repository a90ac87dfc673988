/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_nudge - who is nudged, and that nobody's nudge is another's.
 */
#include "wait/nudge.h"
#include "support/support.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static bool is_readable_fd(int fd)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1;
}

static bool is_set(const struct pabal__nudge *nudge)
{
	return is_readable_fd(nudge->fd);
}

static void each_has_its_own(void **state)
{
	struct pabal__nudges nudges = { NULL };
	struct pabal__nudge *one, *two;

	(void)state;
	pabal__nudge_all(&nudges); /* nobody */
	assert_int_equal(pabal__nudge_claim(&nudges, &one), 0);
	assert_int_equal(pabal__nudge_claim(&nudges, &two), 0);
	assert_ptr_not_equal(one, two);
	assert_false(is_set(one) || is_set(two));
	pabal__nudge_all(&nudges);
	assert_true(is_set(one) && is_set(two));
	pabal__nudge_clear(one);
	assert_true(!is_set(one) && is_set(two));
	pabal__nudges_close(&nudges);
}

static void one_that_was_returned_is_left_alone_and_used_again(void **state)
{
	struct pabal__nudges nudges = { NULL };
	struct pabal__nudge *one, *two, *again;

	(void)state;
	assert_int_equal(pabal__nudge_claim(&nudges, &one), 0);
	assert_int_equal(pabal__nudge_claim(&nudges, &two), 0);
	pabal__nudge_return(one);
	pabal__nudge_all(&nudges);
	assert_true(!is_set(one) && is_set(two));
	assert_int_equal(pabal__nudge_claim(&nudges, &again), 0);
	assert_ptr_equal(again, one);
	pabal__nudges_close(&nudges);
	assert_int_equal(pabal__nudge_claim(&nudges, &one), 0); /* as new */
	pabal__nudges_close(&nudges);
}

/* More often than the socket holds. */
static void as_often_as_it_likes(void **state)
{
	struct pabal__nudges nudges = { NULL };
	struct pabal__nudge *one;

	(void)state;
	assert_int_equal(pabal__nudge_claim(&nudges, &one), 0);
	for (int i = 0; i < 1000; i++)
		pabal__nudge_all(&nudges);
	assert_true(is_set(one));
	for (int i = 0; i < 1000 && is_set(one); i++)
		pabal__nudge_clear(one);
	assert_false(is_set(one));
	pabal__nudges_close(&nudges);
}

/* A file of the program has the number of a counter: what is in it stays in it, and it stays open. */
static void another_file_is_left_alone(void **state)
{
	struct pabal__nudges nudges = { NULL };
	struct pabal__nudge *one, *again;
	int pipes[2], fd;
	char bytes[4];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], "mine", 4), 4);
	assert_int_equal(pabal__nudge_claim(&nudges, &one), 0);
	fd = one->fd;
	assert_true(pabal__nudge_is_ours(one));
	for (int end = 1; end >= 0; end--) { /* one to write to, then one to read from */
		assert_int_equal(dup2(pipes[end], fd), fd);
		assert_false(pabal__nudge_is_ours(one));
		pabal__nudge_all(&nudges);
		pabal__nudge_clear(one);
	}
	pabal__nudge_return(one);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pabal__nudge_claim(&nudges, &again), -EBADF);
	pabal__nudges_close(&nudges);
	assert_int_equal(read(fd, bytes, sizeof bytes), sizeof bytes);
	assert_memory_equal(bytes, "mine", 4);
	assert_false(is_readable_fd(fd));
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

enum { THREADS = 4, ROUNDS = 2000 };

struct race {
	struct pabal__nudges nudges;
	_Atomic uint64_t happened;
};

/* Claim, look, sleep: what happens at any moment is found. */
static void *sleep_and_look(void *data)
{
	struct race *race = data;

	for (uint64_t seen = 0; seen < ROUNDS;) {
		struct pabal__nudge *nudge;

		if (pabal__nudge_claim(&race->nudges, &nudge) < 0)
			return NULL;
		while (atomic_load_explicit(&race->happened, memory_order_relaxed) == seen) {
			if (poll(&(struct pollfd){ .fd = nudge->fd, .events = POLLIN }, 1, -1) == 1)
				pabal__nudge_clear(nudge);
		}
		seen = atomic_load_explicit(&race->happened, memory_order_relaxed);
		pabal__nudge_return(nudge);
	}
	return data;
}

static void none_is_lost(void **state)
{
	struct race race = { .happened = 0 };
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sleep_and_look, &race), 0);
	for (int i = 0; i < ROUNDS; i++) {
		atomic_fetch_add_explicit(&race.happened, 1, memory_order_relaxed);
		pabal__nudge_all(&race.nudges);
	}
	for (int i = 0; i < THREADS; i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, &race);
	}
	pabal__nudges_close(&race.nudges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_its_own),     cmocka_unit_test(one_that_was_returned_is_left_alone_and_used_again),
		cmocka_unit_test(as_often_as_it_likes), cmocka_unit_test(another_file_is_left_alone),
		cmocka_unit_test(none_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
