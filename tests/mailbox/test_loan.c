/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_loan - writing in place: loan, commit, cancel; and what a handle gives back when it closes.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "support/support.h"

static void a_loan_is_sent_by_commit(void **state)
{
	static const size_t sizes[] = { 0, 1, 96, 97, 4064, 4096, 70000 };
	struct pabal_message_opts opts = { .struct_size = sizeof opts, .tag = 42 };
	struct pabal_message message;
	struct pabal_loan loan;
	pabal_mailbox *a;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t sent = sizes[i] - sizes[i] / 3;

		assert_int_equal(pabal_mailbox_loan(a, sizes[i], &loan, PABAL_NOWAIT), 0);
		assert_int_equal(loan.size, sizes[i]);
		assert_int_equal((uintptr_t)loan.data % (sizes[i] < 4096 ? 16 : 64), 0);
		memset(loan.data, 'L', sizes[i]);
		assert_int_equal(pabal_mailbox_receive(a, NULL, 0, NULL, PABAL_NOWAIT), -EAGAIN); /* not there before commit */
		assert_int_equal(pabal_mailbox_commit(a, &loan, sizes[i] + 1, PABAL_NOWAIT), -EINVAL);
		assert_int_equal(pabal_mailbox_commit_with(a, &opts, &loan, sent, PABAL_NOWAIT), 0);
		assert_null(loan.data);
		assert_int_equal(pabal_mailbox_commit(a, &loan, 0, PABAL_NOWAIT), -EINVAL);
		assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
		assert_int_equal(message.size, sent);
		assert_int_equal(message.tag, 42);
		assert_int_equal((uintptr_t)message.data % (sizes[i] < 4096 ? 16 : 64), 0);
		for (size_t j = 0; j < sent; j++)
			assert_int_equal(((const char *)message.data)[j], 'L');
		assert_int_equal(pabal_mailbox_release(a, &message), 0);
	}
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void a_cancelled_loan_never_was(void **state)
{
	struct pabal_check_result account;
	struct pabal_loan loan, copy;
	pabal_mailbox *a, *b;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", NULL, &a), 0);
	assert_int_equal(pabal_mailbox_open("a", NULL, &b), 0);
	assert_int_equal(pabal_mailbox_loan(a, 10, &loan, PABAL_NOWAIT), 0);
	copy = loan;
	expect_sound("a", &account);
	assert_int_equal(account.loaned, 1);
	assert_int_equal(pabal_mailbox_cancel(b, &loan), -EINVAL); /* another handle's */
	assert_int_equal(pabal_mailbox_commit(b, &loan, 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_mailbox_cancel(a, &loan), 0);
	assert_int_equal(pabal_mailbox_cancel(a, &loan), -EINVAL);
	assert_int_equal(pabal_mailbox_cancel(a, &copy), -EINVAL);
	assert_int_equal(pabal_mailbox_commit(a, &copy, 1, PABAL_NOWAIT), -EINVAL);
	assert_int_equal(pabal_mailbox_cancel(a, NULL), -EINVAL);
	assert_int_equal(pabal_mailbox_receive(a, NULL, 0, NULL, PABAL_NOWAIT), -EAGAIN);
	expect_sound("a", &account);
	assert_int_equal(account.loaned, 0);
	pabal_mailbox_close(a);
	pabal_mailbox_close(b);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void a_full_mailbox_leaves_the_loan_a_loan(void **state)
{
	struct pabal_loan loan;
	pabal_mailbox *a;
	char byte;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 1), &a), 0);
	assert_int_equal(pabal_mailbox_send(a, "1", 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_loan(a, 1, &loan, PABAL_NOWAIT), 0);
	memcpy(loan.data, "2", 1);
	assert_int_equal(pabal_mailbox_commit(a, &loan, 1, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_mailbox_commit(a, &loan, 1, 1000000), -ETIMEDOUT);
	assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_commit(a, &loan, 1, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_receive(a, &byte, 1, NULL, PABAL_NOWAIT), 0);
	assert_int_equal(byte, '2');
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

/* The message is in the queue, and its block still says that it is ours. */
static void a_copy_of_a_committed_loan_is_no_loan(void **state)
{
	static const size_t sizes[] = { 1, 100, 5000 };
	pabal_mailbox *a;

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 2), &a), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct pabal_loan loan, copy, third;
		char buffer[5000] = { 0 };
		size_t size;

		assert_int_equal(pabal_mailbox_loan(a, sizes[i], &loan, PABAL_NOWAIT), 0);
		memset(loan.data, 'x', sizes[i]);
		copy = loan;
		assert_int_equal(pabal_mailbox_commit(a, &loan, sizes[i], PABAL_NOWAIT), 0);
		third = copy;
		assert_int_equal(pabal_mailbox_commit(a, &copy, sizes[i], PABAL_NOWAIT), -EINVAL);
		assert_int_equal(pabal_mailbox_cancel(a, &third), -EINVAL);
		/* A commit that failed leaves a loan that can be committed. */
		assert_int_equal(pabal_mailbox_send(a, "y", 1, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_loan(a, 1, &loan, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_commit(a, &loan, 1, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(pabal_mailbox_receive(a, buffer, sizeof buffer, &size, PABAL_NOWAIT), 0);
		assert_int_equal(size, sizes[i]);
		assert_int_equal(buffer[size - 1], 'x');
		assert_int_equal(pabal_mailbox_commit(a, &loan, 1, PABAL_NOWAIT), 0);
		for (int j = 0; j < 2; j++)
			assert_int_equal(pabal_mailbox_receive(a, buffer, sizeof buffer, &size, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_receive(a, buffer, sizeof buffer, &size, PABAL_NOWAIT), -EAGAIN);
		assert_int_equal(pabal_mailbox_commit(a, &third, sizes[i], PABAL_NOWAIT), -EINVAL);
	}
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

struct commit {
	pabal_mailbox *mailbox;
	struct pabal_loan loan;
	pthread_t thread;
	_Atomic pid_t id;
	int result;
};

static void *commit_in_a_thread(void *data)
{
	struct commit *commit = data;

	atomic_store(&commit->id, gettid());
	commit->result = pabal_mailbox_commit(commit->mailbox, &commit->loan, 4, HANG);
	return NULL;
}

static bool sleeps(void *data)
{
	const struct commit *commit = data;
	pid_t id = atomic_load(&commit->id);

	return id && process_state(id) == 'S';
}

static void start_to_commit(struct commit *commit, pabal_mailbox *mailbox, const struct pabal_loan *loan)
{
	*commit = (struct commit){ .mailbox = mailbox, .loan = *loan };
	assert_int_equal(pthread_create(&commit->thread, NULL, commit_in_a_thread, commit), 0);
	assert_true(eventually(sleeps, commit));
}

/* A commit that waited did not look at its loan again: the block came into the queue twice, and who received it second was told that the mailbox is damaged. */
static void two_commits_of_one_loan_that_wait_send_it_once(void **state)
{
	struct commit commits[2];
	struct pabal_loan loan;
	pabal_mailbox *a;
	char text[4];

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 1), &a), 0);
	assert_int_equal(pabal_mailbox_send(a, "full", 4, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_loan(a, 4, &loan, PABAL_NOWAIT), 0);
	memcpy(loan.data, "once", 4);
	for (int i = 0; i < 2; i++)
		start_to_commit(&commits[i], a, &loan);
	assert_int_equal(pabal_mailbox_receive(a, text, 4, NULL, PABAL_NOWAIT), 0);
	assert_memory_equal(text, "full", 4);
	assert_int_equal(pabal_mailbox_receive(a, text, 4, NULL, HANG), 0);
	assert_memory_equal(text, "once", 4);
	for (int i = 0; i < 2; i++)
		pthread_join(commits[i].thread, NULL);
	assert_int_equal(commits[0].result + commits[1].result, -EINVAL);
	assert_true(commits[0].result == 0 || commits[1].result == 0);
	assert_int_equal(pabal_mailbox_receive(a, text, 4, NULL, PABAL_NOWAIT), -EAGAIN);
	expect_sound("a", NULL);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void a_loan_that_is_cancelled_while_its_commit_waits_is_not_sent(void **state)
{
	struct pabal_check_result account;
	struct commit commit;
	struct pabal_loan loan, other;
	pabal_mailbox *a;
	char text[4];

	(void)state;
	assert_int_equal(pabal_mailbox_create("a", OPTS(.capacity = 1), &a), 0);
	assert_int_equal(pabal_mailbox_send(a, "full", 4, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_loan(a, 4, &loan, PABAL_NOWAIT), 0);
	start_to_commit(&commit, a, &loan);
	assert_int_equal(pabal_mailbox_cancel(a, &loan), 0);
	assert_int_equal(pabal_mailbox_loan(a, 4, &other, PABAL_NOWAIT), 0);
	assert_int_equal(pabal_mailbox_receive(a, text, 4, NULL, PABAL_NOWAIT), 0);
	pthread_join(commit.thread, NULL);
	assert_int_equal(commit.result, -EINVAL);
	assert_int_equal(pabal_mailbox_receive(a, text, 4, NULL, PABAL_NOWAIT), -EAGAIN);
	assert_int_equal(pabal_mailbox_commit(a, &other, 4, PABAL_NOWAIT), 0);
	expect_sound("a", &account);
	assert_int_equal(account.loaned, 0);
	assert_int_equal(account.queued, 1);
	pabal_mailbox_close(a);
	assert_int_equal(pabal_mailbox_destroy("a"), 0);
}

static void close_cancels_loans_and_redelivers_leases(void **state)
{
	static const uint32_t flags[] = { 0, PABAL_MAILBOX_DROP_ON_DEATH };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pabal_check_result account;
		struct pabal_message message;
		struct pabal_loan loans[3];
		pabal_mailbox *a, *b;

		assert_int_equal(pabal_mailbox_create("a", OPTS(.flags = flags[i]), &a), 0);
		assert_int_equal(pabal_mailbox_open("a", NULL, &b), 0);
		for (int j = 0; j < 3; j++)
			assert_int_equal(pabal_mailbox_loan(b, 5000u * (size_t)j, &loans[j], PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_send(a, "1", 1, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_send(a, "2", 1, PABAL_NOWAIT), 0);
		assert_int_equal(pabal_mailbox_take(b, NULL, &message, PABAL_NOWAIT), 0);
		pabal_mailbox_close(b);
		expect_sound("a", &account);
		assert_int_equal(account.loaned, 0);
		assert_int_equal(account.leased, 0);
		/* To close is not to die: DROP_ON_DEATH or not, it comes again. */
		assert_int_equal(pabal_mailbox_take(a, NULL, &message, PABAL_NOWAIT), 0);
		assert_memory_equal(message.data, "1", 1);
		assert_int_equal(message.delivery_count, 2);
		assert_int_equal(stats_of(a).redelivered, 1);
		assert_int_equal(stats_of(a).dropped, 0);
		assert_int_equal(pabal_mailbox_release(a, &message), 0);
		pabal_mailbox_close(a);
		assert_int_equal(pabal_mailbox_destroy("a"), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loan_is_sent_by_commit),
		cmocka_unit_test(a_cancelled_loan_never_was),
		cmocka_unit_test(a_full_mailbox_leaves_the_loan_a_loan),
		cmocka_unit_test(a_copy_of_a_committed_loan_is_no_loan),
		cmocka_unit_test(two_commits_of_one_loan_that_wait_send_it_once),
		cmocka_unit_test(a_loan_that_is_cancelled_while_its_commit_waits_is_not_sent),
		cmocka_unit_test(close_cancels_loans_and_redelivers_leases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
