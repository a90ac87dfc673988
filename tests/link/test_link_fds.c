/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_link_fds - messages with descriptors: what a send says when they cannot go.
 *
 * Both sides are in this process. What the kernel does to a peer that dies, closing its descriptors one by one, is done by hand here, so that each state stands still.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/link_pair.h"

static pabal_link *links[2];
static int fds[PABAL_LINK_FDS_MAX];
static const struct pabal_message_opts one = { .struct_size = sizeof one, .fds = fds, .fd_count = 1 };

/* The other side's end of the channel on which links[0] sends. */
static void close_channel(void)
{
	close(links[1]->fds_in);
	links[1]->fds_in = -1;
}

static void close_both(void)
{
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

static void the_channel_of_a_dead_peer_goes_before_its_socket(void **state)
{
	char byte;

	(void)state;
	/* With descriptors on their way there, and without: the kernel has two words for it. */
	for (int under_way = 0; under_way < 2; under_way++) {
		link_pair_default(0, links);
		assert_int_equal(pabal_link_send(links[1], "last", 4, PABAL_NOWAIT), 0);
		for (int i = 0; i < under_way; i++)
			assert_int_equal(pabal_link_send_with(links[0], &one, "x", 1, PABAL_NOWAIT), 0);
		close_channel();
		assert_int_equal(pabal_link_send_with(links[0], &one, "x", 1, under_way ? PABAL_NOWAIT : HANG), -EOWNERDEAD);
		assert_non_null(strstr(pabal_error_detail(), "died"));
		assert_int_equal(pabal_link_send(links[0], "x", 1, PABAL_NOWAIT), -EOWNERDEAD);          /* and so it stays */
		assert_int_equal(pabal_link_receive(links[0], &byte, 0, NULL, PABAL_NOWAIT), -EMSGSIZE); /* but for what it had sent */
		close_both();
	}
}

static void the_channel_of_one_that_closes_is_no_death(void **state)
{
	(void)state;
	link_pair_default(0, links);
	close_channel();
	assert_int_equal(pabal_link_close(links[1]) == NULL, 1);
	links[1] = NULL;
	assert_int_equal(pabal_link_send_with(links[0], &one, "x", 1, PABAL_NOWAIT), -EPIPE);
	assert_non_null(strstr(pabal_error_detail(), "closed the link"));
	assert_int_equal(pabal__link_channel_end(links[0]), -EPIPE); /* where the send had looked before */
	pabal_link_close(links[0]);
}

/* Whatever came before, and whatever the kernel says. */
static void each_refusal_has_its_own_sentence(void **state)
{
	char byte;
	int good = fds[0];

	(void)state;
	link_pair_default(0, links);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pabal_link_receive(links[0], &byte, 1, NULL, -7), -EINVAL);
		assert_non_null(strstr(pabal_error_detail(), "time-out"));
		fds[0] = -1;
		assert_int_equal(pabal_link_send_with(links[0], &one, "x", 1, i ? HANG : PABAL_NOWAIT), -EBADF);
		assert_non_null(strstr(pabal_error_detail(), "is not open"));
		fds[0] = good;
	}
	pabal__link_words(-EUCLEAN, 0);
	assert_non_null(strstr(pabal_error_detail(), strerror(EUCLEAN)));
	close(links[0]->fds_out);
	links[0]->fds_out = -1;
	assert_int_equal(pabal_link_send_with(links[0], &one, "x", 1, PABAL_NOWAIT), -ENOTSUP);
	assert_non_null(strstr(pabal_error_detail(), "no descriptors"));
	assert_int_equal(pabal_link_send(links[0], "y", 1, PABAL_NOWAIT), 0); /* what was refused has not gone, and is not in the way */
	assert_int_equal(pabal_link_receive(links[1], &byte, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(byte, 'y');
	close_both();
}

static const struct pabal_message_opts many = { .struct_size = sizeof many, .fds = fds, .fd_count = PABAL_LINK_FDS_MAX };
static _Atomic uint64_t done;

static void *send_many(void *data)
{
	int r = pabal_link_send_with(data, &many, "x", 1, PABAL_FOREVER);

	atomic_store(&done, 1);
	return as_pointer((uintptr_t)-r);
}

static bool has_slept(void *data)
{
	return link_stats_of(data).sleeps > 0;
}

/* The kernel bounds the descriptors of one user that are under way, on all links together. */
static int fill_one_link_and_send_on_another(void *data)
{
	const struct rlimit limit = { .rlim_cur = 200, .rlim_max = 200 };
	pabal_link *others[2];
	pthread_t thread;
	void *result;
	char byte;
	int r;

	(void)data;
	become_nobody();
	child_check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	link_pair_default(0, links);
	link_pair_default(0, others);
	while ((r = pabal_link_send_with(links[0], &many, "x", 1, PABAL_NOWAIT)) == 0) {
	}
	child_equal(r, -EAGAIN);
	child_equal(pabal_link_send_with(others[0], &many, "x", 1, PABAL_NOWAIT), -EAGAIN);
	child_check(strstr(pabal_error_detail(), "the kernel has none for its descriptors"));
	child_equal(pabal_link_send_with(others[0], &many, "x", 1, 1000000), -ETIMEDOUT);
	child_check(strstr(pabal_error_detail(), "the kernel for its descriptors"));
	child_check(pthread_create(&thread, NULL, send_many, others[0]) == 0);
	child_check(eventually(has_slept, others[0]));
	child_equal(atomic_load(&done), 0);
	/* Nobody has done anything on the other link. */
	while ((r = pabal_link_receive(links[1], &byte, 1, NULL, PABAL_NOWAIT)) == 0) {
	}
	child_equal(r, -EAGAIN);
	child_check(eventually_at_least(&done, 1));
	child_check(pthread_join(thread, &result) == 0 && !result);
	child_equal(pabal_link_receive(others[1], &byte, 1, NULL, PABAL_NOWAIT), 0);
	return 0;
}

static void room_that_another_link_makes_is_found(void **state)
{
	(void)state;
	child_run(fill_one_link_and_send_on_another, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_channel_of_a_dead_peer_goes_before_its_socket),
		cmocka_unit_test(the_channel_of_one_that_closes_is_no_death),
		cmocka_unit_test(each_refusal_has_its_own_sentence),
		cmocka_unit_test(room_that_another_link_makes_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
