/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_absent - calls for a name that nobody has: what they leave alone, and that a wait for it is woken.
 *
 * To close a descriptor that watched a directory takes the kernel up to a second, so a call that does not wait opens none, and a handle opens one in its life. The calls are counted, not measured: they are these here.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/support.h"

static _Atomic uint64_t opened, begun, ended;
static bool refused;
static _Atomic uint64_t *go;
static pabal_process *self;

int inotify_init1(int flags)
{
	if (refused) {
		errno = EMFILE;
		return -1;
	}
	atomic_fetch_add(&opened, 1);
	return (int)syscall(SYS_inotify_init1, flags);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask) /* NOLINT(readability-inconsistent-declaration-parameter-name) */
{
	atomic_fetch_add(&begun, 1);
	return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

int inotify_rm_watch(int fd, int number) /* NOLINT(readability-inconsistent-declaration-parameter-name) */
{
	atomic_fetch_add(&ended, 1);
	return (int)syscall(SYS_inotify_rm_watch, fd, number);
}

static void begin(void)
{
	atomic_store(&opened, 0);
	atomic_store(&begun, 0);
	atomic_store(&ended, 0);
	refused = false;
	self = NULL;
	assert_int_equal(pabal_process_announce("me", NULL, &self), 0);
}

static bool readable_now(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

static void a_call_that_does_not_wait_watches_nothing(void **state)
{
	pabal_link *link;

	(void)state;
	begin();
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pabal_process_send(self, "nobody", "x", 1, PABAL_NOWAIT), -ENOENT);
		assert_int_equal(pabal_process_link(self, "nobody", &link, PABAL_NOWAIT), -ENOENT);
	}
	assert_int_equal(atomic_load(&opened), 0);
	assert_int_equal(atomic_load(&begun), 0);
	pabal_process_close(self);
}

static void short_waits_share_one_descriptor(void **state)
{
	pabal_link *link;
	pabal_mailbox *mailbox;
	char byte;
	int fd;

	(void)state;
	begin();
	fd = pabal_process_fd(self, PABAL_READABLE);
	assert_true(fd >= 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pabal_process_send(self, "nobody", "x", 1, 1000000), -ETIMEDOUT);
		assert_int_equal(pabal_process_link(self, "nobody", &link, 1000000), -ETIMEDOUT);
		assert_int_equal(pabal_process_link(self, "nobody", &link, PABAL_NOWAIT), -ENOENT);
	}
	assert_int_equal(atomic_load(&opened), 1);
	assert_int_equal(atomic_load(&begun), 40);
	assert_int_equal(atomic_load(&ended), 40);
	/* Between the waits nothing is watched: neither what is left from them nor what happens now makes the handle's descriptor readable. */
	assert_int_equal(pabal_process_receive(self, NULL, NULL, &byte, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_false(readable_now(fd));
	assert_int_equal(pabal_mailbox_create("other", NULL, &mailbox), 0);
	assert_false(readable_now(fd));
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("other"), 0);
	pabal_process_close(self);
}

static int come_late(void *data)
{
	pabal_process *process;
	char byte;

	child_check(eventually_at_least(go, 1));
	child_equal(pabal_process_announce(data, NULL, &process), 0);
	child_equal(pabal_process_receive(process, NULL, NULL, &byte, 1, NULL, PABAL_FOREVER), 0);
	pabal_process_close(process);
	return 0;
}

static int let_it_come(void *data)
{
	child_await_sleep(*(pid_t *)data);
	atomic_store(go, 1);
	return 0;
}

/* Nothing but the watch wakes this wait. */
static void a_wait_after_others_is_woken(void **state)
{
	pid_t me = getpid(), late, waker;

	(void)state;
	for (int round = 0; round < 2; round++) {
		begin();
		refused = round == 1; /* no descriptor is left for this user: then it looks now and then */
		assert_int_equal(pabal_process_send(self, "late", "x", 1, 1000000), -ETIMEDOUT);
		atomic_store(go, 0);
		late = child_start(come_late, TEXT("late"));
		waker = child_start(let_it_come, &me);
		assert_int_equal(pabal_process_send(self, "late", "x", 1, PABAL_FOREVER), 0);
		assert_int_equal(child_end(waker), 0);
		assert_int_equal(child_end(late), 0);
		assert_int_equal(atomic_load(&opened), round == 0);
		assert_int_equal(atomic_load(&begun), atomic_load(&ended));
		pabal_process_close(self);
	}
}

/* PABAL_DIR is relative, and where the program goes there is another directory of that name. */
static int wait_elsewhere(void *data)
{
	char elsewhere[] = "/tmp/pabal-test.XXXXXX", text[4096];
	char *slash;
	int r;

	snprintf(text, sizeof text, "%s", objects_directory());
	slash = strrchr(text, '/');
	*slash = 0;
	child_equal(chdir(text), 0);
	child_equal(setenv("PABAL_DIR", slash + 1, 1), 0);
	child_equal(pabal_process_announce("me", NULL, &self), 0);
	child_check(mkdtemp(elsewhere));
	child_equal(chdir(elsewhere), 0);
	child_equal(mkdir(slash + 1, 0700), 0);
	r = pabal_process_send(self, data, "x", 1, PABAL_FOREVER);
	child_equal(rmdir(slash + 1), 0);
	child_equal(rmdir(elsewhere), 0);
	pabal_process_close(self);
	return r;
}

static void it_waits_where_it_was_announced(void **state)
{
	pid_t waits, late, waker;

	(void)state;
	atomic_store(go, 0);
	refused = false;
	waits = child_start(wait_elsewhere, TEXT("late"));
	late = child_start(come_late, TEXT("late"));
	waker = child_start(let_it_come, &waits);
	assert_int_equal(child_end(waits), 0);
	assert_int_equal(child_end(waker), 0);
	assert_int_equal(child_end(late), 0);
}

static _Atomic uint64_t sent;

static void *send_when_there(void *data)
{
	int r = pabal_process_send(self, data, "x", 1, PABAL_FOREVER);

	atomic_store(&sent, 1);
	return as_pointer((uintptr_t)-r);
}

static int close_what_is_inherited(void *data)
{
	(void)data;
	pabal_process_close(self);
	return 0;
}

/* One thread waits on, while others of the handle come and go, and while a child closes what it inherited. */
static void the_end_of_one_wait_leaves_the_others(void **state)
{
	pthread_t thread;
	pabal_link *link;
	void *result;
	pid_t late;

	(void)state;
	begin();
	atomic_store(go, 0);
	atomic_store(&sent, 0);
	assert_int_equal(pthread_create(&thread, NULL, send_when_there, TEXT("late")), 0);
	assert_true(eventually_at_least(&begun, 1));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(pabal_process_link(self, "nobody", &link, 1000000), -ETIMEDOUT);
		assert_int_equal(pabal_process_link(self, "nobody", &link, PABAL_NOWAIT), -ENOENT);
	}
	assert_int_equal(atomic_load(&ended), 0);
	child_run(close_what_is_inherited, NULL);
	late = child_start(come_late, TEXT("late"));
	atomic_store(go, 1);
	assert_true(eventually_at_least(&sent, 1));
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
	assert_int_equal(child_end(late), 0);
	assert_int_equal(atomic_load(&opened), 1);
	assert_int_equal(atomic_load(&ended), atomic_load(&begun));
	pabal_process_close(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_that_does_not_wait_watches_nothing),
		cmocka_unit_test(short_waits_share_one_descriptor),
		cmocka_unit_test(a_wait_after_others_is_woken),
		cmocka_unit_test(it_waits_where_it_was_announced),
		cmocka_unit_test(the_end_of_one_wait_leaves_the_others),
	};

	go = shared_memory(sizeof *go);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
