/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sentences - what is said when a name cannot be taken or reached: each failure has a sentence of its own, which is true, and one line.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

static pabal_process *self;

static void expect_said(const char *words)
{
	if (!strstr(pabal_error_detail(), words))
		fail_msg("nothing like '%s' in: %s", words, pabal_error_detail());
}

/* Leave a sentence that none of the calls here says. */
static void say_something_else(void)
{
	assert_int_equal(pabal_process_send(NULL, "x", "", 0, PABAL_NOWAIT), -EINVAL);
	expect_said("no open process handle");
}

static void a_name_of_another_kind(void **state)
{
	pabal_mailbox *mailbox;
	pabal_process *other = NULL;
	pabal_link *link;

	(void)state;
	assert_int_equal(pabal_process_announce("me", NULL, &self), 0);
	assert_int_equal(pabal_mailbox_create("mb", NULL, &mailbox), 0);
	assert_int_equal(mkdir(path_of("dir"), 0700), 0);
	for (int i = 0; i < 2; i++) {
		say_something_else();
		assert_int_equal(pabal_process_send(self, "mb", "x", 1, i ? PABAL_FOREVER : PABAL_NOWAIT), -EINVAL);
		expect_said("'mb' is no process, but an object of another kind");
		say_something_else();
		assert_int_equal(pabal_process_link(self, "dir", &link, i ? PABAL_FOREVER : PABAL_NOWAIT), -EBADMSG);
		expect_said("is not a pabal object: it is no regular file");
	}
	say_something_else();
	assert_int_equal(pabal_process_announce("mb", NULL, &other), -EEXIST);
	expect_said("'mb' in");
	say_something_else();
	assert_int_equal(pabal_process_announce("dir", NULL, &other), -EEXIST);
	expect_said("'dir' in");
	assert_int_equal(pabal_check("me", NULL), -EINVAL);
	expect_said("'me' is a process, not an object");
	assert_int_equal(rmdir(path_of("dir")), 0);
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("mb"), 0);
	pabal_process_close(self);
}

static void expect_not_now(int r, bool late, const char *words)
{
	assert_int_equal(r, late ? -ETIMEDOUT : -EAGAIN);
	expect_said(late ? "the time was up" : "not now");
	expect_said(words);
}

/* No call says what another one waits for. */
static void what_was_not_there_is_said(void **state)
{
	static char data[1000];
	pabal_process *other;
	pabal_link *link;

	(void)state;
	assert_int_equal(pabal_process_announce("me", NULL, &self), 0);
	assert_int_equal(pabal_process_announce("other", NULL, &other), 0);
	assert_int_equal(pabal_process_link(self, "nobody", &link, 1000000), -ETIMEDOUT);
	expect_said("before anybody announced 'nobody'");
	for (int late = 0; late < 2; late++) {
		int64_t timeout_ns = late ? 1000000 : PABAL_NOWAIT;

		expect_not_now(pabal_process_receive(self, NULL, NULL, data, 1, NULL, timeout_ns), late, " message, from any process");
		expect_not_now(pabal_process_receive(self, "other", NULL, data, 1, NULL, timeout_ns), late, "that process");
		expect_not_now(pabal_process_accept(self, &link, timeout_ns), late, "linked");
		/* The other one does not look at its door. */
		expect_not_now(pabal_process_link(self, "other", &link, timeout_ns), late, "answered");
		expect_not_now(pabal_process_send(self, "other", "x", 1, timeout_ns), late, "answered");
	}
	do
		assert_int_equal(pabal_process_receive(other, NULL, NULL, data, 1, NULL, PABAL_NOWAIT), -EAGAIN);
	while (pabal_process_link(self, "other", &link, PABAL_NOWAIT) == -EAGAIN);
	while (pabal_process_send(self, "other", data, sizeof data, PABAL_NOWAIT) == 0) {
	}
	for (int late = 0; late < 2; late++)
		expect_not_now(pabal_process_send(self, "other", data, sizeof data, late ? 1000000 : PABAL_NOWAIT), late,
			       late ? "before the link had room" : "the link is full");
	assert_int_equal(pabal_process_receive(other, NULL, NULL, data, 1, NULL, PABAL_NOWAIT), -EMSGSIZE);
	expect_said("larger than the buffer");
	assert_int_equal(pabal_process_send(self, "other", data, SIZE_MAX, PABAL_NOWAIT), -EMSGSIZE);
	expect_said("this process can send 16777216");
	pabal_process_close(other);
	pabal_process_close(self);
}

enum { THREADS = 3 };

static _Atomic uint64_t started;

static void *wait_for_it(void *data)
{
	char *sentence = NULL;

	(void)data;
	atomic_fetch_add(&started, 1);
	if (pabal_process_send(self, "mb", "x", 1, PABAL_FOREVER) == -EINVAL)
		sentence = strdup(pabal_error_detail());
	return sentence;
}

/* One of them looks at the name, for all; all are told what it found. */
static void several_threads_are_told(void **state)
{
	pthread_t threads[THREADS];
	pabal_mailbox *mailbox;
	void *sentence;

	(void)state;
	assert_int_equal(pabal_process_announce("me", NULL, &self), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, NULL), 0);
	assert_true(eventually_at_least(&started, THREADS));
	pause_briefly();
	assert_int_equal(pabal_mailbox_create("mb", NULL, &mailbox), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &sentence), 0);
		assert_non_null(sentence);
		assert_non_null(strstr(sentence, "'mb' is no process, but an object of another kind"));
		free(sentence);
	}
	pabal_mailbox_close(mailbox);
	assert_int_equal(pabal_mailbox_destroy("mb"), 0);
	pabal_process_close(self);
}

static int take_root_s_names(void *data)
{
	pabal_process *process = NULL;

	(void)data;
	become_nobody();
	child_equal(pabal_process_announce("hidden", NULL, &process), -EACCES);
	child_check(strstr(pabal_error_detail(), "whether its process lives cannot be seen"));
	child_check(!strstr(pabal_error_detail(), "dead"));
	child_equal(pabal_process_announce("seen", NULL, &process), -EADDRINUSE);
	child_check(strstr(pabal_error_detail(), "a living process"));
	child_equal(pabal_process_announce("left", NULL, &process), -EACCES);
	child_check(strstr(pabal_error_detail(), "is dead"));
	child_check(!process);
	return 0;
}

static int announce_and_die(void *data)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .mode = 0644 };
	pabal_process *process;

	(void)data;
	child_equal(pabal_process_announce("left", &opts, &process), 0);
	return 0;
}

static void whether_another_user_s_process_lives(void **state)
{
	struct pabal_process_opts opts = { .struct_size = sizeof opts, .mode = 0644 };
	pabal_process *hidden, *seen;

	(void)state;
	assert_int_equal(chmod(objects_directory(), 01777), 0);
	assert_int_equal(pabal_process_announce("hidden", NULL, &hidden), 0);
	assert_int_equal(pabal_process_announce("seen", &opts, &seen), 0);
	child_run(announce_and_die, NULL);
	child_run(take_root_s_names, NULL);
	pabal_process_close(hidden);
	pabal_process_close(seen);
	assert_int_equal(pabal_gc(NULL), 0);
}

static void a_name_is_told_in_one_line(void **state)
{
	pabal_process *other;
	pabal_mailbox *mailbox;

	(void)state;
	assert_int_equal(pabal_process_announce("me", NULL, &self), 0);
	assert_int_equal(pabal_process_send(self,
					    "a\nb\x1b[31mc\x7f\xc2\x9b"
					    "d",
					    "x", 1, PABAL_NOWAIT),
			 -EINVAL);
	expect_said("the name 'a\\nb\\x1b[31mc\\x7f\\xc2\\x9bd' holds");
	assert_int_equal(pabal_process_announce(".\n", NULL, &other), -EINVAL);
	expect_said("the name '.\\n' starts");
	assert_int_equal(pabal_mailbox_open("a\r", NULL, &mailbox), -EINVAL);
	expect_said("'a\\x0d'");
	assert_int_equal(pabal_mailbox_open("이름", NULL, &mailbox), -EINVAL); /* printable, though no name */
	expect_said("'이름'");
	pabal_process_close(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_of_another_kind),     cmocka_unit_test(what_was_not_there_is_said),
		cmocka_unit_test(several_threads_are_told),   cmocka_unit_test(whether_another_user_s_process_lives),
		cmocka_unit_test(a_name_is_told_in_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
