/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_exists - opening with PABAL_WAIT_EXISTS: what is there is not waited for, what comes is.
 *
 * To close a descriptor that watched a directory takes the kernel up to a second. How many are opened is counted, not measured: the call is this one here.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/support.h"

static _Atomic uint64_t opened;

int inotify_init1(int flags)
{
	atomic_fetch_add(&opened, 1);
	return (int)syscall(SYS_inotify_init1, flags);
}

static void what_is_there_is_not_watched_for(void **state)
{
	pabal_mailbox *one, *other;

	(void)state;
	atomic_store(&opened, 0);
	assert_int_equal(pabal_mailbox_create("a", NULL, &one), 0);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_WAIT_EXISTS, .wait_ns = PABAL_FOREVER), &other), 0);
	assert_int_equal(atomic_load(&opened), 0);
	pabal_mailbox_close(other);
	pabal_mailbox_close(one);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_WAIT_EXISTS, .wait_ns = PABAL_NOWAIT), &other), -ENOENT);
	assert_int_equal(atomic_load(&opened), 0);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_WAIT_EXISTS, .wait_ns = 1000000), &other), -ETIMEDOUT);
	assert_int_equal(atomic_load(&opened), 1);
}

static int create_late(void *data)
{
	pabal_mailbox *mailbox;

	child_await_sleep(*(pid_t *)data);
	child_equal(pabal_mailbox_create("a", NULL, &mailbox), 0);
	return 0;
}

static void what_comes_is_found(void **state)
{
	pid_t me = getpid(), late;
	pabal_mailbox *mailbox;

	(void)state;
	late = child_start(create_late, &me);
	assert_int_equal(pabal_mailbox_open("a", OPTS(.flags = PABAL_WAIT_EXISTS, .wait_ns = PABAL_FOREVER), &mailbox), 0);
	assert_int_equal(child_end(late), 0);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there_is_not_watched_for),
		cmocka_unit_test(what_comes_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
